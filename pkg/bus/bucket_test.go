package bus_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
)

// watched keeps what a watch has shown.
type watched struct {
	mu     sync.Mutex
	live   map[string]string
	levels int
}

func watching(t *testing.T, k *bus.Bucket, filter string) *watched {
	t.Helper()
	w := &watched{live: map[string]string{}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = k.Watch(ctx, filter, func(e bus.Entry) { // nil by its contract
			w.mu.Lock()
			defer w.mu.Unlock()
			if e.Deleted {
				delete(w.live, e.Key)
			} else {
				w.live[e.Key] = string(e.Value)
			}
		}, func() { w.mu.Lock(); defer w.mu.Unlock(); w.levels++ })
	}()
	t.Cleanup(func() { cancel(); <-done })
	return w
}

func (w *watched) is(want map[string]string) func() bool {
	return func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.levels > 0 && cmp.Equal(want, w.live)
	}
}

func put(t *testing.T, k *bus.Bucket, key, value string) uint64 {
	t.Helper()
	rev, err := k.Put(t.Context(), key, []byte(value))
	if err != nil {
		t.Fatal(err)
	}
	return rev
}

func TestAWatchShowsOnlyItsKeys(t *testing.T) {
	t.Parallel()
	k := natstest.Run(t).Bus(t, "deliver").Bucket(event.BucketDeliveries)
	w, none := watching(t, k, "p.masto.>"), watching(t, k, "p.none.>")
	put(t, k, "p.masto.1", "a")
	put(t, k, "p.press.1", "b")
	put(t, k, "p.masto.2", "c")
	eventually(t, "both keys", w.is(map[string]string{"p.masto.1": "a", "p.masto.2": "c"}))
	if err := k.Purge(t.Context(), "p.masto.1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the purge", w.is(map[string]string{"p.masto.2": "c"}))
	eventually(t, "an empty part to be level", none.is(map[string]string{}))
}

// door keeps a client out while it is shut.
type door struct {
	nats.InProcessConnProvider
	shut atomic.Bool
}

func (d *door) InProcessConn() (net.Conn, error) {
	if d.shut.Load() {
		return nil, nats.ErrNoServers
	}
	return d.InProcessConnProvider.InProcessConn()
}

// A key that goes while nobody is connected, and whose marker goes too, would stay for ever in the watcher's mind.
func TestAKeyThatWentDuringAnOutageIsShownAsDeleted(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	d := &door{InProcessConnProvider: s}
	b, err := bus.Connect(t.Context(), bus.Config{Service: "ingest", InProcess: d})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close(context.Background())
	if err := b.WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	k := b.Bucket(event.BucketSourceConfig)
	put(t, k, "a", "1")
	put(t, k, "b", "2")
	w := watching(t, k, ">")
	eventually(t, "both keys", w.is(map[string]string{"a": "1", "b": "2"}))
	d.shut.Store(true)
	s.Stop()
	s.Start(t)
	operator := s.Bus(t, "tidings")
	stream, err := operator.JetStream().Stream(t.Context(), "KV_"+event.BucketSourceConfig)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context(), jetstream.WithPurgeSubject("$KV."+event.BucketSourceConfig+".a")); err != nil {
		t.Fatal(err)
	}
	put(t, operator.Bucket(event.BucketSourceConfig), "c", "3")
	d.shut.Store(false)
	eventually(t, "the state after the outage", w.is(map[string]string{"b": "2", "c": "3"}))
}

// The state that is shown after an outage can lack a key that is written at that moment: its former value is gone when it
// is to be shown, and the new one comes behind.
func TestAKeyThatIsWrittenMeanwhileIsNotShownAsDeleted(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "ingest").Bucket(event.BucketSourceState)
	for _, key := range []string{"there", "gone", "shown"} {
		if _, err := b.Put(t.Context(), key, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Delete(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	err := b.Forget(t.Context(), []string{"there", "gone", "never", "shown"}, []string{"shown"}, func(e bus.Entry) { got[e.Key] = fmt.Sprint(string(e.Value), e.Deleted) })
	if diff := cmp.Diff(map[string]string{"there": "therefalse", "gone": "true", "never": "true"}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestABucketMadeAgainIsRead(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "ingest")
	b.CheckEvery(20 * time.Millisecond)
	k := b.Bucket(event.BucketSourceConfig)
	put(t, k, "a", "1")
	w := watching(t, k, ">")
	eventually(t, "the key", w.is(map[string]string{"a": "1"}))
	if err := b.JetStream().DeleteKeyValue(t.Context(), event.BucketSourceConfig); err != nil {
		t.Fatal(err)
	}
	if _, _, err := k.Read(t.Context(), "a"); err == nil {
		t.Error("a bucket that is gone was read")
	}
	plan, err := b.Plan(t.Context(), topology(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Apply(t.Context(), plan, false); err != nil {
		t.Fatal(err)
	}
	put(t, k, "b", "2") // by the handle of before
	if e, ok, err := k.Read(t.Context(), "b"); !ok || err != nil || string(e.Value) != "2" {
		t.Errorf("Read = %+v, %v, %v", e, ok, err)
	}
	if list, err := k.Entries(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("Entries = %v, %v", list, err)
	}
	eventually(t, "the new bucket to be shown", w.is(map[string]string{"b": "2"}))
}

func TestEntriesAreCompleteOrAnError(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "deliver")
	k := b.Bucket(event.BucketDeliveries)
	if list, err := k.Entries(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("an empty bucket has %v, %v", list, err)
	}
	const n = 300 // more than the library buffers
	for i := range n {
		put(t, k, fmt.Sprintf("p.c%d.%d", i%2, i), "x")
	}
	put(t, k, "q.x", "x")
	if err := k.Delete(t.Context(), "p.c0.0"); err != nil {
		t.Fatal(err)
	}
	for filter, want := range map[string]int{"p.c0.>": n/2 - 1, "p.>": n - 1, ">": n, "none.>": 0} {
		if list, err := k.Entries(t.Context(), filter); err != nil || len(list) != want {
			t.Errorf("Entries(%s) has %d, %v; want %d", filter, len(list), err, want)
		}
	}
	filters := []string{"p.c0.1", "p.c1.1", "q.>"}
	if list, err := k.Entries(t.Context(), filters...); err != nil || len(list) != 2 {
		t.Errorf("Entries(%v) = %v, %v; want two", filters, list, err)
	}
	if diff := cmp.Diff([]string{"p.c0.1", "p.c1.1", "q.>"}, filters); diff != "" {
		t.Errorf("the caller's filters were changed:\n%s", diff)
	}
	s.Stop()
	eventually(t, "the outage to be seen", func() bool { return b.Probe(t.Context()) != nil })
	if _, err := k.Entries(t.Context()); fault.KindOf(err) != fault.Unreachable {
		t.Errorf("during an outage: %v is %q, want unreachable", err, fault.KindOf(err))
	}
	s.Start(t)
	eventually(t, "all of them again", func() bool {
		list, err := k.Entries(t.Context())
		return err == nil && len(list) == n
	})
}

func TestWritesThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "deliver")
	k := b.Bucket(event.BucketDeliveries)
	rev := put(t, k, "a", "1")
	for name, c := range map[string]struct {
		err  error
		want fault.Kind
	}{
		"a key with a blank":           {second(k.Put(t.Context(), "a b", nil)), fault.Invalid},
		"a wildcard as a key":          {second(k.Put(t.Context(), "a.*", nil)), fault.Invalid},
		"no key":                       {second(k.Create(t.Context(), "", nil)), fault.Invalid},
		"a delete of another revision": {k.DeleteAt(t.Context(), "a", rev+1), fault.Conflict},
		"a delete of no revision":      {k.DeleteAt(t.Context(), "a", 0), fault.Invalid},
		"an update from nothing":       {second(k.Update(t.Context(), "a", nil, 0)), fault.Conflict},
		"a value past the limit":       {second(k.Put(t.Context(), "a", make([]byte, 600<<10))), fault.TooLarge},
	} {
		if got := fault.KindOf(c.err); got != c.want {
			t.Errorf("%s: %v is %q, want %q", name, c.err, got, c.want)
		}
	}
	if e, ok, err := k.Read(t.Context(), "a"); !ok || err != nil || e.Revision != rev {
		t.Errorf("after all of that the key is %+v, %v, %v", e, ok, err)
	}
	if err := k.DeleteAt(t.Context(), "a", rev); err != nil {
		t.Errorf("a delete of the revision that stands there: %v", err)
	}
	if _, err := k.Update(t.Context(), "new", []byte("1"), 0); err != nil {
		t.Errorf("an update from nothing where there is nothing: %v", err)
	}
	if _, _, err := b.Bucket("none").Read(t.Context(), "a"); err == nil {
		t.Error("a bucket that does not exist was read")
	}
}

func second[T any](_ T, err error) error { return err }

// A full bucket takes what replaces or removes, so that the work that empties it goes on.
func TestAFullBucketTakesDeletes(t *testing.T) {
	t.Parallel()
	b := natstest.Bare(t).Bus(t, "deliver")
	top := topology(t)
	for _, s := range top.Streams {
		if s.Name == event.BucketDeliveries {
			s.MaxBytes = 64 << 10
			top.Streams, top.Consumers = []event.Stream{s}, nil
			break
		}
	}
	plan, err := b.Plan(t.Context(), top)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Apply(t.Context(), plan, false); err != nil {
		t.Fatal(err)
	}
	k := b.Bucket(event.BucketDeliveries)
	rev := put(t, k, "first", string(make([]byte, 1000)))
	for n := 0; err == nil; n++ {
		_, err = k.Put(t.Context(), fmt.Sprint("k", n), make([]byte, 1000))
	}
	if fault.KindOf(err) != fault.Throttled || fault.After(err) != time.Minute {
		t.Errorf("a full bucket: %v is %q after %v, want throttled after a minute", err, fault.KindOf(err), fault.After(err))
	}
	if _, err := k.Update(t.Context(), "first", make([]byte, 900), rev); err != nil {
		t.Errorf("replacing in a full bucket: %v", err)
	}
	if err := k.Delete(t.Context(), "k0"); err != nil {
		t.Errorf("deleting from a full bucket: %v", err)
	}
}

func TestKeyEscapeGivesOneTokenForEachText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "", "aZ09-_": "aZ09-_", "a.b": "a=2Eb", "=": "=3D", "a b": "a=20b", "ä": "=C3=A4", "*>": "=2A=3E", "\x00": "=00"} {
		if got := bus.KeyEscape(text); got != want {
			t.Errorf("KeyEscape(%q) = %q, want %q", text, got, want)
		}
	}
}
