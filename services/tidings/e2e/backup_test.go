package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/hosttest"
	"tidings.internal/pkg/origintest"
)

// tale is an item with words of its own: two that are alike would be one story, by whoever came first.
func tale(n int) origintest.Item {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	word := func() string {
		var b strings.Builder
		for range 2 + r.IntN(2) {
			b.WriteByte("bcdfglmnprstvz"[r.IntN(14)])
			b.WriteByte("aeiou"[r.IntN(5)])
		}
		return b.String()
	}
	words := make([]string, 60)
	for i := range words {
		words[i] = word()
	}
	id := fmt.Sprintf("tale-%d", n)
	return origintest.Item{
		ID: id, URL: "https://news.example.org/" + id, Title: "Tale " + strings.Join(words[:4], " "), Published: time.Now().Add(-time.Hour).Add(time.Duration(n) * time.Minute),
		Content: "<p>This is what the paper has: " + strings.Join(words, " ") + ".</p>",
	}
}

// shownBy waits until a feed shows so many items, and returns its three documents with their ETags.
func shownBy(t *testing.T, p *process, items int) map[string]string {
	t.Helper()
	within(t, time.Minute, fmt.Sprintf("%d items", items), func() (bool, string) {
		_, body, _ := get(p.address(t, "/feeds/all.json"))
		var f feed
		return json.Unmarshal(body, &f) == nil && len(f.Items) == items, string(body) + p.errors()
	})
	all := map[string]string{}
	for _, format := range []string{"rss", "atom", "json"} {
		_, body, header := get(strings.TrimSuffix(p.address(t, "/feeds/all.json"), "json") + format)
		all[format] = header.Get("ETag") + "\n" + string(body)
	}
	return all
}

// A backup that is made while articles come in and posts go out gives, on another machine, the same feeds to the byte once
// the sources have brought the rest, and no post a second time.
func TestABackupUnderLoadRestoresTheSameFeeds(t *testing.T) {
	t.Parallel()
	const items = 40
	dir, _, f, hook := scene(t)
	ports := []string{"TIDINGS_PUBLISH__LISTEN=" + hosttest.Address(t), "TIDINGS_ADMIN__LISTEN=127.0.0.1:0"}
	p := start(t, dir, ports, "run", "--data", "first")
	p.awaitReady(t)
	awaitChannel(t, dir, "--data", "first")
	file, made := filepath.Join(dir, "tidings.tar"), make(chan string, 1)
	for n := range items {
		f.Add(tale(n))
		switch n {
		case items / 4:
			posted(t, hook, p, 1)
			go func() {
				defer close(made) // should the verb fail
				made <- verb(t, dir, 0, "backup", file, "--json", "--data", "first")
			}()
		case items / 2: // half of it comes after the backup at the latest
			var m struct{ Members []struct{ Name string } }
			decode(t, []byte(<-made), &m)
			if len(m.Members) < 10 {
				t.Errorf("the backup holds %+v", m)
			}
		}
	}
	before := shownBy(t, p, items+1)
	posted(t, hook, p, items)
	if code := p.stop(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, p.errors())
	}

	verb(t, dir, 0, "restore", file, "--data", "second")
	p = start(t, dir, ports, "run", "--data", "second")
	p.awaitReady(t)
	after := shownBy(t, p, items+1)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the feeds are others (-before +after):\n%s", diff)
	}
	verb(t, dir, 0, "channels", "resume", "hook", "--data", "second")
	awaitChannel(t, dir, "--data", "second")
	f.Add(tale(items))
	posted(t, hook, p, items+1)
	if code := p.stop(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, p.errors())
	}
	got := hook.published()
	if each := slices.Compact(slices.Clone(got)); len(each) != len(got) || len(got) != items+1 {
		t.Errorf("%d posts about %d articles, want %d of each: %q", len(got), len(each), items+1, got)
	}
}
