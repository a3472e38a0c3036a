package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The README shows what the first command prints, but for ports and for how long it took.
func TestReadmeShowsWhatTheFirstCommandPrints(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root(t), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, shown, found := strings.Cut(string(text), "```\n$ go run ./services/tidings\n")
	shown, _, closed := strings.Cut(shown, "\n```")
	if !found || !closed {
		t.Fatal("the README does not show the first command with its output")
	}
	p := start(t, t.TempDir(), anyPort())
	p.awaitReady(t)
	varying := regexp.MustCompile(`127\.0\.0\.1:\d+|in \d+\.\ds`)
	same := func(s string) string { return varying.ReplaceAllString(s, "X") }
	if diff := cmp.Diff(same(shown), same(strings.Join(p.lines(), "\n"))); diff != "" {
		t.Errorf("the README shows (-), the command prints (+):\n%s", diff)
	}
}

// Whoever copies the configuration of the README into a file has one that is right: it names no file that is not there.
func TestTheConfigurationOfTheReadmeIsRight(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root(t), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, shown, found := strings.Cut(string(text), "```yaml\n")
	shown, _, closed := strings.Cut(shown, "```\n")
	if !found || !closed || !strings.Contains(shown, "sources:") {
		t.Fatal("the README shows no configuration")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "tidings.yaml"), shown)
	if out := both(t, dir, 0, "check"); !strings.Contains(out, "no problem found") {
		t.Errorf("check says %s", out)
	}
}
