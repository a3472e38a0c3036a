package main

import (
	"archive/zip"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"tidings.internal/services/enrich/internal/language/table"
)

// corpus is the model of a text as lingua-go writes it: the share of each run among those that begin alike, in words.
func corpus(t *testing.T, text string) string {
	t.Helper()
	counted := map[string]int{}
	for w := range strings.FieldsSeq(text) {
		for from := range len(w) {
			for to := from + 1; to <= min(len(w), from+table.Order); to++ {
				counted[w[from:to]]++
			}
		}
	}
	total := 0
	for run, n := range counted {
		if len(run) == 1 {
			total += n
		}
	}
	dir := t.TempDir()
	for i, name := range files {
		f, err := os.Create(filepath.Join(dir, name+".pb.bin.zip"))
		if err != nil {
			t.Fatal(err)
		}
		z := zip.NewWriter(f)
		w, err := z.Create(name + ".pb.bin")
		if err != nil {
			t.Fatal(err)
		}
		message := protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.VarintType), uint64(i+1))
		for run, n := range counted {
			if len(run) != i+1 {
				continue
			}
			of := total
			if i > 0 {
				of = counted[run[:i]]
			}
			set := protowire.AppendFixed64(protowire.AppendTag(nil, 1, protowire.Fixed64Type), math.Float64bits(float64(n)/float64(of)))
			set = protowire.AppendString(protowire.AppendTag(set, 2, protowire.BytesType), run)
			message = protowire.AppendBytes(protowire.AppendTag(message, 4, protowire.BytesType), set)
		}
		if _, err := w.Write(message); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestBordersOfWordsAreCounted(t *testing.T) {
	t.Parallel()
	text := "der den er dererlei der"
	got, err := read(corpus(t, text))
	if err != nil {
		t.Fatal(err)
	}
	letter := float64(unit) / float64(len(strings.ReplaceAll(text, " ", "")))
	for run, want := range map[string]int{"e": 7, "er": 5, "der": 3, "derer": 1, "_d": 4, "_der": 3, "r_": 3, "er_": 3, "_der_": 2, "_er_": 1, "_den_": 1, "lei_": 1, "_": 5, "_e_": 0, "_dere": 1, "erer_": 0} {
		if n := float64(got[run]) / letter; math.Abs(n-float64(want)) > 0.01 {
			t.Errorf("%q is counted %.2f times, want %d", run, n, want)
		}
	}
}

func TestALanguageIsTheLikelierInItsOwnWords(t *testing.T) {
	t.Parallel()
	german := corpus(t, "der hund und die katze sehen den mond und der hund bellt")
	english := corpus(t, "the dog and the cat see the moon and the dog barks")
	choice := func() ([]string, [][]byte) {
		runs, rows, err := choose([]func() (counts, error){func() (counts, error) { return read(german) }, func() (counts, error) { return read(english) }}, 60)
		if err != nil {
			t.Fatal(err)
		}
		return runs, rows
	}
	runs, rows := choice()
	again, _ := choice()
	if len(runs) != 60 || !slices.Equal(runs, again) {
		t.Fatalf("%d runs, and then others", len(runs))
	}
	data, err := table.Encode([]string{"de", "en"}, runs, rows)
	if err != nil {
		t.Fatal(err)
	}
	read, err := table.Open(string(data))
	if err != nil {
		t.Fatal(err)
	}
	for word, want := range map[string]int{"und": 0, "katze": 0, "hund": 0, "the": 1, "and": 1, "cat": 1} {
		sum := make([]int, 2)
		if read.Add(sum, word); sum[want] >= sum[1-want] {
			t.Errorf("%q costs %v in German and English", word, sum)
		}
	}
}

func TestABrokenModelIsRefused(t *testing.T) {
	t.Parallel()
	dir := corpus(t, "der die das")
	if err := os.WriteFile(filepath.Join(dir, "trigrams.pb.bin.zip"), []byte("no archive"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := read(dir); err == nil {
		t.Error("no error")
	}
	if _, err := read(t.TempDir()); err == nil {
		t.Error("a folder without models: no error")
	}
}
