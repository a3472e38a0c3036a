// Command fit fits the weights of the ranking of keyphrases to texts whose phrases people chose:
//
//	go run ./services/enrich/internal/phrases/fit -data DIR [-hold SET] [-sets SET[=WEIGHT],...]
//
// DIR holds files SET.jsonl with rows of id, lang, text, keys. Of each set the rows with even numbers are fitted and those
// with odd ones reported; with -hold the named set is not fitted at all. The texts of a set weigh one together, or what is
// said behind its name. Only the numbers that it prints enter the program, no text.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"tidings.internal/services/enrich/internal/phrases/fitting"
)

// text is one row of a set.
type text struct {
	*fitting.Text
	set  string
	held bool
}

func main() {
	data := flag.String("data", "", "folder of the sets")
	hold := flag.String("hold", "", "set that is not fitted")
	sets := flag.String("sets", "", "sets that are fitted and what each weighs, all alike by default")
	l2 := flag.Float64("l2", fitting.L2, "how much large weights cost")
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
	weights, err := parse(sets)
	if err != nil {
		return err
	}
	var all []*text
	var train []fitting.Set
	for _, f := range files {
		list, err := read(f)
		if err != nil {
			return err
		}
		all = append(all, list...)
		name := setOf(f)
		set := fitting.Set{Weight: 1}
		if sets != "" {
			set.Weight = weights[name]
		}
		for _, t := range list {
			if t.held = t.held || name == hold; !t.held {
				set.Texts = append(set.Texts, t.Text)
			}
		}
		if len(set.Texts) > 0 {
			train = append(train, set)
		}
	}
	w := fitting.Fit(train, l2)
	for _, x := range w {
		fmt.Printf("%.3f, ", x)
	}
	fmt.Println()
	report(all, w)
	return nil
}

// parse reads what each set weighs.
func parse(sets string) (map[string]float64, error) {
	weights := map[string]float64{}
	for s := range strings.SplitSeq(sets, ",") {
		name, number, given := strings.Cut(s, "=")
		weights[name] = 1
		if given {
			var err error
			if weights[name], err = strconv.ParseFloat(number, 64); err != nil {
				return nil, fmt.Errorf("weight of set %q: %w", name, err)
			}
		}
	}
	return weights, nil
}

func setOf(file string) string { return strings.TrimSuffix(filepath.Base(file), ".jsonl") }

// report prints the mean F1 at ten phrases for the fitted and the held rows of each set.
func report(all []*text, w []float64) {
	sums := map[string][2]float64{}
	for _, t := range all {
		k := t.set + " fitted"
		if t.held {
			k = t.set + " held"
		}
		sums[k] = [2]float64{sums[k][0] + t.F1(w, 10), sums[k][1] + 1}
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
		t := &text{set: setOf(file), held: i%2 == 1}
		out = append(out, t)
		group.Go(func() { t.Text = fitting.New(row.Lang, row.Text, row.Keys) })
	}
	group.Wait()
	return out, in.Err()
}
