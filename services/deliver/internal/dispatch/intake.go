package dispatch

import (
	"context"
	"encoding/json"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/trace"
	"tidings.internal/services/deliver/internal/ledger"
)

// Take handles one message of POSTS: it puts what the message means into the ledger. The caller acks when it returns
// nil, and the order of the two is what makes that safe. Until the row is written the message is un-acked and comes
// again; once it is, the message may come any number of times and changes nothing, because the row knows its revision.
func (c *Channel) Take(ctx context.Context, d *bus.Delivery) error {
	p, err := decode(d.Message)
	if err != nil {
		return err
	}
	if p.Channel != c.id {
		return fault.Errorf(fault.Malformed, "take post for channel %s: it names channel %q", c.id, p.Channel)
	}
	if p.Network != c.Config.Network {
		return bus.Dead("wrong_network", fault.Errorf(fault.Invalid, "take post for channel %s: it was composed for %q, and the channel is %s", c.id, p.Network, c.Config.Network))
	}
	if n := len(p.Request.Body); n > ledger.MaxPayload {
		return fault.Errorf(fault.TooLarge, "take post for channel %s: %d bytes are more than %d", c.id, n, ledger.MaxPayload)
	}
	if p.Backfill {
		// How many may go is counted, so they go through one at a time.
		c.filling.Lock()
		defer c.filling.Unlock()
	}
	var fresh bool
	parent := d.Header.Value(event.HeaderTraceparent)
	row, revision, err := c.Ledger.Change(ctx, c.id, p.Story, func(old *ledger.Row) (*ledger.Row, error) {
		r, err := ledger.Take(old, p, d.Sequence, c.rules(), c.Now())
		if fresh = r != nil; fresh && trace.Sampled(parent) {
			r.Trace = parent // the request may leave hours later, by another process
		}
		return r, err
	})
	if err != nil {
		return err
	}
	if fresh {
		c.taken(row, revision)
	}
	return nil // a crash here loses only the ack: the message comes again and finds the row as it is
}

// taken takes note of a row that intake wrote.
func (c *Channel) taken(r *ledger.Row, revision uint64) {
	c.index.put(r, revision)
	c.poke()
	switch {
	case len(r.History) != 1:
	case r.State == ledger.Skipped:
		c.Observe.Delivered(c.id, c.Config.Network, r.Op, string(r.State), r.Reason)
		c.tell("skipped", r, r.Reason, "")
	case r.State == ledger.Held:
		c.tell("held", r, "", "")
	}
}

// decode reads a post or a withdrawal; the second becomes a post that asks for a deletion and has no payload.
func decode(m event.Message) (event.Post, error) {
	env, err := event.Decode(m)
	if err != nil {
		return event.Post{}, err
	}
	if env.Type != event.TypeWithdrawn {
		_, p, err := event.DecodePost(m)
		if err == nil {
			err = check(p)
		}
		return p, err
	}
	_, w, err := event.DecodeWithdrawn(m)
	return event.Post{
		Channel: w.Channel, Network: w.Network, Story: w.Story, Article: w.Article, Revision: w.Revision, Action: event.ActionDelete,
	}, err
}

// check refuses a post that no network could send.
func check(p event.Post) error {
	switch p.Action {
	case event.ActionDelete:
		return nil
	case event.ActionCreate, event.ActionEdit:
		if !json.Valid(p.Request.Body) {
			return fault.Errorf(fault.Malformed, "take post of story %s: it has no payload", p.Story)
		}
		return nil
	}
	return fault.Errorf(fault.Malformed, "take post of story %s: %q is no action", p.Story, p.Action)
}
