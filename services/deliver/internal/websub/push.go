package websub

import (
	"net/http"

	"tidings.internal/pkg/fault"
)

// push pushes the document of its topic to a subscription. Success is not written down: the position of the topic says it,
// at most a second later, and a site that gets the same document twice takes no harm. A kill anywhere in here has the
// document pushed again by the next holder.
func (s *shift) push(sub *subscription) {
	s.mu.Lock()
	now := s.Now()
	t := sub.topic
	row, doc, about := *sub.row, t.doc, *t.row
	// Nothing is pushed after the end of a lease, and nothing old when something newer is wanted.
	current := s.subs[sub.key] == sub && row.Live(now) && doc != nil && doc.round == about.Round
	if !current || s.ctx.Err() != nil || !s.lease.Valid() {
		s.done(sub, !row.Live(now))
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	got := s.post(s.ctx, &row, &about, doc.body)
	if s.ctx.Err() != nil {
		return // the next holder finds it owed
	}
	outcome, anew := Sent, false
	var err error
	switch {
	case got.good():
		if row.Retry != nil {
			err = s.write(sub.key, func(r *Subscription) *Subscription {
				if r == nil || r.Retry == nil {
					return r
				}
				r.Retry = nil
				r.note(got.step(s.Now(), Sent))
				return r.changed()
			})
		}
	case got.status == http.StatusGone:
		outcome = Given
		err = s.write(sub.key, func(r *Subscription) *Subscription {
			if anew = r != nil && r.Since.After(row.Since); anew {
				return r // it has subscribed anew meanwhile, and is asked again
			}
			return nil
		})
		if err == nil && !anew {
			s.tell("subscription_ended", row.Feed, Given)
		}
	default:
		outcome = Failed
		err = s.write(sub.key, func(r *Subscription) *Subscription {
			if r == nil {
				return nil
			}
			r.fail(s.Now(), got.step(s.Now(), Failed), s.Random())
			return r.changed()
		})
	}
	s.Observe.Pushed(outcome)
	if err != nil {
		s.Log.Debug("could not write down what became of a push", "feed", row.Feed, "kind", fault.KindOf(err), "err", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock() // until it is done: what is wanted in between would count as settled
	sub.slow = got.took > s.slowAfter
	if err != nil {
		t.hold = s.Now().Add(writeAgain) // the document stays owed, and is pushed again
	}
	settled := err == nil && !anew && (doc.round == t.row.Round || sub.row.Retry != nil) // a retry brings what is the newest then
	s.done(sub, settled)
}

// changed marks a copy of a row as one that is to be written.
func (s *Subscription) changed() *Subscription {
	next := *s
	return &next
}

// done ends a push. settled says that the document is not owed any more. It is called with the lock.
func (s *shift) done(sub *subscription, settled bool) {
	t := sub.topic
	sub.busy = false
	t.busy--
	if settled {
		s.owe(sub, false)
	}
	if t.owed > 0 || t.busy > 0 {
		return
	}
	select {
	case s.wake <- struct{}{}: // the distribution has ended: write it down, and let the document go
	default:
	}
}
