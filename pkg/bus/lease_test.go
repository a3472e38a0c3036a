package bus_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
)

// life is that of an entry of a quick bucket, long enough for a machine that stands still for a second or two.
const life = 4 * time.Second

// quick makes a bucket whose entries live a few seconds, where the real one has 30.
func quick(t *testing.T, b *bus.Bus) string {
	t.Helper()
	_, err := b.JetStream().CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "quick", TTL: life, LimitMarkerTTL: time.Second, Storage: jetstream.FileStorage})
	if err != nil {
		t.Fatal(err)
	}
	return "quick"
}

func release(t *testing.T, l *bus.Lease) {
	t.Helper()
	if err := l.Release(t.Context()); err != nil {
		t.Errorf("release lease %s: %v", l.Name(), err)
	}
	select {
	case <-l.Lost():
	default:
		t.Errorf("lease %s was released and is not lost", l.Name())
	}
}

func TestALeaseIsKeptByRenewal(t *testing.T) {
	t.Parallel()
	b := natstest.Bare(t).Bus(t, "ingest")
	bucket := quick(t, b)
	l, err := b.AcquireIn(t.Context(), bucket, "ingest.1", 20*time.Millisecond, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	eventually(t, "two lives of an entry to pass", func() bool { return time.Since(begun) > 2*life })
	if !l.Valid() {
		t.Error("a lease that is renewed was lost")
	}
	if _, err := b.AcquireIn(t.Context(), bucket, "ingest.1", time.Hour, time.Hour); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a lease that is renewed was given away: %v", err)
	}
	release(t, l)
	again, err := b.AcquireIn(t.Context(), bucket, "ingest.1", time.Hour, time.Hour)
	if err != nil {
		t.Fatalf("a lease that was given back is not free: %v", err)
	}
	release(t, again)
}

// The entry of a holder that fell silent expires and leaves a marker, which stands in nobody's way.
func TestALeaseOfASilentHolderIsFreeOnceItExpired(t *testing.T) {
	t.Parallel()
	b := natstest.Bare(t).Bus(t, "ingest")
	bucket := quick(t, b)
	silent, err := b.AcquireIn(t.Context(), bucket, "ingest.1", time.Hour, 300*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-silent.Lost(): // before the broker lets another have it
	case <-time.After(10 * time.Second):
		t.Fatal("a lease without renewal is not lost")
	}
	if silent.Valid() {
		t.Error("a lost lease is valid")
	}
	if _, err := b.AcquireIn(t.Context(), bucket, "ingest.1", time.Hour, time.Hour); fault.KindOf(err) != fault.Conflict {
		t.Errorf("the lease was free before it expired: %v", err)
	}
	var next *bus.Lease
	eventually(t, "the lease to expire", func() bool {
		next, err = b.AcquireIn(t.Context(), bucket, "ingest.1", 50*time.Millisecond, time.Hour)
		return err == nil
	})
	if next.Fence() <= silent.Fence() {
		t.Errorf("the fence went from %d to %d", silent.Fence(), next.Fence())
	}
	release(t, silent) // takes nothing from the new holder
	if !next.Valid() {
		t.Error("a late release took the lease from its new holder")
	}
	if _, err := b.AcquireIn(t.Context(), bucket, "ingest.1", time.Hour, time.Hour); fault.KindOf(err) != fault.Conflict {
		t.Errorf("after a late release the lease is free: %v", err)
	}
	release(t, next)
}

func TestALeaseTakenByAnotherIsLost(t *testing.T) {
	t.Parallel()
	b := natstest.Bare(t).Bus(t, "ingest")
	bucket := quick(t, b)
	l, err := b.AcquireIn(t.Context(), bucket, "ingest.1", 20*time.Millisecond, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	put(t, b.Bucket(bucket), "ingest.1", "another")
	select {
	case <-l.Lost():
	case <-time.After(10 * time.Second):
		t.Fatal("the lease was not lost")
	}
	release(t, l)
	if e, ok, err := b.Bucket(bucket).Read(t.Context(), "ingest.1"); !ok || err != nil || string(e.Value) != "another" {
		t.Errorf("the release took the lease from its holder: %+v, %v, %v", e, ok, err)
	}
}

// During an outage a holder cannot know whether its entry expired, so it stops in time by its own clock.
func TestALeaseIsLostInAnOutage(t *testing.T) {
	t.Parallel()
	s := natstest.Bare(t)
	b := s.Bus(t, "ingest")
	l, err := b.AcquireIn(t.Context(), quick(t, b), "ingest.1", 20*time.Millisecond, 5*time.Second) // longer than the server needs to stop
	if err != nil {
		t.Fatal(err)
	}
	s.Stop()
	if !l.Valid() {
		t.Error("the lease was lost at once")
	}
	begun := time.Now()
	<-l.Lost()
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("the lease was lost after %v", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := l.Release(ctx); fault.KindOf(err) != fault.Unreachable {
		t.Errorf("a release during an outage: %v", err)
	}
	s.Start(t)
}

func TestAClosedBusHoldsNoLease(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b, err := bus.Connect(t.Context(), bus.Config{Service: "ingest", InProcess: s})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	l, err := b.Acquire(t.Context(), "ingest.1")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-l.Lost():
	case <-time.After(10 * time.Second):
		t.Error("the lease outlives the connection")
	}
}
