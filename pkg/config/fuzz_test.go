package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tidings.internal/pkg/config"
)

// Whatever a file holds, reading it ends without a panic, says each problem on one line with a place that exists, and
// gives the same answer again.
func FuzzNew(f *testing.F) {
	files, err := filepath.Glob("testdata/problems/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data), "TIDINGS_INGEST__WORDS=a,b")
	}
	for _, section := range config.Sections() {
		if text, ok := config.Example(section); ok {
			f.Add(text, "TIDINGS_"+strings.ToUpper(section)+"__ID=x")
		}
	}
	f.Add("ingest: {}", "\n0") // a name may hold anything but NUL and =
	for _, text := range []string{
		"", "a: &a [*a]", "ingest: &a {<<: *a, word: *a}", "ingest: {hosts: &h {h: *h}}", "sources: &s [*s, {id: *s}]", "{<<: {<<: {<<: {<<: {}}}}}",
		"ingest: {labels: {a: !!binary x, !!set b: c}}", "ingest: {other: &o {deep: *o}}", "channels: [*x]", "channels: &c [{network: *c}]",
		"? {a: b}\n: c", "'': ''", "site: {'': 1, 1: 2, 1.5: 3, true: 4, null: 5}", "ingest:\n  - &x\n  - *x", "\x00", "\ufeff\ufeff", "--- |\n a", "...\n...",
		"ingest: {entries: [[[]]]}", "ingest: {networks: {a: b}}", "site: {created: 0000-00-00}", "%TAG ! x\n--- !y\n",
	} {
		f.Add(text, "TIDINGS_INGEST__LABELS="+text)
	}
	f.Fuzz(func(t *testing.T, text, variable string) {
		doc, _ := load("tidings.yaml", text, variable, "TIDINGS_INGEST__"+variable)
		lines := strings.Count(text, "\n") + strings.Count(text, "\r") + strings.Count(text, "\u0085") +
			strings.Count(text, "\u2028") + strings.Count(text, "\u2029") + 2
		got := problems(doc)
		for _, p := range got {
			if strings.ContainsAny(p, "\n\r") || len(p) > 2000 {
				t.Errorf("a problem of %d bytes: %q", len(p), p)
			}
		}
		if doc.Err() != nil {
			for _, p := range doc.Err().(*config.Problems).List {
				if p.Text == "" || p.Origin.Line > lines || p.Origin.Line < 0 || p.Origin.Column < 0 {
					t.Errorf("problem %+v in a text of %d lines", p, lines)
				}
			}
		}
		for v := range doc.Values() {
			if v.Path == "" {
				t.Errorf("a value without a path: %+v", v)
			}
		}
		again, _ := load("tidings.yaml", text, variable, "TIDINGS_INGEST__"+variable)
		if a, b := strings.Join(got, "\n"), strings.Join(problems(again), "\n"); a != b {
			t.Errorf("two readings differ:\n%s\n---\n%s", a, b)
		}
	})
}
