package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tidings.internal/services/enrich/internal/bench/score"
	"tidings.internal/services/enrich/internal/words"
)

// set is a sample of keyphrases, what YAKE 0.6.0 reaches in it, and what is to be reached.
type set struct {
	name, label      string
	baseline, wanted float64
}

// newsSets are the sets of news. The baselines are published figures of another program, measured once.
var newsSets = []set{{"500N", "en", 0.084, 0.190}, {"WikiNewsFR", "fr", 0.283, 0.420}, {"110-PT", "pt", 0.203, 0.305}}

// keyphrases measures the first ten phrases of news, and of other texts without a figure to reach. The weights were fitted
// to the texts with even numbers, so those with odd ones are reported.
func (b *bench) keyphrases(ctx context.Context) ([]row, error) {
	news := row{digits: 3}
	var labels []string
	for _, s := range newsSets {
		list := b.samples.sets[s.name]
		if len(list) == 0 {
			return []row{{what: "keyphrases F1@10 of news", digits: 3, lacks: noData}}, nil
		}
		f1, err := b.f1(ctx, list)
		if err != nil {
			return nil, err
		}
		labels = append(labels, s.label)
		news.baseline, news.reached, news.wanted = append(news.baseline, s.baseline), append(news.reached, f1), append(news.wanted, s.wanted)
	}
	news.what = "keyphrases F1@10 of news, " + strings.Join(labels, " / ") + " (YAKE 0.6.0)"
	rows := []row{news, {
		what: "the same, fitted on the other sets only", digits: 3, wanted: []float64{0.160, 0.400, 0.290},
		lacks: "run phrases/fit -hold SET for each",
	}}
	for _, name := range slices.Sorted(maps.Keys(b.samples.sets)) {
		if slices.ContainsFunc(newsSets, func(s set) bool { return s.name == name }) {
			continue
		}
		f1, err := b.f1(ctx, b.samples.sets[name])
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{what: "keyphrases F1@10 of " + name, digits: 3, reached: []float64{f1}})
	}
	return rows, nil
}

func (b *bench) f1(ctx context.Context, list []text) (float64, error) {
	sums := make([]float64, len(list))
	counted := make([]bool, len(list))
	r := b.runner(nil)
	err := each(len(list), func(i int) error {
		t := &list[i]
		want := map[string]bool{}
		stem := words.NewStemmer(t.Lang)
		for _, k := range t.Keys {
			want[score.Key(stem.Stem, k)] = true
		}
		delete(want, "")
		if i%2 == 0 || len(want) == 0 {
			return nil
		}
		d := plain(t.ID, t.Lang, t.Text)
		if err := r.Run(ctx, d); err != nil {
			return fmt.Errorf("text %s: %w", t.ID, err)
		}
		var got []string
		for _, p := range d.Article.Keyphrases {
			got = append(got, score.Key(stem.Stem, p.Text))
		}
		sums[i], counted[i] = score.Keyphrases(got, want, 10), true
		return nil
	})
	sum, n := 0.0, 0
	for i := range sums {
		if counted[i] {
			sum, n = sum+sums[i], n+1
		}
	}
	return sum / float64(max(1, n)), err
}
