package readers

import (
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/ledger"
)

// look asks how far the ledger is, and whether the list is paused.
func (s *shift) look() error {
	s.mu.Lock()
	fresh := time.Since(s.looked) < lookNews // the broker is spared, whatever the clock of the periods does
	s.mu.Unlock()
	if !fresh {
		paused, err := s.pausedNow()
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.looked, s.paused = time.Now(), paused
		s.mu.Unlock()
		if err := s.measure(); err != nil {
			return err
		}
	}
	s.rise()
	return nil
}

// measure asks up to which place all that was posted stands in the ledger. Our index of the ledger may lag behind, and
// what it lacks would be passed over; so a row is written once more as it is, and the place counts when the index has seen
// that. The broker shows rows in the order in which they were written.
func (s *shift) measure() error {
	now := s.Now()
	floor, err := s.Bus.Floor(s.ctx, event.StreamPosts, event.ChannelConsumer(s.id).Name)
	if err != nil {
		return err
	}
	s.mu.Lock()
	higher := floor > max(s.floor, s.coming)
	s.known = s.known || floor == 0
	if !higher && s.coming == 0 {
		s.level = now
	} else if !higher {
		s.asked = now
	}
	s.mu.Unlock()
	_, story := s.stories.shown()
	if !higher || story == "" {
		return nil
	}
	_, mark, err := s.Ledger.Change(s.ctx, s.id, story, func(r *ledger.Row) (*ledger.Row, error) { return r, nil })
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.coming, s.mark, s.asked = floor, mark, now
	return nil
}

// rise has the floor count that the index has come level with.
func (s *shift) rise() {
	seen, _ := s.stories.shown()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.coming == 0 || seen < s.mark {
		return
	}
	s.floor, s.coming, s.known, s.level = s.coming, 0, true, s.asked
	for _, at := range s.seats {
		if !at.calendar.Scheduled() {
			at.next = time.Time{} // there may be news
		}
	}
}

// pausedNow reads whether the list is paused, and ends a pause for credentials that are others now.
func (s *shift) pausedNow() (bool, error) {
	c, _, err := s.Ledger.Channel(s.ctx, s.id)
	if err != nil || c == nil || c.Pause == nil {
		return c == nil, err
	}
	if c.Pause.Reason != string(fault.Refused) || c.Pause.Credential == s.Credential {
		return true, nil
	}
	_, err = s.Ledger.ChangeChannel(s.ctx, s.id, func(c *ledger.Channel) (*ledger.Channel, error) {
		if c == nil || c.Pause == nil || c.Pause.Credential == s.Credential {
			return nil, nil
		}
		c.Resume()
		return c, nil
	})
	if err == nil {
		s.Log.Info("resumed a list, whose server has other credentials now")
		s.tell("channel_resumed", string(fault.Refused), nil)
	}
	return err != nil, err
}
