package poll

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/origintest"
	"tidings.internal/services/ingest/internal/identity"
	"tidings.internal/services/ingest/internal/parse"
)

const pageText = "<!doctype html><html><body><article>Der ganze Text.</article></body></html>"

// entry is an item whose page is on the origin.
func (s *stand) entry(id string, age time.Duration) origintest.Item {
	path := "/p/" + id
	s.origin.Serve(path, "text/html; charset=utf-8", []byte(pageText))
	it := story(id, "Titel "+id, age)
	it.URL = s.origin.URL(path)
	return it
}

// raws lists what RAW holds.
func (s *stand) raws() []article.Raw {
	s.t.Helper()
	var list []article.Raw
	for seq := uint64(1); ; seq++ {
		r, err := s.bus.At(s.t.Context(), event.StreamRaw, seq)
		if err != nil {
			s.t.Fatal(err)
		}
		if r == nil {
			return list
		}
		list = append(list, articles(s.t, r.Message)...)
	}
}

func TestThePageTravelsWithItsArticle(t *testing.T) {
	t.Parallel()
	s := newStand(t, "/f.rss")
	s.source.Fulltext = "auto"
	long := s.entry("long", time.Hour)
	long.Content = "<p>" + strings.Repeat("Ein langer Text. ", 60) + "</p>"
	more := s.entry("more", 2*time.Hour)
	more.Content = "<p>" + strings.Repeat("Ein langer Text. ", 60) + "Weiterlesen »</p>"
	old := s.entry("old", 72*time.Hour)
	gone := s.entry("gone", 3*time.Hour)
	gone.URL = s.origin.URL("/p/none")
	latin := s.entry("latin", 4*time.Hour)
	s.origin.Serve("/p/latin", "text/html", []byte("<html>K\xe4se</html>"))
	huge := s.entry("huge", 5*time.Hour)
	s.origin.Serve("/p/huge", "text/html", []byte("<html>"+strings.Repeat("x", article.MaxInline)))
	s.origin.Feed("f").Add(long, more, old, gone, latin, huge)
	s.want("ok")
	got := map[string]string{}
	for _, raw := range s.raws() {
		p := raw.Page
		switch {
		case p == nil:
			got[raw.Title] = "none"
		case p.Error != "":
			got[raw.Title] = p.Error
		case p.Blob != nil:
			data, err := s.bus.ReadBlob(t.Context(), *p.Blob)
			got[raw.Title] = fmt.Sprint("blob ", len(data), err)
		case p.Body == pageText:
			got[raw.Title] = "text"
		case string(p.BodyB64) == "<html>K\xe4se</html>":
			got[raw.Title] = "bytes"
		}
	}
	want := map[string]string{
		"Titel long": "none", "Titel more": "text", "Titel old": "none", "Titel gone": "http_not_found", "Titel latin": "bytes", "Titel huge": fmt.Sprint("blob ", article.MaxInline+6, nil),
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("pages are\n%v\nwant\n%v", got, want)
	}
	s.want("unchanged")
	if n := len(s.raws()); n != 6 {
		t.Errorf("RAW holds %d articles", n)
	}
}

func TestWhichItemsWantTheirPage(t *testing.T) {
	t.Parallel()
	text := func(s string) *article.Text { return &article.Text{Value: s, Type: article.TextHTML} }
	full := strings.Repeat("Ein ganzer Satz steht hier. ", 30)
	item := func(content *article.Text) *parse.Item { return &parse.Item{Raw: article.Raw{Content: content}} }
	change := identity.Change{Kind: identity.New, URL: "https://example.org/a", Item: item(text("kurz"))}
	with := func(edit func(*identity.Change)) identity.Change {
		c := change
		edit(&c)
		return c
	}
	for name, c := range map[string]struct {
		fulltext string
		change   identity.Change
		want     bool
	}{
		"short":            {"auto", change, true},
		"none at all":      {"auto", with(func(c *identity.Change) { c.Item = item(nil) }), true},
		"long":             {"auto", with(func(c *identity.Change) { c.Item = item(text(full)) }), false},
		"long markup":      {"auto", with(func(c *identity.Change) { c.Item = item(text(strings.Repeat("<b class=x></b>", 100))) }), true},
		"ends in dots":     {"auto", with(func(c *identity.Change) { c.Item = item(text(full + "Und dann ...")) }), true},
		"ends in ellipsis": {"auto", with(func(c *identity.Change) { c.Item = item(text("<p>" + full + "Und dann [&#8230;]</p>")) }), true},
		"read more":        {"auto", with(func(c *identity.Change) { c.Item = item(text(full + "<a>Read more &raquo;</a>")) }), true},
		"ends in a stop":   {"auto", with(func(c *identity.Change) { c.Item = item(text(full + "Ende.")) }), false},
		"old":              {"auto", with(func(c *identity.Change) { c.Row.Old = true }), false},
		"old, always":      {"always", with(func(c *identity.Change) { c.Row.Old = true }), true},
		"long, always":     {"always", with(func(c *identity.Change) { c.Item = item(text(full)) }), true},
		"never":            {"never", change, false},
		"no address":       {"always", with(func(c *identity.Change) { c.URL = "" }), false},
		"removed":          {"always", with(func(c *identity.Change) { c.Kind, c.Item = identity.Removed, nil }), false},
		"edited":           {"auto", with(func(c *identity.Change) { c.Kind = identity.Edited }), true},
	} {
		s := newSource(c.fulltext)
		if got := wantsPage(s, c.change); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// A kill between two batches loses no article and repeats none, and only the pages of the batch in hand are fetched
// again.
func TestAKillBetweenBatchesOfPages(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		s := newStand(t, "/f.rss")
		s.source.Fulltext = "always"
		f := s.origin.Feed("f")
		for i := range 40 {
			f.Add(s.entry(fmt.Sprint("id-", i), time.Duration(i+1)*time.Hour))
		}
		s.bucket.before, s.bucket.after = !after, after
		if r := s.poll(1); r.Err == nil {
			t.Fatal("the kill did not happen")
		}
		s.restart()
		s.want("ok")
		s.want("unchanged")
		seen := map[string]int{}
		for _, raw := range s.raws() {
			seen[raw.ID]++
			if raw.Page == nil || raw.Page.Body != pageText || raw.Revision != 1 {
				t.Errorf("article %s has revision %d and page %+v", raw.Title, raw.Revision, raw.Page)
			}
		}
		if len(seen) != 40 || len(s.raws()) != 40 {
			t.Errorf("after=%t: %d articles in %d messages, want 40", after, len(seen), len(s.raws()))
		}
		again := 0
		for i := range 40 {
			again += len(s.origin.Requests(fmt.Sprint("/p/id-", i))) - 1
		}
		if want := map[bool]int{false: pageBatch, true: 0}[after]; again != want {
			t.Errorf("after=%t: %d pages were fetched again, want %d", after, again, want)
		}
	}
}

// A stop while pages are awaited leaves the articles to the next poll: none goes without the page it may still get.
func TestAStopWhilePagesAreAwaited(t *testing.T) {
	t.Parallel()
	s := newStand(t, "/f.rss")
	s.source.Fulltext = "always"
	s.origin.Feed("f").Add(s.entry("a", time.Hour))
	s.source.Slow = func(context.Context) (func(), error) { return nil, context.Canceled } // told to stop while it waits for a place
	if r := s.poll(1); r.Outcome != "ours" {
		t.Errorf("outcome %s", r.Outcome)
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel() // and while it waits for the page
	raw := article.Raw{Title: "Titel a"}
	changes := []identity.Change{{Kind: identity.New, URL: s.origin.URL("/p/a"), Item: &parse.Item{Raw: raw}}}
	if err := s.poller.withPages(stopped, &turn{source: &Source{Source: s.source.Source}, state: s.source.State().Clone()}, fence(1), changes); !errors.Is(err, context.Canceled) {
		t.Errorf("a stop while a page is awaited: %v", err)
	}
	s.wantLog()
	s.source.Slow = nil
	s.restart()
	s.want("ok")
	s.wantLog("raw 1 Titel a")
}

func TestAFilteredItemsPageIsNotAskedFor(t *testing.T) {
	t.Parallel()
	s := newStand(t, "/f.rss")
	s.source.Fulltext = "always"
	s.source.Filters.Drop = []string{"title ~ b$"}
	s.source.Filter = (&article.Filters{Drop: s.source.Filters.Drop}).Compile()
	s.origin.Feed("f").Add(s.entry("a", time.Hour), s.entry("b", time.Hour))
	s.want("ok")
	s.wantLog("raw 1 Titel a")
	if got := s.raws()[0].Source.Filters; got == nil || !slices.Equal(got.Drop, s.source.Filters.Drop) {
		t.Errorf("the rules do not travel with the article: %+v", got)
	}
	if n := len(s.origin.Requests("/p/b")); n != 0 {
		t.Errorf("the page of an item that is left out was asked for %d times", n)
	}
	s.origin.Script("/p/a", origintest.Status(http.StatusInternalServerError).Always())
	s.want("unchanged")
}

// newSource is a source that says no more than how its pages are fetched.
func newSource(fulltext string) *config.Source {
	s := &config.Source{}
	s.SetDefaults()
	s.Fulltext = fulltext
	return s
}
