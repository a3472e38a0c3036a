package app

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/config/configtest"
)

func TestExamplesNameEveryKeyAndItsDefault(t *testing.T) {
	t.Parallel()
	set := DefaultSettings()
	keys := slices.DeleteFunc(config.Keys(&set), func(k string) bool { return strings.HasPrefix(k, "hosts.") }) // below a name
	configtest.Check(t, example, "enrich", keys, func(doc *config.Doc) {
		s := DefaultSettings()
		doc.Section("enrich", &s)
	})
	doc := config.New("x.yaml", []byte(strings.Replace(example, "hosts: {}\n  #", "hosts:\n   ", 1)), nil)
	if s := read(doc); len(s.enrich.Hosts["www.example.org"].Keep) != 2 || len(s.enrich.hosts()) != 1 {
		t.Errorf("the host of the example: %v, %v", s.enrich.Hosts, doc.Err())
	}
	if _, ok := Example("feeds"); ok {
		t.Error("enrich has an example for a section that is not its own")
	}
	for _, section := range []string{"enrich", "taxonomy"} {
		if text, ok := Example(section); !ok || !strings.Contains(text, section+":\n") {
			t.Errorf("the example of %s: %q", section, text)
		}
	}
}

const vocabulary = `@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
<x:wald> skos:prefLabel "Wald"@de .
`

func TestTaxonomyOfTheOperatorReplacesTheStarter(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "themen.ttl"), vocabulary)
	write(t, filepath.Join(dir, "tidings.yaml"), taxonomyExample)
	doc, err := config.Load(filepath.Join(dir, "tidings.yaml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := read(doc)
	if err := doc.Err(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"wald"}, s.taxonomy.vocabulary.IDs()); diff != "" {
		t.Error(diff)
	}
}

func TestMistakesAreAllNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "bad.ttl"), "<x:a> foo:bar \"x\" .\n<x:b> <x:c> .\n")
	write(t, filepath.Join(dir, "tidings.yaml"), "enrich:\n  workers: -1\n  step_budget: 3s\n  article_budget: 1s\n  wrokers: 2\n  hosts:\n    www.example.org: {keep: [\"div..x\"]}\n    \"*\": {drop: [p]}\n    b.example.org: {}\ntaxonomy:\n  files:\n    - bad.ttl\n")
	doc, err := config.Load(filepath.Join(dir, "tidings.yaml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	Check(doc)
	got := strings.ReplaceAll(doc.Err().Error(), dir+string(filepath.Separator), "")
	want := []string{
		`:2:12: enrich.workers: -1 is not within 0 and 256`,
		`:4:19: enrich.article_budget: 1s is shorter than step_budget`,
		`:5:3: enrich.wrokers: unknown key; did you mean "workers"?`,
		`:7:30: enrich.hosts."www.example.org".keep[0]: "div..x" is no selector of CSS`,
		`"*" is no host such as www.example.org`,
		`says nothing; it wants keep, drop or both`,
		`bad.ttl:1:7: prefix "foo" is not declared`,
		`bad.ttl:2:13: expected an address, found "."`,
	}
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("the problem %q is missing from\n%s", w, got)
		}
	}
	missing := config.New("t.yaml", []byte("taxonomy: {files: [/no/such.ttl]}\n"), nil)
	Check(missing)
	if err := missing.Err(); err == nil || !strings.Contains(err.Error(), "cannot read the taxonomy") {
		t.Errorf("a missing file: %v", err)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
