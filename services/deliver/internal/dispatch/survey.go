package dispatch

import (
	"cmp"
	"slices"
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

// survey is what there is to do in a channel at one moment. Of each sort it holds the oldest row, and of those that may go
// now as many as may be in flight at once.
type survey struct {
	overdue  choice // its request is surely over, and nobody wrote the outcome down
	held     choice // its hold or its time for approval is over
	tooOld   choice // a first post past its age
	doubtful choice // perhaps accepted, and it is time to look
	deletion choice // goes before everything and waits for nothing
	rush     choice // a person wants it now
	next     turns  // may go now
	oldest   choice // the oldest of the queue
	queued   int    // first posts that wait
	wait     time.Duration
}

// survey looks at all rows once. Among equals the oldest comes first. Edits keep the quiet hours; first posts keep the
// pace too, unless a person wants them now.
func (c *Channel) survey(state ledger.Channel, now time.Time, lanes int) survey {
	s := survey{wait: lookAgain, next: turns{most: lanes}}
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
	offer := s.rush.offer
	if !i.rush {
		offer = s.next.offer
		later = max(later, c.paced(i, pace), quiet)
	}
	if later == 0 {
		offer(story, i)
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
	if o := (choice{story, i}); !c.found() || o.compare(*c) < 0 {
		*c = o
	}
}

func (c choice) compare(o choice) int {
	return cmp.Or(c.item.published.Compare(o.item.published), cmp.Compare(c.item.ordinal, o.item.ordinal), cmp.Compare(c.story, o.story))
}

// turns are the oldest of the rows that were offered, most at most, in their order.
type turns struct {
	most int
	list []choice
}

func (t *turns) found() bool { return len(t.list) > 0 }

func (t *turns) offer(story string, i item) {
	o := choice{story, i}
	at, _ := slices.BinarySearchFunc(t.list, o, choice.compare)
	if at == t.most {
		return
	}
	if len(t.list) == t.most {
		t.list = t.list[:t.most-1]
	}
	t.list = slices.Insert(t.list, at, o)
}

func (t *turns) stories() []string {
	list := make([]string, len(t.list))
	for i, o := range t.list {
		list[i] = o.story
	}
	return list
}
