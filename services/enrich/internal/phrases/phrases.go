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
	// minChance is what a phrase of the ranking must reach by the weights of its language.
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
	if ctx.Err() != nil {
		return ctx.Err()
	}
	f.find()
	d.Candidates, d.Article.Keyphrases = nil, nil
	for _, c := range f.sure() {
		d.Candidates = append(d.Candidates, f.tag(c, d))
	}
	for _, c := range f.ranked(weights(f.lang), minChance) {
		d.Article.Keyphrases = append(d.Article.Keyphrases, article.Phrase{Text: c.surface, Score: rounded(c.chance)})
	}
	return ctx.Err()
}

// Degrade finds none.
func (Step) Degrade(d *pipeline.Draft) { d.Candidates, d.Article.Keyphrases = nil, nil }

type finder struct {
	d      *pipeline.Draft
	lang   string
	german bool
	// uncut is set where nobody knows the function words of the language: a run of words may be any piece of a sentence.
	uncut bool
	stems []stem
	// title and body are the numbers of the stems of the words.
	title, body []int32
	heading     []bool            // of the words of the body: they stand in one
	usage       map[string]*usage // of English words, by stems
	found       map[key]*candidate
	all         []*candidate // in the order in which they were found
	free        []candidate
}

// stem is what is known of the words with one stem.
type stem struct {
	text  string
	count int // how often they stand in title and body
	// noun is set where one has a capital inside a sentence, lower where one has none anywhere.
	noun, lower bool
	everyday    bool
	// beside is how many words stand beside one of them, kinds how many different ones.
	beside, kinds int
}

func newFinder(d *pipeline.Draft) *finder {
	f := &finder{d: d, lang: d.Words.Lang, german: words.Base(d.Words.Lang) == "de", uncut: len(words.Stops(d.Words.Lang)) == 0, found: map[key]*candidate{}}
	numbers, everyday := map[string]int32{}, words.EverydayStems(f.lang)
	f.title, f.body = f.number(d.Words.Title, numbers, everyday), f.number(d.Words.Body, numbers, everyday)
	f.neighbours()
	at := d.Prose.Rising()
	for i := range d.Words.Body {
		f.heading = append(f.heading, at(d.Words.Body[i].Start) == prose.Heading)
	}
	if words.Base(f.lang) == "en" {
		f.usage = usages(d.Words.Body, d.Prose.Rising())
	}
	return f
}

// number gives the stems of a list their numbers.
func (f *finder) number(list []words.Word, numbers map[string]int32, everyday map[string]bool) []int32 {
	out := make([]int32, len(list))
	for i := range list {
		w := &list[i]
		n, known := numbers[w.Stem]
		if !known {
			n = int32(len(f.stems))
			numbers[w.Stem] = n
			f.stems = append(f.stems, stem{text: w.Stem, everyday: everyday[w.Stem]})
		}
		out[i] = n
		s := &f.stems[n]
		s.count++
		switch {
		case !w.Upper():
			s.lower = true
		case !w.First:
			s.noun = true
		}
	}
	return out
}

// neighbours counts what stands beside the words of each stem.
func (f *finder) neighbours() {
	var pairs []uint64
	note := func(list []words.Word, numbers []int32) {
		for i := 1; i < len(list); i++ {
			if !list[i].Break {
				f.stems[numbers[i-1]].beside++
				f.stems[numbers[i]].beside++
				pairs = append(pairs, uint64(numbers[i-1])<<32|uint64(numbers[i]))
			}
		}
	}
	note(f.d.Words.Title, f.title)
	note(f.d.Words.Body, f.body)
	slices.Sort(pairs)
	for _, p := range slices.Compact(pairs) {
		f.stems[p>>32].kinds++
		f.stems[uint32(p)].kinds++
	}
}

// varied is the share of different words among those that stand beside a stem: a word that joins anything is seldom
// part of what a text is about.
func (s *stem) varied() float64 {
	if s.beside < 2 {
		return 0.5
	}
	return float64(s.kinds) / float64(s.beside)
}

// name reports whether words of a stem are written as names are, wherever they stand.
func (s *stem) name() bool { return s.noun && !s.lower }

// find fills all, each candidate with what the others say of it.
func (f *finder) find() {
	f.collect(f.d.Words.Title, f.title, f.d.Article.Title, true)
	f.collect(f.d.Words.Body, f.body, f.d.Prose.Body, false)
	for _, c := range f.all {
		c.surface = c.best()
		f.nest(c)
	}
}

// collect takes every run of one to four words that may be a phrase.
func (f *finder) collect(list []words.Word, numbers []int32, text string, title bool) {
	for i := range list {
		if !f.begins(list, i) {
			continue
		}
		for n := 1; n <= maxWords && i+n <= len(list); n++ {
			j := i + n - 1
			if j > i && (list[j].Break || list[j].Masked) {
				break
			}
			if !f.ends(list, numbers, j) || n > 1 && !f.joined(list, i, j) {
				continue
			}
			f.add(list[i:j+1], numbers[i:j+1], text, place{title, i, len(list)})
		}
	}
}

// begins reports whether a phrase may begin with word i.
func (f *finder) begins(list []words.Word, i int) bool {
	w := &list[i]
	return !w.Stop && !w.Masked && !w.Digit && !w.Glued && len(w.Fold) > 1
}

// ends reports whether a phrase may end with word j: in German with a noun, and never inside a compound with hyphens.
func (f *finder) ends(list []words.Word, numbers []int32, j int) bool {
	w := &list[j]
	if w.Stop || w.Masked || len(w.Fold) < 2 && !w.Glued || j+1 < len(list) && list[j+1].Glued {
		return false
	}
	if f.german {
		s := &f.stems[numbers[j]]
		return w.Upper() && (s.noun || !w.First || !s.lower)
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
