package taxonomy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/prose"
	"tidings.internal/services/enrich/internal/words"
)

// How much a place and a way of meeting a label is worth.
const (
	inTitle   = 4.0
	inLead    = 2.0
	inHeading = 1.5
	inBody    = 1.0
	leadWords = 70

	byPref     = 1.0
	byAlt      = 0.9
	byStem     = 0.8 // another form of the word
	byHead     = 0.6 // the end of a German compound, which says what it is
	byPart     = 0.5 // a part of a compound with hyphens
	byModifier = 0.5 // the beginning of a German compound

	// commonShare is what is left for a further name that is one common word of the news.
	commonShare = 0.6
	// several is what a label of several words is worth more than one of one: it is met by chance less often.
	several = 1.3
	// vagueShare is what is left of labels that mean other things as often, where nothing else speaks for their concept:
	// "growth" or "traffic" in passing is no subject.
	vagueShare = 0.3
	// byContext is what each concept beside it that was met adds, as a share, and maxContext how many of them count.
	byContext  = 0.15
	maxContext = 4
	// ofContext is the share of the evidence of the concepts beside it that supports labels of many meanings.
	ofContext = 0.5
	// usual is the length of a text, in words, up to which each place in its body counts in full: a long one meets more
	// labels by chance.
	usual = 250

	// few is how many places a concept needs, unless its own name stands in the title or the source itself names it: one may
	// be a comparison. In a text of fewer words than short one will do, and in one that is nearer to its definition than
	// nearby. Where a concept stands in the title alone the body has to be nearer than akin.
	few    = 2.0
	short  = 80
	akin   = 0.05
	nearby = 0.1
	// half a place is a label that means other things as often, and half a place more one in the lead.
	half = 0.5

	// ofChild is the share of a concept's evidence that counts for the next wider one.
	ofChild = 0.3
	// byCategory is added for a category of the source that is a label or is mapped for all sources, bySource for one that
	// is mapped for this source.
	byCategory = 2.0
	bySource   = 3.0
	// byRule is what a place is worth that a rule names.
	byRule = 2.0

	// slope and offset turn a score into a probability: a single mention in the body is not enough (0.42), one in the
	// lead is (0.62), one in the title is (0.82).
	slope, offset = 2.0, -1.7
	// minScore is what a concept must reach, maxConcepts how many an article gets.
	minScore    = 0.5
	maxConcepts = 12
	// maxEvidence is how many places are kept for each concept.
	maxEvidence = 5
)

// Matcher finds the labels of a vocabulary in words. It does not change, and may be used by several goroutines.
type Matcher struct {
	v     *Vocabulary
	tries map[string]*node // by language
	// nouns are the German labels of one word that compounds are made of, by their stems.
	nouns map[string][]meaning
	// beside are the concepts that are broader, narrower or related, by id.
	beside map[string][]string
	senses map[string]*senses // by language
	rules  []conceptRule
	// categories are the concepts of mapped words, by source and folded word.
	categories map[[2]string][]string
	models     map[string]model
	calibration
	// verdicts are those on each article, by tag.
	verdicts map[string]map[string]bool
	hash     string
}

type conceptRule struct {
	concept, text string
	rule          Rule
}

// NewMatcher compiles a vocabulary and what persons said of its tags.
func NewMatcher(v *Vocabulary, verdicts ...Verdict) *Matcher {
	m := &Matcher{v: v, tries: map[string]*node{}, nouns: map[string][]meaning{}, beside: v.neighbours(), senses: map[string]*senses{}, categories: map[[2]string][]string{}, models: learn(verdicts), calibration: calibrate(verdicts), verdicts: map[string]map[string]bool{}, hash: v.hash}
	langs := map[string]bool{}
	for _, id := range v.IDs() {
		c := v.concepts[id]
		for _, l := range c.Labels {
			langs[words.Base(l.Lang)] = true
		}
		if c.Status == Active {
			m.listen(c)
		}
	}
	for lang := range langs {
		m.tries[lang] = m.compile(lang)
		m.senses[lang] = v.senses(lang)
	}
	for _, said := range verdicts {
		if m.verdicts[said.Article] == nil {
			m.verdicts[said.Article] = map[string]bool{}
		}
		m.verdicts[said.Article][said.Concept] = said.Accepted
	}
	if len(verdicts) > 0 {
		sum := sha256.New()
		fmt.Fprint(sum, v.hash) // a hash takes everything
		for _, said := range verdicts {
			fmt.Fprintf(sum, "\x00%s %s %t", said.Concept, said.Article, said.Accepted)
			if said.Sum > 0 {
				fmt.Fprintf(sum, " %v", said.Sum)
			}
		}
		m.hash = hex.EncodeToString(sum.Sum(nil))[:16]
	}
	return m
}

// listen takes over the rules and categories of a concept.
func (m *Matcher) listen(c *Concept) {
	for _, text := range c.Rules {
		if r, err := ParseRule(text); err == nil { // checked when the vocabulary was read
			m.rules = append(m.rules, conceptRule{c.ID, text, r})
		}
	}
	for _, text := range c.Categories {
		if source, word, ok := strings.Cut(text, "="); ok {
			key := [2]string{source, words.Fold(strings.TrimSpace(word))}
			m.categories[key] = append(m.categories[key], c.ID)
		}
	}
}

// Vocabulary returns what the matcher was made of.
func (m *Matcher) Vocabulary() *Vocabulary { return m.v }

// Hash names everything that the matcher goes by: 16 hex digits.
func (m *Matcher) Hash() string { return m.hash }

// Rejected reports whether a person said that an article does not have a tag.
func (m *Matcher) Rejected(article, tag string) bool {
	accepted, said := m.verdicts[article][tag]
	return said && !accepted
}

func (m *Matcher) compile(lang string) *node {
	root := &node{next: map[string]*node{}}
	nouns := map[string][]meaning{} // the labels of one word, by stem
	for _, id := range m.v.IDs() {
		c := m.v.concepts[id]
		if c.Status != Active {
			continue
		}
		for _, l := range c.Labels {
			if base := words.Base(l.Lang); base == lang || base == "" {
				label := words.Cut(l.Text, lang)
				common := everyday(l, label, lang)
				met := root.insert(id, l, label, common)
				if lang == "de" && strings.ContainsAny(l.Text, "äöüÄÖÜ") {
					root.insert(id, l, words.Cut(spelledOut.Replace(l.Text), lang), common)
				}
				if len(label) == 1 && met.upper && !label[0].Acronym() && utf8.RuneCountInString(label[0].Stem) >= shortest {
					nouns[label[0].Stem] = append(nouns[label[0].Stem], met)
				}
			}
		}
	}
	if lang == "de" {
		m.compounds(nouns)
	}
	root.sieve()
	return root
}

// spelledOut writes German letters as who has no key for them does. A label has the letter, so nothing is guessed: nobody is
// called "Michäl".
var spelledOut = strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue", "Ä", "Ae", "Ö", "Oe", "Ü", "Ue")

// hit is one place where a label was met.
type hit struct {
	meaning
	from, to int // words, [from, to)
	weight   float64
	how      string
}

// trie is that of a language; a text in another finds the labels that serve all.
func (m *Matcher) trie(lang string) *node {
	for _, l := range []string{words.Base(lang), ""} {
		if t := m.tries[l]; t != nil {
			return t
		}
	}
	return &node{}
}

// sense gives the definitions to hold a text in a language against, as trie gives its labels.
func (m *Matcher) sense(lang string) *senses {
	if s := m.senses[words.Base(lang)]; s != nil {
		return s
	}
	return m.senses[""]
}

func where(d *pipeline.Draft, word int) float64 {
	switch {
	case d.Prose.At(d.Words.Body[word].Start) == prose.Heading:
		return inHeading
	case word < leadWords:
		return inLead
	}
	return inBody * min(1, usual/float64(len(d.Words.Body)))
}

// search meets the longest label at each word from the left.
func (m *Matcher) search(list []words.Word, lang string) []hit {
	var hits []hit
	n, lang := m.trie(lang), words.Base(lang)
	for i := 0; i < len(list); {
		h, ok := n.at(list, i, lang)
		if !ok && lang == "de" {
			h, ok = m.compound(list, i)
		}
		if !ok {
			i++
			continue
		}
		hits = append(hits, h...)
		i = h[0].to
	}
	return hits
}

// named returns the concept that a category of the source names, "" for none. Categories are written in any case, so no
// language's rules hold for them; a category that is no more than the stem of a label names nothing.
func (m *Matcher) named(name, lang string) string {
	for _, l := range []string{words.Base(lang), "de", "en", ""} {
		if t := m.tries[l]; t != nil {
			list := words.Cut(name, l)
			if len(list) == 0 {
				continue
			}
			if hits, ok := t.at(list, 0, ""); ok && hits[0].to == len(list) {
				return hits[0].concept
			}
		}
	}
	if _, ok := m.v.concepts[strings.ToLower(name)]; ok {
		return strings.ToLower(name)
	}
	return ""
}

// Step finds the concepts of a draft. Which vocabulary is in force is asked once for each article, so that an article
// never sees two.
type Step struct{ Matcher func() *Matcher }

var _ pipeline.Step = Step{}

// Name returns "taxonomy".
func (Step) Name() string { return "taxonomy" }

// Run fills Concepts.
func (s Step) Run(_ context.Context, d *pipeline.Draft) error {
	d.Concepts = s.Matcher().Find(d, d.Article.Categories)
	return nil
}

// Degrade finds none.
func (Step) Degrade(d *pipeline.Draft) { d.Concepts = nil }
