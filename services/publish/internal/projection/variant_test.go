package projection

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/feedcheck"
	"tidings.internal/services/publish/internal/feed"
	"tidings.internal/services/publish/internal/render"
	"tidings.internal/services/publish/internal/selection"
)

var siteOfTests = config.Site{ID: "news.example.org", Title: "News", Language: "de", Created: seen}

func automatic(least int) Automatic {
	return Automatic{Tags: true, Sources: true, Languages: true, Least: least, Make: func(id string) (*feed.Feed, error) {
		return feed.Automatic(id, siteOfTests, "https://news.example.org")
	}}
}

// tagged is an article with a concept below crm and a phrase.
func tagged(key string, age time.Duration) article.Article {
	a := sample("blog", key, age)
	a.Language.Code = "de-CH"
	a.Tags = []article.Tag{
		{ID: "crm-software", Kind: article.KindConcept, Label: map[string]string{"de": "CRM-Software & <mehr>", "en": "CRM"}, Broader: []string{"crm"}},
		{ID: "kaffee", Kind: article.KindPhrase},
	}
	return a
}

func ask(t testing.TB, p *Projection, v Variant) *Rendered {
	t.Helper()
	r, err := p.Variant(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sound checks a document by the rules of readers.
func sound(t testing.TB, r *Rendered, format render.Format) {
	t.Helper()
	check := map[render.Format]func([]byte, feedcheck.Expect) []feedcheck.Problem{render.RSS: feedcheck.RSS, render.Atom: feedcheck.Atom, render.JSON: feedcheck.JSON}[format]
	for _, problem := range check(r.Document.Body(), feedcheck.Expect{Self: r.Head.Self[format], Now: seen.Add(time.Hour)}) {
		t.Errorf("%s breaks %s", r.Head.Self[format], problem)
	}
}

func TestAutomaticFeedsComeWithEnoughItemsAndGoWithout(t *testing.T) {
	t.Parallel()
	s := newStream()
	p, _ := newProjection(s, feeds(t, feed.Config{ID: "all"}), nil)
	p.Automatic, p.Language = automatic(3), "de"
	if _, err := p.Variant(t.Context(), Variant{Feed: "tag-crm", Format: render.RSS}); err == nil || Missing(err) {
		t.Errorf("before the first catch-up: %v", err)
	}
	s.fold(t, p)
	var last article.Article
	for i := range 3 {
		for _, id := range []string{"tag-crm", "source-blog", "lang-de"} {
			if _, err := p.Variant(t.Context(), Variant{Feed: id, Format: render.RSS}); !Missing(err) {
				t.Fatalf("%s with %d items: %v", id, i, err)
			}
		}
		last = tagged(fmt.Sprint(i), time.Duration(i)*time.Hour)
		if err := p.Apply(s.put(t, last)); err != nil {
			t.Fatal(err)
		}
	}
	for id, title := range map[string]string{
		"tag-crm": "News: crm", "tag-crm-software": "News: CRM-Software & ‹mehr›", "source-blog": "News: blog", "lang-de": "News: de", "lang-de-ch": "News: de-ch",
	} {
		for _, format := range render.Formats() {
			r := ask(t, p, Variant{Feed: id, Format: format})
			sound(t, r, format)
			if r.Head.Title != title || !strings.Contains(string(r.Document.Body()), "Lang 2") {
				t.Errorf("%s.%s is called %q", id, format, r.Head.Title)
			}
		}
		if page := ask(t, p, Variant{Feed: id, Format: HTML}); !strings.Contains(string(page.Document.Body()), "/feeds/"+id+".atom") {
			t.Errorf("the page of %s does not name its feeds", id)
		}
	}
	for _, id := range []string{"tag-kaffee", "tag-none", "lang-und", "source-", "other"} {
		if _, err := p.Variant(t.Context(), Variant{Feed: id, Format: render.RSS}); !Missing(err) {
			t.Errorf("%s: %v", id, err)
		}
	}
	if err := p.Apply(s.remove(t, last)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Variant(t.Context(), Variant{Feed: "tag-crm", Format: render.RSS}); !Missing(err) {
		t.Errorf("after a removal: %v", err)
	}
}

func TestTagsAreCalledAsTheNewestArticleCallsThem(t *testing.T) {
	t.Parallel()
	s := newStream()
	p, _ := newProjection(s, feeds(t, feed.Config{ID: "all"}), nil)
	p.Automatic, p.Language = automatic(3), "de"
	renamed := tagged("b", 0)
	renamed.Tags[0].Label = map[string]string{"de": "Kundenpflege"}
	apply := func(r bus.Record) {
		t.Helper()
		if err := p.Apply(r); err != nil {
			t.Fatal(err)
		}
	}
	called := func(want string) {
		t.Helper()
		for range 2 {
			if got := p.Tag("CRM-software"); got != want {
				t.Errorf("the tag is called %q, want %q", got, want)
			}
		}
	}
	called("CRM-software")
	s.fold(t, p)
	called("CRM-software")
	apply(s.put(t, tagged("a", time.Hour)))
	called("CRM-Software & <mehr>")
	apply(s.put(t, renamed))
	called("Kundenpflege")
	apply(s.remove(t, renamed))
	called("CRM-Software & <mehr>")
	apply(s.remove(t, tagged("a", time.Hour)))
	called("CRM-software")
}

func TestAutomaticFeedsAreAtMostAThousandTheLargestFirst(t *testing.T) {
	t.Parallel()
	x := &index{automatic: map[string]*shelf{}}
	for i := range maxAutomatic + 10 {
		id := fmt.Sprintf("tag-%04d", i)
		f, err := feed.Automatic(id, siteOfTests, "")
		if err != nil {
			t.Fatal(err)
		}
		s := newShelf(f)
		for n := range 3 + i%2 {
			s.add(&row{id: fmt.Sprint(n), story: fmt.Sprint(n)})
		}
		s.sort()
		x.automatic[id] = s
	}
	n := 0
	for id := range x.automatic {
		if x.grown(id, 3) != nil {
			n++
		}
	}
	if n != maxAutomatic || x.grown("tag-1009", 3) == nil || x.grown("tag-0000", 3) == nil || x.grown("tag-1008", 3) != nil {
		t.Errorf("%d feeds exist", n)
	}
}

func TestVariantIsMadeOnceAndAgainAfterAChange(t *testing.T) {
	t.Parallel()
	s := newStream()
	for i := range 4 {
		s.put(t, tagged(fmt.Sprint(i), time.Duration(i)*time.Hour))
	}
	p, _ := newProjection(s, feeds(t, feed.Config{ID: "all"}), nil)
	p.Automatic = automatic(3)
	s.fold(t, p)
	v := Variant{Feed: "tag-crm", Format: render.Atom}
	first := ask(t, p, v)
	reads := s.reads
	if again := ask(t, p, v); again != first || s.reads != reads {
		t.Error("a document that is right is made again")
	}
	if err := p.Apply(s.put(t, tagged("new", 0))); err != nil {
		t.Fatal(err)
	}
	changed := ask(t, p, v)
	if changed.Document.ETag == first.Document.ETag || !changed.Document.Modified.After(first.Document.Modified) {
		t.Errorf("ETag %s, modified %s after a change", changed.Document.ETag, changed.Document.Modified)
	}
	fresh, _ := newProjection(s, feeds(t, feed.Config{ID: "all"}), nil)
	fresh.Automatic = automatic(3)
	s.fold(t, fresh)
	if got := ask(t, fresh, v); got.Document.ETag != changed.Document.ETag {
		t.Error("a rebuild gives other bytes")
	}
}

func TestVariantIsServedStaleWhileTheBrokerIsAway(t *testing.T) {
	t.Parallel()
	s := newStream()
	for i := range 4 {
		s.put(t, tagged(fmt.Sprint(i), time.Duration(i)*time.Hour))
	}
	p, _ := newProjection(s, feeds(t, feed.Config{ID: "all"}), nil)
	p.Automatic = automatic(3)
	s.fold(t, p)
	first := ask(t, p, Variant{Feed: "tag-crm", Format: render.RSS})
	if err := p.Apply(s.put(t, tagged("new", 0))); err != nil {
		t.Fatal(err)
	}
	p.Last = func(context.Context, string) (*bus.Record, error) { return nil, errors.New("no servers") }
	if got := ask(t, p, Variant{Feed: "tag-crm", Format: render.RSS}); got != first {
		t.Error("what was there is not served")
	}
	if _, err := p.Variant(t.Context(), Variant{Feed: "tag-crm", Format: render.Atom}); fault.KindOf(err) != fault.Unreachable {
		t.Errorf("what was never made: %v", err)
	}
}

func TestCacheKeepsWithinItsMemory(t *testing.T) {
	t.Parallel()
	s := newStream()
	for i := range 4 {
		s.put(t, tagged(fmt.Sprint(i), time.Duration(i)*time.Hour))
	}
	p, _ := newProjection(s, feeds(t, feed.Config{ID: "all"}), nil)
	p.Automatic = automatic(3)
	s.fold(t, p)
	r := ask(t, p, Variant{Feed: "tag-crm", Format: render.RSS})
	c := newCache(5 * (r.Document.Held() + 80))
	for i := range 100 {
		c.keep(fmt.Sprint("key ", i), 1, r)
		c.read("key 0", 1)
	}
	if c.bytes > c.max || c.order.Len() != len(c.by) || c.order.Len() < 3 {
		t.Errorf("%d bytes of %d in %d entries", c.bytes, c.max, c.order.Len())
	}
	if _, ok := c.read("key 0", 1); !ok {
		t.Error("what is asked for all the time is gone")
	}
	if _, ok := c.read("key 0", 2); ok {
		t.Error("what changed counts as right")
	}
}

func TestFilterNarrowsAFeed(t *testing.T) {
	t.Parallel()
	s := newStream()
	for i := range 50 {
		a := sample("blog", fmt.Sprint(i), time.Duration(i)*time.Hour)
		switch {
		case i%10 == 0:
			a = tagged(fmt.Sprint(i), time.Duration(i)*time.Hour)
			a.Authors = []article.Person{{Name: "Zoë Groß"}}
		case i%2 == 1:
			a = sample("wire", fmt.Sprint(i), time.Duration(i)*time.Hour)
			a.Language.Code = "en"
		}
		s.put(t, a)
	}
	p, _ := newProjection(s, feeds(t, feed.Config{ID: "all"}), nil)
	s.fold(t, p)
	settle(p)
	for raw, want := range map[string]int{
		"tag=crm": 5, "lang=de": 25, "lang=de-ch": 5, "source=wire": 25, "source=wire&tag=crm": 0, "author=zoe+gross": 5, "limit=7": 7, "limit=60": 50,
		"q=mehr+-kurz": 0, "q=kurz+49": 1, "since=" + seen.Add(-4*time.Hour).Format(time.RFC3339): 5, "lang=en&lang=de&limit=60": 50, "content=title": 30,
	} {
		f, err := selection.ParseFilter(raw)
		if err != nil {
			t.Fatal(err)
		}
		for _, format := range render.Formats() {
			r := ask(t, p, Variant{Feed: "all", Format: format, Filter: f})
			sound(t, r, format)
			body := string(r.Document.Body())
			if n := strings.Count(body, "<item>") + strings.Count(body, "<entry") + strings.Count(body, "date_published"); n != want {
				t.Errorf("%s.%s has %d items, want %d", raw, format, n, want)
			}
			if f.Content == "title" && strings.Contains(body, "Lang 1") {
				t.Errorf("%s.%s shows a body", raw, format)
			}
			if r.Feed.Index || len(r.Head.Hubs) > 0 {
				t.Errorf("%s.%s has a hub, or may be indexed", raw, format)
			}
		}
	}
	if f, _ := p.Feed("all"); !f.Feed.Index || strings.Contains(f.Feed.Head.Self[render.RSS], "?") {
		t.Error("a filter changed the feed itself")
	}
}
