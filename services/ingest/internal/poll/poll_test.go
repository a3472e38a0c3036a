package poll

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
	"tidings.internal/pkg/origintest"
	"tidings.internal/pkg/web"
	"tidings.internal/services/ingest/internal/cause"
	"tidings.internal/services/ingest/internal/fetch"
	"tidings.internal/services/ingest/internal/fulltext"
	"tidings.internal/services/ingest/internal/state"
)

// fence is a lease that nobody takes away.
type fence uint64

func (f fence) Fence() uint64 { return uint64(f) }
func (f fence) Valid() bool   { return f != 0 }

// counts is an observer that remembers.
type counts struct {
	mu       sync.Mutex
	outcomes map[string]int
	skipped  map[string]int
}

func (c *counts) Fetched(outcome string, _ time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outcomes[outcome]++
}
func (c *counts) Bytes(int, int)                {}
func (c *counts) Published(string, string, int) {}
func (c *counts) Skipped(reason string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.skipped[reason] += n
}

// crash is a bucket whose next save dies: before it was written, or after, which nobody can tell from outside.
type crash struct {
	state.Bucket
	before, after bool
}

var errKilled = fault.Errorf(fault.Unreachable, "killed")

func (c *crash) Create(ctx context.Context, key string, value []byte) (uint64, error) {
	return c.save(func() (uint64, error) { return c.Bucket.Create(ctx, key, value) })
}

func (c *crash) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	return c.save(func() (uint64, error) { return c.Bucket.Update(ctx, key, value, revision) })
}

func (c *crash) save(write func() (uint64, error)) (uint64, error) {
	if c.before {
		c.before = false
		return 0, errKilled
	}
	n, err := write()
	if c.after {
		c.after = false
		return 0, errors.Join(errKilled, err)
	}
	return n, err
}

// stand is one source between an origin and a broker, polled by hand.
type stand struct {
	t      *testing.T
	origin *origintest.Origin
	bus    *bus.Bus
	bucket *crash
	poller *Poller
	source *Source
	seen   *counts
	now    time.Time
}

func newStand(t *testing.T, path string) *stand {
	t.Helper()
	s := &stand{t: t, origin: origintest.New(t), bus: natstest.Run(t).Bus(t, "ingest"), seen: &counts{outcomes: map[string]int{}, skipped: map[string]int{}}, now: time.Now().UTC().Truncate(time.Second)}
	s.bucket = &crash{Bucket: s.bus.Bucket(event.BucketSourceState)}
	c := config.Source{}
	c.SetDefaults()
	c.ID, c.URL, c.Every, c.Fulltext = "src", s.origin.URL(path), time.Minute, "never"
	s.source = &Source{Source: c}
	s.restart()
	return s
}

// restart is what a new process begins with: nothing but what the broker keeps.
func (s *stand) restart() {
	s.t.Helper()
	client, err := web.New(web.Config{UserAgent: "test", AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Limits: web.Limits{Idle: 2 * time.Second, Total: 5 * time.Second}})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(client.Close)
	gate := web.NewGate(web.GateConfig{Gap: time.Nanosecond, Concurrency: 8})
	s.poller = New(Deps{
		Config:  Config{DefaultEvery: time.Minute, BackfillAfter: 24 * time.Hour, RevisionGap: 0},
		Pages:   fulltext.New(client, gate, time.Now, func(string) {}),
		Fetcher: fetch.New(client), Gate: gate, Bus: s.bus, States: s.bucket,
		Log: slog.New(slog.DiscardHandler), Observe: s.seen, Now: func() time.Time { return s.now },
	})
	s.source.Reset()
}

// poll polls once, a minute after the last time.
func (s *stand) poll(lease uint64) Result {
	s.t.Helper()
	s.now = s.now.Add(time.Minute)
	return s.poller.Poll(s.t.Context(), s.source, fence(lease), s.origin.Addr(), func() {})
}

// want polls once and checks the outcome.
func (s *stand) want(outcome string) Result {
	s.t.Helper()
	r := s.poll(1)
	if r.Outcome != outcome {
		s.t.Fatalf("outcome %s (%v), want %s", r.Outcome, r.Err, outcome)
	}
	return r
}

// log lists RAW as "lane id-suffix.revision title".
func (s *stand) log() []string {
	s.t.Helper()
	list := []string{}
	for seq := uint64(1); ; seq++ {
		r, err := s.bus.At(s.t.Context(), event.StreamRaw, seq)
		if err != nil {
			s.t.Fatal(err)
		}
		if r == nil {
			return list
		}
		lane := strings.Split(r.Subject, ".")[1]
		if r.Header.Value(event.HeaderType) == event.TypeDeleted {
			env, d, err := event.DecodeDeleted(r.Message)
			if err != nil {
				s.t.Fatal(err)
			}
			list = append(list, fmt.Sprintf("%s %d removed", lane, d.Revision))
			if env.Version.Revision != d.Revision {
				s.t.Errorf("tombstone of revision %d in an envelope of %d", d.Revision, env.Version.Revision)
			}
			continue
		}
		for _, raw := range articles(s.t, r.Message) {
			list = append(list, fmt.Sprintf("%s %d %s", lane, raw.Revision, raw.Title))
		}
	}
}

// articles are those of a message of RAW, alone or in a batch.
func articles(t *testing.T, m event.Message) []article.Raw {
	t.Helper()
	messages := []event.Message{m}
	if m.Header.Value(event.HeaderType) == event.TypeBatch {
		var err error
		if messages, err = event.DecodeBatch(m); err != nil {
			t.Fatal(err)
		}
	}
	var list []article.Raw
	for _, one := range messages {
		_, raw, err := event.DecodeRaw(one)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, raw)
	}
	return list
}

func (s *stand) wantLog(want ...string) {
	s.t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), s.log()); diff != "" {
		s.t.Fatalf("RAW differs:\n%s", diff)
	}
}

func story(id, title string, age time.Duration) origintest.Item {
	return origintest.Item{ID: id, URL: "https://news.example.org/" + id, Title: title, Content: "<p>Text von " + title + " mit genug Wörtern darin.</p>", Published: time.Now().Add(-age)}
}

func TestNewEditedAndUnchangedItems(t *testing.T) {
	t.Parallel()
	s := newStand(t, "/f.rss")
	f := s.origin.Feed("f").Add(story("1", "Eins", time.Hour))
	s.want("ok")
	s.wantLog("raw 1 Eins")
	s.want("unchanged")
	reqs := s.origin.Requests("/f.rss")
	if last := reqs[len(reqs)-1]; last.Header.Get("If-None-Match") == "" || last.Header.Get("If-Modified-Since") == "" {
		t.Errorf("the second request was unconditional: %v", last.Header)
	}
	f.Add(story("2", "Zwei", 30*time.Minute))
	s.want("ok")
	f.Edit("1", func(it *origintest.Item) { it.Title = "Eins, verbessert" })
	s.want("ok")
	s.wantLog("raw 1 Eins", "raw 1 Zwei", "raw 2 Eins, verbessert")
	s.restart()
	s.want("unchanged")
	f.Remove("2")
	s.want("unchanged") // an item that leaves a document is not withdrawn
	f.Add(story("2", "Zwei", 30*time.Minute))
	s.want("unchanged")
	s.wantLog("raw 1 Eins", "raw 1 Zwei", "raw 2 Eins, verbessert")
}

func TestFirstPollFillsTheBackfillLaneAndTellsSo(t *testing.T) {
	t.Parallel()
	s := newStand(t, "/f.atom")
	undated := story("3", "Ohne Datum", 0)
	undated.Published = time.Time{}
	s.origin.Feed("f").Add(story("1", "Jung", time.Hour), story("2", "Alt", 48*time.Hour))
	s.origin.Feed("g").Add(undated)
	s.want("ok")
	s.wantLog("backfill 1 Alt", "raw 1 Jung")
	s.origin.Feed("f").Add(story("4", "Vergessen", 40*24*time.Hour), story("5", "Von gestern", 48*time.Hour))
	s.want("ok")
	s.wantLog("backfill 1 Alt", "raw 1 Jung", "backfill 1 Vergessen", "raw 1 Von gestern")
	// An edit of what was old is told at once, and keeps its mark.
	s.origin.Feed("f").Edit("2", func(it *origintest.Item) { it.Title = "Alt, verbessert" })
	s.want("ok")
	r, err := s.bus.At(t.Context(), event.StreamRaw, 5)
	if err != nil || r == nil {
		t.Fatal(err)
	}
	_, raw, err := event.DecodeRaw(r.Message)
	if err != nil || !raw.Backfill || raw.Revision != 2 || !strings.HasPrefix(r.Subject, "article.raw.") {
		t.Errorf("backfill %v, revision %d on %s, %v", raw.Backfill, raw.Revision, r.Subject, err)
	}
}

func TestKillBetweenAppendAndCommitRepeatsNothing(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"before the state was written", "after the state was written"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, "/f.rss")
			f := s.origin.Feed("f").Add(story("1", "Eins", time.Hour), story("2", "Zwei", time.Minute))
			s.bucket.before, s.bucket.after = strings.HasPrefix(when, "before"), strings.HasPrefix(when, "after")
			if r := s.poll(1); r.Outcome != "ours" || fault.KindOf(r.Err) != fault.Unreachable {
				t.Fatalf("%+v", r)
			}
			s.wantLog("raw 1 Eins", "raw 1 Zwei")
			s.restart()
			s.poll(2)
			s.wantLog("raw 1 Eins", "raw 1 Zwei")
			f.Add(story("3", "Drei", time.Second))
			s.poll(2)
			s.wantLog("raw 1 Eins", "raw 1 Zwei", "raw 1 Drei")
		})
	}
}

// What the publisher changes between a crash and the repeated poll must arrive, and must win over what was published
// before the crash under the same revision.
func TestEditDuringACrashArrivesAndWins(t *testing.T) {
	t.Parallel()
	s := newStand(t, "/f.rss")
	f := s.origin.Feed("f").Add(story("1", "Eins", time.Hour))
	s.want("ok")
	f.Edit("1", func(it *origintest.Item) { it.Title = "Fassung A" })
	s.bucket.before = true
	s.poll(1)
	f.Edit("1", func(it *origintest.Item) { it.Title = "Fassung B" })
	s.restart()
	if r := s.poll(7); r.Outcome != "ok" {
		t.Fatalf("%+v", r)
	}
	s.wantLog("raw 1 Eins", "raw 2 Fassung A", "raw 2 Fassung B")
	var versions []event.Version
	for seq := uint64(2); seq <= 3; seq++ {
		r, err := s.bus.At(t.Context(), event.StreamRaw, seq)
		if err != nil || r == nil {
			t.Fatal(err)
		}
		env, err := event.Decode(r.Message)
		if err != nil {
			t.Fatal(err)
		}
		versions = append(versions, env.Version)
	}
	if versions[1].Compare(versions[0]) <= 0 {
		t.Errorf("version %+v does not win over %+v", versions[1], versions[0])
	}
}

func TestTwoOwnersPublishNothingTwice(t *testing.T) {
	t.Parallel()
	s := newStand(t, "/f.rss")
	f := s.origin.Feed("f").Add(story("1", "Eins", time.Hour))
	other := &stand{t: t, origin: s.origin, bus: s.bus, bucket: s.bucket, seen: s.seen, now: s.now, source: &Source{Source: s.source.Source}}
	other.restart()
	s.want("ok")
	if r := other.poll(2); r.Outcome != "unchanged" && r.Outcome != "ok" {
		t.Fatalf("%+v", r)
	}
	// Both believe to own the source and know the same state; the second one to commit loses.
	f.Add(story("2", "Zwei", time.Minute))
	s.want("ok")
	if r := other.poll(2); fault.KindOf(r.Err) != fault.Conflict {
		t.Fatalf("the other owner committed: %+v", r)
	}
	if r := other.poll(2); r.Outcome != "unchanged" {
		t.Fatalf("%+v", r)
	}
	s.wantLog("raw 1 Eins", "raw 1 Zwei")
}

func TestLostLeasePublishesNothing(t *testing.T) {
	t.Parallel()
	s := newStand(t, "/f.rss")
	s.origin.Feed("f").Add(story("1", "Eins", time.Hour))
	if r := s.poll(0); fault.KindOf(r.Err) != fault.Conflict {
		t.Fatalf("%+v", r)
	}
	s.wantLog()
}

func TestPartialDocumentGivesItsWholeItemsAndProvesNothing(t *testing.T) {
	t.Parallel()
	s := newStand(t, "/f.rss")
	s.source.Deletions = "vanished"
	f := s.origin.Feed("f")
	for i := range 6 {
		f.Add(story(fmt.Sprint(i), fmt.Sprint("Titel ", i), time.Duration(6-i)*time.Hour))
	}
	s.want("ok")
	all := s.log()
	f.Describe("Anders", "de") // so that a conditional request gives a document
	for range 4 {
		s.origin.Script("/f.rss", origintest.Cut(1500))
		s.want("partial")
	}
	s.wantLog(all...)
	st := s.source.State()
	if st.ETag != "" || st.LastModified != "" || st.Body != "" || st.Warning == "" || st.Phase != state.Active {
		t.Errorf("state after a cut document: %+v", st)
	}
	s.want("unchanged") // the whole document again, with the same items
	if st := s.source.State(); st.Warning != "" || st.ETag == "" {
		t.Errorf("state after a whole one: %+v", st)
	}
}

func TestDeletionsArriveAsTombstones(t *testing.T) {
	t.Parallel()
	s := newStand(t, "/f")
	doc := func(inner string) {
		s.origin.Serve("/f", "application/rss+xml", []byte(`<rss version="2.0" xmlns:at="http://purl.org/atompub/tombstones/1.0"><channel><title>t</title>`+inner+`</channel></rss>`))
	}
	const one = `<item><guid isPermaLink="false">a</guid><title>A</title></item>`
	const two = `<item><guid isPermaLink="false">b</guid><title>B</title></item>`
	doc(one + two)
	s.want("ok")
	doc(one + `<at:deleted-entry ref="b" when="2026-01-01T00:00:00Z"/>`)
	s.want("ok")
	s.want("unchanged")
	s.wantLog("backfill 1 B", "backfill 1 A", "raw 2 removed")
	doc(one + two)
	s.want("ok")
	s.wantLog("backfill 1 B", "backfill 1 A", "raw 2 removed", "raw 3 B")
}

func TestVanishedItemsAreWithdrawnEvenIfTheDocumentStaysAsItIs(t *testing.T) {
	t.Parallel()
	s := newStand(t, "/f.rss")
	s.source.Deletions = "vanished"
	f := s.origin.Feed("f").Add(story("1", "Alt", 3*time.Hour), story("2", "Weg", 2*time.Hour), story("3", "Neu", time.Hour))
	s.want("ok")
	f.Remove("2")
	for range 3 {
		s.poll(1)
	}
	s.wantLog("raw 1 Alt", "raw 1 Weg", "raw 1 Neu", "raw 2 removed")
}

func TestFailuresAreTypedCountedAndStretchTheInterval(t *testing.T) {
	t.Parallel()
	s := newStand(t, "/f.rss")
	f := s.origin.Feed("f").Add(story("1", "Eins", time.Hour))
	s.want("ok")
	f.Describe("Anders", "de") // so that a conditional request gives a document
	for _, c := range []struct {
		step origintest.Step
		want cause.Reason
	}{
		{origintest.Status(404), "http_not_found"},
		{origintest.Status(410), "http_gone"},
		{origintest.Status(500), "http_server"},
		{origintest.Status(401), "auth_required"},
		{origintest.Document("text/html", []byte("<!DOCTYPE html><html><title>Login</title></html>")), cause.NotAFeed},
		{origintest.Document("text/xml", []byte("")), cause.NotAFeed},
		{origintest.Document("text/xml", []byte("<?xml version='1.0'?><opml/>")), cause.UnsupportedFormat},
		{origintest.Document("text/xml", []byte("<rss><channel><item>"+strings.Repeat("<x:a>", 300_000))), cause.TooDeep},
		{origintest.Document("application/json", []byte(`{"version":"https://jsonfeed.org/version/1.1","items":7}`)), cause.Malformed},
		{origintest.Redirect(302, "http://10.0.0.1/feed"), "refused_address"},
		{origintest.Redirect(302, "file:///etc/passwd"), "refused_scheme"},
		{origintest.Endless(), cause.TooLarge},
	} {
		before := s.source.State().Failures
		s.origin.Script("/f.rss", c.step)
		r := s.poll(1)
		st := s.source.State()
		if cause.Of(r.Err) != c.want && !strings.HasPrefix(string(cause.Of(r.Err)), "redirect") && !strings.HasPrefix(string(cause.Of(r.Err)), "refused") {
			t.Errorf("%v, want %s", r.Err, c.want)
		}
		if st.Failures != before+1 || st.Reason == "" || st.Detail == "" || !r.Next.After(s.now) {
			t.Errorf("%s: state %+v", c.want, st)
		}
		if st.Reason.Row().Sentence == "" {
			t.Errorf("%s has no sentence", st.Reason)
		}
	}
	st := s.source.State()
	if st.Phase != state.Failing || st.Next.Sub(s.now) < time.Hour {
		t.Errorf("after many failures: %s, next in %v", st.Phase, st.Next.Sub(s.now))
	}
	// Nothing was forgotten, and one success clears all.
	s.restart()
	s.want("unchanged")
	if st := s.source.State(); st.Phase != state.Active || st.Weight != 0 || st.Failures != 0 || st.Reason != "" {
		t.Errorf("after a success: %+v", st)
	}
	s.wantLog("raw 1 Eins")
}

func TestRetryAfterIsObeyed(t *testing.T) {
	t.Parallel()
	s := newStand(t, "/f.rss")
	s.origin.Feed("f").Add(story("1", "Eins", time.Hour))
	for value, want := range map[string]time.Duration{"3600": time.Hour, "1000000000000": 24 * time.Hour, "-5": 0, "rubbish": 0} {
		s.origin.Script("/f.rss", origintest.RetryAfter(value))
		r := s.poll(1)
		if wait := r.Next.Sub(s.now); wait < want || want == 0 && wait > time.Hour || cause.Of(r.Err) != "rate_limited" {
			t.Errorf("Retry-After %s: next in %v (%v), want at least %v", value, wait, r.Err, want)
		}
	}
}

func TestGoneNeedsTwoAnswersADayApart(t *testing.T) {
	t.Parallel()
	s := newStand(t, "/f.rss")
	s.origin.Script("/f.rss", origintest.Status(410).Always())
	s.poll(1)
	s.poll(1)
	if p := s.source.State().Phase; p == state.Gone {
		t.Fatal("gone after two answers in a minute")
	}
	s.now = s.now.Add(25 * time.Hour)
	r := s.poll(1)
	if p := s.source.State().Phase; p != state.Gone || r.Next.Sub(s.now) < 20*24*time.Hour {
		t.Fatalf("%s, next in %v", p, r.Next.Sub(s.now))
	}
	s.origin.Unscript("/f.rss")
	s.origin.Feed("f").Add(story("1", "Eins", time.Hour))
	s.want("ok")
	if p := s.source.State().Phase; p != state.Active {
		t.Errorf("%s after a success", p)
	}
}

func TestLongTextsTravelInTheObjectStore(t *testing.T) {
	t.Parallel()
	s := newStand(t, "/f.json")
	it := story("1", "Lang", time.Hour)
	it.Content = "<p>" + strings.Repeat("Ein \"Satz\" mit <b>Wörtern</b>. ", 30_000) + "</p>"
	s.origin.Feed("f").Add(it)
	s.want("ok")
	r, err := s.bus.At(t.Context(), event.StreamRaw, 1)
	if err != nil || r == nil {
		t.Fatal(err)
	}
	_, raw, err := event.DecodeRaw(r.Message)
	if err != nil || raw.Content == nil || raw.Content.Blob == nil || raw.Content.Value != "" {
		t.Fatalf("content %+v, %v", raw.Content, err)
	}
	body, err := s.bus.ReadBlob(t.Context(), *raw.Content.Blob)
	if err != nil || string(body) != it.Content {
		t.Errorf("%d bytes in the store, %v; want %d", len(body), err, len(it.Content))
	}
}

func TestArticleOfManyListsStillFitsAMessage(t *testing.T) {
	t.Parallel()
	s := newStand(t, "/f.rss")
	raw := article.Raw{ID: strings.Repeat("a", 26), Content: &article.Text{Value: strings.Repeat("\"", article.MaxInline)}, Summary: &article.Text{Value: strings.Repeat("<", article.MaxSummary)}}
	for range article.MaxEnclosures {
		raw.Enclosures = append(raw.Enclosures, article.Enclosure{URL: "https://e.example/" + strings.Repeat("\\", 2000), Title: strings.Repeat("\"", 500)})
		raw.Categories = append(raw.Categories, article.Category{Term: strings.Repeat("\"", 500), Scheme: strings.Repeat("\"", 500), Label: strings.Repeat("\"", 500)})
		raw.Authors = append(raw.Authors, article.Person{Name: strings.Repeat("\"", 500), URL: strings.Repeat("x", 2000)})
	}
	body, err := s.poller.fit(t.Context(), &raw, nil, s.now)
	if err != nil || len(body) > maxBody {
		t.Fatalf("%d bytes, %v", len(body), err)
	}
	if len(raw.Truncated) == 0 || raw.Content.Blob == nil {
		t.Errorf("truncated %v, content %+v", raw.Truncated, raw.Content.Blob)
	}
}

func TestAnotherAddressKeepsItemsAndSubjects(t *testing.T) {
	t.Parallel()
	s := newStand(t, "/f.rss")
	s.origin.Feed("f").Add(story("1", "Eins", time.Hour))
	s.want("ok")
	pp := s.source.State().Partition
	s.source.URL = s.origin.URL("/f.atom")
	s.restart()
	s.want("unchanged")
	st := s.source.State()
	reqs := s.origin.Requests("/f.atom")
	if st.Partition != pp || reqs[0].Header.Get("If-None-Match") != "" {
		t.Errorf("partition %s was %s; request %v", st.Partition, pp, reqs[0].Header)
	}
	s.wantLog("raw 1 Eins")
}

func TestFilteredItemsAreRememberedAndNotPublished(t *testing.T) {
	t.Parallel()
	s := newStand(t, "/f.rss")
	s.source.Filter = (&article.Filters{Drop: []string{"title ~ Anzeige"}}).Compile()
	s.origin.Feed("f").Add(story("1", "Anzeige: kauf", time.Hour), story("2", "Nachricht", time.Hour))
	s.want("ok")
	s.source.Filter = nil
	s.want("unchanged")
	s.wantLog("raw 1 Nachricht")
	if n := len(s.source.State().Memory.Rows); n != 2 {
		t.Errorf("%d items remembered, want 2", n)
	}
}
