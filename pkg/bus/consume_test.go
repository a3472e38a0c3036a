package bus_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
)

// consuming runs a consumer of RAW until the test or stop ends it.
func consuming(t *testing.T, b *bus.Bus, c bus.Consume) (stop func()) {
	t.Helper()
	if c.Stream == "" {
		c.Stream, c.Consumer = event.StreamRaw, event.ConsumerEnrich
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Consume(ctx, c) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Consume ended with %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("Consume did not end")
		}
	})
	t.Cleanup(stop)
	return stop
}

func appendRaw(t *testing.T, b *bus.Bus, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if err := b.Append(t.Context(), []event.Message{raw(t, article.NewID("blog", key), 1, key)}); err != nil {
			t.Fatal(err)
		}
	}
}

func settled(t *testing.T, b *bus.Bus) func() bool {
	return func() bool {
		l, err := b.Backlog(t.Context(), event.StreamRaw, event.ConsumerEnrich)
		return err == nil && l.Lag() == 0
	}
}

// seen collects the titles that handlers were given.
type seen struct {
	mu     sync.Mutex
	titles map[string]int
}

func (s *seen) take(_ context.Context, d *bus.Delivery) error {
	_, a, err := event.DecodeRaw(d.Message)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.titles == nil {
		s.titles = map[string]int{}
	}
	s.titles[a.Title]++
	return nil
}

func (s *seen) count(title string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.titles[title]
}

func TestADeletedConsumerIsBoundAgain(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b, operator := s.Bus(t, "enrich"), s.Bus(t, "tidings")
	var got seen
	consuming(t, b, bus.Consume{Handle: got.take})
	appendRaw(t, b, "1")
	eventually(t, "the first message", func() bool { return got.count("1") > 0 })
	if err := operator.DropConsumer(t.Context(), event.StreamRaw, event.ConsumerEnrich); err != nil {
		t.Fatal(err)
	}
	if err := operator.DropConsumer(t.Context(), event.StreamRaw, event.ConsumerEnrich); err != nil {
		t.Errorf("dropping it twice: %v", err)
	}
	appendRaw(t, b, "2")
	plan, err := operator.Plan(t.Context(), topology(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := operator.Apply(t.Context(), plan, false); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second message", func() bool { return got.count("2") > 0 })
}

// Nothing tells a consumer that waits through an outage that its object went meanwhile.
func TestAConsumerThatWentDuringAnOutageIsBoundAgain(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "enrich")
	var got seen
	consuming(t, b, bus.Consume{Handle: got.take})
	appendRaw(t, b, "1")
	eventually(t, "the first message", func() bool { return got.count("1") > 0 })
	s.Stop()
	s.Start(t)
	operator := s.Bus(t, "tidings") // connects at once, the consumer later
	if err := operator.DropConsumer(t.Context(), event.StreamRaw, event.ConsumerEnrich); err != nil {
		t.Fatal(err)
	}
	appendRaw(t, operator, "2")
	for _, c := range topology(t).Consumers {
		if _, err := operator.EnsureConsumer(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the second message", func() bool { return got.count("2") > 0 })
}

func TestNothingIsPulledWhileTheGateIsShut(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "enrich")
	var got seen
	var open atomic.Bool
	asked := make(chan struct{}, 100)
	consuming(t, b, bus.Consume{Handle: got.take, While: func(context.Context) bool {
		select {
		case asked <- struct{}{}:
		default: // the test has seen enough
		}
		return open.Load()
	}})
	appendRaw(t, b, "1")
	<-asked
	<-asked // a second after the first: a pull would have brought the message long ago
	if n := got.count("1"); n != 0 {
		t.Errorf("the handler was called %d times before the gate opened", n)
	}
	open.Store(true)
	eventually(t, "the message", func() bool { return got.count("1") == 1 })
	open.Store(false)
	for range 2 {
		<-asked
	}
	eventually(t, "the pull to end", func() bool {
		c, err := b.JetStream().Consumer(t.Context(), event.StreamRaw, event.ConsumerEnrich)
		return err == nil && c.CachedInfo().NumWaiting == 0
	})
}

// At a stop running handlers finish; what was pulled and not begun goes to another replica at once.
func TestAStopGivesBackWhatWasNotBegun(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	one, two := s.Bus(t, "enrich"), s.Bus(t, "enrich")
	appendRaw(t, one, "1", "2", "3", "4")
	begun, finish := make(chan struct{}), make(chan struct{})
	var first, second seen
	stop := consuming(t, one, bus.Consume{Handle: func(ctx context.Context, d *bus.Delivery) error {
		begun <- struct{}{}
		<-finish
		if ctx.Err() != nil {
			t.Error("a running handler was cut off at the stop")
		}
		return first.take(ctx, d)
	}})
	<-begun
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	consuming(t, two, bus.Consume{Handle: second.take})
	eventually(t, "the other replica to have the rest", func() bool {
		return second.count("2") == 1 && second.count("3") == 1 && second.count("4") == 1
	})
	if isClosed(stopped) {
		t.Error("the stop did not wait for the running handler")
	}
	close(finish)
	<-stopped
	eventually(t, "all to be settled", settled(t, two))
	if first.count("1") != 1 || second.count("1") != 0 {
		t.Errorf("the running message was handled %d times here and %d times there", first.count("1"), second.count("1"))
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestALateHandlerIsCutOffAndTriedAgain(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "enrich")
	appendRaw(t, b, "1")
	var calls atomic.Int32
	var got seen
	consuming(t, b, bus.Consume{Deadline: 20 * time.Millisecond, Handle: func(ctx context.Context, d *bus.Delivery) error {
		if calls.Add(1) == 1 {
			<-ctx.Done()
			return ctx.Err()
		}
		return got.take(ctx, d)
	}})
	eventually(t, "the second call", func() bool { return got.count("1") == 1 })
	eventually(t, "it to be settled", settled(t, b))
}

// A handler that ignores its context holds up neither the messages behind it nor a stop, and its own message is tried
// again.
func TestAHandlerThatHangsIsLeftAlone(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "enrich")
	appendRaw(t, b, "hangs", "waits behind it")
	release := make(chan struct{})
	var calls, back atomic.Int32
	var got seen
	stop := consuming(t, b, bus.Consume{Deadline: 20 * time.Millisecond, Handle: func(ctx context.Context, d *bus.Delivery) error {
		if d.Sequence == 1 && calls.Add(1) == 1 {
			<-release
			back.Add(1)
			return nil
		}
		return got.take(ctx, d)
	}})
	eventually(t, "the message behind it", func() bool { return got.count("waits behind it") == 1 })
	eventually(t, "another try", func() bool { return got.count("hangs") == 1 })
	eventually(t, "both to be settled", settled(t, b))
	stop()
	close(release)
	eventually(t, "the handler to end", func() bool { return back.Load() == 1 })
}

// With more of them than may be left alone, workers wait, and a stop still ends.
func TestAStopEndsThoughEveryWorkerHangs(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "enrich")
	b.Grace(50 * time.Millisecond)
	release := make(chan struct{})
	var hanging atomic.Int32
	for n := range 40 {
		appendRaw(t, b, fmt.Sprint(n))
	}
	stop := consuming(t, b, bus.Consume{Workers: 4, Deadline: 10 * time.Millisecond, Handle: func(context.Context, *bus.Delivery) error {
		hanging.Add(1)
		<-release
		hanging.Add(-1)
		return nil
	}})
	eventually(t, "all to hang", func() bool { return hanging.Load() == 12 }) // 8 left alone, 4 waited for
	stop()
	close(release)
	eventually(t, "all to end", func() bool { return hanging.Load() == 0 })
}

// An error of cancellation without a stop is the handler's own fault: were it taken for a stop, the message would come
// back for ever.
func TestACancellationWithoutAStopIsAFault(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "enrich")
	if _, err := b.EnsureConsumer(t.Context(), event.Consumer{Stream: event.StreamRaw, Name: "once", Filter: event.All(event.SpaceRaw), MaxDeliver: 5, Attempts: 1, MaxAckPending: 10, AckWait: event.AckWait}); err != nil {
		t.Fatal(err)
	}
	appendRaw(t, b, "1")
	consuming(t, b, bus.Consume{Stream: event.StreamRaw, Consumer: "once", Handle: func(context.Context, *bus.Delivery) error { return context.Canceled }})
	eventually(t, "the dead letter", func() bool {
		list, err := b.DeadList(t.Context(), bus.DeadFilter{Reason: string(fault.Internal)})
		return err == nil && len(list) == 1
	})
}

// The broker can be made to publish for somebody who may not (nats-server #8274); what it adds then gives it away.
func TestForgedMessagesBecomeDeadLetters(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "enrich")
	var got seen
	consuming(t, b, bus.Consume{Handle: got.take})
	forged := raw(t, article.NewID("blog", "1"), 1, "forged")
	forged.Header["Nats-Stream"] = []string{event.StreamRaw}
	if _, err := b.JetStream().PublishMsg(t.Context(), &nats.Msg{Subject: forged.Subject, Header: nats.Header(forged.Header), Data: forged.Body}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.JetStream().Publish(t.Context(), forged.Subject, []byte("no headers at all")); err != nil {
		t.Fatal(err)
	}
	appendRaw(t, b, "genuine")
	eventually(t, "all to be settled", settled(t, b))
	list, err := b.DeadList(t.Context(), bus.DeadFilter{Service: "enrich", Reason: "malformed"})
	if err != nil || len(list) != 2 {
		t.Errorf("dead letters %+v, %v; want the two forged messages", list, err)
	}
	if got.count("genuine") != 1 || got.count("forged") != 0 {
		t.Errorf("the handler took %v", got.titles)
	}
	genuine, err := b.At(t.Context(), event.StreamRaw, 3)
	if err != nil || genuine == nil {
		t.Fatal(genuine, err)
	}
	if _, _, err := event.DecodeRaw(genuine.Message); err != nil {
		t.Errorf("a genuine message is refused after a direct get: %v", err)
	}
}

func TestEnsureConsumerMakesItOnce(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "deliver")
	for _, want := range []bool{true, false} {
		made, err := b.EnsureConsumer(t.Context(), event.ChannelConsumer("masto"))
		if err != nil || made != want {
			t.Errorf("EnsureConsumer = %v, %v; want %v", made, err, want)
		}
	}
	c := event.ChannelConsumer("masto")
	c.MaxAckPending = 7
	if made, err := b.EnsureConsumer(t.Context(), c); made || err != nil {
		t.Errorf("a changed setting: %v, %v", made, err)
	}
	info, err := b.JetStream().Consumer(t.Context(), event.StreamPosts, c.Name)
	if err != nil || info.CachedInfo().Config.MaxAckPending != 7 || info.CachedInfo().Config.AckPolicy != jetstream.AckExplicitPolicy {
		t.Errorf("the consumer is %+v, %v", info, err)
	}
}

// The connection may be closed under a consumer, by a stop that ran out of time.
func TestClosingTheConnectionUnderAConsumer(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b, err := bus.Connect(t.Context(), bus.Config{Service: "enrich", InProcess: s})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	appendRaw(t, b, "1", "2", "3")
	begun, finish := make(chan struct{}, 3), make(chan struct{})
	stop := consuming(t, b, bus.Consume{Handle: func(context.Context, *bus.Delivery) error {
		begun <- struct{}{}
		<-finish
		return nil
	}})
	<-begun // the second waits between the library and the worker
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Close(ctx); fault.KindOf(err) != fault.Unreachable {
		t.Errorf("a close without time = %v, want unreachable", err)
	}
	close(finish)
	stop()
}
