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
	newsletter "tidings.internal/services/deliver/internal/send/list"
)

// Wish is what an operator wants of a delivery, named channel/story. At is the version that was looked at: a row that
// changed since is left alone. Zero means as it is now.
type Wish struct {
	ID    string
	Actor string
	At    uint64
	// Why is what the row keeps of a rejection.
	Why string
}

// The verbs below are an operator's. They change the ledger alone, by compare-and-set; whoever holds the channel hears
// of it there.

// Approve lets a held delivery go. Approving twice is one post; already reports that nothing was left to do.
func Approve(ctx context.Context, b *bus.Bus, w Wish) (already bool, err error) {
	err = change(ctx, b, w, func(r *ledger.Row) (*ledger.Row, error) {
		next, err := r.Approve(time.Now(), w.Actor)
		already = next == nil && err == nil
		return next, err
	})
	return already, err
}

// Reject ends a held delivery unsent.
// Once more is as good.
func Reject(ctx context.Context, b *bus.Bus, w Wish) error {
	return change(ctx, b, w, func(r *ledger.Row) (*ledger.Row, error) {
		if r.State == ledger.Skipped && r.Reason == ledger.Rejected {
			return nil, nil
		}
		return r.Reject(time.Now(), w.Actor, w.Why)
	})
}

// Skip ends any delivery that was not sent. Once more is as good.
func Skip(ctx context.Context, b *bus.Bus, w Wish) error {
	return change(ctx, b, w, func(r *ledger.Row) (*ledger.Row, error) {
		if r.State == ledger.Skipped && r.Reason == ledger.Operator {
			return nil, nil
		}
		return r.Skip(time.Now(), w.Actor, ledger.Operator)
	})
}

// Hold stops a delivery that was about to go: for a time, or with zero until it is approved.
func Hold(ctx context.Context, b *bus.Bus, w Wish, span time.Duration) error {
	now := time.Now()
	var due time.Time
	if span > 0 {
		due = now.Add(span)
	}
	return change(ctx, b, w, func(r *ledger.Row) (*ledger.Row, error) { return r.Hold(now, due, w.Actor) })
}

// Now lets a delivery go next, without regard to rate and quiet hours.
func Now(ctx context.Context, b *bus.Bus, w Wish) error {
	return change(ctx, b, w, func(r *ledger.Row) (*ledger.Row, error) { return r.Hurry(time.Now(), w.Actor) })
}

// Edit gives a delivery that did not begin to be sent the payload that was composed of a person's words.
func Edit(ctx context.Context, b *bus.Bus, w Wish, p event.Post) error {
	return change(ctx, b, w, func(r *ledger.Row) (*ledger.Row, error) {
		if p.Article != r.Article || p.Network != r.Network {
			return nil, fault.Errorf(fault.Invalid, "edit delivery %s: the words were composed for article %s on %s", r.ID(), p.Article, p.Network)
		}
		return r.Rewrite(p, time.Now(), w.Actor)
	})
}

// Delete takes back what was posted. It is done by whoever holds the channel, as soon as the network takes it.
func Delete(ctx context.Context, b *bus.Bus, w Wish) error {
	return change(ctx, b, w, func(r *ledger.Row) (*ledger.Row, error) { return r.Withdraw(time.Now(), w.Actor) })
}

// Resolve settles a delivery of which nobody knows whether it arrived: a person looked. One that was sent may be given the
// address of its post; one that was not is tried again.
func Resolve(ctx context.Context, b *bus.Bus, w Wish, sent bool, url string) error {
	return change(ctx, b, w, func(r *ledger.Row) (*ledger.Row, error) {
		switch {
		case r.State != ledger.Uncertain:
			return nil, fault.Errorf(fault.Invalid, "resolve delivery %s: it is %s, not uncertain", r.ID(), r.State)
		case sent:
			return r.Found(time.Now(), w.Actor, url)
		default:
			return r.Absent(time.Now(), w.Actor)
		}
	})
}

// Retry tries a failed delivery again with the payload that it has.
func Retry(ctx context.Context, b *bus.Bus, w Wish) error {
	return change(ctx, b, w, func(r *ledger.Row) (*ledger.Row, error) {
		if r.State != ledger.Failed {
			return nil, fault.Errorf(fault.Invalid, "retry delivery %s: it is %s, not failed", r.ID(), r.State)
		}
		return r.Retry(time.Now(), w.Actor)
	})
}

// Try puts a post that is marked as a test into the ledger: it is sent next and taken back at once, where the network can.
// The name of its delivery is the channel and the story of the post.
func Try(ctx context.Context, b *bus.Bus, p event.Post, actor string) (id string, err error) {
	c, _, err := book(b).Channel(ctx, p.Channel)
	switch {
	case err != nil:
		return "", err
	case c == nil:
		return "", fault.Errorf(fault.Invalid, "no deliver has worked on a channel %s yet", p.Channel)
	case c.Network == newsletter.Network.Name:
		return "", fault.Errorf(fault.Invalid, "channel %s is a list; \"tidings subscribers test %[1]s ADDRESS\" sends a mail of it", c.ID)
	case c.Pause != nil:
		return "", fault.Errorf(fault.Refused, "channel %s is paused: %s %s", c.ID, c.Pause.Reason, c.Pause.Text)
	}
	r, err := ledger.Trial(p, time.Now(), actor)
	if err != nil {
		return "", err
	}
	// A crash behind this line leaves a delivery as any other: it is sent once and taken back.
	_, err = book(b).Put(ctx, r, 0)
	return r.ID(), err
}

// parts takes the name of a delivery apart.
func parts(id string) (channel, story string, err error) {
	channel, story, _ = strings.Cut(id, "/")
	if !article.ValidName(channel) || !article.ValidID(story) {
		return "", "", fault.Errorf(fault.Invalid, "%.80q is no delivery; name it channel/story", id)
	}
	return channel, story, nil
}

func change(ctx context.Context, b *bus.Bus, w Wish, verb func(*ledger.Row) (*ledger.Row, error)) error {
	channel, story, err := parts(w.ID)
	if err != nil {
		return err
	}
	wanted := func(r *ledger.Row) (*ledger.Row, error) {
		if r == nil {
			return nil, fault.Errorf(fault.Invalid, "there is no delivery %s/%s", channel, story)
		}
		next, err := verb(r)
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, "%w", err)
		}
		return next, nil
	}
	if w.At == 0 {
		_, _, err = book(b).Change(ctx, channel, story, wanted)
		return err
	}
	row, version, err := book(b).Row(ctx, channel, story)
	if err != nil {
		return err
	}
	next, err := wanted(row)
	switch {
	case err != nil && row == nil:
		return err
	case version != w.At:
		return stale(w, row.State, version)
	case err != nil || next == nil:
		return err
	}
	if _, err := book(b).Put(ctx, next, version); fault.KindOf(err) == fault.Conflict {
		return stale(w, row.State, version)
	} else if err != nil {
		return err
	}
	return nil
}

func stale(w Wish, state ledger.State, version uint64) error {
	return fault.Errorf(fault.Invalid, "delivery %s is no longer as it was at version %d: look at it again (%s, version %d or later)", w.ID, w.At, state, version)
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

// Rebind allows a channel to go on with the account that it is configured for, in place of the one that it posted to. It is
// used up by the next deliver that finds another account, and holds for a day. What is in doubt has to be settled before: behind that nobody can
// ask the former account.
func Rebind(ctx context.Context, b *bus.Bus, channel, actor string) error {
	if !article.ValidName(channel) {
		return fault.Errorf(fault.Invalid, "%.80q is no channel", channel)
	}
	rows, err := book(b).Rows(ctx, channel)
	if err != nil {
		return err
	}
	doubtful := 0
	for _, r := range rows {
		if r.State == ledger.Sending || r.State == ledger.Uncertain {
			doubtful++
		}
	}
	if doubtful > 0 {
		return fault.Errorf(fault.Invalid, "rebind channel %s: nobody knows yet whether %d of its deliveries arrived; \"tidings deliveries list --channel %[1]s --state uncertain\" shows them", channel, doubtful)
	}
	return changeChannel(ctx, b, channel, func(c *ledger.Channel) bool {
		stopped := c.Pause != nil && c.Pause.Reason == ledger.AccountChanged
		if stopped {
			c.Resume()
		}
		if c.MayRebind(time.Now()) {
			return stopped
		}
		c.Rebind = &ledger.Rebind{At: time.Now().UTC(), By: actor}
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
