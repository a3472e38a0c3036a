package app

import (
	"context"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/ledger"
)

// Caught is what became of a post that a channel may have missed.
type Caught struct {
	Delivery string `json:"delivery"`
	Title    string `json:"title,omitempty"`
	// Outcome is planned for what is sent now or at Due, held for what is approved or ended by then; else the state that the
	// delivery has and keeps, or "left out".
	Outcome string    `json:"outcome"`
	Due     time.Time `json:"due,omitzero"`
	Reason  string    `json:"reason,omitempty"`
}

// LeftOut is the outcome of a story for which there is no post.
const LeftOut = "left out"

// day is the span over which perDay posts are spread. A day with a change of the clock is none of its business: quiet hours
// are kept anyway.
const day = 24 * time.Hour

// CatchUp plans posts that a channel missed, in the order given, perDay of them each day from now on; all at once, at the
// rate of the channel, for zero. Where the configuration has them approved they are held. What was sent, or ended by a
// person, is left as it is, so that it may be repeated after a crash. With dry nothing is written.
func CatchUp(ctx context.Context, b *bus.Bus, doc *config.Doc, channel string, posts []event.Post, perDay int, actor string, dry bool) ([]Caught, error) {
	rules, err := approval(doc, channel)
	if err != nil {
		return nil, err
	}
	c, _, err := book(b).Channel(ctx, channel)
	switch {
	case err != nil:
		return nil, err
	case c == nil:
		return nil, fault.Errorf(fault.Invalid, "no deliver has worked on a channel %s yet; start it with the channel first", channel)
	case c.Pause != nil && c.Pause.Reason == ledger.Restored:
		return nil, fault.Errorf(fault.Invalid, "channel %s waits for its resume after a restore, which ends what is planned; resume it first", channel)
	}
	now := time.Now()
	list := make([]Caught, 0, len(posts))
	planned := 0
	for _, p := range posts {
		due := now
		if perDay > 0 {
			due = now.Add(time.Duration(planned/perDay) * day)
		}
		fresh := false
		row, err := catchUp(ctx, b, p, dry, func(old *ledger.Row) (*ledger.Row, error) {
			r, err := ledger.CatchUp(old, p, rules, due, now, actor)
			fresh = r != nil
			return r, err
		})
		if err != nil {
			return list, err
		}
		one := Caught{Delivery: row.ID(), Title: p.Title, Outcome: string(row.State), Reason: row.Reason}
		if fresh {
			planned++
			one.Due = row.Due
		}
		list = append(list, one)
	}
	return list, nil
}

// approval reads how the posts of a channel are approved. Mistakes elsewhere, such as a file with a token that only deliver
// can read, are none of its business.
func approval(doc *config.Doc, channel string) (ledger.Rules, error) {
	for _, c := range read(doc).channels {
		if c.ID == channel {
			if c.network.Traits.Listed {
				return ledger.Rules{}, fault.Errorf(fault.Invalid, "channel %s is a list: its posts are told in mails, and none is sent by itself; readers get what is posted after they have confirmed", channel)
			}
			return ledger.Rules{Approve: c.Approve.Mode, HoldFor: c.Approve.Hold, ExpireAfter: c.ExpireAfter}, nil
		}
	}
	return ledger.Rules{}, fault.Errorf(fault.Invalid, "there is no channel %q in the configuration that deliver sends to", channel)
}

func catchUp(ctx context.Context, b *bus.Bus, p event.Post, dry bool, change func(*ledger.Row) (*ledger.Row, error)) (*ledger.Row, error) {
	if !dry {
		row, _, err := book(b).Change(ctx, p.Channel, p.Story, change)
		return row, err
	}
	old, _, err := book(b).Row(ctx, p.Channel, p.Story)
	if err != nil {
		return nil, err
	}
	if row, err := change(old); err != nil || row != nil {
		return row, err
	}
	return old, nil
}
