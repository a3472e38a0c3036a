package dispatch

import (
	"context"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/schedule"
	"tidings.internal/services/deliver/internal/send"
)

const (
	// firstLook is how long after its attempt an uncertain post is looked for: servers need a moment to show it.
	firstLook = 10 * time.Second
	// secondLook is the time between two looks; maxLooks not found is surely not there.
	secondLook = 30 * time.Second
	maxLooks   = 2
	// changeAge is how long an edit or a deletion is tried.
	changeAge = 48 * time.Hour
)

// verdict is what follows from an attempt.
type verdict struct {
	outcome string // the state that the row comes to
	reason  string // the kind of the fault, empty for success
	text    string // what was said, without secrets
	notice  string // the notice that is sent
	bury    fault.Kind
	row     func(*ledger.Row) (*ledger.Row, error)
	channel func(*ledger.Channel) bool
}

// judge decides what an attempt means for its row and for the channel. It does nothing.
func (c *Channel) judge(r *ledger.Row, receipt send.Receipt, err error, now time.Time) verdict {
	rules := c.rules()
	if err == nil {
		v := verdict{
			outcome: string(ledger.Sent), notice: "sent", channel: c.succeeded(receipt.Wait, now),
			row: func(r *ledger.Row) (*ledger.Row, error) { return r.Succeed(now, receipt.Remote, rules) },
		}
		switch r.Op {
		case ledger.Edit:
			v.notice = "edited"
		case ledger.Delete:
			v.outcome, v.notice = string(ledger.Deleted), "deleted"
		}
		return v
	}
	kind, text := fault.KindOf(err), err.Error()
	postpone := func(due time.Time) verdict {
		return verdict{
			outcome: string(ledger.Waiting), reason: string(kind), text: text,
			row: func(r *ledger.Row) (*ledger.Row, error) { return r.Postpone(now, due, string(kind), text, rules) },
		}
	}
	refuse := func() verdict {
		return verdict{
			outcome: string(ledger.Failed), reason: string(kind), text: text, notice: "failed", bury: kind,
			row: func(r *ledger.Row) (*ledger.Row, error) { return r.Refuse(now, kind, text, rules) },
		}
	}
	// A repeat of what is not a first post does no harm; nor does one that the receiver knows by its key.
	harmless := r.Op != ledger.Create || c.Network.Traits.Repeatable
	switch {
	case kind == fault.Refused, kind == fault.Gone && (r.Op == ledger.Create || c.Network.Traits.Repeatable):
		v := postpone(now)
		v.channel = c.pausing(kind, text, now)
		return v
	case kind == fault.Throttled:
		wait := fault.After(err)
		if wait == 0 {
			wait = schedule.Backoff(r.Attempt, c.Random())
		}
		v := postpone(now.Add(wait))
		v.channel = c.waiting(kind, now.Add(wait))
		return v
	case kind == fault.Unreachable, kind == fault.Uncertain && harmless, kind == fault.Internal && harmless:
		wait, more := c.retry(r, now)
		if !more {
			v := refuse()
			v.channel = c.failing(kind, text, now)
			return v
		}
		v := postpone(now.Add(wait))
		v.channel = c.failing(kind, text, now)
		return v
	case kind == fault.Uncertain, kind == fault.Internal:
		return verdict{
			outcome: string(ledger.Uncertain), reason: string(kind), text: text, notice: "uncertain", channel: c.failing(kind, text, now),
			row: func(r *ledger.Row) (*ledger.Row, error) { return r.Doubt(now, now.Add(firstLook), string(kind), text) },
		}
	}
	return refuse()
}

// retry says when a failed operation is tried again, and whether it is at all.
func (c *Channel) retry(r *ledger.Row, now time.Time) (time.Duration, bool) {
	if list := c.Network.Traits.Retries; len(list) > 0 {
		if r.Attempt > len(list) {
			return 0, false
		}
		return schedule.Spread(list[r.Attempt-1], 0.1, c.Random()), true
	}
	if r.Op != ledger.Create && now.Sub(r.First) > changeAge {
		return 0, false
	}
	return schedule.Backoff(r.Attempt, c.Random()), true
}

// succeeded closes the breaker, and keeps a wait that came with a success.
func (c *Channel) succeeded(wait time.Duration, now time.Time) func(*ledger.Channel) bool {
	return func(s *ledger.Channel) bool {
		if s.Failures == 0 && wait == 0 {
			return false
		}
		s.Failures, s.Failing, s.Wait, s.WaitReason = 0, time.Time{}, time.Time{}, ""
		if wait > 0 {
			s.Wait, s.WaitReason = now.Add(wait).UTC(), string(fault.Throttled)
		}
		return true
	}
}

// waiting makes the whole channel wait. A restart finds the wait in the channel's row.
func (c *Channel) waiting(kind fault.Kind, until time.Time) func(*ledger.Channel) bool {
	return func(s *ledger.Channel) bool {
		if !until.After(s.Wait) {
			return false
		}
		s.Wait, s.WaitReason = until.UTC(), string(kind)
		return true
	}
}

// failing counts a failure to reach the network. From the fifth in a row on, one row probes at a time, ever more
// seldom, and the others keep their order and their attempts.
func (c *Channel) failing(kind fault.Kind, text string, now time.Time) func(*ledger.Channel) bool {
	return func(s *ledger.Channel) bool {
		if s.Failures++; s.Failing.IsZero() {
			s.Failing = now.UTC()
		}
		if over := s.Failures - schedule.BreakAfter; over >= 0 {
			if until := now.Add(schedule.Backoff(over+1, c.Random())); until.After(s.Wait) {
				s.Wait, s.WaitReason = until.UTC(), string(kind)
			}
		}
		if limit := c.Network.Traits.GiveUp; limit > 0 && now.Sub(s.Failing) > limit {
			c.pausing(fault.Gone, text, now)(s)
		}
		return true
	}
}

// pausing stops the channel until somebody resumes it or gives it other credentials.
func (c *Channel) pausing(kind fault.Kind, text string, now time.Time) func(*ledger.Channel) bool {
	return func(s *ledger.Channel) bool {
		if s.Pause != nil {
			return false
		}
		s.Pause = &ledger.Pause{At: now.UTC(), Reason: string(kind), Text: text, Credential: c.Sender.Credential()}
		return true
	}
}

// bury keeps a copy of the post for the operator, best effort: the row that failed holds the payload too.
func (c *Channel) bury(ctx context.Context, r *ledger.Row, v verdict) {
	subject, err := event.PostSubject(c.id, r.Story)
	if err != nil {
		return
	}
	last, err := c.Bus.Last(ctx, subject)
	if err != nil || last == nil || last.Marker {
		return
	}
	d := &bus.Delivery{Message: last.Message, Stream: last.Stream, Consumer: event.ChannelConsumer(c.id).Name, Sequence: last.Sequence, Deliveries: r.Attempt, Time: last.Time}
	if err := c.Bus.Bury(ctx, d, string(v.bury), fault.Errorf(v.bury, "%s", v.text)); err != nil {
		c.Log.Warn("could not write a dead letter", "story", r.Story, "err", err)
	}
}
