package phrases

import (
	"cmp"
	"slices"

	"tidings.internal/services/enrich/internal/pipeline"
)

// Sample is a candidate as the fitting of the weights sees it.
type Sample struct {
	Text   string
	Vector []float64
}

// Samples returns all candidates of a draft in the order of their keys.
func Samples(d *pipeline.Draft) []Sample {
	f := newFinder(d)
	f.collect(d.Words.Title, true)
	f.collect(d.Words.Body, false)
	for _, c := range f.found {
		f.nest(c)
	}
	doc := newDocument(d.Words.Title, d.Words.Body)
	var out []Sample
	for _, c := range f.found {
		v := f.vector(c, doc)
		out = append(out, Sample{Text: c.surface(), Vector: v[:]})
	}
	slices.SortFunc(out, func(a, b Sample) int { return cmp.Compare(a.Text, b.Text) })
	return out
}
