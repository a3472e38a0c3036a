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
	f.find()
	var out []Sample
	for _, c := range f.all {
		v := f.vector(c)
		out = append(out, Sample{Text: c.surface, Vector: v[:]})
	}
	slices.SortFunc(out, func(a, b Sample) int { return cmp.Compare(a.Text, b.Text) })
	return out
}
