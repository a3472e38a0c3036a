package e2e

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// Every verb is in a script three times: it does what it shall, it is refused, and it prints JSON. A new verb fails here
// until a script runs it so.
func TestEveryVerbIsInAScript(t *testing.T) {
	t.Parallel()
	silent := map[string]string{"run": "it prints where to go, and its log is JSON already"} // verbs without --json
	called := calledInScripts(t)
	verbs := regexp.MustCompile(`(?m)^  ([a-z][a-z-]*(?: [a-z-]+)?)  +\S`).FindAllStringSubmatch(verb(t, t.TempDir(), 0, "--help"), -1)
	if len(verbs) < 70 {
		t.Fatalf("the help lists only %d verbs: %q", len(verbs), verbs)
	}
	for _, v := range verbs {
		want := []string{"good", "wrong", "json"}
		if silent[v[1]] != "" {
			want = want[:2]
		}
		for _, how := range want {
			if !called[v[1]+" "+how] {
				t.Errorf("no script has a %s call of tidings %s", how, v[1])
			}
		}
	}
}

// calledInScripts tells for each verb which kinds of calls the scripts have.
func calledInScripts(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	line := regexp.MustCompile(`^(exec|(?:until|watch) ('.*?'|\S+)|exits (\d)) tidings (.+)$`)
	called := map[string]bool{}
	for _, name := range files {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for text := range strings.Lines(string(a.Comment)) {
			call := line.FindStringSubmatch(strings.TrimSpace(text))
			if call == nil {
				continue
			}
			kinds := []string{"good"}
			if call[3] != "" && call[3] != "0" {
				kinds = []string{"wrong"}
			}
			words := strings.Fields(call[4])
			if slices.Contains(words, "--json") {
				kinds = append(kinds, "json")
			}
			for _, kind := range kinds {
				called[words[0]+" "+kind] = true // of a verb of one word
				called[strings.Join(words[:min(2, len(words))], " ")+" "+kind] = true
			}
		}
	}
	return called
}
