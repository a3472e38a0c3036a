package dispatch

import (
	"context"
	"time"

	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/send"
)

// Due is what goes next, and when at the earliest.
type Due struct {
	Story string
	Op    ledger.Op
	At    time.Time
}

// Outlook tells what goes next as the rows stand, without regard to a pause. It changes nothing and needs no lease.
func (c *Channel) Outlook(state ledger.Channel, rows []*ledger.Row, now time.Time) (next Due, ok bool) {
	pace := state.Pace.Wait(now, c.limits)
	var best choice
	for _, r := range rows {
		i := itemOf(r, 0)
		if !i.waits() {
			continue
		}
		later := max(i.due.Sub(now), state.Wait.Sub(now), 0)
		if !i.rush && i.op != ledger.Delete {
			later = max(later, c.paced(i, pace))
			later += c.quiet.Wait(now.Add(later))
		}
		at := now.Add(later)
		if !ok || at.Before(next.At) {
			next, ok, best = Due{At: at}, true, choice{}
		}
		if at.Equal(next.At) {
			best.offer(r.Story, i)
		}
	}
	next.Story, next.Op = best.story, best.item.op
	return next, ok
}

// Rules are what the channel measures posts by.
func (c *Channel) Rules() ledger.Rules { return c.rules() }

// Limits asks the network for its limits, by the names of the channel's keys; none where it does not tell.
func (c *Channel) Limits(ctx context.Context) (map[string]int, error) {
	if m, ok := c.Sender.(send.Measurer); ok {
		return m.Limits(ctx)
	}
	return nil, nil
}

// Probe asks the network who the credentials belong to, without posting anything. ok is false when the network cannot be
// asked.
func (c *Channel) Probe(ctx context.Context) (who send.Identity, ok bool, err error) {
	p, ok := c.Sender.(send.Prober)
	if !ok {
		return send.Identity{}, false, nil
	}
	who, err = p.Probe(ctx)
	return who, true, err
}
