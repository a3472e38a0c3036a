package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/natstest"
	"tidings.internal/pkg/origintest"
	"tidings.internal/pkg/run"
)

const (
	farmFeeds  = 2000
	farmItems  = 20
	farmAtOnce = 16 // what one host gets of 64 workers
	farmWindow = 5 * time.Second
)

// farm serves 2,000 feeds of 20 items with six paragraphs each, RSS and Atom in turn, from one origin.
func farm(b *testing.B) (o *origintest.Origin, urls []string) {
	b.Helper()
	o = origintest.New(b)
	for i := range farmFeeds {
		f := o.Feed(fmt.Sprint("feed", i)).Describe("Farm", "en")
		for n := range farmItems {
			it := origintest.Sample(o.URL(""), i*farmItems+n)
			it.Published = time.Now().Add(-time.Duration(n+48) * time.Hour)
			it.Content = strings.Repeat(it.Content, 3) // six paragraphs
			f.Add(it)
		}
		urls = append(urls, f.URL([]origintest.Format{origintest.RSS, origintest.Atom}[i%2]))
	}
	return o, urls
}

// cpu is the time that this process has computed: ingest, the broker and the origin together.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkFarm measures the first refresh of 2,000 sources, each of whose articles is on RAW, flushed, and its state
// committed; and then how many polls a second find that nothing changed. The baselines are loops of plain net/http
// against the same origin, the first with a message of the same size for each item on the same broker.
func BenchmarkFarm(b *testing.B) {
	for b.Loop() {
		s := natstest.Listening(b) // every write is flushed
		o, urls := farm(b)
		sources := func(every string) string {
			var y strings.Builder
			fmt.Fprintf(&y, "ingest: {allow_networks: [127.0.0.0/8], hosts: {%q: {concurrency: %d, gap: 0s}}}\nsources:\n", o.Addr(), farmAtOnce)
			for i, u := range urls {
				fmt.Fprintf(&y, "  - {id: s%d, url: %q, every: %s, fulltext: never}\n", i, u, every)
			}
			return y.String()
		}
		operator := s.Bus(b, "tidings")
		begun, used := time.Now(), cpu()
		a, stop := running(b, s, prometheus.NewRegistry(), sources("1h"))
		// Sources that are due at a start are set 60 ms apart, so as not to come in a burst; this is a refresh, as an operator
		// asks for one of each.
		refresh(b, a)
		bucket := operator.Bucket(event.BucketSourceState)
		for {
			state, err := operator.StreamState(b.Context(), event.StreamRaw)
			if err != nil {
				b.Fatal(err)
			}
			if state.Messages >= farmFeeds { // a batch of 20 each
				entries, err := bucket.Entries(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				if len(entries) >= farmFeeds {
					break
				}
			}
			pause(b, 50*time.Millisecond)
		}
		first := time.Since(begun)
		b.ReportMetric(first.Seconds(), "first-s")
		b.ReportMetric((cpu() - used).Seconds(), "first-cpu-s")
		b.ReportMetric(farmFeeds*farmItems/first.Seconds(), "articles/s")
		stop()

		a, stop = running(b, s, prometheus.NewRegistry(), sources("100ms"))
		refresh(b, a)
		for len(o.Requests()) < 2*farmFeeds { // every source was asked once more
			pause(b, 50*time.Millisecond)
		}
		o.Forget()
		pause(b, farmWindow)
		polls := float64(len(o.Requests())) / farmWindow.Seconds()
		stop()
		b.ReportMetric(polls, "polls/s")
		plain := plainPolls(b, o, urls)
		b.ReportMetric(plain, "baseline-polls/s")
		b.ReportMetric(polls/plain, "polls-ratio")
	}
}

// refresh has every source polled as soon as it has its turn.
func refresh(b *testing.B, a *App) {
	b.Helper()
	for len(a.engine.Status()) < farmFeeds {
		pause(b, time.Millisecond)
	}
	for i := range farmFeeds {
		a.engine.Refresh(fmt.Sprint("s", i), time.Now())
	}
}

func pause(b *testing.B, d time.Duration) {
	b.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.Context().Done():
		b.Fatal("the benchmark was stopped")
	}
}

// plainPolls asks for all feeds with their validators, in a loop of plain net/http, and gives the requests a second.
func plainPolls(b *testing.B, o *origintest.Origin, urls []string) float64 {
	b.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: farmAtOnce, MaxConnsPerHost: farmAtOnce}}
	defer client.CloseIdleConnections()
	etags := make([]string, len(urls))
	ask := func(i int) error {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, urls[i], nil)
		if err != nil {
			return err
		}
		req.Header.Set("If-None-Match", etags[i])
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		etags[i] = resp.Header.Get("Etag")
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	round := func(until time.Time) (n int) {
		var mu sync.Mutex
		var wg sync.WaitGroup
		for worker := range farmAtOnce {
			wg.Go(func() {
				for i := worker; ; i += farmAtOnce {
					if until.IsZero() && i >= len(urls) || !until.IsZero() && time.Now().After(until) {
						return
					}
					if err := ask(i % len(urls)); err != nil {
						b.Error(err)
						return
					}
					mu.Lock()
					n++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		return n
	}
	round(time.Time{}) // the validators
	o.Forget()
	return float64(round(time.Now().Add(farmWindow))) / farmWindow.Seconds()
}

// running runs an ingest until stop is called.
func running(b *testing.B, s *natstest.Server, metrics *prometheus.Registry, yaml string) (a *App, stop func()) {
	b.Helper()
	doc := config.New("bench.yaml", []byte(yaml), nil)
	a, err := New(b.Context(), Deps{Config: doc, Bus: s.Bus(b, Name), Log: slog.New(slog.DiscardHandler), Metrics: metrics, Checks: &run.Checks{}})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	return a, func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	}
}

// counted serves a document and counts how often it was asked for.
type counted struct {
	asked atomic.Int64
	serve http.HandlerFunc
}

func (c *counted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.asked.Add(1)
	c.serve(w, r)
}

// rate runs an ingest over so many sources of a server, each due all the time, and gives the polls a second and the polls
// a second of computing: of ingest, the broker and the server together.
func rate(b *testing.B, server *httptest.Server, c *counted, sources int, extra string) (second, core float64) {
	b.Helper()
	var y strings.Builder
	fmt.Fprintf(&y, "ingest: {allow_networks: [127.0.0.0/8], hosts: {%q: {concurrency: %d, gap: 0s}}}\nsources:\n", server.Listener.Addr().String(), farmAtOnce)
	for i := range sources {
		fmt.Fprintf(&y, "  - {id: s%d, url: %q, every: 100ms, fulltext: never%s}\n", i, fmt.Sprint(server.URL, "/", i), extra)
	}
	a, stop := running(b, natstest.Run(b), prometheus.NewRegistry(), y.String())
	defer stop()
	for len(a.engine.Status()) < sources {
		pause(b, time.Millisecond)
	}
	for i := range sources {
		a.engine.Refresh(fmt.Sprint("s", i), time.Now())
	}
	for c.asked.Load() < int64(2*sources) { // the first polls lie behind
		pause(b, 50*time.Millisecond)
	}
	before, used := c.asked.Load(), cpu()
	pause(b, farmWindow)
	polls := float64(c.asked.Load() - before)
	return polls / farmWindow.Seconds(), polls / (cpu() - used).Seconds()
}

// BenchmarkPoll measures polls that are dearer than an unchanged one on a warm connection.
func BenchmarkPoll(b *testing.B) {
	b.Run("cold-tls", func(b *testing.B) { // a handshake for each
		for b.Loop() {
			c := &counted{serve: func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Connection", "close")
				w.Header().Set("Etag", `"a"`)
				if r.Header.Get("If-None-Match") == `"a"` {
					w.WriteHeader(http.StatusNotModified)
					return
				}
				fmt.Fprint(w, document("never", 1))
			}}
			server := httptest.NewTLSServer(c)
			second, core := rate(b, server, c, 200, ", http: {insecure_tls: true}")
			server.Close()
			b.ReportMetric(second, "polls/s")
			b.ReportMetric(core, "polls/cpu-s")
		}
	})
	b.Run("changed", func(b *testing.B) { // 50 KB that say another date each time, and nothing new
		for b.Loop() {
			var n atomic.Int64
			c := &counted{serve: func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, document(fmt.Sprint(n.Add(1)), 20)) }}
			server := httptest.NewServer(c)
			second, core := rate(b, server, c, 200, "")
			server.Close()
			b.ReportMetric(second, "polls/s")
			b.ReportMetric(core, "polls/cpu-s")
			b.ReportMetric(float64(len(document("x", 20)))/1000, "document-KB")
		}
	})
}

// document is a feed of so many items that says when it was built.
func document(built string, items int) string {
	var d strings.Builder
	fmt.Fprintf(&d, "<rss version='2.0'><channel><title>Bench</title><description>%s</description>", built)
	for n := range items {
		fmt.Fprintf(&d, "<item><guid isPermaLink='false'>id-%d</guid><title>Report %d</title><link>https://example.org/%d</link><description>%s</description></item>", n, n, n,
			strings.Repeat("<p>The team answered every letter within a day, and those who wrote twice were called; most of them stayed for years.</p>", 20)[:2300])
	}
	return d.String() + "</channel></rss>"
}

// BenchmarkNew measures news, each a message of its own, with the broker's default of flushing.
func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		const sources, news = 500, 20
		s, o := natstest.Run(b), origintest.New(b)
		var y strings.Builder
		fmt.Fprintf(&y, "ingest: {allow_networks: [127.0.0.0/8], hosts: {%q: {concurrency: %d, gap: 0s}}}\nsources:\n", o.Addr(), farmAtOnce)
		for i := range sources {
			f := o.Feed(fmt.Sprint("f", i)).Describe("New", "en").Add(origintest.Sample(o.URL(""), 0))
			fmt.Fprintf(&y, "  - {id: s%d, url: %q, every: 1h, fulltext: never}\n", i, f.URL(origintest.RSS))
		}
		a, stop := running(b, s, prometheus.NewRegistry(), y.String())
		published := func() (n uint64) {
			for _, st := range a.engine.Status() {
				n += st.Published
			}
			return n
		}
		until := func(n uint64) {
			for i := range sources {
				a.engine.Refresh(fmt.Sprint("s", i), time.Now())
			}
			for published() < n {
				pause(b, 10*time.Millisecond)
			}
		}
		for len(a.engine.Status()) < sources {
			pause(b, time.Millisecond)
		}
		until(sources)
		for i := range sources {
			for n := range news {
				it := origintest.Sample(o.URL(""), 1+n)
				it.Published = time.Now().Add(-time.Minute)
				o.Feed(fmt.Sprint("f", i)).Add(it)
			}
		}
		begun, used := time.Now(), cpu()
		until(sources * (1 + news))
		b.ReportMetric(sources*news/time.Since(begun).Seconds(), "articles/s")
		b.ReportMetric(sources*news/(cpu()-used).Seconds(), "articles/cpu-s")
		stop()
	}
}

// BenchmarkImport adds 1,000 sources while ingest runs, as the import of a list does.
func BenchmarkImport(b *testing.B) {
	for b.Loop() {
		s, o := natstest.Run(b), origintest.New(b)
		o.Feed("f").Add(origintest.Sample(o.URL(""), 0))
		yaml := fmt.Sprintf("ingest: {allow_networks: [127.0.0.0/8], hosts: {%q: {concurrency: %d, gap: 0s}}}\n", o.Addr(), farmAtOnce)
		a, stop := running(b, s, prometheus.NewRegistry(), yaml)
		operator := s.Bus(b, "tidings")
		var list []Definition
		for i := range 1000 {
			list = append(list, Definition{ID: fmt.Sprint("s", i), URL: o.URL(fmt.Sprint("/f.rss?", i)), Every: "1h"})
		}
		begun := time.Now()
		if _, err := AddSources(b.Context(), operator, config.New("bench.yaml", []byte(yaml), nil), list, false); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(begun).Seconds(), "import-s")
		for len(a.engine.Status()) < len(list) {
			pause(b, time.Millisecond)
		}
		b.ReportMetric(time.Since(begun).Seconds(), "in-force-s")
		stop()
	}
}
