package engine

import (
	"context"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/ingest/internal/poll"
	"tidings.internal/services/ingest/internal/websub"
)

var _ websub.Book = (*Engine)(nil)

// Look implements [websub.Book].
func (e *Engine) Look(ctx context.Context, id string) (websub.Subscription, bool, error) {
	if !article.ValidName(id) || e.find(id) == nil {
		return websub.Subscription{}, false, nil
	}
	return e.config.Poller.Look(ctx, id)
}

// Settle implements [websub.Book].
func (e *Engine) Settle(ctx context.Context, id string, change func(*websub.Subscription) bool) (bool, error) {
	return e.config.Poller.Settle(ctx, id, change)
}

// Poll implements [websub.Book]. Only the owner of a source can poll it.
func (e *Engine) Poll(id string) bool {
	e.mu.Lock()
	it := e.sources[id]
	mine := it != nil && it.lease != nil && !it.paused
	e.mu.Unlock()
	if mine {
		e.Refresh(id, e.config.Now())
	}
	return mine
}

// Subscriptions counts the subscriptions of the sources of this replica.
func (e *Engine) Subscriptions() map[websub.Status]int {
	counts := map[websub.Status]int{}
	for _, s := range e.Status() {
		counts[s.Sub.Status]++
	}
	return counts
}

func (e *Engine) find(id string) *item {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sources[id]
}

// borrowed is the right of a replica that does not own a source to publish a push of it. It has the fence of the owner;
// the compare-and-set on the state is what keeps the two apart: whoever loses it reads the state again and judges anew.
type borrowed uint64

func (b borrowed) Fence() uint64 { return uint64(b) }
func (b borrowed) Valid() bool   { return true }

// Take implements [websub.Book]: any replica takes a push.
func (e *Engine) Take(ctx context.Context, id string, p websub.Push) error {
	e.mu.Lock()
	it := e.sources[id]
	var paused bool
	if it != nil {
		paused = it.paused
	}
	e.mu.Unlock()
	switch {
	case it == nil:
		return fault.Errorf(fault.Gone, "take a push: there is no source %s any more", id)
	case paused:
		return nil // the operator wants nothing of it; resumed, it is polled
	}
	if err := it.lock(ctx); err != nil {
		return err
	}
	e.mu.Lock()
	lease := it.lease
	e.mu.Unlock()
	if lease == nil || !lease.Valid() {
		own := &poll.Source{Source: it.source.Source, Options: it.source.Options, Filter: it.source.Filter}
		it.mu.Unlock()
		fence, err := e.config.Fence(ctx, it.shard)
		if err != nil {
			return err
		}
		return e.config.Poller.Push(ctx, own, borrowed(fence), p)
	}
	defer it.mu.Unlock()
	if it.known != lease {
		it.source.Reset()
		it.known = lease
	}
	err := e.config.Poller.Push(ctx, it.source, lease, p)
	e.mu.Lock()
	it.remember()
	e.mu.Unlock()
	return err
}

// lockEvery is how often a source is looked at that is being polled.
const lockEvery = 20 * time.Millisecond

// lock waits for the end of a poll that is under way, as long as ctx allows.
func (it *item) lock(ctx context.Context) error {
	tick := time.NewTicker(lockEvery)
	defer tick.Stop()
	for !it.mu.TryLock() {
		select {
		case <-ctx.Done():
			return fault.Errorf(fault.Throttled, "take a push: source %s is being polled: %w", it.source.ID, context.Cause(ctx))
		case <-tick.C:
		}
	}
	return nil
}
