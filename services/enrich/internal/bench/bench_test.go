package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tidings.internal/services/enrich/internal/story/copies"
)

// pack writes files of a folder as the samples have them: an archive, or one file.
func pack(t *testing.T, name string, files map[string]string) {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if single, ok := files[""]; ok {
		_, _ = z.Write([]byte(single)) // a buffer takes everything
	} else {
		w := tar.NewWriter(z)
		for file, data := range files {
			if err := w.WriteHeader(&tar.Header{Name: file, Mode: 0o600, Size: int64(len(data)), Typeflag: tar.TypeReg}); err != nil {
				t.Fatal(err)
			}
			_, _ = w.Write([]byte(data)) // a buffer takes everything
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func line(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data) + "\n"
}

// folder holds one page, one text and one sentence.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	p := generate(copies.NewWriter(7), 0)
	body := strings.Split(strings.Split(string(p.html), "</h1>")[1], "</article>")[0]
	body = strings.NewReplacer("<p>", "", "</p>", "\n").Replace(body)
	pack(t, filepath.Join(dir, "extract-dev.tar.gz"), map[string]string{
		"extract-dev/pages.jsonl": line(t, map[string]any{"id": "1", "url": p.URL, "file": "pages/1.html", "type": "article", "gold": map[string]any{
			"body": body, "title": "another title", "author": "Eva Example", "date": "2026-04-01T08:00:00Z", "with": []string{body[:40]}, "without": []string{"nowhere"},
		}}),
		"extract-dev/pages/1.html": string(p.html),
	})
	text := line(t, map[string]any{"id": "a", "lang": "en", "text": "A city library lends tools.", "keys": []string{"tool library"}})
	text += line(t, map[string]any{"id": "b", "lang": "en", "text": "The tool library opens. The tool library lends drills.", "keys": []string{"tool libraries"}})
	sets := map[string]string{}
	for _, s := range newsSets {
		for _, name := range append([]string{s.name}, s.others...) {
			sets["keyphrases-dev/"+name+".jsonl"] = text
		}
	}
	pack(t, filepath.Join(dir, "keyphrases-dev.tar.gz"), sets)
	pack(t, filepath.Join(dir, "ner-de-dev.tsv.gz"), map[string]string{"": "#\tsource\n1\tGestern\tO\tO\n2\tsprach\tO\tO\n3\tMinisterin\tO\tO\n4\tEva\tB-PER\tO\n5\tMuster\tI-PER\tO\n6\tin\tO\tO\n7\tBlaubach\tB-LOC\tO\n8\t.\tO\tO\n\n"})
	return dir
}

func TestRowsOfASampleAreMeasured(t *testing.T) {
	t.Parallel()
	var err error
	b := &bench{}
	if b.samples, err = open(folder(t)); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err = b.run(t.Context(), &out, "pages,keyphrases,names,languages")
	for _, want := range []string{
		"1 article pages: word F1", "1.000 / 1.000 / 1.000", // the body is found to the word
		"0.00 / 1.00 / 1.00",                              // a title that is another one, author and date
		"German names: precision / recall", "1.00 / 0.50", // the place is not found
		"seven words of German", "short",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, out.String())
		}
	}
	if err == nil || !strings.Contains(err.Error(), "not reached") {
		t.Errorf("a wrong title is no failure: %v", err)
	}
}

func TestWithoutSamplesTheTableSaysSo(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	b := &bench{}
	var err error
	if b.samples, err = open(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	if err := b.run(t.Context(), &out, "pages,keyphrases,names,languages"); err != nil {
		t.Error(err)
	}
	if n := strings.Count(out.String(), noData); n < 8 {
		t.Errorf("%d rows say that their sample is missing:\n%s", n, out.String())
	}
	if _, err := open("/does/not/exist"); err == nil {
		t.Error("a folder that does not exist is taken for an empty one")
	}
}

func TestAFigureCountsToTheDigitsThatArePrinted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		row  row
		good bool
	}{
		{row{digits: 2, reached: []float64{0.8451, 0.7251}, wanted: []float64{0.84, 0.73}}, true},
		{row{digits: 2, reached: []float64{0.8451, 0.7249}, wanted: []float64{0.84, 0.73}}, false},
		{row{digits: 0, reached: []float64{150.4}, wanted: []float64{150}, most: true}, true},
		{row{digits: 0, reached: []float64{150.6}, wanted: []float64{150}, most: true}, false},
	} {
		if got := c.row.good(); got != c.good {
			t.Errorf("%s: good = %v", fmt.Sprint(c.row.reached), got)
		}
	}
}
