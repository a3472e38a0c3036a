package websub

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/web"
)

// Options are what a hub is made of.
type Options struct {
	Bus    *bus.Bus
	Client *web.Client
	Log    *slog.Logger
	// LeaseMin and LeaseMax bound the leases that sites ask for.
	LeaseMin, LeaseMax time.Duration
	// PerTopic and PerHost are how many subscriptions a topic and the host of callbacks may have.
	PerTopic, PerHost int
	// Observe is told of outcomes; its methods must be quick.
	Observe Observer
	// Tick is called at least every second while the work goes on.
	Tick func()
	Now  func() time.Time
	// Random is in [0, 1).
	Random func() float64
}

// Observer counts.
type Observer interface {
	// Asked counts what became of a request.
	Asked(outcome string)
	// Pushed counts what became of a push.
	Pushed(outcome string)
	// FannedOut observes how long it took until all subscriptions of a topic had a change.
	FannedOut(took time.Duration)
}

// The outcomes of [Observer.Asked].
const (
	Verified    = "verified"
	Refused     = "refused"     // the callback did not confirm
	Unreachable = "unreachable" // it could not be asked
	Barred      = "barred"      // it may not be asked
	Limited     = "limited"     // a limit was reached
	Ended       = "ended"       // it wants to be told no longer
	Unknown     = "unknown"     // of no subscription, or no request that can be read
)

// The outcomes of [Observer.Pushed].
const (
	Sent   = "sent"
	Failed = "failed"
	Given  = "gone" // 410
)

// Hub works on requests and changes.
type Hub struct {
	Options
	requests, rows *bus.Bucket
	shift          atomic.Pointer[shift] // nil while another replica works
	// askLimit, pushLimit, slowAfter and beat are the constants of the same names.
	askLimit, pushLimit, slowAfter, beat time.Duration
}

// New makes a hub. It starts nothing.
func New(o Options) *Hub {
	if o.Tick == nil {
		o.Tick = func() {}
	}
	return &Hub{
		Options: o, requests: o.Bus.Bucket(event.BucketRequests), rows: o.Bus.Bucket(event.BucketSubscriptions),
		askLimit: askLimit, pushLimit: pushLimit, slowAfter: slowAfter, beat: beat,
	}
}

const (
	// leaseName is the lease under which one replica works. One for all topics, so that what is counted by host is
	// counted in one place.
	leaseName = "deliver.websub"
	// leaseWait is how long to wait for a lease that another holds, or a bus that is away.
	leaseWait = 2 * time.Second
	// beat is how often what is due is looked for, and how often the state of a distribution is written down.
	beat = time.Second
	// sweepEvery is how often subscriptions whose lease has ended are removed.
	sweepEvery = time.Minute
	// giveBackLimit bounds the release of the lease at the end.
	giveBackLimit = 5 * time.Second
)

// Run works whenever this process holds the lease, until ctx ends.
func (h *Hub) Run(ctx context.Context) error {
	troubled := false
	for ctx.Err() == nil {
		h.Tick()
		lease, err := h.Bus.Acquire(ctx, leaseName)
		if err == nil {
			troubled = false
			h.hold(ctx, lease)
			h.giveBack(ctx, lease)
		} else if ctx.Err() == nil && fault.KindOf(err) != fault.Conflict && !troubled {
			troubled = true
			h.Log.Warn("began to fail working on subscriptions", "kind", fault.KindOf(err), "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(leaseWait):
		}
	}
	return nil
}

func (h *Hub) giveBack(ctx context.Context, lease *bus.Lease) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackLimit)
	defer cancel()
	if err := lease.Release(ctx); err != nil {
		h.Log.Debug("could not give a lease back", "err", err) // it ends by itself
	}
}

// hold works until the lease is lost or ctx ends, and returns when everything it started has ended.
func (h *Hub) hold(ctx context.Context, lease *bus.Lease) {
	ctx, cancel := context.WithCancel(ctx)
	s := newShift(ctx, h, lease)
	h.shift.Store(s)
	var group sync.WaitGroup
	defer func() {
		cancel() // pushes that are under way break off; whether they arrived is not asked: the next holder pushes again
		h.shift.Store(nil)
		group.Wait()
		s.lanes.stop()
		s.group.Wait()
	}()
	group.Go(func() {
		select {
		case <-lease.Lost():
			cancel()
		case <-ctx.Done():
		}
	})
	level := make(chan struct{})
	var once sync.Once
	group.Go(func() {
		_ = h.rows.Watch(ctx, ">", s.show, func() { once.Do(func() { close(level) }) }) // it never fails
	})
	// Whether anybody wants a document is known only when all subscriptions are.
	select {
	case <-level:
	case <-ctx.Done():
		return
	}
	s.resume()
	group.Go(func() {
		_ = h.requests.Watch(ctx, event.RequestsOfSites+">", s.take, func() {}) // it never fails
	})
	group.Go(func() {
		err := h.Bus.Consume(ctx, bus.Consume{
			Stream: event.StreamFeeds, Consumer: event.ConsumerWebSub, Workers: changesAtOnce, Handle: s.change,
			While: func(context.Context) bool { return lease.Valid() },
		})
		if err != nil && ctx.Err() == nil {
			h.Log.Error("stopped hearing of changed feeds", "err", err)
			cancel()
		}
	})
	s.loop()
}

// Counts gives the subscriptions that this process works on: those in order, those whose last push failed, and the
// requests that wait to be verified. All are zero while another replica works.
func (h *Hub) Counts() (live, failing, pending int) {
	if s := h.shift.Load(); s != nil {
		return s.counts()
	}
	return 0, 0, 0
}
