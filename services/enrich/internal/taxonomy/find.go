package taxonomy

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/words"
)

// Find returns the concepts of an article with their evidence, best first. categories are the source's own words.
func (m *Matcher) Find(d *pipeline.Draft, categories []article.Category) []article.Tag {
	f := m.look(d, categories)
	return f.accepted(m.rank(f))
}

// look gathers what speaks for each concept of an article.
func (m *Matcher) look(d *pipeline.Draft, categories []article.Category) *finding {
	f := &finding{m: m, d: d, found: map[string]*article.Tag{}, sum: map[string]float64{}, vague: map[string]map[string]float64{}, places: map[string]float64{}, extra: map[string]float64{}, learnt: map[string]float64{},
		inBody: map[string]bool{}}
	senses := m.sense(d.Words.Lang)
	f.text = senses.of(d.Words.Title, d.Words.Body)
	f.rest = sync.OnceValue(func() sense { return senses.of(nil, d.Words.Body) }) // hardly ever asked for
	for _, h := range m.search(d.Words.Title, d.Words.Lang) {
		f.label(h, span{true, h.from, h.to})
	}
	for _, h := range m.search(d.Words.Body, d.Words.Lang) {
		f.label(h, span{false, h.from, h.to})
	}
	for _, h := range m.hanging(d.Words.Title, d.Article.Title, d.Words.Lang) {
		f.label(h, span{true, h.from, h.to})
	}
	for _, h := range m.hanging(d.Words.Body, d.Prose.Body, d.Words.Lang) {
		f.label(h, span{false, h.from, h.to})
	}
	against := f.rules()
	f.categories(categories)
	f.models()
	for id := range f.found {
		if against[id] || m.Rejected(d.Article.ID, id) {
			delete(f.found, id)
			delete(f.sum, id) // it speaks for no other concept either
		} else if f.weak(id) {
			delete(f.found, id)
		}
	}
	return f
}

// weak reports whether what speaks for a concept may be chance: too few places, unless the text is like the definition of
// the concept, or places in the title alone, which may be a comparison.
func (f *finding) weak(id string) bool {
	if f.extra[id] > 0 || f.learnt[id] > 0 {
		return false
	}
	if !f.inBody[id] && len(f.d.Words.Body) >= short && f.rest().near(id) <= akin {
		return true
	}
	return f.places[id] < few && (f.places[id] < 1 || f.text.near(id) <= nearby)
}

// finding is the search in one article.
type finding struct {
	m      *Matcher
	d      *pipeline.Draft
	found  map[string]*article.Tag
	sum    map[string]float64            // evidence of labels and rules
	vague  map[string]map[string]float64 // the best of each label that means other things as often
	places map[string]float64
	extra  map[string]float64 // what the source says
	learnt map[string]float64
	// text and rest are the article, and its body alone, to hold definitions against.
	text   sense
	rest   func() sense
	inBody map[string]bool // met in more than the title
}

// tag holds the evidence for a concept. What the vocabulary says of it is added once it is known to stay.
func (f *finding) tag(id string) *article.Tag {
	if f.found[id] == nil {
		f.found[id] = &article.Tag{ID: id}
	}
	return f.found[id]
}

func (m *Matcher) tag(id string) *article.Tag {
	c := m.v.concepts[id]
	return &article.Tag{ID: id, Label: c.Names(), Kind: article.KindConcept, Broader: m.v.Chain(id)}
}

// evidence adds a place that speaks for a concept.
func (f *finding) evidence(id string, at span, e article.Evidence) {
	list, text := f.d.Words.Body, f.d.Prose.Body
	e.Field = "text"
	if at.title {
		list, text, e.Field = f.d.Words.Title, f.d.Article.Title, "title"
	}
	if t := f.tag(id); len(t.Evidence) < maxEvidence {
		first, last := &list[at.from], &list[at.to-1]
		e.Start, e.End, e.Weight = first.Start, last.End, round(e.Weight)
		e.Text = text[first.From:last.To]
		t.Evidence = append(t.Evidence, e)
	}
}

// worth is what a place counts.
func (f *finding) worth(at span) float64 {
	if at.title {
		return inTitle
	}
	return where(f.d, at.from)
}

func (f *finding) label(h hit, at span) {
	weight := h.weight * f.worth(at) * f.m.weight(h.concept)
	if h.common {
		weight *= commonShare
	}
	if h.to-h.from > 1 {
		weight *= several
	}
	if h.vague {
		f.doubt(h.concept, h.label, weight)
	} else {
		f.sum[h.concept] += weight
		f.places[h.concept]++
		if !at.title && at.from < leadWords {
			f.places[h.concept] += half
		}
	}
	if !at.title {
		f.inBody[h.concept] = true
	}
	if at.title && h.kind == Pref || len(f.d.Words.Body) < short {
		f.places[h.concept] = max(f.places[h.concept], few)
	}
	f.evidence(h.concept, at, article.Evidence{Source: "label", Kind: h.how, Weight: weight})
}

// doubt keeps the evidence of a label that means other things as often. Said again it means the same again, so each
// counts once, where it counts most.
func (f *finding) doubt(id, label string, weight float64) {
	if f.vague[id] == nil {
		f.vague[id] = map[string]float64{}
	}
	if f.vague[id][label] == 0 {
		f.places[id] += half
	}
	f.vague[id][label] = max(f.vague[id][label], weight)
}

// doubtful is what labels count that mean other things as often: a share, unless something else speaks for their concept.
// Then they count in full, but for no more than what speaks for it: a long text has many words of many meanings.
func (f *finding) doubtful(id string, support float64) float64 {
	sum := 0.0
	for _, label := range slices.Sorted(maps.Keys(f.vague[id])) { // sums of fractions depend on their order
		sum += f.vague[id][label]
	}
	return max(vagueShare*sum, min(sum, support))
}

// weight is how much the evidence of a concept counts.
func (m *Matcher) weight(id string) float64 {
	if w := m.v.concepts[id].Weight; w > 0 {
		return w
	}
	return 1
}

// rules holds the rules against the article, and gives the concepts that one forbids.
func (f *finding) rules() (against map[string]bool) {
	against = map[string]bool{}
	t := &text{f.d.Words.Title, f.d.Words.Body, f.d.Words.Lang}
	for _, r := range f.m.rules {
		ok, spans := r.rule.holds(t)
		switch {
		case !ok:
			continue
		case r.rule.Veto:
			against[r.concept] = true
			continue
		}
		f.places[r.concept], f.inBody[r.concept] = few, true // whoever writes a rule knows what is enough
		weight := byRule * f.m.weight(r.concept)
		if len(spans) == 0 { // it holds for what is not there
			f.sum[r.concept] += weight
			t := f.tag(r.concept)
			t.Evidence = append(t.Evidence, article.Evidence{Source: "rule", Rule: r.text, Weight: round(weight)})
		}
		for _, at := range spans {
			f.sum[r.concept] += weight * f.worth(at)
			f.evidence(r.concept, at, article.Evidence{Source: "rule", Rule: r.text, Weight: weight * f.worth(at)})
		}
	}
	return against
}

// categories takes the source's own words for concepts: as they are mapped for it, mapped for all, or labels.
func (f *finding) categories(list []article.Category) {
	speak := func(id, name, rule string, weight float64) {
		if f.extra[id] > 0 {
			return
		}
		f.extra[id] = weight
		t := f.tag(id)
		t.Evidence = append(t.Evidence, article.Evidence{Source: "feed", Text: name, Field: "category", End: len([]rune(name)), Rule: rule, Weight: weight})
	}
	source := f.d.Raw.Source.ID
	for _, c := range list {
		for _, name := range []string{c.Term, c.Label} {
			if name == "" {
				continue
			}
			word := words.Fold(strings.TrimSpace(name))
			for _, id := range f.m.categories[[2]string{source, word}] {
				speak(id, name, "map:"+source, bySource)
			}
			for _, id := range f.m.categories[[2]string{"*", word}] {
				speak(id, name, "map:*", byCategory)
			}
			if id := f.m.named(name, f.d.Words.Lang); id != "" {
				speak(id, name, "", byCategory)
			}
		}
	}
}

// models asks what was learnt of verdicts.
func (f *finding) models() {
	if len(f.m.models) == 0 {
		return
	}
	stems := Stems(f.d.Words)
	for _, id := range slices.Sorted(maps.Keys(f.m.models)) {
		c := f.m.v.concepts[id]
		if c == nil || c.Status != Active {
			continue
		}
		score, because := f.m.models[id].judge(stems)
		if score == 0 || score < 0 && f.found[id] == nil {
			continue
		}
		f.learnt[id] = score
		for _, stem := range because {
			if at, ok := f.first(stem); ok {
				f.evidence(id, at, article.Evidence{Source: "model", Weight: score})
			}
		}
	}
}

// first finds the first word of a stem.
func (f *finding) first(stem string) (span, bool) {
	for i, w := range f.d.Words.Title {
		if w.Stem == stem {
			return span{true, i, i + 1}, true
		}
	}
	for i, w := range f.d.Words.Body {
		if w.Stem == stem {
			return span{false, i, i + 1}, true
		}
	}
	return span{}, false
}

// accepted puts the concepts first that a person said the article has.
func (f *finding) accepted(list []article.Tag) []article.Tag {
	said := f.m.verdicts[f.d.Article.ID]
	var first []article.Tag
	for _, id := range slices.Sorted(maps.Keys(said)) {
		c := f.m.v.concepts[id]
		if !said[id] || c == nil || c.Status != Active {
			continue
		}
		t := f.m.tag(id)
		if i := slices.IndexFunc(list, func(t article.Tag) bool { return t.ID == id }); i >= 0 {
			*t = list[i]
			list = slices.Delete(list, i, i+1) // in a statement of its own: it moves what stands behind into this place
		}
		t.Score = 1
		t.Evidence = append(t.Evidence, article.Evidence{Source: "verdict", Weight: 1})
		first = append(first, *t)
	}
	return append(first, list...)
}

// sums adds up what speaks for each concept that was found.
func (m *Matcher) sums(f *finding) map[string]float64 {
	own, context := map[string]float64{}, map[string]int{}
	for id := range f.found {
		near := 0.0
		for _, other := range m.beside[id] {
			if f.sum[other] > 0 {
				context[id]++
				near += f.sum[other]
			}
		}
		own[id] = f.sum[id] + f.doubtful(id, f.sum[id]+ofContext*near)
	}
	total := maps.Clone(own)
	for _, id := range slices.Sorted(maps.Keys(f.found)) { // sums of fractions depend on their order
		for _, b := range m.v.concepts[id].Broader {
			if f.found[b] != nil {
				total[b] += ofChild * own[id]
			}
		}
	}
	sums := map[string]float64{}
	for id := range f.found {
		sums[id] = math.Log1p(total[id])*(1+byContext*float64(min(context[id], maxContext))) + f.text.near(id)/2 + f.extra[id] + f.learnt[id]
	}
	return sums
}

// rank turns evidence into scores and leaves the best.
func (m *Matcher) rank(f *finding) []article.Tag {
	var list []article.Tag
	for id, sum := range m.sums(f) {
		t := f.found[id]
		t.Score = m.calibration.score(sum)
		if t.Score >= cmp.Or(m.v.concepts[id].MinScore, minScore) {
			named := m.tag(id)
			named.Score, named.Evidence = t.Score, t.Evidence
			list = append(list, *named)
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
	list = slices.DeleteFunc(list, func(t article.Tag) bool { return covered[t.ID] && f.extra[t.ID] == 0 })
	return list[:min(len(list), maxConcepts)]
}

func round(f float64) float64 { return math.Round(f*1000) / 1000 }
