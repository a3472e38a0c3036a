package bus_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
)

// noisy is a bus whose warnings a test can read.
func noisy(t *testing.T, s *natstest.Server, service string) (*bus.Bus, func() string) {
	t.Helper()
	var mu sync.Mutex
	var log bytes.Buffer
	b, err := bus.Connect(t.Context(), bus.Config{Service: service, InProcess: s, Log: slog.New(slog.NewTextHandler(writer(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return log.Write(p)
	}), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Errorf("close the bus: %v", err)
		}
	})
	if err := b.WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b, func() string {
		mu.Lock()
		defer mu.Unlock()
		return log.String()
	}
}

type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// other is a raw article of another source, on the backfill lane.
func other(t *testing.T, n int) event.Message {
	t.Helper()
	id := article.NewID("press", fmt.Sprint(n))
	subject, err := event.RawSubject("ff", "press", true)
	if err != nil {
		t.Fatal(err)
	}
	m, err := event.Encode(subject, event.Envelope{Type: event.TypeRaw, ID: event.RawID(id, 1, "00000000"), Source: "ingest", Time: time.Unix(1, 0), Article: id, Version: event.Version{Revision: 1}},
		article.Raw{ID: id, Revision: 1, Source: article.Source{ID: "press", Partition: "ff"}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestReplayGoesThroughRawAgainAndLeavesQuietly(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b, log := noisy(t, s, "enrich")
	var batch []event.Message
	for n := range 5 {
		batch = append(batch, raw(t, article.NewID("blog", fmt.Sprint(n)), 1, "x"), other(t, n))
	}
	if err := b.Append(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var calls sync.Map
	var total atomic.Int32
	done := make(chan error, 1)
	go func() {
		done <- b.ConsumeReplay(ctx, 2, func(context.Context) bool { return true }, func(_ context.Context, d *bus.Delivery) error {
			calls.Store(d.Sequence, d.Subject)
			total.Add(1)
			return nil
		})
	}()
	op := s.Bus(t, "tidings")
	since := time.Now().Add(-time.Hour)
	for _, c := range []struct {
		source string
		want   uint64
	}{{"", 10}, {"press", 5}} {
		r := event.Replay{Since: since, Source: c.source}
		if n, err := op.CountReplay(t.Context(), r); err != nil || n != c.want {
			t.Errorf("CountReplay(%q) = %d, %v; want %d", c.source, n, err, c.want)
		}
		before := total.Load()
		if _, err := op.StartReplay(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the end of the replay", func() bool {
			state, found, err := op.Replaying(t.Context())
			return err == nil && found && state.Finished()
		})
		if err := op.EndReplay(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := total.Load() - before; got != int32(c.want) {
			t.Errorf("the replay of %q handled %d messages, want %d", c.source, got, c.want)
		}
	}
	if _, found, err := op.Replaying(t.Context()); found || err != nil {
		t.Errorf("the consumer is still there: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("ConsumeReplay ended with %v", err)
	}
	if text := log(); text != "" {
		t.Errorf("the log says:\n%s", text)
	}
}

func TestReplayEndsWhereItIsTold(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "tidings")
	put := func(n int) time.Time {
		if err := b.Append(t.Context(), []event.Message{raw(t, article.NewID("blog", fmt.Sprint(n)), 1, "x")}); err != nil {
			t.Fatal(err)
		}
		state, err := b.StreamState(t.Context(), event.StreamRaw)
		if err != nil {
			t.Fatal(err)
		}
		r, err := b.At(t.Context(), event.StreamRaw, state.Last)
		if err != nil {
			t.Fatal(err)
		}
		return r.Time
	}
	var at []time.Time
	for n := range 4 {
		at = append(at, put(n))
	}
	r := event.Replay{Since: at[1], Until: at[2]}
	if n, err := b.CountReplay(t.Context(), r); err != nil || n != 2 {
		t.Errorf("CountReplay = %d, %v; want 2", n, err)
	}
	if n, err := b.CountReplay(t.Context(), event.Replay{Since: at[1], Until: time.Now().Add(time.Hour)}); err != nil || n != 3 {
		t.Errorf("CountReplay up to the future = %d, %v; want 3", n, err)
	}
	state, err := b.StartReplay(t.Context(), r)
	if err != nil || state.Goal != 3 || state.Pending != 3 || state.Finished() {
		t.Errorf("StartReplay = %+v, %v; want goal 3 and 3 pending", state, err)
	}
}

func TestOneReplayAtATime(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "tidings")
	if err := b.Append(t.Context(), []event.Message{raw(t, article.NewID("blog", "1"), 1, "x")}); err != nil {
		t.Fatal(err)
	}
	r := event.Replay{Since: time.Now().Add(-time.Hour).Round(0)}
	for range 2 { // given again after a kill it goes on with the same
		if _, err := b.StartReplay(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	r.Source = "blog"
	if _, err := b.StartReplay(t.Context(), r); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a second replay: %v; want a conflict", err)
	}
	for range 2 {
		if err := b.EndReplay(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.StartReplay(t.Context(), r); err != nil {
		t.Errorf("a replay after the end of the first: %v", err)
	}
	for name, bad := range map[string]event.Replay{
		"no beginning": {}, "begins in the future": {Since: time.Now().Add(time.Hour)}, "ends before it begins": {Since: time.Unix(9, 0), Until: time.Unix(8, 0)},
		"no source": {Since: time.Unix(9, 0), Source: "a.>"}, "too slow": {Since: time.Unix(9, 0), Rate: 0.001},
	} {
		if _, err := b.StartReplay(t.Context(), bad); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v; want invalid", name, err)
		}
	}
}

func TestReplayKeepsItsRate(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "enrich")
	var batch []event.Message
	for n := range 8 {
		batch = append(batch, raw(t, article.NewID("blog", fmt.Sprint(n)), 1, "x"))
	}
	if err := b.Append(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if _, err := b.StartReplay(t.Context(), event.Replay{Since: time.Now().Add(-time.Hour), Rate: 20}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	began := make(chan time.Time, len(batch))
	done := make(chan error, 1)
	go func() {
		done <- b.ConsumeReplay(ctx, 4, func(context.Context) bool { return true }, func(context.Context, *bus.Delivery) error {
			began <- time.Now()
			return nil
		})
	}()
	first, last := <-began, time.Time{}
	for range len(batch) - 1 {
		last = <-began
	}
	// 7 gaps of 50 ms; a clock that is read late can only lengthen the first of them away.
	if took := last.Sub(first); took < 250*time.Millisecond {
		t.Errorf("8 messages at 20 a second began within %v", took)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
