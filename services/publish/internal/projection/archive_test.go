package projection

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/config"
	"tidings.internal/services/publish/internal/feed"
	"tidings.internal/services/publish/internal/render"
)

// walked is a document as a reader sees it that walks back through the history: the ids of its items and where it leads.
type walked struct {
	ids                   []string
	older, newer, current string
	archive               bool
}

// reads takes a document apart without the code that wrote it.
func reads(t *testing.T, body []byte, format render.Format) walked {
	t.Helper()
	var w walked
	type link struct {
		Rel  string `xml:"rel,attr"`
		Href string `xml:"href,attr"`
	}
	take := func(links []link) {
		for _, l := range links {
			switch l.Rel {
			case "prev-archive":
				w.older = l.Href
			case "next-archive":
				w.newer = l.Href
			case "current":
				w.current = l.Href
			}
		}
	}
	var err error
	switch format {
	case render.RSS:
		var d struct {
			Channel struct {
				Links   []link    `xml:"http://www.w3.org/2005/Atom link"`
				Archive *struct{} `xml:"http://purl.org/syndication/history/1.0 archive"`
				IDs     []string  `xml:"item>guid"`
			} `xml:"channel"`
		}
		err = xml.Unmarshal(body, &d)
		take(d.Channel.Links)
		w.ids, w.archive = d.Channel.IDs, d.Channel.Archive != nil
	case render.Atom:
		var d struct {
			Links   []link    `xml:"link"`
			Archive *struct{} `xml:"http://purl.org/syndication/history/1.0 archive"`
			IDs     []string  `xml:"entry>id"`
		}
		err = xml.Unmarshal(body, &d)
		take(d.Links)
		w.ids, w.archive = d.IDs, d.Archive != nil
	default:
		var d struct {
			Next  string `json:"next_url"`
			Items []struct {
				ID string `json:"id"`
			} `json:"items"`
		}
		err = json.Unmarshal(body, &d)
		for _, i := range d.Items {
			w.ids = append(w.ids, i.ID)
		}
		w.older = d.Next
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// walk goes from the current document back to the oldest page and gives the ids of all items on the way.
func walk(t *testing.T, p *Projection, id string, format render.Format) []string {
	t.Helper()
	var ids []string
	r := ask(t, p, Variant{Feed: id, Format: format})
	before := ""
	for pages := 0; ; pages++ {
		sound(t, r, format)
		w := reads(t, r.Document.Body(), format)
		if format != render.JSON {
			want := walked{}
			if pages > 0 {
				want.archive, want.current = true, "https://news.example.org/feeds/"+id+"."+string(format)
				if pages > 1 {
					want.newer = before
				}
			}
			if w.archive != want.archive || w.current != want.current || w.newer != want.newer {
				t.Errorf("page %d of %s: %+v, want %+v", pages, format, w, want)
			}
		}
		ids = append(ids, w.ids...)
		if w.older == "" {
			return ids
		}
		name := strings.TrimSuffix(w.older[strings.LastIndex(w.older, "/")+1:], "."+string(format))
		if r.Head.Self[format] != before {
			before = r.Head.Self[format]
		}
		r = ask(t, p, Variant{Feed: id, Format: format, Archive: name})
	}
}

// A walk back to the last page meets each of 500 articles once, the newest first, in every format, and in whatever
// state of the feed.
func TestAWalkThroughTheArchiveMeetsEveryArticleOnce(t *testing.T) {
	t.Parallel()
	s := newStream()
	var want []string
	var all []article.Article
	for i := range 500 {
		a := tagged(fmt.Sprint(i), time.Duration(i)*5*time.Hour+time.Duration(i%3)*time.Minute)
		if i%7 == 0 {
			a.HTML = strings.Repeat("<p>Ein langer Absatz, der eine Seite füllt.</p>", 1500)
		}
		s.put(t, a)
		all = append(all, a)
	}
	p, _ := newProjection(s, feeds(t, feed.Config{ID: "all"}), nil)
	p.Automatic = automatic(3)
	s.fold(t, p)
	settle(p)
	for _, r := range p.live.shelves[0].rows {
		want = append(want, r.id)
	}
	for _, format := range render.Formats() {
		got := walk(t, p, "all", format)
		if len(got) != len(want) || len(slices.Compact(slices.Sorted(slices.Values(got)))) != 500 {
			t.Errorf("%s: a walk meets %d items, %d different ones", format, len(got), len(slices.Compact(slices.Sorted(slices.Values(got)))))
		}
		if automatic := walk(t, p, "tag-crm", format); cmp.Diff(got, automatic) != "" {
			t.Errorf("%s: the automatic feed has another history", format)
		}
		if f, _ := p.Feed("all"); cmp.Diff(reads(t, f.Documents[format].Body(), format), reads(t, ask(t, p, Variant{Feed: "all", Format: format}).Document.Body(), format), cmp.AllowUnexported(walked{})) != "" {
			t.Errorf("%s: the document that is ready leads elsewhere", format)
		}
	}

	// A page of the past stays as it is when something new comes, and is not made again.
	deep := Variant{Feed: "all", Format: render.Atom, Archive: "2026-09-2"}
	was, first := ask(t, p, deep), p.live.shelves[0]
	if err := p.Apply(s.put(t, tagged("new", 0))); err != nil {
		t.Fatal(err)
	}
	reads := s.reads
	if is := ask(t, p, deep); is != was || s.reads != reads {
		t.Error("news changed a page of the past")
	}
	// A removal shifts its own month and no other.
	gone := all[slices.IndexFunc(all, func(a article.Article) bool { return a.Published.Month() == time.August })]
	if err := p.Apply(s.remove(t, gone)); err != nil {
		t.Fatal(err)
	}
	if is := ask(t, p, deep); is.Document != was.Document {
		t.Error("a removal of another month changed a page")
	}
	for _, format := range render.Formats() {
		if got := walk(t, p, "all", format); len(got) != 500 || slices.ContainsFunc(got, func(id string) bool { return id == "" }) {
			t.Errorf("%s: after one came and one went a walk meets %d", format, len(got))
		}
	}
	_, older := first.current()
	for _, name := range []string{"2026-13-1", "2019-01-1", "2026-09-99", "2026-11-99"} {
		if _, err := p.Variant(t.Context(), Variant{Feed: "all", Format: render.RSS, Archive: name}); !Missing(err) {
			t.Errorf("page %s: %v", name, err)
		}
	}
	for name := range first.paged() {
		if name == older {
			break
		}
		if _, err := p.Variant(t.Context(), Variant{Feed: "all", Format: render.RSS, Archive: name}); !Missing(err) {
			t.Errorf("page %s of the current document: %v", name, err)
		}
	}
	if _, err := p.Variant(t.Context(), Variant{Feed: "none", Format: render.RSS, Archive: older}); !Missing(err) {
		t.Errorf("a feed that is not there: %v", err)
	}
	// Another machine gives the same bytes.
	fresh, _ := newProjection(s, feeds(t, feed.Config{ID: "all"}), nil)
	s.fold(t, fresh)
	if got := ask(t, fresh, deep); got.Document.ETag != was.Document.ETag {
		t.Error("a rebuild gives other bytes")
	}
}

// What a token sees has its own addresses, and is nowhere else: a private feed has no documents of its own and no change
// of it is told.
func TestAPrivateFeedIsMadeForEachToken(t *testing.T) {
	t.Parallel()
	s := newStream()
	for i := range 60 {
		s.put(t, sample("blog", fmt.Sprint(i), time.Duration(i)*time.Hour))
	}
	token, sum := feed.NewToken()
	if other, _ := feed.NewToken(); other == token || len(token) != 43 {
		t.Errorf("tokens %q and %q", token, other)
	}
	c := feed.Config{}
	c.SetDefaults()
	c.ID, c.Private, c.Tokens = "inner", true, []feed.Token{{Name: "a", SHA256: sum}}
	f, err := feed.New(c, siteOfTests, "https://news.example.org/x")
	if err != nil {
		t.Fatal(err)
	}
	if f.Admit(token, seen) != feed.Admitted || f.Admit(token+"x", seen) != feed.Refused || f.Admit("", seen) != feed.Refused {
		t.Error("its token is not what lets in")
	}
	changes := 0
	p, _ := newProjection(s, []*feed.Feed{f}, func(Change) { changes++ })
	s.fold(t, p)
	settle(p)
	if err := p.Apply(s.put(t, sample("blog", "new", 0))); err != nil {
		t.Fatal(err)
	}
	settle(p)
	if own, ok := p.Feed("inner"); !ok || len(own.Documents) != 0 || changes != 0 {
		t.Errorf("it is there: %v, with %d documents, and %d changes were told", ok, len(own.Documents), changes)
	}
	for _, format := range render.Formats() {
		r := ask(t, p, Variant{Feed: "inner", Format: format, Under: "/t/" + token})
		sound(t, r, format)
		if want := "https://news.example.org/x/t/" + token + "/feeds/inner." + string(format); r.Head.Self[format] != want || !strings.Contains(string(r.Document.Body()), want) {
			t.Errorf("it calls itself %s", r.Head.Self[format])
		}
		if older := reads(t, r.Document.Body(), format).older; !strings.Contains(older, token) {
			t.Errorf("its archive is at %q", older)
		}
		if other := ask(t, p, Variant{Feed: "inner", Format: format, Under: "/t/other"}); strings.Contains(string(other.Document.Body()), token) {
			t.Error("a reader sees the token of another")
		}
	}
}

func TestRecentArticlesOfPublicFeedsAreListedOnce(t *testing.T) {
	t.Parallel()
	s := newStream()
	for i := range 10 {
		s.put(t, sample("blog", fmt.Sprint(i), time.Duration(i)*12*time.Hour))
	}
	hidden := feed.Config{}
	hidden.SetDefaults()
	hidden.ID, hidden.Index = "hidden", false
	list := feeds(t, feed.Config{ID: "all"}, feed.Config{ID: "two"})
	off, err := feed.New(hidden, siteOfTests, "https://news.example.org")
	if err != nil {
		t.Fatal(err)
	}
	p, _ := newProjection(s, list, nil)
	if got := p.Recent(seen.Add(-48*time.Hour), 100); got != nil {
		t.Errorf("before the first catch-up: %v", got)
	}
	s.fold(t, p)
	got := p.Recent(seen.Add(-48*time.Hour), 100)
	if len(got) != 5 || got[0].Title != "blog 0" || got[4].Title != "blog 4" || got[0].Language != "de" {
		t.Errorf("listed %+v", got)
	}
	if got := p.Recent(seen.Add(-48*time.Hour), 2); len(got) != 2 {
		t.Errorf("of at most two: %+v", got)
	}
	only, _ := newProjection(s, []*feed.Feed{off}, nil)
	s.fold(t, only)
	if got := only.Recent(seen.Add(-48*time.Hour), 100); len(got) != 0 {
		t.Errorf("of a feed that is not to be listed: %+v", got)
	}
}

// More items than are kept: those of feeds that changed longest ago go, and the feeds stay as they are when they change.
func TestItemsOfQuietFeedsAreReadAgain(t *testing.T) {
	t.Parallel()
	s := newStream()
	var list []*feed.Feed
	const feedsOf = 120
	for i := range feedsOf {
		source := fmt.Sprint("source", i)
		list = append(list, feeds(t, feed.Config{ID: source, Select: config.Selection{Sources: []string{source}}})...)
		for n := range 5 {
			a := sample(source, fmt.Sprint(n), time.Duration(n)*time.Hour)
			a.HTML = "<p>" + strings.Repeat("Ein langer Absatz. ", 9000) + "</p>" // 170 KB
			s.put(t, a)
		}
	}
	p, _ := newProjection(s, list, nil)
	s.fold(t, p)
	settle(p)
	kept := 0
	for _, r := range p.live.rows {
		if r.item != nil {
			kept += r.size
		}
	}
	if kept > maxItems || kept < maxItems/4 {
		t.Errorf("%d MB of items are kept", kept>>20)
	}
	before, _ := p.Feed("source0")
	reads := s.reads
	if err := p.Apply(s.put(t, sample("source0", "new", 0))); err != nil {
		t.Fatal(err)
	}
	settle(p)
	after, _ := p.Feed("source0")
	if after.Items != before.Items+1 || s.reads == reads || !strings.Contains(string(after.Documents[render.Atom].Body()), "Ein langer Absatz.") {
		t.Errorf("%d items after %d, %d reads", after.Items, before.Items, s.reads-reads)
	}
}
