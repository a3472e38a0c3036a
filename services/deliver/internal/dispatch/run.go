package dispatch

import (
	"context"
	"errors"
	"sync"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/ledger"
)

const (
	// workers take posts in at once; the bus pulls twice as many ahead, the window of 16 that a channel has.
	workers = 8
	// leaseWait is how long to wait for a lease that another holds, or a bus that is away.
	leaseWait = 2 * time.Second
	// afterFault is how long the loop waits after a step that failed.
	afterFault = time.Second
)

// Run works on the channel whenever this process holds its lease, until ctx ends. The only error is an
// [*AccountError].
func (c *Channel) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		c.Tick()
		lease, err := c.Bus.Acquire(ctx, "deliver.channel."+c.id)
		if err == nil {
			err = c.hold(ctx, lease)
			c.giveBack(ctx, lease)
		}
		if account, ok := errors.AsType[*AccountError](err); ok {
			return account
		}
		if err != nil && ctx.Err() == nil && fault.KindOf(err) != fault.Conflict {
			c.trouble(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(leaseWait):
		}
	}
	return nil
}

func (c *Channel) giveBack(ctx context.Context, lease *bus.Lease) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitGrace)
	defer cancel()
	if err := lease.Release(ctx); err != nil {
		c.Log.Debug("could not give a lease back", "err", err) // it ends by itself
	}
}

// hold works until the lease is lost or ctx ends, and returns when everything it started has ended.
func (c *Channel) hold(ctx context.Context, lease *bus.Lease) error {
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	if err := c.Open(ctx); err != nil {
		return err
	}
	level := make(chan struct{})
	var once sync.Once
	group.Go(func() {
		select {
		case <-lease.Lost():
			cancel()
		case <-ctx.Done():
		}
	})
	group.Go(func() { c.sendNotices(ctx) })
	group.Go(func() {
		err := c.Follow(ctx, func() { once.Do(func() { close(level) }) })
		if err != nil && ctx.Err() == nil {
			c.trouble(err)
		}
	})
	// Intake counts what is open and what came as backfill, so the index comes first.
	select {
	case <-level:
	case <-ctx.Done():
		return nil
	}
	group.Go(func() {
		err := c.Bus.Consume(ctx, bus.Consume{
			Stream: event.StreamPosts, Consumer: event.ChannelConsumer(c.id).Name, Workers: workers, Handle: c.Take,
			While: func(context.Context) bool { return lease.Valid() && c.index.open() < c.MaxOpen },
		})
		if err != nil && ctx.Err() == nil {
			c.trouble(err)
		}
	})
	c.loop(ctx, lease)
	return nil
}

// Open begins the work under a new lease: it makes sure that the channel has its row and its consumer, and forgets what
// an earlier lease knew.
func (c *Channel) Open(ctx context.Context) error {
	if err := c.establish(ctx); err != nil {
		return err
	}
	c.index.reset()
	c.leveled.Store(false)
	c.identified = false
	return nil
}

// Follow keeps the index level with the ledger until ctx ends. level is called when it is so for the first time, and
// after an outage again.
func (c *Channel) Follow(ctx context.Context, level func()) error {
	return c.Ledger.Watch(ctx, c.id, c.news, c.broken, func() {
		c.leveled.Store(true)
		level()
	})
}

// loop does one step after the other.
func (c *Channel) loop(ctx context.Context, lease *bus.Lease) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-c.wake:
		}
		c.Tick()
		if !lease.Valid() {
			return
		}
		wait, err := c.Step(ctx, lease)
		if err != nil {
			wait = afterFault
			if ctx.Err() == nil {
				c.trouble(err)
			}
		} else {
			c.calm()
		}
		timer.Reset(wait)
	}
}

// news takes note of a row that the bucket shows.
func (c *Channel) news(r *ledger.Row, revision uint64) {
	if c.index.put(r, revision) {
		c.poke()
		if c.leveled.Load() {
			c.decided(r)
		}
	}
}

// decided tells what a person has decided about a row. What was decided before this process followed the ledger is no
// news.
func (c *Channel) decided(r *ledger.Row) {
	if len(r.History) == 0 {
		return
	}
	last := r.History[len(r.History)-1]
	if last.Actor == ledger.Self {
		return
	}
	switch {
	case last.To == ledger.Held && (last.From != ledger.Held || last.Reason == ledger.Operator):
		c.tell("held", r, r.Reason, "")
	case last.To == ledger.Approved && last.From == ledger.Held:
		c.tell("approved", r, "", "")
	case last.To == ledger.Skipped && r.Reason == ledger.Rejected:
		c.Observe.Delivered(c.id, c.Config.Network, r.Op, string(r.State), r.Reason)
		c.tell("rejected", r, "", "")
	case last.To == ledger.Skipped:
		c.Observe.Delivered(c.id, c.Config.Network, r.Op, string(r.State), r.Reason)
		c.tell("skipped", r, r.Reason, "")
	}
}

// broken reports a row that nobody can read. It is left alone: its story is not posted.
func (c *Channel) broken(story string, err error) {
	c.Log.Error("could not read a row of the ledger", "story", story, "err", err)
}

// sendNotices sends what waits, one after the other, and at the end what is still there.
func (c *Channel) sendNotices(ctx context.Context) {
	for {
		select {
		case n := <-c.notices:
			c.Bus.Notice(ctx, n)
		case <-ctx.Done():
			c.lastNotices(context.WithoutCancel(ctx))
			return
		}
	}
}

func (c *Channel) lastNotices(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for {
		select {
		case n := <-c.notices:
			c.Bus.Notice(ctx, n)
		default:
			return
		}
	}
}

// trouble logs the first failure of the loop, calm that it is over: a state is told when it changes.
func (c *Channel) trouble(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.troubled {
		c.troubled = true
		c.Log.Warn("began to fail working on a channel", "kind", fault.KindOf(err), "err", err)
	}
}

func (c *Channel) calm() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.troubled {
		c.troubled = false
		c.Log.Info("works on a channel again")
	}
}
