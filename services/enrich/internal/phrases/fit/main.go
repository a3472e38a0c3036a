// Command fit fits the weights of the ranking of keyphrases to texts whose phrases people chose:
//
//	go run ./services/enrich/internal/phrases/fit -data DIR [-hold SET] [-sets SET,SET]
//
// DIR holds files SET.jsonl with rows of id, lang, text, keys. Of each set the rows with even numbers are fitted and those
// with odd ones reported; with -hold the named set is not fitted at all. Only the numbers that it prints enter the
// program, no text.
package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/bench/score"
	"tidings.internal/services/enrich/internal/decode"
	"tidings.internal/services/enrich/internal/extract"
	"tidings.internal/services/enrich/internal/language"
	"tidings.internal/services/enrich/internal/metadata"
	"tidings.internal/services/enrich/internal/phrases"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/sanitize"
	"tidings.internal/services/enrich/internal/words"
)

// rounds and negatives are how long and how unevenly is fitted: what nobody chose weighs, all of a text together, three
// times what somebody chose.
const (
	rounds    = 300
	negatives = 3
)

// text is one row with its candidates.
type text struct {
	set, lang string
	held      bool
	keys      map[string]bool
	stems     []string
	vectors   [][]float64
}

func main() {
	data := flag.String("data", "", "folder of the sets")
	hold := flag.String("hold", "", "set that is not fitted")
	sets := flag.String("sets", "", "sets that are fitted, all by default")
	l2 := flag.Float64("l2", 1e-4, "how much large weights cost")
	flag.Parse()
	if err := weigh(*data, *hold, *sets, *l2); err != nil {
		panic(err) // a tool of developers: the trace does no harm
	}
}

// weigh prints the weights and how well they do.
func weigh(data, hold, sets string, l2 float64) error {
	files, err := filepath.Glob(filepath.Join(data, "*.jsonl"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no sets SET.jsonl in %q", data)
	}
	var all, train []*text
	for _, f := range files {
		list, err := read(f)
		if err != nil {
			return err
		}
		all = append(all, list...)
	}
	for _, t := range all {
		t.held = t.held || t.set == hold
		if !t.held && (sets == "" || slices.Contains(strings.Split(sets, ","), t.set)) {
			train = append(train, t)
		}
	}
	w := fit(train, l2)
	for _, x := range w {
		fmt.Printf("%.3f, ", x)
	}
	fmt.Println()
	report(all, w)
	return nil
}

// report prints the mean F1 at ten phrases for the fitted and the held rows of each set.
func report(all []*text, w []float64) {
	sums := map[string][2]float64{}
	for _, t := range all {
		k := t.set + " fitted"
		if t.held {
			k = t.set + " held"
		}
		sums[k] = [2]float64{sums[k][0] + f1(t, w, 10), sums[k][1] + 1}
	}
	for _, k := range slices.Sorted(maps.Keys(sums)) {
		fmt.Printf("%-20s F1@10 %.4f of %.0f\n", k, sums[k][0]/sums[k][1], sums[k][1])
	}
}

// read runs the steps before the ranking on every row of a set.
func read(file string) ([]*text, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close() // opened to read: nothing can be lost
	set := strings.TrimSuffix(filepath.Base(file), ".jsonl")
	var out []*text
	var group sync.WaitGroup
	in := bufio.NewScanner(f)
	in.Buffer(nil, 16<<20)
	for i := 0; in.Scan(); i++ {
		var row struct {
			Lang, Text string
			Keys       []string
		}
		if err := json.Unmarshal(in.Bytes(), &row); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		t := &text{set: set, lang: row.Lang, held: i%2 == 1, keys: map[string]bool{}}
		out = append(out, t)
		group.Go(func() { t.measure(row.Text, row.Keys) })
	}
	group.Wait()
	return out, in.Err()
}

// measure finds the candidates of a row, and which of them people chose.
func (t *text) measure(body string, chosen []string) {
	stem := words.NewStemmer(t.lang)
	for _, k := range chosen {
		t.keys[score.Key(stem.Stem, k)] = true
	}
	d := pipeline.NewDraft(&article.Raw{Language: t.lang, Content: &article.Text{Value: body, Type: article.TextPlain}}, nil)
	for _, s := range []pipeline.Step{decode.Step{}, metadata.Step{}, extract.Step{}, sanitize.New(), language.NewStep()} {
		if err := s.Run(context.Background(), d); err != nil {
			s.Degrade(d)
		}
	}
	for _, s := range phrases.Samples(d) {
		t.stems = append(t.stems, score.Key(stem.Stem, s.Text))
		t.vectors = append(t.vectors, s.Vector)
	}
}

// fit is logistic regression by full gradients with step sizes for each weight; each text weighs alike, and so do its
// phrases and the rest.
func fit(train []*text, l2 float64) []float64 {
	if len(train) == 0 {
		return nil
	}
	n := len(train[0].vectors[0])
	w, sq := make([]float64, n), make([]float64, n)
	for range rounds {
		grad := make([]float64, n)
		for _, t := range train {
			pos := 0
			for _, s := range t.stems {
				if t.keys[s] {
					pos++
				}
			}
			if pos == 0 {
				continue
			}
			wp, wn := 1/float64(pos), negatives/float64(len(t.stems)-pos+1)
			for i, v := range t.vectors {
				p := 1 / (1 + math.Exp(-dot(w, v)))
				y, weight := 0.0, wn
				if t.keys[t.stems[i]] {
					y, weight = 1, wp
				}
				for k, x := range v {
					if x != 0 {
						grad[k] += weight * (p - y) * x
					}
				}
			}
		}
		for k := range w {
			g := grad[k]/float64(len(train)) + l2*w[k]
			sq[k] += g * g
			w[k] -= 0.5 * g / (math.Sqrt(sq[k]) + 1e-9)
		}
	}
	return w
}

func dot(w, v []float64) float64 {
	s := 0.0
	for i := range w {
		s += w[i] * v[i]
	}
	return s
}

// f1 is the F1 of the best k candidates of a text.
func f1(t *text, w []float64, k int) float64 {
	order := make([]int, len(t.vectors))
	for i := range order {
		order[i] = i
	}
	value := make([]float64, len(order))
	for i, v := range t.vectors {
		value[i] = dot(w, v)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(value[b], value[a]) })
	best := make([]string, len(order))
	for at, i := range order {
		best[at] = t.stems[i]
	}
	return score.Keyphrases(best, t.keys, k)
}
