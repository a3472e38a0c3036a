package bus

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

const (
	// leaseRenew is how often a lease is renewed. It expires at the broker after 30 s without.
	leaseRenew = 6 * time.Second
	// leaseStop is how long after the start of its last good renewal a holder may work. It lies well below the
	// broker's 30 s, so that the next holder starts after the last has stopped. A suspended machine does not count the
	// time it slept: the true fences are the compare-and-set on the state and the fence in each version.
	leaseStop = 20 * time.Second
)

// Lease is the right to be the only one that does something. It renews itself until it is released or lost.
type Lease struct {
	bucket *Bucket
	name   string
	valid  time.Duration // how long after the start of a good renewal the holder may work
	fence  uint64
	lost   chan struct{}
	stop   context.CancelFunc
	done   chan struct{}

	mu       sync.Mutex
	revision uint64
	good     time.Time // start of the last good renewal, on the monotonic clock
	ended    bool
}

// Acquire takes a lease such as "ingest.17". The error is a conflict while another holds it.
func (b *Bus) Acquire(ctx context.Context, name string) (*Lease, error) {
	return b.acquire(ctx, b.Bucket(event.BucketLeases), name, leaseRenew, leaseStop)
}

func (b *Bus) acquire(ctx context.Context, bucket *Bucket, name string, renew, valid time.Duration) (*Lease, error) {
	value, err := json.Marshal(holder{Name: b.nc.Opts.Name, Process: thisProcess()})
	if err != nil {
		return nil, fault.Errorf(fault.Internal, "acquire lease %s: %w", name, err)
	}
	start := time.Now()
	rev, err := bucket.Create(ctx, name, value)
	if fault.KindOf(err) == fault.Conflict {
		rev, err = bucket.inherit(ctx, name, value)
	}
	if err != nil {
		return nil, err
	}
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	l := &Lease{bucket: bucket, name: name, valid: valid, fence: rev, revision: rev, good: start, lost: make(chan struct{}), done: make(chan struct{}), stop: stop}
	go l.renew(renewing, renew, value)
	return l, nil
}

// Fence is the revision at which the lease was acquired. It rises with every new holder.
func (l *Lease) Fence() uint64 { return l.fence }

// Name is the name under which the lease was acquired.
func (l *Lease) Name() string { return l.name }

// Valid reports whether the holder may begin something now.
func (l *Lease) Valid() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.ended && time.Since(l.good) < l.valid
}

// Lost is closed when the lease was lost or released.
func (l *Lease) Lost() <-chan struct{} { return l.lost }

// Release gives the lease back, so that another can have it at once. A crash before it costs the others 30 s, unless
// they run on the same machine and can see that the holder is dead.
func (l *Lease) Release(ctx context.Context) error {
	l.end()
	<-l.done
	err := l.bucket.DeleteAt(ctx, l.name, l.revision)
	if fault.KindOf(err) == fault.Conflict {
		return nil // lost already: it is another's now
	}
	return err
}

func (l *Lease) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended {
		l.ended = true
		l.stop()
		close(l.lost)
	}
}

func (l *Lease) renew(ctx context.Context, every time.Duration, value []byte) {
	defer close(l.done)
	tick := time.NewTicker(every)
	defer tick.Stop()
	late := time.NewTimer(time.Until(l.good.Add(l.valid)))
	defer late.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-late.C:
			l.end()
			return
		case <-l.bucket.bus.closed:
			l.end()
			return
		case <-tick.C:
		}
		start := time.Now()
		rev, err := l.update(ctx, value)
		switch {
		case err == nil:
			l.mu.Lock()
			l.revision, l.good = rev, start
			l.mu.Unlock()
			late.Reset(time.Until(start.Add(l.valid)))
		case fault.KindOf(err) == fault.Unreachable:
			// Whether it was renewed is not known. If it was, the next try meets a conflict and the lease is lost,
			// which costs time and nothing else.
		default:
			l.end()
			return
		}
	}
}

// update renews once. A release does not cut it short, since it must know the revision that it gives back.
func (l *Lease) update(ctx context.Context, value []byte) (uint64, error) {
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), l.good.Add(l.valid))
	defer cancel()
	return l.bucket.Update(ctx, l.name, value, l.revision)
}
