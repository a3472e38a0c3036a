package readers

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/ledger"
)

const (
	// sweepEvery is how often what is over is removed.
	sweepEvery = time.Hour
	// keepPending is how long the row of an address stays that nobody confirms.
	keepPending = 30 * day
)

// tell sends a notice about the list: best effort.
func (s *shift) tell(typ, reason string, data map[string]string) {
	s.Bus.Notice(context.WithoutCancel(s.ctx), event.Notice{Time: s.Now().UTC(), Type: typ, Channel: s.id, Reason: reason, Data: data})
}

// tellOf tells of a reader of a list without saying which.
func (s *shift) tellOf(list, typ, reason string) {
	s.Bus.Notice(context.WithoutCancel(s.ctx), event.Notice{Time: s.Now().UTC(), Type: typ, Channel: list, Reason: reason})
}

// heed ends what a reader of this list has ended, without waiting for the desk, which may be in other hands that are just
// changing: no mail leaves after somebody was told that none will. The desk deals with the request all the same, in its turn.
func (s *shift) heed(e bus.Entry) {
	var r event.ReaderRequest
	if e.Deleted || json.Unmarshal(e.Value, &r) != nil || r.Mode != event.ReaderUnsubscribe {
		return
	}
	kind, list, id, err := s.Keys.read(string(r.Token))
	if err != nil || kind != forReader || list != s.id {
		return
	}
	row, revision, changed, err := s.store.change(s.ctx, list, id, func(old *Reader) *Reader {
		if old == nil || old.dealt(r.ID) {
			return nil
		}
		// Not as dealt with: an earlier wish may still be on the desk, and this one ends that, too, when its turn comes.
		return unsubscribe(old, "", s.Now())
	})
	switch {
	case err != nil && s.ctx.Err() == nil:
		s.Log.Debug("left the end of a subscription to the desk", "kind", fault.KindOf(err), "err", err)
	case changed:
		s.note(row, revision)
		s.tellOf(list, "subscriber_left", "")
	}
}

// tellDigests tells how many mails of each period went out.
func (s *shift) tellDigests(told map[string]*tally) {
	for key, t := range told {
		s.tell("digest_sent", t.kind, map[string]string{"period": key, "mails": strconv.Itoa(t.sent)})
	}
}

// sweep removes what is over, again and again.
func (s *shift) sweep() {
	for s.ctx.Err() == nil {
		if err := s.swept(s.Now()); err != nil && s.ctx.Err() == nil {
			s.Log.Debug("could not sweep a list", "kind", fault.KindOf(err), "err", err) // the next one does
		}
		pause(s.ctx, sweepEvery)
	}
}

// fade forgets the words of a story, which no mail tells from then on.
func (s *shift) fade(story string) error {
	_, _, err := s.Ledger.Change(s.ctx, s.id, story, func(r *ledger.Row) (*ledger.Row, error) {
		if r == nil || r.State != ledger.Listed || r.Payload == nil {
			return nil, nil
		}
		return r.Fade(), nil
	})
	return err
}

// swept forgets the words of stories that no mail tells any more, and the addresses that nobody confirmed.
func (s *shift) swept(now time.Time) error {
	for _, story := range s.stories.which(func(p *place) bool { return p.listed.Before(now.Add(-keepStories)) }) {
		if err := s.fade(story); err != nil {
			return err
		}
	}
	s.mu.Lock()
	var stale []Reader
	for _, at := range s.seats {
		if r := &at.row; r.State == Pending && r.Mail == nil && now.Sub(r.Asked.At) > keepPending {
			stale = append(stale, *r)
		}
	}
	s.mu.Unlock()
	for _, r := range stale {
		// As it was read: who has asked again meanwhile stays. The index stays, too; it holds no address, and whoever asks
		// later gets the row that it names.
		row, revision, err := s.store.Reader(s.ctx, r.List, r.ID)
		if err == nil && row != nil && row.State == Pending && row.Mail == nil && now.Sub(row.Asked.At) > keepPending {
			err = s.store.bucket.DeleteAt(s.ctx, readerKey(r.List, r.ID), revision)
		}
		if err != nil && fault.KindOf(err) != fault.Conflict {
			return err
		}
	}
	return nil
}
