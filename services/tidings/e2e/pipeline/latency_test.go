package pipeline

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/natstest"
	"tidings.internal/pkg/run"
	enrich "tidings.internal/services/enrich/app"
)

const (
	each  = 20 * time.Millisecond // fifty articles a second
	count = 500
)

// arrivals is a fold that notes when each article came.
type arrivals struct {
	mu sync.Mutex
	at map[string]time.Time
}

func (*arrivals) Reset(string)           {}
func (*arrivals) CaughtUp(event.Applied) {}
func (*arrivals) Evicted(uint64)         {}
func (a *arrivals) Apply(r bus.Record) error {
	env, err := event.Decode(r.Message)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at[env.Article] = time.Now()
	return err
}

// BenchmarkLatency measures from an article's append to RAW until a projection has it, at fifty articles a second with
// every write flushed. The baseline is the same way without enrich: an append and the fold of RAW.
func BenchmarkLatency(b *testing.B) {
	for _, name := range []string{"ours", "baseline"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				took := way(b, name == "ours")
				b.ReportMetric(float64(took[len(took)/2].Milliseconds()), "p50-ms")
				b.ReportMetric(float64(took[len(took)*99/100].Milliseconds()), "p99-ms")
			}
		})
	}
}

func way(b *testing.B, whole bool) []time.Duration {
	s := natstest.Listening(b)
	c := s.Bus(b, "tidings")
	ctx, cancel := context.WithCancel(b.Context())
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	stream, filter := event.StreamRaw, event.All(event.SpaceRaw)
	if whole {
		stream, filter = event.StreamArticles, event.All(event.SpaceEnriched)
		ready := make(chan struct{})
		doc := config.New("bench.yaml", fmt.Appendf(nil, "nats: {url: %q}\nadmin: {listen: \"127.0.0.1:0\"}\n", s.URL()), nil)
		group.Go(func() {
			if err := run.Start(ctx, enrich.Program(), run.Options{Doc: doc, Stdout: io.Discard, Stderr: io.Discard, Ready: func(string) { close(ready) }}); err != nil {
				b.Error(err)
			}
		})
		select {
		case <-ready:
		case <-time.After(30 * time.Second):
			b.Fatal("enrich is not ready")
		}
	}
	seen := &arrivals{at: map[string]time.Time{}}
	group.Go(func() { _ = s.Bus(b, "publish").Follow(ctx, stream, filter, seen) })
	sent := offer(b, c)
	await(b, func() bool {
		seen.mu.Lock()
		defer seen.mu.Unlock()
		return len(seen.at) == len(sent)
	})
	var took []time.Duration
	for id, at := range sent {
		took = append(took, seen.at[id].Sub(at))
	}
	slices.Sort(took)
	return took
}

// offer appends articles to RAW at a steady pace, each telling something of its own.
func offer(b *testing.B, c *bus.Bus) map[string]time.Time {
	sent := map[string]time.Time{}
	tick := time.NewTicker(each)
	defer tick.Stop()
	for n := range count {
		id := article.NewID("blog", fmt.Sprint(n))
		subject, err := event.RawSubject("0a", "blog", false)
		if err != nil {
			b.Fatal(err)
		}
		words := make([]string, 300)
		for i := range words {
			words[i] = fmt.Sprintf("w%dx%d", n, i*7919%997)
		}
		r := article.Raw{ID: id, Revision: 1, Source: article.Source{ID: "blog", Partition: "0a"}, URL: fmt.Sprintf("https://example.org/%d", n), Title: "Report " + words[0],
			Content: &article.Text{Value: "<p>" + strings.Join(words, " ") + "</p>", Type: article.TextHTML}, Fetched: time.Now(), FirstSeen: time.Now()}
		text, err := event.Marshal(r)
		if err != nil {
			b.Fatal(err)
		}
		m := event.EncodeBody(subject, event.Envelope{Type: event.TypeRaw, ID: event.RawID(id, 1, event.Hash(text)), Source: "ingest", Time: time.Now(), Article: id, Version: event.Version{Revision: 1, Fence: 1}}, text)
		<-tick.C
		sent[id] = time.Now()
		if err := c.Append(b.Context(), []event.Message{m}); err != nil {
			b.Fatal(err)
		}
	}
	return sent
}
