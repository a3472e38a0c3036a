package bus_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
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

const writers = 32

var body4K = strings.Repeat("x", 4<<10)

// prepared is a broker with the topology, whose writes are flushed one by one or not.
func prepared(b *testing.B, always bool) *bus.Bus {
	b.Helper()
	s := natstest.With(b, func(o *server.Options) { o.SyncAlways = always })
	top, err := event.NewTopology(event.DefaultSettings())
	if err != nil {
		b.Fatal(err)
	}
	c := s.Bus(b, "enrich")
	p, err := c.Plan(b.Context(), top)
	if err == nil {
		err = c.Apply(b.Context(), p, false)
	}
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// spread has writers do the loop of a benchmark together.
func spread(b *testing.B, do func(n int64) error) {
	b.Helper()
	var next atomic.Int64
	var group sync.WaitGroup
	b.ResetTimer()
	for range writers {
		group.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				if err := do(n); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}

// BenchmarkEmit compares a compare-and-set with a plain publish that waits for its ack: 4 KB, 32 writers, each message on
// a subject of its own.
func BenchmarkEmit(b *testing.B) {
	for _, always := range []bool{true, false} {
		message := func(n int64) event.Message {
			return enriched(b, article.NewID("blog", fmt.Sprint(n)), event.Version{Revision: 1}, body4K)
		}
		b.Run(fmt.Sprintf("sync=%v/ours", always), func(b *testing.B) {
			c := prepared(b, always)
			spread(b, func(n int64) error {
				_, err := c.Emit(b.Context(), message(n))
				return err
			})
		})
		b.Run(fmt.Sprintf("sync=%v/baseline", always), func(b *testing.B) {
			c := prepared(b, always)
			spread(b, func(n int64) error {
				m := message(n)
				_, err := c.JetStream().PublishMsg(b.Context(), &nats.Msg{Subject: m.Subject, Header: nats.Header(m.Header), Data: m.Body})
				return err
			})
		})
	}
}

// BenchmarkConsume compares our loop with the library's own: 4 KB, 8 workers, every message acked.
func BenchmarkConsume(b *testing.B) {
	const workers = 8
	fill := func(b *testing.B) *bus.Bus {
		c := prepared(b, false)
		batch := make([]event.Message, 0, b.N)
		for n := range b.N {
			batch = append(batch, raw(b, article.NewID("blog", fmt.Sprint(n)), 1, body4K))
		}
		if err := c.Append(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		return c
	}
	b.Run("ours", func(b *testing.B) {
		c := fill(b)
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		var handled atomic.Int64
		done, ended := make(chan struct{}), make(chan struct{})
		b.ResetTimer()
		go func() {
			defer close(ended)
			_ = c.Consume(ctx, bus.Consume{Stream: event.StreamRaw, Consumer: event.ConsumerEnrich, Workers: workers, Handle: func(context.Context, *bus.Delivery) error {
				if handled.Add(1) == int64(b.N) {
					close(done)
				}
				return nil
			}})
		}()
		<-done
		b.StopTimer() // the stop is not compared
		cancel()
		<-ended
	})
	b.Run("baseline", func(b *testing.B) {
		c := fill(b)
		consumer, err := c.JetStream().Consumer(b.Context(), event.StreamRaw, event.ConsumerEnrich)
		if err != nil {
			b.Fatal(err)
		}
		var handled atomic.Int64
		done, jobs := make(chan struct{}), make(chan jetstream.Msg)
		var group sync.WaitGroup
		b.ResetTimer()
		for range workers {
			group.Go(func() {
				for m := range jobs {
					if err := m.Ack(); err != nil {
						b.Error(err)
					}
					if handled.Add(1) == int64(b.N) {
						close(done)
					}
				}
			})
		}
		cc, err := consumer.Consume(func(m jetstream.Msg) { jobs <- m }, jetstream.PullMaxMessages(2*workers))
		if err != nil {
			b.Fatal(err)
		}
		<-done
		b.StopTimer()
		cc.Drain()
		<-cc.Closed()
		close(jobs)
		group.Wait()
	})
}

// BenchmarkStorm counts the calls of a slow handler for each message where the time for an ack is short: 20 ms and 1 s.
func BenchmarkStorm(b *testing.B) {
	c := prepared(b, false)
	slow := event.Consumer{Stream: event.StreamRaw, Name: "slow", Filter: event.All(event.SpaceRaw), MaxDeliver: -1, MaxAckPending: 1000, AckWait: time.Second}
	if _, err := c.EnsureConsumer(b.Context(), slow); err != nil {
		b.Fatal(err)
	}
	var batch []event.Message
	for n := range b.N {
		batch = append(batch, raw(b, article.NewID("blog", fmt.Sprint(n)), 1, "x"))
	}
	if err := c.Append(b.Context(), batch); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	var calls, first atomic.Int64
	b.ResetTimer()
	_ = c.Consume(ctx, bus.Consume{Stream: event.StreamRaw, Consumer: "slow", Workers: 1, Handle: func(ctx context.Context, d *bus.Delivery) error {
		calls.Add(1)
		timer := time.NewTimer(20 * time.Millisecond)
		defer timer.Stop()
		<-timer.C
		if d.Deliveries == 1 && first.Add(1) == int64(b.N) {
			cancel()
		}
		return nil
	}})
	b.ReportMetric(float64(calls.Load())/float64(b.N), "calls/message")
}
