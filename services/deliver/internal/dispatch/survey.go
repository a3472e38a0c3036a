package dispatch

import (
	"cmp"
	"time"

	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/send"
)

const (
	// onRetry is the value of on_uncertain that sends again without looking.
	onRetry = "retry"
	// dropOldest is the value of overflow that shortens a queue.
	dropOldest = "drop_oldest"
)

// survey is what there is to do in a channel at one moment. Of each sort it holds the oldest row.
type survey struct {
	overdue  choice // its request is surely over, and nobody wrote the outcome down
	held     choice // its hold or its time for approval is over
	tooOld   choice // a first post past its age
	doubtful choice // perhaps accepted, and it is time to look
	deletion choice // goes before everything and waits for nothing
	rush     choice // a person wants it now
	next     choice // may go now
	oldest   choice // the oldest of the queue
	queued   int    // first posts that wait
	wait     time.Duration
}

// survey looks at all rows once. Among equals the oldest comes first. Edits keep the quiet hours; first posts keep the
// pace too, unless a person wants them now.
func (c *Channel) survey(state ledger.Channel, now time.Time) survey {
	s := survey{wait: lookAgain}
	quiet, pace := c.quiet.Wait(now), state.Pace.Wait(now, c.limits)
	_, finds := c.Sender.(send.Finder)
	looks := finds || c.Config.OnUncertain == onRetry
	c.index.each(func(story string, i item) {
		if now.Before(i.again) {
			s.until(i.again.Sub(now))
			return
		}
		later := max(i.due.Sub(now), 0)
		switch i.state {
		case ledger.Sending:
			if later = i.deadline.Add(flight).Sub(now); later < 0 {
				s.overdue.offer(story, i)
			}
			s.until(max(later, time.Millisecond))
		case ledger.Held:
			if i.due.IsZero() {
				return // waits for a person alone
			}
			if later == 0 {
				s.held.offer(story, i)
			}
			s.until(later)
		case ledger.Uncertain:
			if !looks {
				return // waits for a person alone
			}
			if later == 0 {
				s.doubtful.offer(story, i)
			}
			s.until(later)
		default:
			c.weigh(&s, story, i, now, later, quiet, pace)
		}
	})
	return s
}

// weigh looks at a row that waits only for its time.
func (c *Channel) weigh(s *survey, story string, i item, now time.Time, later, quiet, pace time.Duration) {
	switch i.op {
	case ledger.Delete:
		if later == 0 {
			s.deletion.offer(story, i)
		}
		s.until(later)
		return
	case ledger.Create:
		s.queued++
		if !i.rush {
			s.oldest.offer(story, i)
		}
		if c.tooOld(i, now) {
			s.tooOld.offer(story, i)
		}
	}
	turn := &s.rush
	if !i.rush {
		turn = &s.next
		later = max(later, c.paced(i, pace), quiet)
	}
	if later == 0 {
		turn.offer(story, i)
	}
	s.until(later)
}

// paced is how much of the pace's wait a row has to keep: first posts alone cost something, and a second try has paid.
func (c *Channel) paced(i item, pace time.Duration) time.Duration {
	if i.op != ledger.Create || i.state == ledger.Waiting {
		return 0
	}
	return pace
}

// tooOld reports whether a first post has passed its age, counted from its approval where a person gave one. What the
// operator asked for as backfill has no age.
func (c *Channel) tooOld(i item, now time.Time) bool {
	since := i.published
	if i.approved.After(since) {
		since = i.approved
	}
	return c.Config.MaxAge > 0 && !i.backfill && now.Sub(since) > c.Config.MaxAge
}

func (s *survey) until(later time.Duration) { s.wait = min(s.wait, later) }

// choice is the oldest of the rows that were offered: by time of publication, then in the order of arrival, then by
// story, so that it does not depend on the order of the offers.
type choice struct {
	story string
	item  item
}

func (c *choice) found() bool { return c.story != "" }

func (c *choice) offer(story string, i item) {
	if c.story == "" || cmp.Or(i.published.Compare(c.item.published), cmp.Compare(i.ordinal, c.item.ordinal), cmp.Compare(story, c.story)) < 0 {
		c.story, c.item = story, i
	}
}
