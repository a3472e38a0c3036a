package config

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestSuggestionsAreNearAndNotForced(t *testing.T) {
	t.Parallel()
	names := []string{"every", "url", "title", "id", "on", "off", "token", "token_file", "max_per_hour", "max_per_day"}
	for written, want := range map[string]string{
		"evry": "every", "EVERY": "every", "evyer": "every", "ulr": "url", "tittel": "title", "tokn_fil": "token_file", "max_pr_hour": "max_per_hour",
		"x": "", "di": "", "o": "", "onn": "", "of": "off", "completely": "", "": "", "max_per_month": "",
	} {
		if _, got := suggest(written, names); got != want {
			t.Errorf("%q suggests %q, want %q", written, got, want)
		}
	}
}

// slow is the same distance by its definition: the cheapest of what may be done to the ends.
func slow(a, b []rune) int {
	if len(a) == 0 || len(b) == 0 {
		return len(a) + len(b)
	}
	x, y := a[:len(a)-1], b[:len(b)-1]
	cost := 1
	if a[len(a)-1] == b[len(b)-1] {
		cost = 0
	}
	best := min(slow(x, b)+1, slow(a, y)+1, slow(x, y)+cost)
	if len(a) > 1 && len(b) > 1 && a[len(a)-1] == b[len(b)-2] && a[len(a)-2] == b[len(b)-1] {
		best = min(best, slow(a[:len(a)-2], b[:len(b)-2])+1)
	}
	return best
}

func TestEditsAreTheLeast(t *testing.T) {
	t.Parallel()
	word := rapid.StringMatching(`[abü]{0,6}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := word.Draw(t, "a"), word.Draw(t, "b")
		if got, want := edits(a, b), min(slow([]rune(a), []rune(b)), 3); got != want {
			t.Fatalf("edits(%q, %q) = %d, want %d", a, b, got, want)
		}
	})
}

func TestALongTextIsCut(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü\n", 1000)
	for _, got := range []string{quote(long), word(long), path{"site", long, 3}.String()} {
		if len(got) > 300 || strings.Contains(got, "\n") {
			t.Errorf("a problem repeats %d bytes: %.80s", len(got), got)
		}
	}
}
