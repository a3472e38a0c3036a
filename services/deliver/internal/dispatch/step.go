package dispatch

import (
	"context"
	"time"

	"tidings.internal/services/deliver/internal/ledger"
)

const (
	// lookAgain is how long the loop sleeps at most: a clock that jumps delays by so much and repeats nothing.
	lookAgain = 30 * time.Second
	// lookPaused is the same while the channel is paused, when somebody may resume it at any moment.
	lookPaused = 5 * time.Second
	// flight is how long after its deadline a request may still be in the air.
	flight = 5 * time.Second
)

// Step does what is most urgent, if there is anything, and returns how long to wait before the next. Zero means at once.
// It is one thing, but for requests of which the sender takes several at once. The lease may be lost at any time; whatever
// is written then loses its compare-and-set.
func (c *Channel) Step(ctx context.Context, lease Lease) (time.Duration, error) {
	if c.index.empty() {
		return lookAgain, nil
	}
	state, err := c.load(ctx)
	if err != nil {
		return 0, err
	}
	now := c.Now()
	if _, wrong := state.Pace.Settle(now); wrong {
		return 0, c.update(ctx, func(s *ledger.Channel) (changed bool) { s.Pace, changed = s.Pace.Settle(now); return changed })
	}
	s := c.survey(state, now, c.lanes(state))
	switch {
	case s.overdue.found():
		return 0, c.recover(ctx, s.overdue.story)
	case s.held.found():
		return 0, c.release(ctx, s.held.story)
	case s.tooOld.found():
		return 0, c.skip(ctx, s.tooOld.story, ledger.TooOld)
	case c.Config.Overflow == dropOldest && s.queued > c.Config.QueueCap && s.oldest.found():
		return 0, c.skip(ctx, s.oldest.story, ledger.Dropped)
	case state.Pause != nil:
		resumed, err := c.tryResume(ctx, state)
		if err != nil || !resumed {
			return lookPaused, err
		}
		return 0, nil
	case now.Before(state.Wait):
		return min(state.Wait.Sub(now), lookAgain), nil
	case s.doubtful.found():
		return 0, c.reconcile(ctx, s.doubtful.story)
	case s.deletion.found():
		return 0, c.attempt(ctx, lease, s.deletion.story)
	case s.rush.found():
		return 0, c.attempt(ctx, lease, s.rush.story)
	case s.next.found():
		return 0, c.attempts(ctx, lease, s.next.stories())
	}
	return s.wait, nil
}
