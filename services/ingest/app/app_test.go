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
	fmt.Fprintf(&b, "ingest: {allow_networks: [127.0.0.0/8], revision_gap: 0s, hosts: {%q: {concurrency: 8, gap: 0s}}%s}\nsources:\n", w.origin.Addr(), extra)
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
