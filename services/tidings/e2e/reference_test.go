package e2e

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the references of the manual anew")

// The manual's references are made of what the programs say of themselves: the configuration of the commented examples,
// which other tests hold to name every key and no other, the metrics of the lists that the programs register.
func TestReferencesOfTheManualAreCurrent(t *testing.T) {
	t.Parallel()
	file := filepath.Join(root(t), "deploy", "README.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	now := string(text)
	for name, reference := range map[string]string{"configuration": configuration(t), "metrics": metrics(t)} {
		before, shown, after, ok := between(now, name)
		if !ok {
			t.Fatalf("%s has no reference of the %s: it wants the lines %s and %s", file, name, opening(name), closing(name))
		}
		if diff := cmp.Diff(shown, reference); diff != "" && !*update {
			t.Errorf("the %s of %s is out of date; go test ./services/tidings/e2e -run References -update writes it (-shown +now):\n%s", name, file, diff)
		}
		now = before + reference + after
	}
	if *update {
		if err := os.WriteFile(file, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func opening(name string) string { return "<!-- generated: " + name + " -->\n" }
func closing(name string) string { return "<!-- end of " + name + " -->\n" }

// between takes a text apart around the reference of a name.
func between(text, name string) (before, inner, after string, ok bool) {
	before, rest, ok := strings.Cut(text, opening(name))
	inner, after, closed := strings.Cut(rest, closing(name))
	return before + opening(name), inner, closing(name) + after, ok && closed
}

func configuration(t *testing.T) string {
	t.Helper()
	return "\n```yaml\n" + strings.TrimSpace(verb(t, t.TempDir(), 0, "config", "example")) + "\n```\n\n"
}

// metrics makes a table of the golden lists, which tests beside the programs compare with what those register.
func metrics(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, part := range []struct{ title, list string }{
		{"every process", "pkg/run/testdata/metrics.golden"}, {"everything on the bus", "pkg/run/testdata/bus_metrics.golden"},
		{"the flow of messages", "pkg/run/testdata/flow_metrics.golden"}, {"one process, which sees all", "services/tidings/internal/ops/testdata/metrics.golden"},
		{"ingest", "services/ingest/app/testdata/metrics.golden"}, {"enrich", "services/enrich/app/testdata/metrics.golden"},
		{"publish", "services/publish/app/testdata/metrics.golden"}, {"deliver", "services/deliver/app/testdata/metrics.golden"},
	} {
		text, err := os.ReadFile(filepath.Join(root(t), filepath.FromSlash(part.list)))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "\n%s:\n\n| metric | type | labels | means |\n| --- | --- | --- | --- |\n", strings.ToUpper(part.title[:1])+part.title[1:])
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		for i := 0; i+1 < len(lines); i += 2 {
			name, rest, ok := strings.Cut(lines[i], "{")
			labels, kind, closed := strings.Cut(rest, "} ")
			if !ok || !closed || !strings.HasPrefix(lines[i+1], "  ") {
				t.Fatalf("%s: cannot read %q", part.list, lines[i])
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, kind, strings.ReplaceAll(labels, ",", ", "), strings.TrimSpace(strings.ReplaceAll(lines[i+1], "|", `\|`)))
		}
	}
	return b.String() + "\n"
}
