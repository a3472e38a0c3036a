package bus_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
)

func TestMain(m *testing.M) {
	// The default of 100 runs of a property takes seconds here, and most tests wait for a broker rather than compute, so
	// more of them than processors may run at once. Flags on the command line still win.
	for name, value := range map[string]string{"rapid.checks": "30", "test.parallel": "8"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m,
		// A put into an object store that ends before this goroutine of it has begun leaves it behind (nats.go v1.55.0,
		// jetstream/publish.go, newAsyncReply and cleanupPublisher).
		goleak.IgnoreTopFunction("github.com/nats-io/nats.go/jetstream.(*jetStream).resetPendingAcksOnReconnect"))
}

// eventually waits for a condition and prints the last state when it does not come.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(15 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("waited in vain for: %s", what)
		case <-tick.C:
		}
	}
}

const pp = "0a"

func enriched(t testing.TB, id string, v event.Version, body string) event.Message {
	t.Helper()
	subject, err := event.EnrichedSubject(pp, "blog", id)
	if err != nil {
		t.Fatal(err)
	}
	m, err := event.Encode(subject, event.Envelope{Type: event.TypeEnriched, ID: event.EnrichedID(id, v), Source: "enrich", Time: time.Unix(1, 0), Article: id, Version: v},
		article.Article{ID: id, Revision: v.Revision, Source: article.Source{ID: "blog", Partition: pp}, Text: body})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func raw(t testing.TB, id string, rev uint64, body string) event.Message {
	t.Helper()
	subject, err := event.RawSubject(pp, "blog", false)
	if err != nil {
		t.Fatal(err)
	}
	m, err := event.Encode(subject, event.Envelope{Type: event.TypeRaw, ID: event.RawID(id, rev, event.Hash([]byte(body))), Source: "ingest", Time: time.Unix(1, 0), Article: id, Version: event.Version{Revision: rev}},
		article.Raw{ID: id, Revision: rev, Source: article.Source{ID: "blog", Partition: pp}, Title: body})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestEmitNeverGoesBack(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "enrich")
	id := article.NewID("blog", "1")
	emit := func(v event.Version, body string, want bus.Outcome) {
		t.Helper()
		got, err := b.Emit(t.Context(), enriched(t, id, v, body))
		if err != nil || got != want {
			t.Errorf("Emit(%+v, %q) = %q, %v; want %q", v, body, got, err, want)
		}
	}
	emit(event.Version{Revision: 2, Fence: 5}, "b", bus.Stored)
	emit(event.Version{Revision: 2, Fence: 5}, "b", bus.Skipped)
	emit(event.Version{Revision: 2, Fence: 5}, "other", bus.Diverged)
	emit(event.Version{Revision: 1, Fence: 9}, "a", bus.Skipped)
	emit(event.Version{Revision: 2, Fence: 4}, "paused owner", bus.Skipped)
	emit(event.Version{Revision: 2, Fence: 6}, "new owner", bus.Stored)
	emit(event.Version{Revision: 2, Fence: 6, Generation: 7}, "tagged anew", bus.Stored)
	// The same content under a higher revision is written: without it a late older one could win.
	emit(event.Version{Revision: 3}, "c", bus.Stored)
	last, err := b.Last(t.Context(), enriched(t, id, event.Version{}, "").Subject)
	if err != nil || last == nil {
		t.Fatalf("Last = %v, %v", last, err)
	}
	if _, a, err := event.DecodeEnriched(last.Message); err != nil || a.Text != "c" {
		t.Errorf("the subject holds %q, %v; want the newest", a.Text, err)
	}
}

func TestConcurrentEmittersLeaveTheNewest(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	id := article.NewID("blog", "1")
	buses := []*bus.Bus{s.Bus(t, "enrich"), s.Bus(t, "enrich")}
	var group sync.WaitGroup
	for n := range uint64(16) {
		group.Go(func() {
			b := buses[n%2]
			for {
				_, err := b.Emit(t.Context(), enriched(t, id, event.Version{Revision: n + 1}, fmt.Sprint(n+1)))
				if fault.KindOf(err) == fault.Conflict {
					continue // what the consume loop does: back at once
				}
				if err != nil {
					t.Errorf("emit revision %d: %v", n+1, err)
				}
				return
			}
		})
	}
	group.Wait()
	last, err := buses[0].Last(t.Context(), enriched(t, id, event.Version{}, "").Subject)
	if err != nil {
		t.Fatal(err)
	}
	if env, err := event.Decode(last.Message); err != nil || env.Version.Revision != 16 {
		t.Errorf("the subject holds revision %d, %v; want 16", env.Version.Revision, err)
	}
}

func TestAppendDropsRepeats(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "ingest")
	var batch []event.Message
	for n := range 300 {
		batch = append(batch, raw(t, article.NewID("blog", fmt.Sprint(n)), 1, "x"))
	}
	for range 2 {
		if err := b.Append(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	state, err := b.StreamState(t.Context(), event.StreamRaw)
	if err != nil || state.Messages != 300 {
		t.Errorf("RAW holds %d messages, %v; want 300", state.Messages, err)
	}
	huge := raw(t, article.NewID("blog", "huge"), 1, string(make([]byte, 600<<10)))
	if err := b.Append(t.Context(), []event.Message{huge}); fault.KindOf(err) != fault.TooLarge {
		t.Errorf("a message past the limit: %v is %q, want too_large", err, fault.KindOf(err))
	}
}

// Each kind of error leads to the verdict that package fault names for it.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		fail  func(n int) error
		calls int
		dead  string
	}{
		{"nil is done", func(int) error { return nil }, 1, ""},
		{"uncertain is done", func(int) error { return fault.Errorf(fault.Uncertain, "who knows") }, 1, ""},
		{"conflict comes back soon", func(n int) error {
			if n == 1 {
				return fault.Errorf(fault.Conflict, "lost")
			}
			return nil
		}, 2, ""},
		{"throttled comes back when told", func(n int) error {
			if n == 1 {
				return fault.Later(errors.New("busy"), 10*time.Millisecond)
			}
			return nil
		}, 2, ""},
		{"malformed dies", func(int) error { return fault.Errorf(fault.Malformed, "no JSON") }, 1, "malformed"},
		{"invalid dies under its own reason", func(int) error { return bus.Dead("bad_link", fault.Errorf(fault.Invalid, "no link")) }, 1, "bad_link"},
		{"conflict dies on the last delivery", func(int) error { return fault.Errorf(fault.Conflict, "lost") }, 6, "conflict"},
		{"a panic is retried", func(n int) error {
			if n == 1 {
				panic("boom")
			}
			return nil
		}, 2, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := natstest.Run(t).Bus(t, "enrich")
			if err := b.Append(t.Context(), []event.Message{raw(t, article.NewID("blog", "1"), 1, "x")}); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var calls atomic.Int32
			done := make(chan error, 1)
			go func() {
				done <- b.Consume(ctx, bus.Consume{Stream: event.StreamRaw, Consumer: event.ConsumerEnrich, Handle: func(_ context.Context, d *bus.Delivery) error {
					return c.fail(int(calls.Add(1)))
				}})
			}()
			eventually(t, "the message to be settled", func() bool {
				l, err := b.Backlog(t.Context(), event.StreamRaw, event.ConsumerEnrich)
				return err == nil && l.Lag() == 0 && int(calls.Load()) >= c.calls
			})
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Consume ended with %v", err)
			}
			if n := int(calls.Load()); n != c.calls {
				t.Errorf("the handler was called %d times, want %d", n, c.calls)
			}
			dead, err := b.DeadList(t.Context(), bus.DeadFilter{})
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case c.dead == "" && len(dead) != 0:
				t.Errorf("there are dead letters: %+v", dead)
			case c.dead != "" && (len(dead) != 1 || dead[0].Reason != c.dead):
				t.Errorf("dead letters %+v, want one for %q", dead, c.dead)
			}
		})
	}
}

func TestDeadLetterGoesBack(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "enrich")
	if err := b.Append(t.Context(), []event.Message{raw(t, article.NewID("blog", "1"), 1, "x")}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var broken atomic.Bool
	broken.Store(true)
	good := make(chan string, 8)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	group.Go(func() {
		_ = b.Consume(ctx, bus.Consume{Stream: event.StreamRaw, Consumer: event.ConsumerEnrich, Handle: func(_ context.Context, d *bus.Delivery) error {
			if broken.Load() {
				return fault.Errorf(fault.Invalid, "not yet")
			}
			_, a, err := event.DecodeRaw(d.Message)
			good <- a.Title
			return err
		}})
	})
	var list []bus.DeadLetter
	eventually(t, "the dead letter", func() bool {
		var err error
		list, err = b.DeadList(t.Context(), bus.DeadFilter{Service: "enrich"})
		return err == nil && len(list) == 1
	})
	l := list[0]
	if l.Kind != "invalid" || l.Error != "not yet" || l.Stream != event.StreamRaw || l.Origin != 1 || l.Subject != "article.raw.0a.blog" || l.Deliveries != 1 {
		t.Errorf("the letter tells %+v", l)
	}
	broken.Store(false)
	if word, err := b.DeadRetry(t.Context(), l.Sequence); err != nil || word != "sent" {
		t.Fatalf("DeadRetry = %q, %v", word, err)
	}
	select {
	case title := <-good:
		if title != "x" {
			t.Errorf("the message came back as %q", title)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the message did not come back")
	}
	if list, err := b.DeadList(t.Context(), bus.DeadFilter{}); err != nil || len(list) != 0 {
		t.Errorf("after the retry there are %v, %v", list, err)
	}
	if _, err := b.DeadRetry(t.Context(), l.Sequence); fault.KindOf(err) != fault.Invalid {
		t.Errorf("retrying it twice: %v", err)
	}
}

type fold struct {
	mu      sync.Mutex
	resets  []string
	next    map[string]string
	now     map[string]string
	applied event.Applied
}

func (f *fold) Reset(reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.resets = append(f.resets, reason)
	f.next = map[string]string{}
}

func (f *fold) Apply(r bus.Record) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, a, err := event.DecodeEnriched(r.Message)
	f.next[a.ID] = a.Text
	return err
}

func (f *fold) CaughtUp(a event.Applied) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now, f.applied = f.next, a
}

func (f *fold) Evicted(uint64) {}

func (f *fold) text(id string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now[id]
}

func TestFollowSurvivesARestartOfTheBroker(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "publish")
	f := &fold{}
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	group.Go(func() { _ = b.Follow(ctx, event.StreamArticles, event.All(event.SpaceEnriched), f) })
	id := article.NewID("blog", "1")
	for rev := uint64(1); rev <= 3; rev++ {
		want := fmt.Sprint("text ", rev)
		eventually(t, "the article to be stored", func() bool {
			_, err := b.Emit(t.Context(), enriched(t, id, event.Version{Revision: rev}, want))
			return err == nil
		})
		eventually(t, want, func() bool { return f.text(id) == want })
		s.Stop()
		if err := b.Probe(t.Context()); fault.KindOf(err) != fault.Unreachable {
			eventually(t, "the outage to be seen", func() bool { return fault.KindOf(b.Probe(t.Context())) == fault.Unreachable })
		}
		if f.text(id) != want {
			t.Error("the outage emptied the projection")
		}
		s.Start(t)
	}
	if len(f.resets) != 1 || f.resets[0] != bus.ResetStart {
		t.Errorf("the projection was folded anew: %v", f.resets)
	}
}

func TestBucketComparesAndSets(t *testing.T) {
	t.Parallel()
	k := natstest.Run(t).Bus(t, "deliver").Bucket(event.BucketDeliveries)
	ctx := t.Context()
	if _, ok, err := k.Read(ctx, "p.masto.x"); ok || err != nil {
		t.Fatalf("an empty bucket has the key: %v, %v", ok, err)
	}
	rev, err := k.Create(ctx, "p.masto.x", []byte("1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Create(ctx, "p.masto.x", []byte("2")); fault.KindOf(err) != fault.Conflict {
		t.Errorf("creating it twice: %v", err)
	}
	next, err := k.Update(ctx, "p.masto.x", []byte("2"), rev)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Update(ctx, "p.masto.x", []byte("3"), rev); fault.KindOf(err) != fault.Conflict {
		t.Errorf("updating an old revision: %v", err)
	}
	e, ok, err := k.Read(ctx, "p.masto.x")
	if !ok || err != nil || string(e.Value) != "2" || e.Revision != next {
		t.Errorf("Read = %+v, %v, %v", e, ok, err)
	}
	list, err := k.Entries(ctx, "p.masto.>")
	if err != nil || len(list) != 1 {
		t.Errorf("Entries = %v, %v", list, err)
	}
	if err := k.Delete(ctx, "p.masto.x"); err != nil {
		t.Fatal(err)
	}
	if list, err := k.Entries(ctx); err != nil || len(list) != 0 {
		t.Errorf("after the delete Entries = %v, %v", list, err)
	}
	if _, err := k.Create(ctx, "p.masto.x", []byte("again")); err != nil {
		t.Errorf("a deleted key cannot be made again: %v", err)
	}
}

func TestWatchShowsStateThenChangesAcrossARestart(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "ingest")
	k := b.Bucket(event.BucketSourceConfig)
	if _, err := k.Put(t.Context(), "a", []byte("1")); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	seen, levels := map[string]string{}, 0
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	group.Go(func() {
		_ = k.Watch(ctx, ">", func(e bus.Entry) {
			mu.Lock()
			defer mu.Unlock()
			seen[e.Key] = string(e.Value)
			if e.Deleted {
				delete(seen, e.Key)
			}
		}, func() { mu.Lock(); defer mu.Unlock(); levels++ })
	})
	has := func(key, value string) func() bool {
		return func() bool { mu.Lock(); defer mu.Unlock(); return levels > 0 && seen[key] == value }
	}
	eventually(t, "the present state", has("a", "1"))
	s.Stop()
	s.Start(t)
	eventually(t, "a change after the restart", func() bool {
		_, err := k.Put(t.Context(), "b", []byte("2"))
		return err == nil
	})
	eventually(t, "the change to be shown", has("b", "2"))
	if err := k.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the delete to be shown", has("a", ""))
}

func TestLeaseHasOneHolderAndARisingFence(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	one, two := s.Bus(t, "ingest"), s.Bus(t, "ingest")
	first, err := one.Acquire(t.Context(), "ingest.7")
	if err != nil {
		t.Fatal(err)
	}
	if !first.Valid() {
		t.Error("a fresh lease is not valid")
	}
	if _, err := two.Acquire(t.Context(), "ingest.7"); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a held lease was given away: %v", err)
	}
	if err := first.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if first.Valid() {
		t.Error("a released lease is valid")
	}
	second, err := two.Acquire(t.Context(), "ingest.7")
	if err != nil {
		t.Fatal(err)
	}
	if second.Fence() <= first.Fence() {
		t.Errorf("the fence went from %d to %d", first.Fence(), second.Fence())
	}
	if err := second.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestBlobsAreChecked(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "ingest")
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	ref, err := b.PutBlob(t.Context(), []byte("a long body"), now)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := b.PutBlob(t.Context(), []byte("a long body"), now); err != nil || again != ref {
		t.Errorf("the same body again = %+v, %v; want %+v", again, err, ref)
	}
	if data, err := b.ReadBlob(t.Context(), ref); err != nil || string(data) != "a long body" {
		t.Errorf("ReadBlob = %q, %v", data, err)
	}
	for name, spoil := range map[string]func(*article.Blob){
		"another hash": func(r *article.Blob) { r.SHA256 = event.Hash([]byte("x")) },
		"another size": func(r *article.Blob) { r.Bytes-- },
		"missing":      func(r *article.Blob) { r.Name = "2026w01-" + event.Hash([]byte("x")) },
	} {
		bad := ref
		spoil(&bad)
		if _, err := b.ReadBlob(t.Context(), bad); fault.KindOf(err) != fault.Gone {
			t.Errorf("%s: %v is %q, want gone", name, err, fault.KindOf(err))
		}
	}
	if _, err := b.ReadBlob(t.Context(), article.Blob{Name: "../x"}); fault.KindOf(err) != fault.Malformed {
		t.Errorf("a hostile name: %v", err)
	}
}
