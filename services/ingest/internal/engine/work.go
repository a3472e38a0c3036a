package engine

import (
	"context"
	"sync"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/services/ingest/internal/poll"
	"tidings.internal/services/ingest/internal/schedule"
)

// slowFactor is how many polls may wait for web pages for each that may run.
const slowFactor = 4

// lane gives a poll that takes long a place among its like, and frees the one that it had.
func (e *Engine) lane(free func()) func(context.Context) (func(), error) {
	return func(ctx context.Context) (func(), error) {
		free()
		if err := e.slow.Acquire(ctx, 1); err != nil {
			return nil, err
		}
		return func() { e.slow.Release(1) }, nil
	}
}

// work polls one source. free gives back its place among the polls.
func (e *Engine) work(ctx context.Context, j schedule.Job, free func()) {
	release := sync.OnceFunc(j.Release)
	defer release()
	e.config.Late(e.config.Now().Sub(j.Due))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	e.mu.Lock()
	it := e.sources[j.ID]
	var lease *bus.Lease
	if it != nil {
		lease, it.cancel = it.lease, cancel
	}
	e.mu.Unlock()
	if lease == nil || !lease.Valid() || ctx.Err() != nil {
		release()
		e.queue.Done(j, e.config.Now().Add(schedule.OursWait))
		if it == nil {
			e.queue.Remove(j.ID) // dropped while it was on its way here
		}
		return
	}
	e.turn(ctx, it, lease, j, release, free)
	e.forgive(ctx)
}

// turn polls a source and puts it back into the queue.
func (e *Engine) turn(ctx context.Context, it *item, lease *bus.Lease, j schedule.Job, release, free func()) {
	it.mu.Lock()
	defer it.mu.Unlock()
	if it.known != lease {
		// Another replica may have polled between the two leases.
		it.source.Reset()
		it.known = lease
	}
	e.mu.Lock()
	it.source.Climb, it.source.Slow = it.climb, e.lane(free)
	e.mu.Unlock()
	at := e.config.Now()
	result := e.poll(ctx, it, lease, j.Host, release)
	e.mu.Lock()
	it.cancel = nil
	it.recent = append(it.recent[max(0, len(it.recent)-looks+1):], Look{at, result.Outcome, result.Took, result.Published})
	it.remember()
	it.last.Next = result.Next
	// The turn is taken at the host where it is polled. The shard stays that of the configured address, which every
	// replica knows; so the sources of a host may have two owners, each with a gate of its own.
	it.host = hostPort(it.last.Address())
	host := it.host
	e.mu.Unlock()
	if host != j.Host {
		e.queue.Set(j.ID, host, result.Next)
	}
	e.queue.Done(j, result.Next)
}

// remember copies what is known of a source for those who ask, without its items. The caller holds both locks.
func (it *item) remember() {
	if s := it.source.State(); s != nil {
		it.last = *s
		it.last.Memory.Rows, it.last.Items = nil, nil
		it.last.Count, it.last.Rung = len(s.Memory.Rows), s.Memory.Rung
	}
}

// forgive takes back what counted against sources while we were cut off and did not know it yet.
func (e *Engine) forgive(ctx context.Context) {
	for id, blame := range e.config.Outage.Blamed() {
		e.mu.Lock()
		it := e.sources[id]
		e.mu.Unlock()
		if it == nil {
			continue
		}
		if !it.mu.TryLock() {
			e.config.Outage.Again(id, blame) // it is being polled; whoever is done next tries again
			continue
		}
		e.mu.Lock()
		mine := it.lease != nil && it.lease == it.known
		e.mu.Unlock()
		if mine {
			next, err := e.config.Poller.Forgive(ctx, it.source, blame)
			if err != nil {
				e.config.Log.Debug("could not take back what counted against a source", "source", id, "err", err)
				e.config.Outage.Again(id, blame)
				it.mu.Unlock()
				continue
			}
			e.mu.Lock()
			it.remember()
			host, queue := it.host, !it.paused && it.lease != nil
			e.mu.Unlock()
			if queue {
				e.queue.Set(id, host, next)
			}
		}
		it.mu.Unlock()
	}
}

// poll runs one poll. A panic in it is a bug in one source's poll and must not end all others.
func (e *Engine) poll(ctx context.Context, it *item, lease *bus.Lease, host string, release func()) (r poll.Result) {
	defer func() {
		if p := recover(); p != nil {
			e.config.Log.Error("poll panicked", "source", it.source.ID, "err", p)
			it.source.Reset()
			r = poll.Result{Outcome: "ours", Next: e.config.Now().Add(time.Minute)}
		}
	}()
	return e.config.Poller.Poll(ctx, it.source, lease, host, release)
}
