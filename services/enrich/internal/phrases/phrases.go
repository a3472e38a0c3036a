// Package phrases finds the phrases that an article is about: runs of words that come back, stand early, in the title
// or in a heading. It knows no vocabulary.
package phrases

import (
	"context"
	"slices"
	"strings"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/prose"
	"tidings.internal/services/enrich/internal/words"
)

const (
	maxWords = 4
	// maxPhrases is how many an article keeps.
	maxPhrases = 15
	// maxPlaces is how many places are kept as evidence for each.
	maxPlaces = 3
	// minScore is what a phrase must reach: less is a word that happens to stand there.
	minScore = 0.35
	// minChance is what a phrase of the ranking must reach.
	minChance = 0.25
)

// Step finds the keyphrases of a draft.
type Step struct{}

var _ pipeline.Step = Step{}

// Name returns "phrases".
func (Step) Name() string { return "phrases" }

// Run fills Keyphrases, the ranking, and Candidates, those of the phrases that are sure enough to be tags.
func (Step) Run(ctx context.Context, d *pipeline.Draft) error {
	f := newFinder(d)
	f.collect(d.Words.Title, true)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	f.collect(d.Words.Body, false)
	for _, c := range f.found {
		f.nest(c)
	}
	d.Candidates, d.Article.Keyphrases = nil, nil
	for _, c := range f.sure() {
		d.Candidates = append(d.Candidates, f.tag(c, d))
	}
	for _, c := range f.ranked() {
		d.Article.Keyphrases = append(d.Article.Keyphrases, article.Phrase{Text: c.surface(), Score: rounded(c.chance)})
	}
	return ctx.Err()
}

// Degrade finds none.
func (Step) Degrade(d *pipeline.Draft) { d.Candidates, d.Article.Keyphrases = nil, nil }

type finder struct {
	lang     string
	german   bool
	everyday map[string]bool // stems
	// nested is how often a phrase stands inside a longer one that comes back itself.
	nested map[string]int
	// nouns holds the stems seen with a capital inside a sentence, lower those seen without one anywhere.
	nouns, lower map[string]bool
	title        map[string]bool   // stems of the title
	usage        map[string]*usage // of English words, by stems
	found        map[string]*candidate
	d            *pipeline.Draft
	total        int
}

// candidate is all places of one phrase, whatever its forms.
type candidate struct {
	key    string
	stems  []string
	places []span
	forms  map[string]int
	first  int    // word in the body
	where  uint16 // the tenths of the body that it stands in, one bit each
	body   int
	title  int
	head   int
	stop   bool    // has a function word inside
	score  float64 // of the sure ones
	chance float64 // in the ranking
}

type span struct {
	title      bool
	start, end int
	text       string
}

func newFinder(d *pipeline.Draft) *finder {
	f := &finder{
		lang: d.Words.Lang, german: words.Base(d.Words.Lang) == "de", everyday: words.EverydayStems(d.Words.Lang), nested: map[string]int{},
		nouns: map[string]bool{}, lower: map[string]bool{}, title: map[string]bool{}, found: map[string]*candidate{}, d: d, total: len(d.Words.Body),
	}
	for _, list := range [][]words.Word{d.Words.Title, d.Words.Body} {
		for i := range list {
			w := &list[i]
			switch {
			case !w.Upper():
				f.lower[w.Stem] = true
			case !w.First:
				f.nouns[w.Stem] = true
			}
		}
	}
	if words.Base(f.lang) == "en" {
		f.usage = usages(d.Words.Body, d.Prose.At)
	}
	for i := range d.Words.Title {
		f.title[d.Words.Title[i].Stem] = true
	}
	return f
}

// collect takes every run of one to four words that may be a phrase.
func (f *finder) collect(list []words.Word, title bool) {
	text := []rune(f.d.Article.Title)
	if !title {
		text = []rune(f.d.Prose.Body)
	}
	for i := range list {
		if !f.begins(list, i) {
			continue
		}
		for n := 1; n <= maxWords && i+n <= len(list); n++ {
			j := i + n - 1
			if j > i && (list[j].Break || list[j].Masked) {
				break
			}
			if !f.ends(list, j) || n > 1 && !f.joined(list, i, j) {
				continue
			}
			f.add(list, i, j, text, title)
		}
	}
}

// begins reports whether a phrase may begin with word i.
func (f *finder) begins(list []words.Word, i int) bool {
	w := &list[i]
	return !w.Stop && !w.Masked && !w.Digit && !w.Glued && len(w.Fold) > 1
}

// ends reports whether a phrase may end with word j: in German with a noun, and never inside a compound with hyphens.
func (f *finder) ends(list []words.Word, j int) bool {
	w := &list[j]
	if w.Stop || w.Masked || len(w.Fold) < 2 && !w.Glued || j+1 < len(list) && list[j+1].Glued {
		return false
	}
	if f.german {
		return w.Upper() && (f.nouns[w.Stem] || !w.First || !f.lower[w.Stem])
	}
	return !w.Digit
}

// joined reports whether words i to j are one phrase: function words inside only where they join nouns.
func (f *finder) joined(list []words.Word, i, j int) bool {
	for k := i + 1; k < j; k++ {
		if list[k].Stop && !linking[list[k].Fold] {
			return false
		}
	}
	if !f.german {
		return true
	}
	// In German a phrase is a noun with its adjectives or with another noun behind a linking word. A verb in front
	// would be written small, like an adjective: only adjectives by their endings are taken.
	for k := i; k < j; k++ {
		w := &list[k]
		if !w.Upper() && !w.Stop && !adjective(w.Fold) {
			return false
		}
	}
	return true
}

// linking words may stand inside a phrase.
var linking = map[string]bool{"de": true, "des": true, "der": true, "für": true, "of": true, "du": true, "la": true, "del": true, "di": true, "do": true, "da": true, "van": true, "von": true, "en": true, "im": true, "am": true, "d": true, "auf": true}

func adjective(fold string) bool {
	for _, e := range []string{"e", "en", "er", "es", "em"} {
		if strings.HasSuffix(fold, e) && len(fold) > len(e)+3 {
			return true
		}
	}
	return false
}

func (f *finder) add(list []words.Word, i, j int, text []rune, title bool) {
	var stems []string
	stop := false
	for k := i; k <= j; k++ {
		stems = append(stems, list[k].Stem)
		stop = stop || list[k].Stop
	}
	key := strings.Join(stems, " ")
	c := f.found[key]
	if c == nil {
		c = &candidate{key: key, stems: stems, forms: map[string]int{}, first: -1, stop: stop}
		f.found[key] = c
	}
	s := span{title: title, start: list[i].Start, end: list[j].End}
	s.text = strings.Join(strings.Fields(string(text[s.start:s.end])), " ")
	weight := 2
	if list[i].First && i != j || list[i].First && !f.german {
		weight = 1 // at the start of a sentence the capital may be due to the place
	}
	c.forms[s.text] += weight
	if title {
		c.title++
	} else {
		c.body++
		if c.first < 0 {
			c.first = i
		}
		c.where |= 1 << (10 * i / max(len(list), 1))
		if f.d.Prose.At(s.start) == prose.Heading {
			c.head++
		}
	}
	if len(c.places) < maxPlaces {
		s.text = string(text[s.start:s.end])
		c.places = append(c.places, s)
	}
}

// surface is the most frequent form, the first by spelling of several.
func (c *candidate) surface() string {
	best := ""
	for form, n := range c.forms {
		if best == "" || n > c.forms[best] || n == c.forms[best] && form < best {
			best = form
		}
	}
	return best
}

// within reports whether the stems of a stand in a row in b.
func within(a, b []string) bool {
	for i := 0; i+len(a) <= len(b); i++ {
		if slices.Equal(a, b[i:i+len(a)]) {
			return true
		}
	}
	return false
}

func (f *finder) tag(c *candidate, d *pipeline.Draft) article.Tag {
	t := article.Tag{Label: map[string]string{d.Lang(): c.surface()}, Kind: article.KindPhrase, Score: rounded(c.score)}
	for _, p := range c.places {
		field := "text"
		if p.title {
			field = "title"
		}
		t.Evidence = append(t.Evidence, article.Evidence{Source: "stat", Text: p.text, Field: field, Start: p.start, End: p.end, Weight: 1})
	}
	return t
}
