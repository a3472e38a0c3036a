package projection

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/feed"
	"tidings.internal/services/publish/internal/render"
)

var seen = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

// stream plays ARTICLES: the newest message of each subject.
type stream struct {
	sequence uint64
	records  map[string]bus.Record
	reads    int
}

func newStream() *stream { return &stream{records: map[string]bus.Record{}} }

func (s *stream) last(_ context.Context, subject string) (*bus.Record, error) {
	s.reads++
	r, ok := s.records[subject]
	if !ok {
		return nil, nil
	}
	return &r, nil
}

func (s *stream) put(t testing.TB, a article.Article) bus.Record {
	t.Helper()
	subject, err := event.EnrichedSubject(a.Source.Partition, a.Source.ID, a.ID)
	if err != nil {
		t.Fatal(err)
	}
	v := event.Version{Revision: a.Revision}
	m, err := event.Encode(subject, event.Envelope{Type: event.TypeEnriched, ID: event.EnrichedID(a.ID, v), Source: "enrich", Time: seen, Article: a.ID, Version: v}, a)
	if err != nil {
		t.Fatal(err)
	}
	return s.store(m)
}

func (s *stream) store(m event.Message) bus.Record {
	s.sequence++
	r := bus.Record{Message: m, Stream: event.StreamArticles, Sequence: s.sequence, Time: seen.Add(time.Duration(s.sequence) * time.Second)}
	s.records[m.Subject] = r
	return r
}

func (s *stream) remove(t testing.TB, a article.Article) bus.Record {
	t.Helper()
	subject, err := event.EnrichedSubject(a.Source.Partition, a.Source.ID, a.ID)
	if err != nil {
		t.Fatal(err)
	}
	v := event.Version{Revision: a.Revision + 1}
	m, err := event.Encode(subject, event.Envelope{Type: event.TypeDeleted, ID: event.EnrichedID(a.ID, v), Article: a.ID, Version: v}, event.Deleted{ID: a.ID})
	if err != nil {
		t.Fatal(err)
	}
	return s.store(m)
}

func (s *stream) expire(subject string) bus.Record {
	r := s.store(event.Message{Subject: subject, Header: event.Header{event.HeaderMarker: {"MaxAge"}}})
	r.Marker = true
	return r
}

// ordered gives what the stream holds, in its order.
func (s *stream) ordered() []bus.Record {
	var list []bus.Record
	for _, r := range s.records {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b bus.Record) int { return int(a.Sequence) - int(b.Sequence) })
	return list
}

func sample(source, key string, age time.Duration) article.Article {
	published := seen.Add(-age)
	id := article.NewID(source, key)
	return article.Article{
		ID: id, Revision: 1, URL: "https://" + source + ".example/" + key, Title: source + " " + key, Summary: "Kurz " + key, HTML: "<p>Lang " + key + "</p>",
		Language: article.Language{Code: "de"}, Published: &published, FirstSeen: published.Add(time.Minute), Fetched: seen,
		Source: article.Source{ID: source, Partition: article.Partition(source), Title: source}, Story: article.Story{ID: id},
	}
}

func feeds(t testing.TB, configs ...feed.Config) []*feed.Feed {
	t.Helper()
	var list []*feed.Feed
	for _, c := range configs {
		full := feed.Config{}
		full.SetDefaults()
		full.ID, full.Select, full.Prefer = c.ID, c.Select, c.Prefer
		if c.Duplicates != "" {
			full.Duplicates = c.Duplicates
		}
		f, err := feed.New(full, config.Site{ID: "news.example.org", Title: "News", Created: seen}, "https://news.example.org")
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, f)
	}
	return list
}

type silent struct{ renders, shown int }

func (*silent) Applied(string)           {}
func (s *silent) Rendered(time.Duration) { s.renders++ }
func (*silent) Sizes(int, int)           {}
func (*silent) Variant(string)           {}
func (s *silent) Shown(time.Duration)    { s.shown++ }

func newProjection(s *stream, list []*feed.Feed, changed func(Change)) (*Projection, *silent) {
	o := &silent{}
	if changed == nil {
		changed = func(Change) {}
	}
	return New(Config{Site: "news.example.org", Feeds: list, Last: s.last, Changed: changed, Log: slog.New(slog.DiscardHandler), Observe: o}), o
}

// fold applies what a stream holds from the start.
func (s *stream) fold(t testing.TB, p *Projection) {
	t.Helper()
	p.Reset(bus.ResetStart)
	for _, r := range s.ordered() {
		if err := p.Apply(r); err != nil {
			t.Error(err)
		}
	}
	p.CaughtUp(event.Applied{Created: seen, Sequence: s.sequence})
}

// settle renders everything that is marked, whatever its time.
func settle(p *Projection) {
	for {
		id, wait := p.due(time.Now().Add(time.Hour))
		if id == "" {
			if wait > 0 {
				panic("a feed is due later than in an hour")
			}
			return
		}
		p.render(context.Background(), id)
	}
}

// titles reads the items of a feed in their order.
func titles(t testing.TB, p *Projection, id string) []string {
	t.Helper()
	f, ok := p.Feed(id)
	if !ok {
		t.Fatalf("feed %s is not there", id)
	}
	var list []string
	for part := range strings.SplitSeq(string(f.Documents[render.Atom].Body()), "<entry") {
		if _, title, ok := strings.Cut(part, "<title>"); ok {
			title, _, _ = strings.Cut(title, "</title>")
			list = append(list, title)
		}
	}
	return list[1:] // the first is the feed's own
}

// The time until readers have an article is that of news: not of what a start reads, of what a replay tags anew, or of old
// articles, which wait until there is time for them.
func TestOnlyNewsCountAsShown(t *testing.T) {
	t.Parallel()
	s := newStream()
	first, second, old := sample("blog", "a", time.Hour), sample("blog", "b", time.Hour), sample("blog", "c", 25*time.Hour)
	s.put(t, first)
	p, o := newProjection(s, feeds(t, feed.Config{ID: "all"}, feed.Config{ID: "more"}), nil)
	s.fold(t, p)
	settle(p)
	step := func(what string, want int, a article.Article) {
		t.Helper()
		if err := p.Apply(s.put(t, a)); err != nil {
			t.Fatal(err)
		}
		settle(p)
		if o.shown != want {
			t.Errorf("%s: %d articles were shown, want %d", what, o.shown, want)
		}
	}
	step("news, in two feeds", 1, second)
	step("an old article", 1, old)
	first.Tags = []article.Tag{{ID: "anew"}}
	step("a replay", 1, first)
	second.Revision, second.Title, second.Fetched = 2, "Edited", seen.Add(time.Minute)
	step("a new version", 2, second)
}

func TestStoryIsShownOnceByPolicy(t *testing.T) {
	t.Parallel()
	s := newStream()
	wire, blog, press := sample("wire", "a", time.Hour), sample("blog", "b", 3*time.Hour), sample("press", "c", 2*time.Hour)
	for _, a := range []*article.Article{&wire, &blog, &press} {
		a.Story.ID = blog.ID
		s.put(t, *a)
	}
	p, _ := newProjection(s, feeds(t, feed.Config{ID: "all"}, feed.Config{ID: "preferred", Duplicates: feed.Preferred, Prefer: []string{"press", "wire"}},
		feed.Config{ID: "every", Duplicates: feed.Every}, feed.Config{ID: "some", Select: config.Selection{ExcludeSources: []string{"blog"}}}), nil)
	s.fold(t, p)
	settle(p)
	for id, want := range map[string][]string{
		"all": {"blog b"}, "preferred": {"press c"}, "every": {"wire a", "press c", "blog b"}, "some": {"press c"},
	} {
		if diff := cmp.Diff(want, titles(t, p, id)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
	}
	f, _ := p.Feed("all")
	for _, format := range []render.Format{render.Atom, render.JSON} {
		if body := string(f.Documents[format].Body()); !strings.Contains(body, "https://wire.example/a") || !strings.Contains(body, "https://press.example/c") {
			t.Errorf("%s does not name the others of the story", format)
		}
	}
	// The one that is shown goes: the next takes its place.
	if err := p.Apply(s.remove(t, blog)); err != nil {
		t.Fatal(err)
	}
	settle(p)
	if diff := cmp.Diff([]string{"press c"}, titles(t, p, "all")); diff != "" {
		t.Errorf("after a removal (-want +got):\n%s", diff)
	}
}

func TestPagesHoldEachRowOnceAndShiftOnlyTheirMonth(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		sizes := rapid.SliceOfN(rapid.IntRange(1, pageBytes+10), 0, 90).Draw(rt, "sizes")
		var month []*row
		for i, n := range sizes {
			month = append(month, &row{id: fmt.Sprint(i), size: n})
		}
		list := pages(month)
		if !slices.Equal(month, slices.Concat(list...)) {
			rt.Fatal("pages are not disjoint and complete")
		}
		for _, p := range list {
			total := 0
			for _, r := range p {
				total += r.size
			}
			if len(p) > pageRows || len(p) > 1 && total > pageBytes {
				rt.Fatalf("a page has %d rows and %d bytes", len(p), total)
			}
		}
		// A newer row leaves all full pages as they are.
		more := pages(append([]*row{{id: "new", size: 1}}, month...))
		for i := range max(len(list)-1, 0) {
			a, b := list[len(list)-1-i], more[len(more)-1-i]
			if !slices.Equal(a, b) {
				rt.Fatalf("page %d from the oldest on changed by a newer row", i)
			}
		}
	})
}

func TestCurrentDocumentHasThirtyToFortyNineItems(t *testing.T) {
	t.Parallel()
	s := newStream()
	p, _ := newProjection(s, feeds(t, feed.Config{ID: "all"}), nil)
	s.fold(t, p)
	for i := range 130 {
		if err := p.Apply(s.put(t, sample("blog", fmt.Sprintf("%03d", i), time.Duration(130-i)*7*time.Hour))); err != nil {
			t.Fatal(err)
		}
		if i%4 != 0 && i < 125 {
			continue // each rendering takes its time
		}
		settle(p)
		list := titles(t, p, "all")
		if n := len(list); n > 49 || n < min(i+1, 30) || list[0] != fmt.Sprintf("blog %03d", i) {
			t.Fatalf("after %d articles the document has %d items, the first is %s", i+1, n, list[0])
		}
	}
}

func TestHugeItemsMakeFewer(t *testing.T) {
	t.Parallel()
	s := newStream()
	for i := range 40 {
		a := sample("blog", fmt.Sprint(i), time.Duration(i)*time.Hour)
		a.HTML = "<p>" + strings.Repeat("x", 200<<10) + "</p>"
		s.put(t, a)
	}
	p, _ := newProjection(s, feeds(t, feed.Config{ID: "all"}), nil)
	s.fold(t, p)
	settle(p)
	f, _ := p.Feed("all")
	if n := f.Documents[render.JSON].Size; n > 3*currentBytes/2 || f.Items < 2 {
		t.Errorf("%d items in %d bytes", f.Items, n)
	}
}

// Whatever happened before: a projection that followed along and one that starts anew hold the same bytes.
func TestEveryHistoryGivesTheBytesOfARebuild(t *testing.T) {
	t.Parallel()
	list := feeds(t, feed.Config{ID: "all"}, feed.Config{ID: "blog", Select: config.Selection{Sources: []string{"blog"}}, Duplicates: feed.Preferred, Prefer: []string{"wire"}})
	rapid.Check(t, func(rt *rapid.T) {
		s := newStream()
		p, _ := newProjection(s, list, nil)
		s.fold(t, p)
		revision := map[string]uint64{}
		var first uint64
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			source := rapid.SampledFrom([]string{"blog", "wire"}).Draw(rt, "source")
			key := rapid.StringMatching(`[a-h]`).Draw(rt, "key")
			a := sample(source, key, time.Duration(rapid.IntRange(0, 2000).Draw(rt, "age"))*time.Hour)
			a.Story.ID = article.NewID("story", rapid.StringMatching(`[a-c]`).Draw(rt, "story"))
			revision[a.ID]++
			a.Revision = revision[a.ID]
			subject, _ := event.EnrichedSubject(a.Source.Partition, a.Source.ID, a.ID)
			switch rapid.IntRange(0, 9).Draw(rt, "kind") {
			case 0:
				_ = p.Apply(s.remove(t, a))
				revision[a.ID]++
			case 1:
				_ = p.Apply(s.expire(subject))
			case 2:
				settle(p)
			case 3:
				bad := a
				bad.URL = "relative"
				if p.Apply(s.put(t, bad)) == nil {
					rt.Fatal("an article without an address is taken")
				}
			case 4:
				if first+2 < s.sequence {
					first += 2
					for subject, r := range s.records {
						if r.Sequence < first {
							delete(s.records, subject)
						}
					}
					p.Evicted(first)
				}
			default:
				_ = p.Apply(s.put(t, a))
			}
		}
		p.CaughtUp(event.Applied{Created: seen, Sequence: s.sequence})
		settle(p)
		fresh, _ := newProjection(s, list, nil)
		fresh.Reset(bus.ResetStart)
		for _, r := range s.ordered() {
			r.Marker = len(r.Body) == 0
			_ = fresh.Apply(r)
		}
		fresh.CaughtUp(event.Applied{Created: seen, Sequence: s.sequence})
		settle(fresh)
		for _, f := range list {
			a, _ := p.Feed(f.ID)
			b, _ := fresh.Feed(f.ID)
			for kind, d := range a.Documents {
				if string(d.Body()) != string(b.Documents[kind].Body()) || d.ETag != b.Documents[kind].ETag || !cmp.Equal(d.Packed, b.Documents[kind].Packed) {
					rt.Fatalf("%s.%s differs:\n%s", f.ID, kind, cmp.Diff(string(d.Body()), string(b.Documents[kind].Body())))
				}
			}
		}
		if len(p.live.rows) != len(fresh.live.rows) {
			rt.Fatalf("%d and %d rows", len(p.live.rows), len(fresh.live.rows))
		}
	})
}

func TestBodiesAreHeldForCurrentDocumentsAlone(t *testing.T) {
	t.Parallel()
	s := newStream()
	for i := range 200 {
		s.put(t, sample("blog", fmt.Sprint(i), time.Duration(i)*time.Hour))
	}
	p, _ := newProjection(s, feeds(t, feed.Config{ID: "all"}, feed.Config{ID: "none", Select: config.Selection{Sources: []string{"other"}}}), nil)
	s.fold(t, p)
	settle(p)
	held := func() (n int) {
		for _, r := range p.live.rows {
			if r.item != nil {
				n++
			}
		}
		return n
	}
	f, _ := p.Feed("all")
	if held() != f.Items || s.reads != f.Items {
		t.Errorf("%d bodies are held and %d were read for %d items", held(), s.reads, f.Items)
	}
	// An old article that no document shows is not kept either.
	if err := p.Apply(s.put(t, sample("blog", "old", 3000*time.Hour))); err != nil {
		t.Fatal(err)
	}
	settle(p)
	f, _ = p.Feed("all")
	if held() != f.Items {
		t.Errorf("%d bodies are held for %d items", held(), f.Items)
	}
}

func TestRenderingWaitsAndIsRare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStream()
		changes, starts := 0, 0
		p, o := newProjection(s, feeds(t, feed.Config{ID: "all"}), func(c Change) {
			if c.Start {
				starts++
			} else {
				changes++
			}
			if c.Applied != c.Published.Applied {
				t.Errorf("a change of %+v tells of %+v", c.Published.Applied, c.Applied)
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		s.fold(t, p)
		synctest.Wait()
		if o.renders != 1 || !p.Ready() || changes != 0 || starts != 1 {
			t.Fatalf("after the start: %d renders, ready %v, %d announcements, %d of the start", o.renders, p.Ready(), changes, starts)
		}
		time.Sleep(5 * time.Second) // of the bubble's clock
		began := time.Now()
		for i := range 100 {
			if err := p.Apply(s.put(t, sample("blog", fmt.Sprint(i), time.Hour))); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
			if i == 15 {
				synctest.Wait()
				if o.renders != 1 {
					t.Fatalf("rendered %v after the first change", time.Since(began))
				}
			}
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if got := o.renders - 1; got != 2 || changes != 2 || starts != 1 {
			t.Errorf("100 articles in a second: %d renders, %d announcements, want 2", got, changes)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestNewIndexGrowsBesideTheOldOne(t *testing.T) {
	t.Parallel()
	s := newStream()
	a := sample("blog", "1", time.Hour)
	s.put(t, a)
	p, _ := newProjection(s, feeds(t, feed.Config{ID: "all"}), nil)
	s.fold(t, p)
	settle(p)
	p.Reset(bus.ResetRecreated)
	settle(p)
	if diff := cmp.Diff([]string{"blog 1"}, titles(t, p, "all")); diff != "" {
		t.Errorf("while the new one is built (-want +got):\n%s", diff)
	}
	before, _ := p.Feed("all")
	other := newStream()
	other.put(t, sample("blog", "2", time.Hour))
	p.Last = other.last
	if err := p.Apply(other.ordered()[0]); err != nil {
		t.Fatal(err)
	}
	settle(p)
	if now, _ := p.Feed("all"); now != before {
		t.Error("a half-built feed is served")
	}
	p.CaughtUp(event.Applied{Created: seen.Add(time.Hour), Sequence: 1})
	settle(p)
	if diff := cmp.Diff([]string{"blog 2"}, titles(t, p, "all")); diff != "" {
		t.Errorf("afterwards (-want +got):\n%s", diff)
	}
}

func TestUnchangedBytesKeepTheirDate(t *testing.T) {
	t.Parallel()
	s := newStream()
	a := sample("blog", "1", time.Hour)
	s.put(t, a)
	p, _ := newProjection(s, feeds(t, feed.Config{ID: "all"}), nil)
	s.fold(t, p)
	settle(p)
	before, _ := p.Feed("all")
	a.Keyphrases = []article.Phrase{{Text: "not shown in feeds"}}
	a.Revision = 1
	if err := p.Apply(s.put(t, a)); err != nil {
		t.Fatal(err)
	}
	settle(p)
	now, _ := p.Feed("all")
	if now.Documents[render.RSS] != before.Documents[render.RSS] {
		t.Error("a message that changes no byte changes the document")
	}
	a.Title = "Neu"
	if err := p.Apply(s.put(t, a)); err != nil {
		t.Fatal(err)
	}
	settle(p)
	now, _ = p.Feed("all")
	if got, want := now.Documents[render.RSS].Modified, seen.Add(3*time.Second); !got.Equal(want) {
		t.Errorf("modified at %v, want when the message was stored, %v", got, want)
	}
}

func TestSupersededArticleIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := newStream()
	a := sample("blog", "1", time.Hour)
	s.put(t, a)
	p, o := newProjection(s, feeds(t, feed.Config{ID: "all"}), nil)
	old := s.ordered()
	a.Title, a.Revision = "Neu", 2
	next := s.put(t, a) // stored, but not applied yet
	p.Reset(bus.ResetStart)
	for _, r := range old {
		if err := p.Apply(r); err != nil {
			t.Fatal(err)
		}
	}
	p.CaughtUp(event.Applied{Created: seen, Sequence: 1})
	p.render(t.Context(), "all")
	if o.renders != 0 || p.Ready() {
		t.Error("a feed is rendered without an article that it has")
	}
	if err := p.Apply(next); err != nil {
		t.Fatal(err)
	}
	settle(p)
	if diff := cmp.Diff([]string{"Neu"}, titles(t, p, "all")); diff != "" {
		t.Errorf("afterwards (-want +got):\n%s", diff)
	}
}
