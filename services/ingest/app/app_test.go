package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/natstest"
	"tidings.internal/pkg/origintest"
	"tidings.internal/pkg/run"
)

// wait bounds every wait of a test; a healthy run needs a fraction of it.
const wait = 30 * time.Second

// world is a broker and an origin with an ingest between them.
type world struct {
	t      *testing.T
	server *natstest.Server
	origin *origintest.Origin
	bus    *bus.Bus // an operator's
	yaml   string
	// also are further hosts, as host:port, that may be asked as often as the origin.
	also []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, server: natstest.Run(t), origin: origintest.New(t)}
	w.bus = w.server.Bus(t, "tidings")
	return w
}

// configure writes the configuration: sources as YAML flow mappings without their braces.
func (w *world) configure(extra string, sources ...string) {
	var b strings.Builder
	var hosts []string
	for _, host := range append(w.also, w.origin.Addr()) {
		hosts = append(hosts, fmt.Sprintf("%q: {concurrency: 8, gap: 0s}", host))
	}
	fmt.Fprintf(&b, "ingest: {allow_networks: [127.0.0.0/8], revision_gap: 0s, hosts: {%s}%s}\nsources:\n", strings.Join(hosts, ", "), extra)
	for _, s := range sources {
		fmt.Fprintf(&b, "  - {%s}\n", s)
	}
	w.yaml = b.String()
}

func (w *world) doc() *config.Doc { return config.New("test.yaml", []byte(w.yaml), nil) }

// start runs an ingest until stop is called, which waits for it.
func (w *world) start(log *slog.Logger) (a *App, stop func()) {
	w.t.Helper()
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	b := w.server.Bus(w.t, Name)
	a, err := New(w.t.Context(), Deps{Config: w.doc(), Bus: b, Log: log, Metrics: prometheus.NewRegistry(), Checks: &run.Checks{}})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				w.t.Errorf("ingest ended with %v", err)
			}
		case <-time.After(wait):
			w.t.Error("ingest did not stop")
		}
	})
	w.t.Cleanup(stop)
	return a, stop
}

// message is what stands in RAW.
type message struct {
	subject string
	env     event.Envelope
	raw     article.Raw
	deleted event.Deleted
}

// raw reads RAW from its beginning.
func (w *world) raw() []message {
	w.t.Helper()
	var list []message
	for seq := uint64(1); ; seq++ {
		r, err := w.bus.At(w.t.Context(), event.StreamRaw, seq)
		if err != nil {
			w.t.Fatal(err)
		}
		if r == nil {
			return list
		}
		if r.Header.Value(event.HeaderType) == event.TypeBatch {
			members, err := event.DecodeBatch(r.Message)
			if err != nil {
				w.t.Fatal(err)
			}
			for _, one := range members {
				m := message{subject: r.Subject}
				if m.env, m.raw, err = event.DecodeRaw(one); err != nil {
					w.t.Fatal(err)
				}
				list = append(list, m)
			}
			continue
		}
		m := message{subject: r.Subject}
		if r.Header.Value(event.HeaderType) == event.TypeDeleted {
			m.env, m.deleted, err = event.DecodeDeleted(r.Message)
		} else {
			m.env, m.raw, err = event.DecodeRaw(r.Message)
		}
		if err != nil {
			w.t.Fatal(err)
		}
		list = append(list, m)
	}
}

// until polls a condition and fails the test with the last state when it does not come true.
func (w *world) until(what string, ok func() (bool, string)) {
	w.t.Helper()
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		good, last := ok()
		if good {
			return
		}
		select {
		case <-deadline.C:
			w.t.Fatalf("%s did not come true: %s", what, last)
		case <-tick.C:
		}
	}
}

// messages waits until RAW holds n messages.
func (w *world) messages(n int) []message {
	w.t.Helper()
	var list []message
	w.until(fmt.Sprintf("%d messages in RAW", n), func() (bool, string) {
		list = w.raw()
		return len(list) >= n, fmt.Sprintf("%d messages", len(list))
	})
	if len(list) > n {
		w.t.Fatalf("%d messages in RAW, want %d", len(list), n)
	}
	return list
}

// status waits until a source stands as wished.
func (w *world) status(id, what string, ok func(SourceStatus) bool) SourceStatus {
	w.t.Helper()
	var found SourceStatus
	w.until("source "+id+" "+what, func() (bool, string) {
		list, err := Sources(w.t.Context(), w.bus, w.doc())
		if err != nil {
			return false, err.Error()
		}
		for _, s := range list {
			if s.ID == id {
				found = s
			}
		}
		text, _ := json.Marshal(found)
		return ok(found), string(text)
	})
	return found
}

// polled waits until the origin was asked n more times for a path.
func (w *world) polled(path string, n int) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), wait)
	defer cancel()
	have := len(w.origin.Requests(path))
	if _, err := w.origin.Wait(ctx, have+n, path); err != nil {
		w.t.Fatalf("%s was not polled: %v", path, err)
	}
}

func news(id, title string) origintest.Item {
	return origintest.Item{ID: id, URL: "https://news.example.org/" + id, Title: title, Content: "<p>Der Text von " + title + " mit genug Wörtern.</p>", Published: time.Now().Add(-time.Hour)}
}

func TestArticleTravelsFromSourceToRAW(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.origin.Feed("news").Describe("Nachrichten", "de").Add(news("1", "Größe & Maße <5>"))
	w.configure("", fmt.Sprintf("id: rss, url: %q, every: 200ms, tags: [crm], rights: © Test, syndicate: excerpt", f.URL(origintest.RSS)),
		fmt.Sprintf("id: atom, url: %q, every: 200ms", f.URL(origintest.Atom)), fmt.Sprintf("id: json, url: %q, every: 200ms", f.URL(origintest.JSON)))
	w.start(nil)
	list := w.messages(3)
	seen := map[string]bool{}
	for _, m := range list {
		seen[m.raw.Source.ID] = true
		if m.raw.Title != "Größe & Maße <5>" || m.raw.Revision != 1 || m.raw.URL != "https://news.example.org/1" || m.raw.Backfill ||
			!strings.HasPrefix(m.subject, "article.raw.") || m.env.Version.Fence == 0 || m.raw.Content.Empty() {
			t.Errorf("article %+v on %s", m.raw, m.subject)
		}
		if m.raw.Source.ID == "rss" && (m.raw.Source.Rights != "© Test" || m.raw.Source.Syndicate != article.Excerpt || m.raw.Source.Tags[0] != "crm" || m.raw.Source.Title != "Nachrichten") {
			t.Errorf("source %+v", m.raw.Source)
		}
	}
	if len(seen) != 3 {
		t.Errorf("sources %v", seen)
	}
	s := w.status("rss", "is active", func(s SourceStatus) bool { return s.State == "active" && s.Items == 1 })
	if s.LastSuccess.IsZero() || s.NextPoll.IsZero() || s.Sentence != "" {
		t.Errorf("status %+v", s)
	}
}

func TestRestartRepeatsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.origin.Feed("news").Add(news("1", "Eins"))
	w.configure("", fmt.Sprintf("id: rss, url: %q, every: 100ms", f.URL(origintest.RSS)))
	_, stop := w.start(nil)
	w.messages(1)
	w.status("rss", "is stored", func(s SourceStatus) bool { return s.Published == 1 })
	stop()
	f.Edit("1", func(it *origintest.Item) { it.Title = "Eins, verbessert" })
	f.Add(news("2", "Zwei"))
	w.start(nil)
	list := w.messages(3)
	w.polled("/news.rss", 3)
	if n := len(w.raw()); n != 3 {
		t.Errorf("%d messages, want 3", n)
	}
	for _, m := range list[1:] {
		if m.env.Version.Fence <= list[0].env.Version.Fence {
			t.Errorf("fence %d after a restart, it was %d", m.env.Version.Fence, list[0].env.Version.Fence)
		}
	}
}

// A source that hangs, one that is a bomb, one that is hostile and one that is gone: the good one is polled on time.
func TestBadSourcesDelayNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.origin.Feed("good").Add(news("1", "Eins"))
	w.origin.Script("/slow.rss", origintest.Slow(time.Hour).Always())
	w.origin.Script("/endless.rss", origintest.Endless().Always())
	w.origin.Serve("/deep.rss", "text/xml", []byte("<rss><channel><item>"+strings.Repeat("<a>", 2_500_000)))
	w.origin.Script("/gone.rss", origintest.Status(404).Always())
	w.configure(", workers: 8",
		fmt.Sprintf("id: good, url: %q, every: 100ms", f.URL(origintest.RSS)), fmt.Sprintf("id: slow, url: %q, every: 100ms", w.origin.URL("/slow.rss")),
		fmt.Sprintf("id: endless, url: %q, every: 100ms", w.origin.URL("/endless.rss")), fmt.Sprintf("id: deep, url: %q, every: 100ms", w.origin.URL("/deep.rss")),
		fmt.Sprintf("id: gone, url: %q, every: 100ms", w.origin.URL("/gone.rss")), `id: private, url: "http://10.0.0.1/feed", every: 100ms`)
	w.yaml = strings.Replace(w.yaml, "concurrency: 8", "concurrency: 4", 1)
	w.start(nil)
	w.messages(1)
	w.status("deep", "is refused", func(s SourceStatus) bool { return s.Reason == "too_deep" && s.Sentence != "" && !s.NextPoll.IsZero() })
	w.status("gone", "is not found", func(s SourceStatus) bool { return s.Reason == "http_not_found" && s.Status == 404 })
	w.status("private", "is refused", func(s SourceStatus) bool { return s.Reason == "refused_address" })
	f.Add(news("2", "Zwei"))
	w.messages(2)
	w.polled("/good.rss", 5)
}

func TestRefreshIsGrantedAtOnceWhateverTheBackoff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.origin.Feed("news").Add(news("1", "Eins"))
	w.configure("", fmt.Sprintf("id: rss, url: %q, every: 24h", f.URL(origintest.RSS)))
	w.start(nil)
	w.messages(1)
	w.status("rss", "is active", func(s SourceStatus) bool { return s.State == "active" })
	f.Add(news("2", "Zwei"))
	if err := Refresh(t.Context(), w.bus, "rss"); err != nil {
		t.Fatal(err)
	}
	w.messages(2)
	f.Add(news("3", "Drei"))
	if err := Refresh(t.Context(), w.bus, "rss"); err != nil {
		t.Fatal(err)
	}
	w.messages(3)
}

func TestNoticesTellOfWhatHappens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.origin.Feed("news").Add(news("1", "Eins"))
	w.configure("", fmt.Sprintf("id: rss, url: %q, every: 100ms", f.URL(origintest.RSS)))
	w.start(nil)
	w.messages(1)
	w.origin.Script("/news.rss", origintest.Step{Status: 404, Times: 4})
	seen := func() (list []string) {
		for seq := uint64(1); ; seq++ {
			r, err := w.bus.At(t.Context(), event.StreamEvents, seq)
			if err != nil {
				t.Fatal(err)
			}
			if r == nil {
				return list
			}
			if _, n, err := event.DecodeNotice(r.Message); err == nil && n.Service == Name {
				list = append(list, n.Type+" "+n.Source)
			}
		}
	}
	want := "source_first_poll rss|source_failing rss|source_recovered rss"
	w.until("the notices", func() (bool, string) {
		got := strings.Join(seen(), "|")
		return got == want, got
	})
}

// Two replicas share what there is; when one ends, the other takes over, and nothing is published twice.
func TestReplicasShareSourcesAndTakeOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	feeds := []*origintest.Feed{w.origin.Feed("a").Add(news("1", "A1")), w.origin.Feed("b").Add(news("1", "B1"))}
	w.configure("", fmt.Sprintf("id: a, url: %q, every: 100ms", feeds[0].URL(origintest.RSS)), fmt.Sprintf("id: b, url: %q, every: 100ms", feeds[1].URL(origintest.Atom)))
	one, stop := w.start(nil)
	w.messages(2)
	two, _ := w.start(nil)
	stop()
	if one.owner.Held() != 0 {
		t.Errorf("a replica that ended holds %d shards", one.owner.Held())
	}
	w.until("the other replica owns the shard", func() (bool, string) {
		return two.owner.Held() == 1, fmt.Sprintf("it owns %d", two.owner.Held())
	})
	feeds[0].Add(news("2", "A2"))
	feeds[1].Add(news("2", "B2"))
	w.messages(4)
}
