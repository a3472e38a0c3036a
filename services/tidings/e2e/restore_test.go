package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings.internal/pkg/origintest"
)

// receiver is a webhook that remembers what came, by the URL of the article.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	calls []string
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		var e struct{ Type, Subject string }
		if err != nil || json.Unmarshal(body, &e) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		r.calls = append(r.calls, e.Type+" "+e.Subject)
		r.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(r.Close)
	return r
}

// published lists the articles that came for the first time.
func (r *receiver) published() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []string
	for _, c := range r.calls {
		if rest, ok := strings.CutPrefix(c, "article.published "); ok {
			list = append(list, rest)
		}
	}
	slices.Sort(list)
	return list
}

func item(n int) origintest.Item {
	id := fmt.Sprintf("item-%d", n)
	// Each tells something of its own: two that are alike would be one story.
	words := []string{"harbour crane lifts containers before dawn", "orchestra rehearses an unfinished symphony", "glacier lake drains under the moraine", "bakers measure rye against spelt",
		"astronomers chart a faint companion star", "tram drivers learn the new signals", "beekeepers count winter losses", "weavers repair the old jacquard loom"}[n]
	return origintest.Item{
		ID: id, URL: "https://news.example.org/" + id, Title: "Report: " + words, Published: time.Now().Add(-time.Minute),
		Content: "<p>In this report the " + strings.Repeat(words+", and ", 12) + "that is all.</p>",
	}
}

// titles waits until the feed with everything shows articles under these titles, in any order.
func titles(t *testing.T, p *process, want ...string) {
	t.Helper()
	slices.Sort(want)
	within(t, 30*time.Second, fmt.Sprintf("the titles %q", want), func() (bool, string) {
		_, body, _ := get(p.address(t, "/feeds/all.json"))
		var f feed
		if json.Unmarshal(body, &f) != nil {
			return false, string(body)
		}
		var have []string
		for _, i := range f.Items {
			have = append(have, i.Title)
		}
		slices.Sort(have)
		return slices.Equal(have, want), fmt.Sprintf("%q\n%s", have, p.errors())
	})
}

func posted(t *testing.T, r *receiver, p *process, want int) {
	t.Helper()
	within(t, 30*time.Second, fmt.Sprintf("%d posts", want), func() (bool, string) {
		return len(r.published()) >= want, fmt.Sprintf("%q\n%s", r.published(), p.errors())
	})
}

type channel struct {
	Since  time.Time `json:"since"`
	Paused string    `json:"paused"`
}

// awaitChannel waits for the channel's row and until a story that is seen from now on is younger than it. Stories have
// whole seconds.
func awaitChannel(t *testing.T, dir string, args ...string) channel {
	t.Helper()
	var list []channel
	within(t, 20*time.Second, "the channel", func() (bool, string) {
		out := verb(t, dir, 0, append([]string{"channels", "list", "--json"}, args...)...)
		decode(t, []byte(out), &list)
		return len(list) == 1 && time.Now().Truncate(time.Second).After(list[0].Since), out
	})
	return list[0]
}

// scene is an origin with one source and one channel, configured in a directory.
func scene(t *testing.T) (dir string, origin *origintest.Origin, f *origintest.Feed, hook *receiver) {
	t.Helper()
	dir, hook = t.TempDir(), newReceiver(t)
	origin = origintest.New(t)
	old := item(0)
	old.Published = time.Now().Add(-30 * time.Hour) // beyond backfill_after: it is in the feeds and never posted
	f = origin.Feed("news").Describe("News", "en").Add(old)
	config := fmt.Sprintf(`site: {title: Test, url: "http://127.0.0.1:1", language: en}
ingest: {allow_networks: [127.0.0.0/8], revision_gap: 0s, hosts: {%q: {concurrency: 4, gap: 0s}}}
sources: [{id: news, url: %q, every: 300ms}]
channels: [{id: hook, network: webhook, url: %q, allow_private: true}]
`, origin.Addr(), f.URL(origintest.RSS), hook.URL+"/in")
	if err := os.WriteFile(filepath.Join(dir, "tidings.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, origin, f, hook
}

// A machine is lost after its last backup: on another one everything of the backup is there again, the sources bring what
// is missing, nothing is posted a second time, and from the resumption on everything is as before.
func TestALostMachineComesBackFromItsBackup(t *testing.T) {
	t.Parallel()
	dir, _, f, hook := scene(t)
	p := start(t, dir, anyPort(), "run", "--data", "first")
	p.awaitReady(t)
	awaitChannel(t, dir, "--data", "first")
	f.Add(item(1), item(2))
	titles(t, p, item(0).Title, item(1).Title, item(2).Title)
	posted(t, hook, p, 2)

	verb(t, dir, 0, "backup", "tidings.tar", "--data", "first")
	f.Add(item(3)) // posted, and in no backup
	f.Edit("item-1", func(i *origintest.Item) { i.Title = "Report: an edit after the backup" })
	titles(t, p, item(0).Title, "Report: an edit after the backup", item(2).Title, item(3).Title)
	posted(t, hook, p, 3)
	p.kill()
	before := hook.published()

	verb(t, dir, 0, "restore", "tidings.tar", "--data", "second")
	p = start(t, dir, anyPort(), "run", "--data", "second")
	p.awaitReady(t)
	titles(t, p, item(0).Title, "Report: an edit after the backup", item(2).Title, item(3).Title)
	f.Edit("item-2", func(i *origintest.Item) { i.Title = "Report: the next edit" })
	titles(t, p, item(0).Title, "Report: an edit after the backup", "Report: the next edit", item(3).Title)
	if c := awaitChannel(t, dir, "--data", "second"); c.Paused != "restored" {
		t.Errorf("the channel is %+v; want it paused", c)
	}
	verb(t, dir, 0, "channels", "resume", "hook", "--data", "second")
	awaitChannel(t, dir, "--data", "second")
	f.Add(item(4))
	posted(t, hook, p, len(before)+1)
	if code := p.stop(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, p.errors())
	}
	want := append(slices.Clone(before), item(4).URL)
	if got := hook.published(); !slices.Equal(got, want) {
		t.Errorf("posted %q, want %q: once each", got, want)
	}
}

func TestATakedownReachesFeedAndReceiver(t *testing.T) {
	t.Parallel()
	dir, _, f, hook := scene(t)
	p := start(t, dir, anyPort(), "run")
	p.awaitReady(t)
	awaitChannel(t, dir)
	f.Add(item(1))
	titles(t, p, item(0).Title, item(1).Title)
	posted(t, hook, p, 1)

	tail := start(t, dir, nil, "tail", "article.enriched.>", "--since", "1h", "--json")
	var id string
	within(t, 20*time.Second, "the event of the article", func() (bool, string) {
		for _, l := range tail.lines() {
			var e struct{ Article, About string }
			if json.Unmarshal([]byte(l), &e) == nil && e.About == item(1).URL {
				id = e.Article
			}
		}
		return id != "", strings.Join(tail.lines(), "\n") + tail.errors()
	})
	tail.kill()
	verb(t, dir, 0, "articles", "takedown", id, "--reason", "the author asked for it")
	titles(t, p, item(0).Title)
	within(t, 30*time.Second, "the withdrawal", func() (bool, string) {
		hook.mu.Lock()
		defer hook.mu.Unlock()
		return slices.ContainsFunc(hook.calls, func(c string) bool { return strings.HasPrefix(c, "article.removed") }), fmt.Sprintf("%q", hook.calls)
	})
	// The source goes on with it, in a new revision. The item after it shows that the document was read.
	f.Edit("item-1", func(i *origintest.Item) { i.Title = "Report: it is back" })
	f.Add(item(2))
	titles(t, p, item(0).Title, item(2).Title)
	if out := verb(t, dir, 0, "articles", "show", id, "--json"); !strings.Contains(out, `"deleted": "takedown"`) {
		t.Errorf("the article is shown as %s", out)
	}
	if got := hook.published(); slices.Contains(got[1:], item(1).URL) {
		t.Errorf("it was posted again: %q", got)
	}
}
