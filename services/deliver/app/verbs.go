package app

import (
	"context"
	"strings"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/ledger"
)

// The verbs below are an operator's. They change the ledger alone, by compare-and-set; whoever holds the channel hears
// of it there. A delivery is named channel/story.

// Approve lets a held delivery go. Approving twice is one post.
func Approve(ctx context.Context, b *bus.Bus, id, actor string) error {
	return change(ctx, b, id, func(r *ledger.Row) (*ledger.Row, error) { return r.Approve(time.Now(), actor) })
}

// Reject ends a held delivery unsent.
func Reject(ctx context.Context, b *bus.Bus, id, actor string) error {
	return change(ctx, b, id, func(r *ledger.Row) (*ledger.Row, error) {
		if r.State == ledger.Skipped && r.Reason == ledger.Rejected {
			return nil, nil
		}
		return r.Skip(time.Now(), actor, ledger.Rejected)
	})
}

// Retry tries a failed delivery again with the payload that it has.
func Retry(ctx context.Context, b *bus.Bus, id, actor string) error {
	return change(ctx, b, id, func(r *ledger.Row) (*ledger.Row, error) {
		if r.State != ledger.Failed {
			return nil, fault.Errorf(fault.Invalid, "retry delivery %s: it is %s, not failed", r.ID(), r.State)
		}
		return r.Retry(time.Now(), actor)
	})
}

func change(ctx context.Context, b *bus.Bus, id string, verb func(*ledger.Row) (*ledger.Row, error)) error {
	channel, story, _ := strings.Cut(id, "/")
	if !article.ValidName(channel) || !article.ValidID(story) {
		return fault.Errorf(fault.Invalid, "%.80q is no delivery; name it channel/story", id)
	}
	_, _, err := book(b).Change(ctx, channel, story, func(r *ledger.Row) (*ledger.Row, error) {
		if r == nil {
			return nil, fault.Errorf(fault.Invalid, "there is no delivery %s/%s", channel, story)
		}
		next, err := verb(r)
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, "%w", err)
		}
		return next, nil
	})
	return err
}

// Pause stops a channel and keeps its queue.
func Pause(ctx context.Context, b *bus.Bus, channel string) error {
	return changeChannel(ctx, b, channel, func(c *ledger.Channel) bool {
		if c.Pause != nil && c.Pause.Reason == ledger.ByOperator {
			return false
		}
		c.Pause = &ledger.Pause{At: time.Now().UTC(), Reason: ledger.ByOperator}
		return true
	})
}

// Resume ends a pause, whatever its reason, and a wait. After a restore the channel begins anew at this moment.
func Resume(ctx context.Context, b *bus.Bus, channel string) error {
	if err := renew(ctx, b, channel); err != nil {
		return err
	}
	return changeChannel(ctx, b, channel, func(c *ledger.Channel) bool {
		if c.Pause == nil && c.Wait.IsZero() {
			return false
		}
		c.Resume()
		return true
	})
}

func changeChannel(ctx context.Context, b *bus.Bus, id string, verb func(*ledger.Channel) bool) error {
	if !article.ValidName(id) {
		return fault.Errorf(fault.Invalid, "%.80q is no channel", id)
	}
	_, err := book(b).ChangeChannel(ctx, id, func(c *ledger.Channel) (*ledger.Channel, error) {
		if c == nil {
			return nil, fault.Errorf(fault.Invalid, "nothing was ever sent to a channel %s", id)
		}
		if !verb(c) {
			return nil, nil
		}
		return c, nil
	})
	return err
}

func book(b *bus.Bus) *ledger.Ledger { return ledger.New(b.Bucket(event.BucketDeliveries)) }
