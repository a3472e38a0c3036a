package dispatch

import (
	"context"
	"time"

	"tidings.internal/pkg/event"
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

// Verdict is what becomes of a post, or what has become of it.
type Verdict struct {
	// State and Reason are those that its row has or would have.
	State  ledger.State
	Reason string
	// Known says that the channel has heard of the story: what is told is what is.
	Known bool
	// At is when it is sent at the earliest, or when its hold ends; zero where nothing of it is known.
	At time.Time
}

// Verdict tells what would become of a post if it arrived now. It changes nothing and needs no lease.
func (c *Channel) Verdict(state ledger.Channel, rows []*ledger.Row, p event.Post, now time.Time) (Verdict, error) {
	backfilled := 0
	var row *ledger.Row
	for _, r := range rows {
		if r.Backfill && r.Reason != ledger.Baseline {
			backfilled++
		}
		if r.Story == p.Story {
			row = r
		}
	}
	v := Verdict{Known: row != nil}
	if row == nil {
		var err error
		if row, err = ledger.Take(nil, p, 0, c.rulesOf(state, backfilled), now); err != nil {
			return Verdict{}, err
		}
		if i := itemOf(row, 0); i.state == ledger.Planned && c.tooOld(i, now) {
			return Verdict{State: ledger.Skipped, Reason: ledger.TooOld}, nil
		}
	}
	v.State, v.Reason = row.State, row.Reason
	if row.State == ledger.Held {
		v.At = row.Due
	} else if next, ok := c.Outlook(state, []*ledger.Row{row}, now); ok {
		v.At = next.At
	}
	return v, nil
}

// Can tells what the network is able to do.
func (c *Channel) Can() (edit, remove bool) {
	r := c.rules()
	return r.CanEdit, r.CanDelete
}

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
