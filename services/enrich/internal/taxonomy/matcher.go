package taxonomy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

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

	byPref = 1.0
	byAlt  = 0.9
	byStem = 0.8 // another form of the word
	byPart = 0.5 // a part of a compound with hyphens
	// everydayShare is what is left for a further name that is one common word of the news: "growth" or "traffic" in
	// passing is no subject.
	everydayShare = 0.4

	// few is how many places a concept needs, unless its own name stands in the title or the source itself names it: one
	// may be a comparison. In a text of fewer words than short one will do.
	few   = 2
	short = 80

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
	rules []conceptRule
	// categories are the concepts of mapped words, by source and folded word.
	categories map[[2]string][]string
	models     map[string]model
	// verdicts are those on each article, by tag.
	verdicts map[string]map[string]bool
	hash     string
}

type conceptRule struct {
	concept, text string
	rule          Rule
}

type node struct {
	next map[string]*node
	ends []meaning
}

// meaning is a label that ends at a node of the trie.
type meaning struct {
	concept string
	kind    string
	folds   []string // the label's own words
	upper   bool     // its last word is written with a capital
}

// NewMatcher compiles a vocabulary and what persons said of its tags.
func NewMatcher(v *Vocabulary, verdicts ...Verdict) *Matcher {
	m := &Matcher{v: v, tries: map[string]*node{}, categories: map[[2]string][]string{}, models: learn(verdicts), verdicts: map[string]map[string]bool{}, hash: v.hash}
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
	for _, id := range m.v.IDs() {
		c := m.v.concepts[id]
		if c.Status != Active {
			continue
		}
		for _, l := range c.Labels {
			if base := words.Base(l.Lang); base == lang || base == "" {
				root.insert(id, l, lang)
			}
		}
	}
	return root
}

func (n *node) insert(id string, l Label, lang string) {
	label := words.Cut(l.Text, lang)
	if len(label) == 0 || len(label) > 6 {
		return
	}
	m := meaning{concept: id, kind: l.Kind, upper: label[len(label)-1].Upper()}
	for i := range label {
		key := label[i].Stem
		if label[i].Acronym() {
			key = exact(label[i].Text)
		}
		m.folds = append(m.folds, label[i].Fold)
		child := n.next[key]
		if child == nil {
			child = &node{next: map[string]*node{}}
			n.next[key] = child
		}
		n = child
	}
	n.ends = append(n.ends, m)
}

// exact is the key of an acronym: "KI" is not "ki" and "IT" is not "it".
func exact(text string) string { return "=" + text }

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

func where(d *pipeline.Draft, word int) float64 {
	switch {
	case d.Prose.At(d.Words.Body[word].Start) == prose.Heading:
		return inHeading
	case word < leadWords:
		return inLead
	}
	return inBody
}

// search meets the longest label at each word from the left.
func (n *node) search(list []words.Word, lang string) []hit {
	var hits []hit
	for i := 0; i < len(list); {
		h, ok := n.at(list, i, lang)
		if !ok {
			i++
			continue
		}
		hits = append(hits, h...)
		i = h[0].to
	}
	return hits
}

// at returns the meanings of the longest label that begins at word i. Several concepts may share it.
func (n *node) at(list []words.Word, i int, lang string) ([]hit, bool) {
	var best []hit
	for j := i; j < len(list); j++ {
		w := &list[j]
		if w.Masked || j > i && w.Break {
			break
		}
		child := n.next[exact(w.Text)]
		if child == nil {
			if child = n.next[w.Stem]; child == nil {
				break
			}
		}
		n = child
		var here []hit
		for _, m := range n.ends {
			h, ok := m.met(list, i, j+1, lang)
			if !ok {
				continue
			}
			// Two labels of one concept that share their stems ("museum", "museums") are met once, the better way.
			if k := slices.IndexFunc(here, func(o hit) bool { return o.concept == h.concept }); k < 0 {
				here = append(here, h)
			} else if h.weight > here[k].weight {
				here[k] = h
			}
		}
		if len(here) > 0 {
			best = here
		}
	}
	return best, len(best) > 0
}

// met weighs a label against the words that were found for it.
func (m meaning) met(list []words.Word, from, to int, lang string) (hit, bool) {
	last := &list[to-1]
	if m.upper && words.Base(lang) == "de" && !last.Upper() {
		return hit{}, false // "Recht" is a noun, "recht" is not
	}
	h := hit{meaning: m, from: from, to: to, weight: byPref, how: m.kind}
	if m.kind != Pref {
		h.weight = byAlt
	}
	for i, fold := range m.folds {
		if list[from+i].Fold != fold {
			h.how, h.weight = "stem", min(h.weight, byStem)
		}
	}
	if list[from].Glued || to < len(list) && list[to].Glued {
		h.how, h.weight = "compound", byPart
	}
	return h, true
}

// named returns the concept that a category of the source names, "" for none.
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
