package main

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"unicode/utf8"

	"tidings.internal/services/enrich/internal/language/table"
)

const (
	// rare is how often a run must stand in one of the corpora to be looked at.
	rare = 100
	// kinds is among how many letters a run of one is chosen where a language has never seen it.
	kinds = 1000
)

// choose returns the runs that tell the languages apart most, and their rows.
func choose(open []func() (counts, error), rows int) ([]string, [][]byte, error) {
	known := map[string]bool{}
	for _, f := range open {
		c, err := f()
		if err != nil {
			return nil, nil, err
		}
		for run, n := range c {
			if float64(n)*letters/unit >= rare {
				known[run] = true
			}
		}
	}
	list := slices.Sorted(maps.Keys(known))
	at := make(map[string]int, len(list))
	for i, run := range list {
		at[run] = i
	}
	chances, often := make([][]float32, len(list)), make([][]float32, len(list))
	for i := range list {
		chances[i], often[i] = make([]float32, len(open)), make([]float32, len(open))
	}
	for lang, f := range open {
		c, err := f()
		if err != nil {
			return nil, nil, err
		}
		m := newModel(c)
		for i, run := range list {
			chances[i][lang], often[i][lang] = float32(math.Log(m.chance([]rune(run)))), float32(m.count(run))
		}
	}
	return best(list, at, chances, often, rows)
}

// best keeps the runs that say most beside what their ends say without them, one language against the others, by how often
// they are met.
func best(list []string, at map[string]int, chances, often [][]float32, rows int) ([]string, [][]byte, error) {
	type worth struct {
		i     int
		worth float64
	}
	var all []worth
	for i, run := range list {
		_, first := utf8.DecodeRuneInString(run)
		end, ok := at[run[first:]]
		w := worth{i: i, worth: math.Inf(1)} // a letter
		if ok {
			w.worth = gain(chances[i], chances[end], often[i])
		}
		all = append(all, w)
	}
	slices.SortFunc(all, func(a, b worth) int { return cmp.Or(cmp.Compare(b.worth, a.worth), cmp.Compare(a.i, b.i)) })
	var runs []string
	var values [][]byte
	for _, w := range all[:min(rows, len(all))] {
		runs, values = append(runs, list[w.i]), append(values, row(chances[w.i]))
	}
	return runs, values, nil
}

func gain(with, without, often []float32) float64 {
	mean := 0.0
	for l := range with {
		mean += float64(with[l]-without[l]) / float64(len(with))
	}
	sum := 0.0
	for l := range with {
		sum += float64(often[l]) * math.Abs(float64(with[l]-without[l])-mean)
	}
	return sum
}

// row is a run's row in the table.
func row(chances []float32) []byte {
	likeliest := slices.Max(chances)
	out := make([]byte, len(chances))
	for l, c := range chances {
		out[l] = byte(min(255, math.Round(float64(table.Nat*(likeliest-c)))))
	}
	return out
}

// model says how likely letters are in one language.
type model struct {
	counts counts
	// total and kinds are how often a run goes on, and with how many different letters.
	total, kinds counts
}

func newModel(c counts) model {
	m := model{counts: c, total: counts{}, kinds: counts{}}
	for run, n := range c {
		_, last := utf8.DecodeLastRuneInString(run)
		m.total[run[:len(run)-last]] += n
		m.kinds[run[:len(run)-last]]++
	}
	return m
}

// count is how often a run stood in the corpus.
func (m model) count(run string) float64 { return float64(m.counts[run]) * letters / unit }

// chance is how likely the last letter of a run is behind the others. What was seen counts as often as it was, and what the
// shorter run says as often as there were different letters behind this one (Witten and Bell).
func (m model) chance(run []rune) float64 {
	before, whole := string(run[:len(run)-1]), string(run)
	total := float64(m.total[before]) * letters / unit
	if len(run) == 1 {
		return (m.count(whole) + 1) / (total + kinds)
	}
	shorter := m.chance(run[1:])
	if total == 0 {
		return shorter
	}
	k := float64(m.kinds[before])
	return (m.count(whole) + k*shorter) / (total + k)
}
