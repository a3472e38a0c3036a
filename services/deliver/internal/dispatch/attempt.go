package dispatch

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/trace"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/schedule"
	"tidings.internal/services/deliver/internal/send"
)

const (
	// stopGrace is how long a request in flight may go on after a stop.
	stopGrace = 10 * time.Second
	// commitGrace is how long the outcome of a request may still be written after that.
	commitGrace = 5 * time.Second
)

// lanes is how many requests may be in flight at once in a channel in a state. Where a rate is kept, where the network is
// in trouble, and while it is not known who we are there, it is one: what the answer says holds for the next.
func (c *Channel) lanes(state ledger.Channel) int {
	parallel, ok := c.Sender.(send.Parallel)
	if !ok || !c.Network.Traits.Repeatable || c.limits.Any() || state.Failures > 0 {
		return 1
	}
	if _, probes := c.Sender.(send.Prober); probes && !c.identified {
		return 1
	}
	return max(parallel.Concurrency(), 1)
}

// attempts makes one try of the operation of each story, all at once, and returns when every outcome is written. Each row
// says by itself that its request may have left, so that a kill leaves as many rows to recover as were in flight. The
// stories differ: of one story never two requests fly.
func (c *Channel) attempts(ctx context.Context, lease Lease, stories []string) error {
	if len(stories) == 1 {
		return c.attempt(ctx, lease, stories[0])
	}
	failed := make([]error, len(stories))
	var group sync.WaitGroup
	for i, story := range stories {
		group.Go(func() { failed[i] = c.attempt(ctx, lease, story) })
	}
	group.Wait()
	return errors.Join(failed...)
}

// attempt makes one try of a row's operation.
func (c *Channel) attempt(ctx context.Context, lease Lease, story string) error {
	row, revision, err := c.Ledger.Row(ctx, c.id, story)
	if err != nil {
		return err
	}
	if row == nil {
		c.index.missing(story, c.Now())
		return nil
	}
	now := c.Now()
	op, ready := row.Ready(now)
	if !ready { // the index was behind
		c.index.put(row, revision)
		return nil
	}
	if op == ledger.Delete && row.State == ledger.Sent && !c.rules().CanDelete {
		_, err := c.change(ctx, story, func(r *ledger.Row) (*ledger.Row, error) {
			if r.State != ledger.Sent || r.Next == nil || r.Next.Op != ledger.Delete {
				return nil, nil
			}
			return r.Unable(), nil
		})
		return err
	}
	if ok, err := c.identify(ctx); err != nil || !ok {
		return err
	}
	if op == ledger.Create && row.State != ledger.Waiting && c.limits.Any() {
		// Booked before the row says "sending": a crash between the two costs a slot and never gives one away.
		if err := c.update(ctx, func(s *ledger.Channel) bool { s.Pace = s.Pace.Take(now, c.limits); return true }); err != nil {
			return err
		}
	}
	begun, err := row.Begin(now, c.Config.Timeout, c.Owner)
	if err != nil {
		return err
	}
	if !lease.Valid() {
		return fault.Errorf(fault.Conflict, "send delivery %s: the lease of the channel is lost", row.ID())
	}
	// From this write on the row says that a request may have left. Whoever dies before it has sent nothing and leaves
	// the row as it was; whoever dies after it leaves a row that is not sent again before it is reconciled. Of two who
	// write it one loses the compare-and-set and sends nothing.
	revision, err = c.Ledger.Put(ctx, begun, revision)
	if err != nil {
		return c.lost(ctx, story, err)
	}
	c.index.put(begun, revision)
	sent := time.Now()
	receipt, err := c.fly(ctx, begun)
	c.traced(begun, sent, err)
	return c.settle(ctx, begun, revision, receipt, err)
}

// traced exports how long a request took, where the post that it carries belongs to a trace that is exported.
func (c *Channel) traced(r *ledger.Row, began time.Time, err error) {
	if r.Trace == "" {
		return
	}
	c.Trace.BeginAt(began, r.Trace, "send",
		trace.Attribute{Key: "article", Value: r.Article}, trace.Attribute{Key: "channel", Value: c.id}, trace.Attribute{Key: "network", Value: c.Config.Network},
		trace.Attribute{Key: "operation", Value: string(r.Op)}, trace.Attribute{Key: "attempt", Value: strconv.Itoa(r.Attempt)},
	).End(err)
}

// lost looks at a row again whose write somebody else won. It is no error: the other one is at work on it.
func (c *Channel) lost(ctx context.Context, story string, err error) error {
	if fault.KindOf(err) != fault.Conflict {
		return err
	}
	row, revision, err := c.Ledger.Row(ctx, c.id, story)
	if err == nil && row != nil {
		c.index.put(row, revision)
	}
	return err
}

// fly makes the request. It is not cut short by a stop at once: an answer that is not awaited is an outcome unknown.
func (c *Channel) fly(ctx context.Context, r *ledger.Row) (receipt send.Receipt, err error) {
	flying, cancel := outlive(ctx, c.Config.Timeout, stopGrace)
	defer cancel()
	began := time.Now()
	defer func() { c.Observe.Took(c.Config.Network, time.Since(began)) }()
	defer func() {
		if p := recover(); p != nil {
			c.Log.Error("recovered a panic in a sender", "story", r.Story, "err", p, "stack", string(debug.Stack()))
			err = fault.Errorf(fault.Uncertain, "send delivery %s: the sender panicked", r.ID())
		}
	}()
	receipt, err = send.Do(flying, c.Sender, job(r))
	if f, ok := c.Sender.(send.Finder); ok && err == nil && r.Op == ledger.Create && receipt.Remote.IsZero() {
		// Accepted, but the receipt could not be read. Without it neither edit nor deletion will find the post.
		if remote, found, err := f.Find(flying, job(r)); err == nil && found {
			receipt.Remote = remote
		}
	}
	return receipt, err
}

// outlive returns a context that ends after limit, or some grace after ctx has ended.
func outlive(ctx context.Context, limit, grace time.Duration) (context.Context, context.CancelFunc) {
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return own, func() { stop(); cancel() }
}

func job(r *ledger.Row) send.Job {
	return send.Job{
		Channel: r.Channel, Story: r.Story, Op: r.Op, Key: r.Key, Revision: r.Revision, Started: r.StartedAt,
		Post: r.Payload, URL: r.URL, Remote: r.Remote,
	}
}

// settle writes down what became of an attempt. The write is tried as long as the row is ours to write: after that
// somebody else reconciles it, and finds out.
func (c *Channel) settle(ctx context.Context, begun *ledger.Row, at uint64, receipt send.Receipt, cause error) error {
	now := c.Now()
	ctx, cancel := outlive(ctx, max(begun.Deadline.Add(flight).Sub(now), commitGrace), commitGrace)
	defer cancel()
	v := c.judge(begun, receipt, cause, now)
	if v.bury != "" {
		c.bury(ctx, begun, v)
	}
	if v.channel != nil {
		// Before the row: once the row is free to go again, the channel must know that it has to wait.
		if err := c.insist(ctx, func() error { return c.update(ctx, v.channel) }); err != nil {
			return err
		}
	}
	var row *ledger.Row
	var revision uint64
	err := c.insist(ctx, func() (err error) {
		row, revision, err = c.Ledger.ChangeFrom(ctx, c.id, begun.Story, begun, at, func(old *ledger.Row) (*ledger.Row, error) {
			// The row may have heard of a newer revision while the request flew; it is still the same attempt.
			if !sameAttempt(old, begun, ledger.Sending) {
				return nil, nil
			}
			return v.row(old)
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("write outcome: %w", err)
	}
	if row != nil {
		c.index.put(row, revision)
		c.settled(row, begun, v)
		for _, name := range receipt.Dropped {
			c.tell("media_dropped", row, name, "")
		}
	}
	return nil
}

// sameAttempt reports whether a row is still in the state in which an attempt left it.
func sameAttempt(r, begun *ledger.Row, state ledger.State) bool {
	return r != nil && r.State == state && r.Owner == begun.Owner && r.StartedAt.Equal(begun.StartedAt)
}

// insist repeats a write through an outage of the bus, until ctx ends.
func (c *Channel) insist(ctx context.Context, write func() error) error {
	for n := 1; ; n++ {
		err := write()
		switch fault.KindOf(err) {
		case "":
			return nil
		case fault.Unreachable, fault.Throttled, fault.Conflict:
		default:
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(schedule.Spread(min(time.Duration(n)*100*time.Millisecond, 2*time.Second), 0.2, c.Random())):
		}
	}
}

// settled tells everyone who wants to know.
func (c *Channel) settled(row, begun *ledger.Row, v verdict) {
	c.Observe.Delivered(c.id, c.Config.Network, begun.Op, v.outcome, v.reason)
	if row.State == ledger.Sent && begun.Op == ledger.Create && begun.ApprovedAt.IsZero() && !begun.Backfill && !begun.FirstSeen.IsZero() {
		c.Observe.Arrived(c.Now().Sub(begun.FirstSeen))
	}
	if v.notice != "" {
		c.tell(v.notice, row, v.reason, "")
	}
	c.Log.Debug("settled an attempt", "story", row.Story, "attempt", begun.Attempt, "status", v.outcome, "kind", v.reason, "err", v.text)
}
