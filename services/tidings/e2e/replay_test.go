package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// tagged waits until the feed shows an article with a tag.
func tagged(t *testing.T, p *process, title, tag string) {
	t.Helper()
	within(t, 30*time.Second, fmt.Sprintf("the tag %s on %q", tag, title), func() (bool, string) {
		_, body, _ := get(p.address(t, "/feeds/all.json"))
		var f struct {
			Items []struct {
				Title string
				Tags  []string
			}
		}
		if json.Unmarshal(body, &f) != nil {
			return false, string(body)
		}
		for _, i := range f.Items {
			if i.Title == title && slices.Contains(i.Tags, tag) {
				return true, ""
			}
		}
		return false, string(body) + p.errors()
	})
}

// What was enriched again has new tags in the feeds and is told to nobody: an edit is what the publisher changed, a new
// revision, and a replay makes none.
func TestAReplayTagsAnewAndPostsNothingAgain(t *testing.T) {
	t.Parallel()
	dir, _, f, hook := scene(t)
	social := newMastodon(t)
	file := filepath.Join(dir, "tidings.yaml")
	config, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.TrimSuffix(strings.TrimSpace(string(config)), "]") +
		fmt.Sprintf(", {id: social, network: mastodon, server: %q, token: %s, allow_private: true, max_per_hour: 3600, burst: 100}]\n", social.URL, goodToken)
	write(t, file, text)
	p := start(t, dir, anyPort(), "run")
	p.awaitReady(t)
	within(t, 20*time.Second, "both channels", func() (bool, string) {
		var list []channel
		out := verb(t, dir, 0, "channels", "list", "--json")
		decode(t, []byte(out), &list)
		return len(list) == 2 && !slices.ContainsFunc(list, func(c channel) bool { return !time.Now().Truncate(time.Second).After(c.Since) }), out
	})
	// both waits until so many articles are posted on both channels.
	both := func(n int) {
		t.Helper()
		posted(t, hook, p, n)
		within(t, 30*time.Second, fmt.Sprintf("%d statuses", n), func() (bool, string) { return social.count() >= n, p.errors() })
	}
	f.Add(item(1), item(2))
	titles(t, p, item(0).Title, item(1).Title, item(2).Title)
	both(2)

	if out := verb(t, dir, 0, "replay", "--since", "1h"); !strings.Contains(out, "went through enrich again") || strings.HasPrefix(out, "0 ") {
		t.Errorf("replay prints %q", out)
	}
	f.Add(item(3)) // it goes the same way behind the replay, so what the replay caused is over when this is posted
	both(3)
	updates := func() (n int) {
		hook.mu.Lock()
		defer hook.mu.Unlock()
		for _, c := range hook.calls {
			if !strings.HasPrefix(c, "article.published ") {
				n++
			}
		}
		return n
	}
	if got, n := hook.published(), updates(); len(got) != 3 || n != 0 || social.count() != 3 {
		t.Errorf("after a replay without a change: %q, %d other calls, %d statuses", got, n, social.count())
	}
	if code := p.stop(t); code != 0 {
		t.Fatalf("exit code %d\n%s", code, p.errors())
	}

	write(t, filepath.Join(dir, "topics.ttl"), `@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix t: <urn:topics:> .
t:glaciology a skos:Concept ; skos:prefLabel "Glaciology"@en ; skos:altLabel "glacier lake"@en, "moraine"@en .
`)
	write(t, file, text+"taxonomy: {files: [topics.ttl]}\n")
	p = start(t, dir, anyPort(), "run")
	p.awaitReady(t)
	verb(t, dir, 0, "replay", "--since", "1h")
	tagged(t, p, item(2).Title, "Glaciology")
	f.Add(item(4))
	both(4)
	if got, n := hook.published(), updates(); len(got) != 4 || n != 0 || social.count() != 4 {
		t.Errorf("after tagging anew: %q, %d other calls, %d statuses", got, n, social.count())
	}
}
