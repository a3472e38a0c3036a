package faults

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/natstest"
	"tidings.internal/services/tidings/e2e/history"
)

var outageFlag = flag.Duration("faults.outage", 5*time.Second, "how long the broker is away")

// by returns the process of a name.
func (w *world) by(name string) *process {
	return w.processes[slices.IndexFunc(w.processes, func(p *process) bool { return p.name == name })]
}

// until waits for a condition.
func until(t *testing.T, limit time.Duration, what string, met func(ctx context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !met(ctx) {
		select {
		case <-ctx.Done():
			t.Fatalf("waited %v in vain for %s", limit, what)
		case <-tick.C:
		}
	}
}

// holds watches for a while that a condition stays met.
func holds(t *testing.T, span time.Duration, what string, met func(ctx context.Context) bool) {
	t.Helper()
	end := time.NewTimer(span)
	defer end.Stop()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-end.C:
			return
		case <-tick.C:
			if !met(t.Context()) {
				t.Fatalf("no longer holds: %s", what)
			}
		}
	}
}

// metric reports whether a line stands in the metrics of a process.
func (p *process) metric(ctx context.Context, line string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(p.ready, "/readyz")+"/metrics", nil)
	if err != nil {
		return false
	}
	resp, err := (&http.Client{Timeout: 2 * time.Second}).Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return err == nil && strings.Contains(string(text), line+"\n")
}

// wrote reports whether a text stands in the log of a process.
func (p *process) wrote(text string) bool {
	data, err := os.ReadFile(p.log)
	return err == nil && strings.Contains(string(data), text)
}

// running reports whether a process never ended by itself.
func (p *process) running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// clean waits for a history without a fault.
func (w *world) clean(t *testing.T, limit time.Duration) history.History {
	t.Helper()
	h, bad := w.settle(t, limit, func(bad []string) bool { return len(bad) == 0 })
	if len(bad) > 0 {
		w.fail(t, h, bad)
		t.FailNow()
	}
	return h
}

// evicted is the number of messages that a stream has dropped.
func (w *world) evicted(t *testing.T, stream string) uint64 {
	t.Helper()
	s, err := w.bus.StreamState(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	return s.First - 1
}

// With enrich away ingest fetches until so much waits as may wait, then leaves the sources alone. Nothing falls out of
// RAW, and once enrich is back all of it goes on by itself.
func TestIngestWaitsForEnrich(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 11, shape{ingest: "  max_pending: 60\n"})
	w.clean(t, time.Minute)
	enrich, ingest := w.by("enrich"), w.by("ingest")
	enrich.kill()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for n := 0; !ingest.metric(t.Context(), `tidings_ingest_admission_closed{lane="live"} 1`); n++ {
		if n > 1000 {
			t.Fatalf("ingest never stops:\n%s", ingest.tail())
		}
		<-tick.C
		w.script.add(false)
	}
	last := func(ctx context.Context) uint64 {
		s, err := w.bus.StreamState(ctx, event.StreamRaw)
		if err != nil {
			t.Fatal(err)
		}
		return s.Last
	}
	// A poll that had begun may still bring its items; then nothing comes however much there is.
	var before uint64
	until(t, 10*time.Second, "the last polls to end", func(ctx context.Context) bool {
		now := last(ctx)
		same := now == before
		before = now
		return same
	})
	for range 100 {
		w.script.add(false)
	}
	holds(t, 7*time.Second, "nothing is fetched while the gate is shut", func(ctx context.Context) bool { return last(ctx) == before })
	enrich.start(t)
	enrich.awaitReady(t, 30*time.Second)
	h := w.clean(t, time.Minute)
	if n := w.evicted(t, event.StreamRaw); n > 0 {
		t.Errorf("RAW dropped %d messages", n)
	}
	t.Logf("closed at %d messages of RAW; %d items offered, all arrived", before, len(h.Offers))
}

// A channel whose receiver is down keeps its posts waiting. When POSTS nears its end composing stops rather than push out
// what nobody was given; with room again everything goes out on both channels.
func TestADeadChannelPushesNothingOut(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	down.Store(true)
	second := newSink(t)
	accept := second.server.Config.Handler
	second.server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if down.Load() {
			rw.Header().Set("Retry-After", "1")
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		accept.ServeHTTP(rw, r)
	})
	const small, large = 512 << 10, 64 << 20
	w := newWorld(t, 12, shape{
		maxBytes: map[string]int64{event.StreamPosts: small}, sections: "deliver: {max_open: 10}\n",
		channels: fmt.Sprintf("  - {id: other, network: webhook, url: %q, allow_private: true}\n", second.server.URL),
	})
	w.clean(t, time.Minute)
	publish := w.by("publish")
	// No more is under way than fits above the limit: what the gate cannot know yet must have room.
	const underWay = 8
	for n := 1; !publish.wrote("stopped composing"); n++ {
		if n > 1000 {
			t.Fatalf("publish never stops composing:\n%s", publish.tail())
		}
		w.script.add(false)
		until(t, time.Minute, "the posts of what was offered", func(ctx context.Context) bool {
			s, err := w.bus.StreamState(ctx, event.StreamPosts)
			return publish.wrote("stopped composing") || err == nil && s.Last+underWay >= uint64(2*n)
		})
	}
	if n := w.evicted(t, event.StreamPosts); n > 0 {
		t.Errorf("POSTS dropped %d messages", n)
	}
	for range 20 {
		w.script.add(false) // they wait in ARTICLES
	}
	w.apply(t, map[string]int64{event.StreamPosts: large})
	down.Store(false)
	h := w.clean(t, 2*time.Minute)
	until(t, 2*time.Minute, "every item on the other channel", func(context.Context) bool {
		heard := map[string]bool{}
		for _, c := range second.Log() {
			heard[c.Key] = true
		}
		return len(heard) == len(h.Offers)-len(h.Baseline)
	})
	if n := w.evicted(t, event.StreamPosts); n > 0 {
		t.Errorf("POSTS dropped %d messages", n)
	}
}

// The broker is away for longer than any reconnect wait: no process ends, nothing is lost, nothing is posted twice.
func TestOutageOfTheBroker(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 13, shape{})
	ctx, cancel := context.WithCancel(t.Context())
	played := make(chan struct{})
	go func() { defer close(played); w.play(ctx, 100*time.Millisecond) }()
	until(t, 30*time.Second, "posts under way", func(context.Context) bool { return len(w.sink.Log()) > 10 })
	nats := w.by("nats")
	nats.kill()
	holds(t, *outageFlag, "every service runs while the broker is away", func(context.Context) bool {
		return !slices.ContainsFunc(w.processes[1:], func(p *process) bool { return !p.running() })
	})
	nats.start(t)
	nats.awaitReady(t, 30*time.Second)
	for _, p := range w.processes {
		p.awaitReady(t, time.Minute)
	}
	heard := len(w.sink.Log())
	until(t, time.Minute, "posts again", func(context.Context) bool { return len(w.sink.Log()) > heard+5 })
	cancel()
	<-played
	h := w.clean(t, 2*time.Minute)
	w.report(t, h)
}

// stopLimit is how long a service may take to end.
const stopLimit = 25 * time.Second

// A stop in the middle of work finishes what is in hand, and gives back at once what was only pulled: no message is left that
// comes again only when the time for its ack has run out.
func TestStopUnderLoadLeavesNothingInHand(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 14, shape{})
	ctx, cancel := context.WithCancel(t.Context())
	played := make(chan struct{})
	answers := natstest.Listen(t, "nats://"+w.processes[0].ready)
	go func() { defer close(played); w.play(ctx, 20*time.Millisecond) }()
	until(t, 30*time.Second, "posts under way", func(context.Context) bool { return len(w.sink.Log()) > 20 })
	for _, p := range w.processes[1:] {
		began := time.Now()
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		until(t, stopLimit, p.name+" to end", func(context.Context) bool { return !p.running() })
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("%s ends with %d:\n%s", p.name, code, p.tail())
		}
		t.Logf("%s ended after %v", p.name, time.Since(began).Round(time.Millisecond))
	}
	cancel()
	<-played
	for _, c := range []struct{ stream, consumer string }{
		{event.StreamRaw, event.ConsumerEnrich}, {event.StreamRaw, event.ConsumerBackfill}, {event.StreamArticles, event.ConsumerComposer},
		{event.StreamPosts, event.ChannelConsumer("sink").Name},
	} {
		var inHand, back uint64
		until(t, 30*time.Second, fmt.Sprintf("every message of %s settled or given back", c.consumer), func(ctx context.Context) bool {
			l, err := w.bus.Backlog(ctx, c.stream, c.consumer)
			inHand, back = l.AckPending, answers.GivenBack(c.stream, c.consumer)
			return err == nil && inHand <= back
		})
		t.Logf("%s of %s gave %d messages back, and the broker has %d that are not settled", c.consumer, c.stream, back, inHand)
	}
	for _, p := range w.processes[1:] {
		p.start(t)
		p.awaitReady(t, 30*time.Second)
	}
	w.clean(t, 2*time.Minute)
}
