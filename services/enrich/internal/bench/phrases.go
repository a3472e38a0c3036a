package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tidings.internal/services/enrich/internal/bench/score"
	"tidings.internal/services/enrich/internal/phrases/fitting"
	"tidings.internal/services/enrich/internal/words"
)

// set is a sample of keyphrases, what YAKE 0.6.0 reaches in it, and what is to be reached.
type set struct {
	name, label      string
	baseline, wanted float64
	// others are those that its language's weights are fitted to beside itself, and unseen is what they are to reach in it.
	others []string
	unseen float64
}

// newsSets are the sets of news. The baselines are published figures of another program, measured once.
var newsSets = []set{
	{"500N", "en", 0.084, 0.190, []string{"WikiNewsFR", "110-PT"}, 0.160},
	{"WikiNewsFR", "fr", 0.283, 0.420, []string{"110-PT", "500N", "Inspec"}, 0.400},
	{"110-PT", "pt", 0.203, 0.305, []string{"WikiNewsFR", "500N", "Inspec"}, 0.290},
}

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
	rows := []row{news, b.transferred()}
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

// transferred fits weights as those of each language are, without its own set, and measures them in all texts of that one: what
// is to be expected of a language that has no set.
func (b *bench) transferred() row {
	r := row{what: "the same, all texts, fitted on the other sets only", digits: 3}
	read := map[string][]*fitting.Text{}
	for _, s := range newsSets {
		for _, name := range append([]string{s.name}, s.others...) {
			if list := b.samples.sets[name]; len(list) == 0 {
				r.lacks = noData
				return r
			} else if read[name] == nil {
				read[name] = chosenFrom(list)
			}
		}
	}
	for _, s := range newsSets {
		var train []fitting.Set
		for _, other := range s.others {
			train = append(train, fitting.Set{Texts: read[other], Weight: 1})
		}
		weights := fitting.Fit(train, fitting.L2)
		sum, n := 0.0, 0
		for _, t := range read[s.name] {
			if t.Judged() {
				sum, n = sum+t.F1(weights, 10), n+1
			}
		}
		r.reached, r.wanted = append(r.reached, sum/float64(max(1, n))), append(r.wanted, s.unseen)
	}
	return r
}

// chosenFrom reads the texts of a set for the fitting.
func chosenFrom(list []text) []*fitting.Text {
	texts := make([]*fitting.Text, len(list))
	_ = each(len(list), func(i int) error { // which never fails
		texts[i] = fitting.New(list[i].Lang, list[i].Text, list[i].Keys)
		return nil
	})
	return texts
}
