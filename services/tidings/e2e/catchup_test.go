package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// What waited in a channel when its backup was made may have gone since, so a restore skips it. An operator who knows better
// catches the channel up: what is missing goes, and what the ledger knows as sent does not go again.
func TestWhatWaitedAtARestoreIsCaughtUp(t *testing.T) {
	t.Parallel()
	dir, _, f, hook := scene(t)
	p := start(t, dir, anyPort(), "run", "--data", "first")
	p.awaitReady(t)
	awaitChannel(t, dir, "--data", "first")
	f.Add(item(1), item(2))
	titles(t, p, item(0).Title, item(1).Title, item(2).Title)
	posted(t, hook, p, 2)
	verb(t, dir, 0, "channels", "pause", "hook", "--data", "first")
	f.Add(item(3))
	titles(t, p, item(0).Title, item(1).Title, item(2).Title, item(3).Title)
	within(t, 30*time.Second, "a post that waits", func() (bool, string) {
		out := verb(t, dir, 0, "deliveries", "list", "--json", "--data", "first")
		return strings.Count(out, `"channel": "hook"`) == 3, out
	})
	verb(t, dir, 0, "backup", "tidings.tar", "--data", "first")
	p.kill()

	verb(t, dir, 0, "restore", "tidings.tar", "--data", "second")
	p = start(t, dir, anyPort(), "run", "--data", "second")
	p.awaitReady(t)
	titles(t, p, item(0).Title, item(1).Title, item(2).Title, item(3).Title)
	verb(t, dir, 0, "channels", "resume", "hook", "--data", "second")
	out := verb(t, dir, 0, "channels", "catchup", "hook", "--last", "3", "--dry-run", "--data", "second")
	if strings.Count(out, "  sent  ") != 2 || strings.Count(out, "  planned  ") != 1 || !strings.Contains(out, item(3).Title) {
		t.Errorf("it would do\n%s", out)
	}
	verb(t, dir, 0, "channels", "catchup", "hook", "--last", "3", "--data", "second")
	posted(t, hook, p, 3)
	awaitChannel(t, dir, "--data", "second")
	f.Add(item(4))
	posted(t, hook, p, 4)
	if code := p.stop(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, p.errors())
	}
	want := []string{item(1).URL, item(2).URL, item(3).URL, item(4).URL}
	if got := hook.published(); !slices.Equal(got, want) {
		t.Errorf("posted %q, want %q", got, want)
	}
}
