package engine

import (
	"context"
	"slices"

	"tidings.internal/services/ingest/internal/poll"
)

// Put adds a source while the engine runs, or takes over another definition of one. A poll of the old definition that is
// under way is cut short first: a source is polled by one worker at a time. What is remembered of the source stays.
func (e *Engine) Put(ctx context.Context, s *poll.Source, paused bool) {
	it := place(s)
	it.paused = paused
	if old := e.take(s.ID); old != nil {
		e.mu.Lock()
		it.refresh, it.climb, it.last, it.recent = old.refresh, old.climb, old.last, old.recent
		e.mu.Unlock()
	}
	e.mu.Lock()
	e.insert(it)
	e.mu.Unlock()
	e.enqueue(ctx, it)
}

// Drop ends the polling of a source. Its articles stay, and so does what is remembered of it.
func (e *Engine) Drop(id string) { e.take(id) }

// take removes a source and waits for the end of its poll. It returns nil when there is none.
func (e *Engine) take(id string) *item {
	e.mu.Lock()
	it := e.sources[id]
	if it == nil {
		e.mu.Unlock()
		return nil
	}
	delete(e.sources, id)
	e.shards[it.shard] = slices.DeleteFunc(e.shards[it.shard], func(o *item) bool { return o == it })
	if len(e.shards[it.shard]) == 0 {
		delete(e.shards, it.shard)
	}
	e.queue.Remove(id)
	if it.cancel != nil {
		it.cancel()
	}
	e.mu.Unlock()
	it.mu.Lock() // a worker holds it until its poll is over and the queue knows
	defer it.mu.Unlock()
	return it
}

// Pause stops the polling of a source, or lets it go on.
func (e *Engine) Pause(ctx context.Context, id string, paused bool) {
	e.mu.Lock()
	it := e.sources[id]
	if it == nil || it.paused == paused {
		e.mu.Unlock()
		return
	}
	it.paused = paused
	if paused {
		e.queue.Remove(id)
		if it.cancel != nil {
			it.cancel()
		}
	}
	e.mu.Unlock()
	if !paused {
		e.enqueue(ctx, it)
	}
}

// enqueue puts a source into the queue if this replica is to poll it.
func (e *Engine) enqueue(ctx context.Context, it *item) {
	e.mu.Lock()
	lease, paused := it.lease, it.paused
	e.mu.Unlock()
	if lease == nil || paused {
		return // whoever owns its shard, or will, does it
	}
	now := e.config.Now()
	at, host := e.next(ctx, it, lease, now)
	e.mu.Lock()
	defer e.mu.Unlock()
	if !at.After(now) {
		at = e.apart.Place(now)
	}
	// The shard may be lost, and the source paused or replaced, since it was looked at.
	if it.lease == lease && !it.paused && e.sources[it.source.ID] == it {
		e.queue.Set(it.source.ID, host, at)
	}
}
