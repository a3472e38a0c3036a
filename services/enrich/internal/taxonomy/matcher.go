package taxonomy

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"tidings.internal/pkg/article"
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
	// byCategory is added for a category of the source that is a label.
	byCategory = 2.0

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

// NewMatcher compiles a vocabulary.
func NewMatcher(v *Vocabulary) *Matcher {
	m := &Matcher{v: v, tries: map[string]*node{}}
	langs := map[string]bool{}
	for _, c := range v.concepts {
		for _, l := range c.Labels {
			langs[words.Base(l.Lang)] = true
		}
	}
	for lang := range langs {
		m.tries[lang] = m.compile(lang)
	}
	return m
}

// Vocabulary returns what the matcher was made of.
func (m *Matcher) Vocabulary() *Vocabulary { return m.v }

func (m *Matcher) compile(lang string) *node {
	root := &node{next: map[string]*node{}}
	for _, id := range m.v.IDs() {
		c := m.v.concepts[id]
		if c.Deprecated {
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

// Find returns the concepts of an article with their evidence, best first. categories are the source's own words.
func (m *Matcher) Find(d *pipeline.Draft, categories []article.Category) []article.Tag {
	found := map[string]*article.Tag{}
	sum := map[string]float64{}
	places := map[string]int{}
	common := words.EverydayStems(d.Words.Lang)
	extra := map[string]float64{}
	tag := func(id string) *article.Tag {
		if found[id] == nil {
			c := m.v.concepts[id]
			found[id] = &article.Tag{ID: id, Label: c.Names(), Kind: article.KindConcept, Broader: m.v.Chain(id)}
		}
		return found[id]
	}
	note := func(h hit, field string, list []words.Word, weight float64, text *slicer) {
		t := tag(h.concept)
		if h.kind != Pref && h.to-h.from == 1 && common[list[h.from].Stem] && !list[h.from].Acronym() {
			weight *= everydayShare
		}
		sum[h.concept] += weight
		if places[h.concept]++; field == "title" && h.kind == Pref || len(d.Words.Body) < short {
			places[h.concept] = max(places[h.concept], few)
		}
		if len(t.Evidence) < maxEvidence {
			start, end := list[h.from].Start, list[h.to-1].End
			t.Evidence = append(t.Evidence, article.Evidence{
				Source: "label", Text: text.cut(start, end), Field: field, Start: start, End: end, Kind: h.how, Weight: round(weight),
			})
		}
	}
	trie := m.trie(d.Words.Lang)
	title, body := &slicer{text: d.Article.Title}, &slicer{text: d.Prose.Body}
	for _, h := range trie.search(d.Words.Title, d.Words.Lang) {
		note(h, "title", d.Words.Title, inTitle*h.weight, title)
	}
	for _, h := range trie.search(d.Words.Body, d.Words.Lang) {
		note(h, "text", d.Words.Body, h.weight*where(d, h.from), body)
	}
	for _, c := range categories {
		for _, name := range []string{c.Term, c.Label} {
			if id := m.named(name, d.Words.Lang); id != "" && extra[id] == 0 {
				t := tag(id)
				extra[id] = byCategory
				t.Evidence = append(t.Evidence, article.Evidence{Source: "feed", Text: name, Field: "category", End: len([]rune(name)), Weight: byCategory})
			}
		}
	}
	for id := range found {
		if places[id] < few && extra[id] == 0 {
			delete(found, id)
		}
	}
	return m.rank(found, sum, extra)
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

// rank turns evidence into scores and leaves the best.
func (m *Matcher) rank(found map[string]*article.Tag, sum, extra map[string]float64) []article.Tag {
	total := map[string]float64{}
	for id := range found {
		total[id] += sum[id]
		for _, b := range m.v.concepts[id].Broader {
			if found[b] != nil {
				total[b] += ofChild * sum[id]
			}
		}
	}
	var list []article.Tag
	for id, t := range found {
		s := math.Log1p(total[id]) + extra[id]
		t.Score = round(1 / (1 + math.Exp(-(slope*s + offset))))
		if t.Score >= minScore {
			list = append(list, *t)
		}
	}
	slices.SortFunc(list, func(a, b article.Tag) int { return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.ID, b.ID)) })
	covered := map[string]bool{}
	for _, t := range list {
		for _, b := range t.Broader {
			covered[b] = true
		}
	}
	// A wider concept says nothing that its narrower one does not, unless the source itself named it.
	list = slices.DeleteFunc(list, func(t article.Tag) bool { return covered[t.ID] && extra[t.ID] == 0 })
	return list[:min(len(list), maxConcepts)]
}

func round(f float64) float64 { return math.Round(f*1000) / 1000 }

// slicer cuts spans of runes out of a text, in rising order without starting over.
type slicer struct {
	text       string
	runes, pos int
}

func (s *slicer) cut(start, end int) string {
	if start < s.runes {
		s.runes, s.pos = 0, 0
	}
	from := s.seek(start)
	runes, pos := s.runes, s.pos
	to := s.seek(end)
	s.runes, s.pos = runes, pos
	return s.text[from:to]
}

func (s *slicer) seek(n int) int {
	for i := range s.text[s.pos:] {
		if s.runes == n {
			s.pos += i
			return s.pos
		}
		s.runes++
	}
	if s.runes == n {
		s.pos = len(s.text)
	}
	return s.pos
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
