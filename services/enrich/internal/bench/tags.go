package main

import (
	"context"

	"tidings.internal/services/enrich/internal/taxonomy"
	editor "tidings.internal/services/enrich/internal/taxonomy/judged"
)

// tags holds the starter against articles, and words of many meanings against their sentences.
func (b *bench) tags(context.Context) ([]row, error) {
	articles, err := editor.Articles()
	if err != nil {
		return nil, err
	}
	var all editor.Tally
	for _, a := range articles {
		n, _, _ := a.Count(b.matcher)
		all.Add(n)
	}
	sentences, v, err := editor.Sentences()
	if err != nil {
		return nil, err
	}
	m, right := taxonomy.NewMatcher(v), 0.0
	for _, s := range sentences {
		if s.Meant(m) == s.Sense {
			right++
		}
	}
	return []row{
		{what: "60 articles with the starter: precision / recall of tags", digits: 2, wanted: []float64{0.90, 0.75}, reached: []float64{all.Precision(), all.Recall()}},
		{what: "40 sentences with ambiguous labels", digits: 2, wanted: []float64{0.85}, reached: []float64{right / float64(len(sentences))}},
	}, nil
}
