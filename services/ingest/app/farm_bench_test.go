package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
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
