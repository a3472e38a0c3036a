package phrases

import (
	"cmp"
	"slices"

	"tidings.internal/services/enrich/internal/pipeline"
)

// Features is how many numbers a [Sample] has.
const Features = features

// Sample is a candidate as the fitting of the weights sees it.
type Sample struct {
	Text   string
	Vector []float64
}

// Samples returns all candidates of a draft in the order of their keys.
func Samples(d *pipeline.Draft) []Sample {
	f := whole(d)
	var out []Sample
	for _, c := range f.all {
		v := f.vector(c)
		out = append(out, Sample{Text: c.surface, Vector: v[:]})
	}
	slices.SortFunc(out, func(a, b Sample) int { return cmp.Compare(a.Text, b.Text) })
	return out
}

// Ranked returns the phrases of a draft as [Step] ranks them, by other weights, of which there are as many as a [Sample] has
// numbers. What the least chance of a phrase must be is not known for them, so all are there.
func Ranked(d *pipeline.Draft, weights []float64) []string {
	var out []string
	for _, c := range whole(d).ranked((*vector)(weights), 0) {
		out = append(out, c.surface)
	}
	return out
}

// whole is a finder that knows all candidates.
func whole(d *pipeline.Draft) *finder {
	f := newFinder(d)
	f.find()
	return f
}
