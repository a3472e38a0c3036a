package e2e

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// logged are the lines of a log that follow the line "ready".
func logged(t *testing.T, text string) (after []string) {
	t.Helper()
	ready := false
	for line := range strings.Lines(text) {
		var entry struct{ Msg string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Errorf("the log is not JSON: %q", line)
		}
		if ready {
			after = append(after, line)
		}
		ready = ready || entry.Msg == "ready"
	}
	if !ready {
		t.Fatalf("the log does not say ready:\n%s", text)
	}
	return after
}

// An hour without news and an hour with news look the same in the log: polls and posts are no events of the process.
func TestNothingIsLoggedWhileAllIsWell(t *testing.T) {
	t.Parallel()
	dir, origin, f, hook := scene(t)
	p := start(t, dir, anyPort(), "run")
	p.awaitReady(t)
	awaitChannel(t, dir)
	f.Add(item(1))
	titles(t, p, item(0).Title, item(1).Title)
	posted(t, hook, p, 1)
	// Twenty more polls at three a second are longer than each of the regular looks at checks, gates and leases.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := origin.Wait(ctx, len(origin.Requests())+20); err != nil {
		t.Fatal(err)
	}
	if lines := logged(t, p.errors()); len(lines) != 0 {
		t.Errorf("after it was ready it logged\n%s", strings.Join(lines, ""))
	}
	if code := p.stop(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if lines := logged(t, p.errors()); len(lines) == 0 {
		t.Error("the stop is not logged, so the log was not read")
	}
}
