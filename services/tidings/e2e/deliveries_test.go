package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/origintest"
)

// inState waits until so many deliveries are in a state, and returns their names.
func inState(t *testing.T, dir, state string, n int) []string {
	t.Helper()
	var list []struct{ Channel, Story, URL string }
	within(t, 30*time.Second, fmt.Sprintf("%d deliveries %s", n, state), func() (bool, string) {
		out := verb(t, dir, 0, "deliveries", "list", "--state", state, "--json")
		list = nil
		decode(t, []byte(out), &list)
		return len(list) == n, out
	})
	var ids []string
	for _, d := range list {
		ids = append(ids, d.Channel+"/"+d.Story)
	}
	return ids
}

// Posts wait for a person: what is approved goes out once, what is rejected never does, through a kill in between, and a
// decision about what has changed since is refused.
func TestAPersonDecidesAboutHeldPosts(t *testing.T) {
	t.Parallel()
	dir, hook := t.TempDir(), newReceiver(t)
	origin := origintest.New(t)
	f := origin.Feed("news").Describe("News", "en")
	write(t, filepath.Join(dir, "tidings.yaml"), fmt.Sprintf(`site: {title: Test, url: "http://127.0.0.1:1", language: en}
ingest: {allow_networks: [127.0.0.0/8], revision_gap: 0s, hosts: {%q: {concurrency: 4, gap: 0s}}}
sources: [{id: news, url: %q, every: 300ms}]
channels: [{id: hook, network: webhook, url: %q, allow_private: true, approve: manual}]
`, origin.Addr(), f.URL(origintest.RSS), hook.URL+"/in"))
	p := start(t, dir, anyPort(), "run")
	p.awaitReady(t)
	awaitChannel(t, dir)
	if out := verb(t, dir, 0, "deliveries", "list"); out != "no deliveries\n" {
		t.Errorf("an empty list prints %q", out)
	}
	f.Add(item(1), item(2))
	ids := inState(t, dir, "held", 2)

	var first struct {
		Version uint64
		State   string
		History []struct{ To string }
	}
	decode(t, []byte(verb(t, dir, 0, "deliveries", "show", ids[0], "--json")), &first)
	if first.State != "held" || first.Version == 0 || len(first.History) == 0 {
		t.Errorf("show tells %+v", first)
	}
	if out := both(t, dir, 1, "deliveries", "approve", ids[0], "--at", fmt.Sprint(first.Version+1)); !strings.Contains(out, "look at it again") {
		t.Errorf("a decision about another version prints %q", out)
	}
	verb(t, dir, 0, "deliveries", "approve", ids[0], "--at", fmt.Sprint(first.Version))
	p.kill() // the decision is in the ledger: whoever comes next acts on it
	p = start(t, dir, anyPort(), "run")
	p.awaitReady(t)
	posted(t, hook, p, 1)
	if out := both(t, dir, 4, "deliveries", "reject", "--reason", "not ours", ids[1], "hook/aaaaaaaaaaaaaaaaaaaaaaaaaa"); !strings.Contains(out, "there is no delivery") {
		t.Errorf("reject prints %q", out)
	}
	verb(t, dir, 0, "deliveries", "reject", ids[1]) // once more is as good
	if out := verb(t, dir, 0, "deliveries", "approve", ids[0]); !strings.Contains(out, "approved already") {
		t.Errorf("a second approval prints %q", out)
	}
	verb(t, dir, 1, "deliveries", "retry", ids[0])
	verb(t, dir, 1, "deliveries", "resolve", ids[0], "--not-sent")
	verb(t, dir, 2, "deliveries", "resolve", ids[0])
	f.Add(item(3))
	last := inState(t, dir, "held", 1)
	verb(t, dir, 0, "deliveries", "approve", last[0])
	posted(t, hook, p, 2)
	if got := hook.published(); len(got) != 2 {
		t.Errorf("posted %q", got)
	}
	if out := verb(t, dir, 0, "deliveries", "show", ids[1]); !strings.Contains(out, "rejected") || !strings.Contains(out, "not ours") {
		t.Errorf("show prints %s", out)
	}
}
