package readers

import (
	"context"
	"log/slog"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/fault"
)

const (
	// leaseWait is how long to wait for a lease that another holds, or a bus that is away.
	leaseWait = 2 * time.Second
	// giveBackLimit bounds the release of a lease at the end.
	giveBackLimit = 5 * time.Second
)

// Lease is the right to work.
type Lease interface{ Valid() bool }

// holder works whenever it holds a lease.
type holder struct {
	bus  *bus.Bus
	name string
	log  *slog.Logger
	tick func()
}

// run calls work whenever this process holds the lease, until ctx ends. The context of work ends with the lease, and work
// returns when everything it started has ended.
func (h *holder) run(ctx context.Context, work func(ctx context.Context, lease Lease)) error {
	troubled := false
	for ctx.Err() == nil {
		h.tick()
		lease, err := h.bus.Acquire(ctx, h.name)
		if err == nil {
			troubled = false
			h.hold(ctx, lease, work)
		} else if ctx.Err() == nil && fault.KindOf(err) != fault.Conflict && !troubled {
			troubled = true
			h.log.Warn("began to fail working on readers", "kind", fault.KindOf(err), "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(leaseWait):
		}
	}
	return nil
}

func (h *holder) hold(ctx context.Context, lease *bus.Lease, work func(ctx context.Context, lease Lease)) {
	held, cancel := context.WithCancel(ctx)
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		select {
		case <-lease.Lost():
			cancel()
		case <-held.Done():
		}
	}()
	work(held, lease)
	cancel()
	<-stop
	ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), giveBackLimit)
	defer cancel()
	if err := lease.Release(ctx); err != nil {
		h.log.Debug("could not give a lease back", "err", err) // it ends by itself
	}
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
