package phrases

import (
	"slices"
	"strings"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/space"
	"tidings.internal/services/enrich/internal/words"
)

// candidate is all places of one phrase, whatever its forms.
type candidate struct {
	stems []int32 // by their numbers
	forms []form
	// surface is the form that it is shown in.
	surface string
	places  [maxPlaces]span // the first ones
	first   int             // word in the body, -1 for none
	where   uint16          // the tenths of the body that it stands in, one bit each
	body    int
	title   int
	head    int
	// nested is how often it stands inside a longer phrase that comes back itself.
	nested int
	stop   bool    // has a function word inside
	score  float64 // of the sure ones
	chance float64 // in the ranking
}

// key tells candidates apart: their stems, by numbers from one.
type key [maxWords]int32

func keyOf(stems []int32) (k key) {
	for i, n := range stems {
		k[i] = n + 1
	}
	return k
}

// form is how a phrase is written, and how much speaks for it.
type form struct {
	text   string
	weight int
}

// maxForms is how many forms of a phrase are told apart: nobody writes one in more.
const maxForms = 64

// span is where a phrase stands that is kept as evidence: its first word.
type span struct {
	title bool
	word  int32
}

// place is where a phrase stands: its first word among all of title or body.
type place struct {
	title     bool
	word, all int
}

// chunk is how many candidates are made at once: there are more of them than of anything else.
const chunk = 128

// candidate returns that of a run of stems, a new one for those that were not met before.
func (f *finder) candidate(list []words.Word, stems []int32) *candidate {
	k := keyOf(stems)
	c := f.found[k]
	if c != nil {
		return c
	}
	if len(f.free) == 0 {
		f.free = make([]candidate, chunk)
	}
	c, f.free = &f.free[0], f.free[1:]
	c.stems, c.first = stems, -1
	for i := range list {
		c.stop = c.stop || list[i].Stop
	}
	f.found[k] = c
	f.all = append(f.all, c)
	return c
}

// add notes a place of a phrase.
func (f *finder) add(list []words.Word, stems []int32, text string, at place) {
	c := f.candidate(list, stems)
	weight := 2
	if list[0].First && (len(list) > 1 || !f.german) {
		weight = 1 // at the start of a sentence the capital may be due to the place
	}
	c.written(space.One(text[list[0].From:list[len(list)-1].To]), weight)
	if at.title {
		c.title++
	} else {
		c.body++
		if c.first < 0 {
			c.first = at.word
		}
		c.where |= 1 << (10 * at.word / max(at.all, 1))
		if f.heading[at.word] {
			c.head++
		}
	}
	if n := c.title + c.body; n <= maxPlaces {
		c.places[n-1] = span{at.title, int32(at.word)}
	}
}

// written counts a form.
func (c *candidate) written(text string, weight int) {
	for i := range c.forms {
		if c.forms[i].text == text {
			c.forms[i].weight += weight
			return
		}
	}
	if len(c.forms) < maxForms {
		c.forms = append(c.forms, form{text, weight})
	}
}

// best is the most frequent form, the first by spelling of several.
func (c *candidate) best() string {
	best := c.forms[0]
	for _, f := range c.forms[1:] {
		if f.weight > best.weight || f.weight == best.weight && f.text < best.text {
			best = f
		}
	}
	return best.text
}

// within reports whether the stems of a stand in a row in b.
func within(a, b []int32) bool {
	for i := 0; i+len(a) <= len(b); i++ {
		if slices.Equal(a, b[i:i+len(a)]) {
			return true
		}
	}
	return false
}

// spelled compares candidates by their stems.
func (f *finder) spelled(a, b *candidate) int {
	return slices.CompareFunc(a.stems, b.stems, func(x, y int32) int { return strings.Compare(f.stems[x].text, f.stems[y].text) })
}

func (f *finder) tag(c *candidate, d *pipeline.Draft) article.Tag {
	t := article.Tag{Label: map[string]string{d.Lang(): c.surface}, Kind: article.KindPhrase, Score: rounded(c.score)}
	for _, p := range c.places[:min(maxPlaces, c.title+c.body)] {
		field, text, list := "text", d.Prose.Body, d.Words.Body
		if p.title {
			field, text, list = "title", d.Article.Title, d.Words.Title
		}
		first, last := &list[p.word], &list[int(p.word)+len(c.stems)-1]
		t.Evidence = append(t.Evidence, article.Evidence{Source: "stat", Text: text[first.From:last.To], Field: field, Start: first.Start, End: last.End, Weight: 1})
	}
	return t
}
