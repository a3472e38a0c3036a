package bus_test

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/natstest"
)

var (
	articlesFlag = flag.Int("bench.articles", 20_000, "articles of the benchmarks of the fold and of the backup")
	subjectsFlag = flag.Int("bench.subjects", 100_000, "subjects of the benchmark of the restart")
)

// filled puts n messages of a size into ARTICLES, each on a subject of its own, without waiting for each ack.
func filled(b *testing.B, c *bus.Bus, n int, body string) {
	b.Helper()
	for i := range n {
		m := enriched(b, article.NewID("blog", fmt.Sprint(i)), event.Version{Revision: 1}, body)
		if _, err := c.JetStream().PublishMsgAsync(&nats.Msg{Subject: m.Subject, Header: nats.Header(m.Header), Data: m.Body}, jetstream.WithStallWait(time.Minute)); err != nil {
			b.Fatal(err)
		}
	}
	select {
	case <-c.JetStream().PublishAsyncComplete():
	case <-time.After(5 * time.Minute):
		b.Fatal("the messages are not stored")
	}
	if s, err := c.StreamState(b.Context(), event.StreamArticles); err != nil || s.Messages != uint64(n) {
		b.Fatalf("%d messages stored, want %d: %v", s.Messages, n, err)
	}
}

// tally is a fold that counts, and decodes each record if it is told to, as a projection must.
type tally struct {
	want    int64
	decodes bool
	n       atomic.Int64
	done    chan struct{}
}

func (*tally) Reset(string) {}
func (f *tally) Apply(r bus.Record) (err error) {
	if f.decodes {
		_, _, err = event.DecodeEnriched(r.Message)
	}
	if f.n.Add(1) == f.want {
		close(f.done)
	}
	return err
}
func (*tally) CaughtUp(event.Applied) {}
func (*tally) Evicted(uint64)         {}

// BenchmarkFold compares a fold, which recognises its stream and tells when it is level, with an ordered consumer of the
// library: articles of 5 KB. "decoding" also verifies and decodes each, which is most of what a rebuild costs.
func BenchmarkFold(b *testing.B) {
	c := prepared(b, false)
	n := *articlesFlag
	filled(b, c, n, strings.Repeat("x", 5<<10))
	for _, run := range []struct {
		name    string
		decodes bool
	}{{"ours", false}, {"decoding", true}} {
		b.Run(run.name, func(b *testing.B) {
			for b.Loop() {
				f := &tally{want: int64(n), decodes: run.decodes, done: make(chan struct{})}
				ctx, cancel := context.WithCancel(b.Context())
				ended := make(chan struct{})
				go func() { defer close(ended); _ = c.Follow(ctx, event.StreamArticles, event.All(event.SpaceEnriched), f) }()
				<-f.done
				cancel()
				<-ended
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "articles/s")
		})
	}
	b.Run("baseline", func(b *testing.B) {
		for b.Loop() {
			ordered, err := c.JetStream().OrderedConsumer(b.Context(), event.StreamArticles, jetstream.OrderedConsumerConfig{})
			if err != nil {
				b.Fatal(err)
			}
			var seen atomic.Int64
			done := make(chan struct{})
			cc, err := ordered.Consume(func(jetstream.Msg) {
				if seen.Add(1) == int64(n) {
					close(done)
				}
			})
			if err != nil {
				b.Fatal(err)
			}
			<-done
			cc.Stop()
		}
		b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "articles/s")
	})
}

// BenchmarkRestart compares the start of a server on a store with many subjects, until a service could write again, with
// one on an empty store.
func BenchmarkRestart(b *testing.B) {
	for _, c := range []struct {
		name     string
		subjects int
	}{{"ours", *subjectsFlag}, {"baseline", 0}} {
		b.Run(c.name, func(b *testing.B) {
			s := natstest.With(b, func(o *server.Options) { o.SyncAlways = false })
			conn := s.Bus(b, "tidings")
			top, err := event.NewTopology(event.DefaultSettings())
			if err != nil {
				b.Fatal(err)
			}
			p, err := conn.Plan(b.Context(), top)
			if err == nil {
				err = conn.Apply(b.Context(), p, false)
			}
			if err != nil {
				b.Fatal(err)
			}
			filled(b, conn, c.subjects, "x")
			b.ResetTimer()
			for range b.N {
				b.StopTimer()
				s.Stop()
				b.StartTimer()
				s.Start(b)
				next := s.Bus(b, "tidings")
				if _, err := next.StreamState(b.Context(), event.StreamArticles); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(c.subjects), "subjects")
		})
	}
}

// prose is text as articles have it: the same words in ever new order.
func prose(n int) string {
	words := strings.Fields("the council of a town decides on Monday about money for schools roads and the harbour where trains of grain arrive each night while readers of the paper write letters")
	var t strings.Builder
	for i := uint32(n)*2654435761 + 1; t.Len() < 5<<10; i = i*1664525 + 1013904223 {
		t.WriteString(words[int(i>>16)%len(words)] + " ")
	}
	return t.String()
}

// BenchmarkCompression compares streams with the server's S2 compression, as the topology has it, with streams without:
// 5 KB of prose a message.
func BenchmarkCompression(b *testing.B) {
	for _, c := range []struct {
		name  string
		store jetstream.StoreCompression
	}{{"ours", jetstream.S2Compression}, {"baseline", jetstream.NoCompression}} {
		b.Run(c.name, func(b *testing.B) {
			conn := natstest.With(b, func(o *server.Options) { o.SyncAlways = false }).Bus(b, "tidings")
			js := conn.JetStream()
			stream, err := js.CreateStream(b.Context(), jetstream.StreamConfig{Name: "TEXTS", Subjects: []string{"texts"}, Compression: c.store})
			if err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			for n := range b.N {
				if _, err := js.PublishAsync("texts", []byte(prose(n)), jetstream.WithStallWait(time.Minute)); err != nil {
					b.Fatal(err)
				}
			}
			<-js.PublishAsyncComplete()
			b.StopTimer()
			if info, err := stream.Info(b.Context()); err != nil || info.State.Msgs != uint64(b.N) {
				b.Fatalf("stored %+v, %v", info, err)
			}
		})
	}
}
