package readers

import (
	"context"
	"time"

	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/period"
)

const (
	// tryLimit bounds everything before the dot of one mail.
	tryLimit = 5 * time.Minute
	// stopGrace is how long a mail may go on after a stop: cut off behind its commit it counts as sent.
	stopGrace = 10 * time.Second
	// commitGrace is how long the outcome of a try may still be written after that.
	commitGrace = 5 * time.Second
)

// plan begins the next period of a reader, or passes it. It is called with the lock.
func (s *shift) plan(at *seat) {
	if s.planning >= planners {
		return
	}
	s.planning++
	at.busy = true
	floor, id := s.floor, at.row.ID
	s.group.Go(func() {
		err := s.planned(id, floor)
		s.mu.Lock()
		s.planning--
		s.mu.Unlock()
		s.done(at, err)
	})
}

// done gives a seat free after a step.
func (s *shift) done(at *seat, err error) {
	s.mu.Lock()
	at.busy, at.next = false, time.Time{}
	if err != nil {
		at.next = s.Now().Add(writeAgain)
	}
	s.mu.Unlock()
	if err != nil && s.ctx.Err() == nil {
		s.Log.Debug("could not write the row of a reader", "kind", fault.KindOf(err), "err", err)
	}
	s.poke()
}

// planned moves a row to its next period. A kill before its write leaves the period to be begun, one behind it leaves a mail
// that is begun, with the same place up to which it tells.
func (s *shift) planned(id string, floor uint64) error {
	now := s.Now()
	row, revision, _, err := s.store.change(s.ctx, s.id, id, func(r *Reader) *Reader { return s.next(r, floor, now) })
	if err == nil && row != nil {
		s.note(row, revision)
	}
	return err
}

// next says what the period of a reader that is due makes of the row, nil for nothing.
func (s *shift) next(r *Reader, floor uint64, now time.Time) *Reader {
	if r == nil || r.State != Confirmed || r.Mail != nil && (r.Mail.Attempt > 0 || !r.Mail.Sending.IsZero()) {
		return nil
	}
	calendar, err := period.New(r.Wishes)
	if err != nil {
		return nil
	}
	to := max(floor, r.Cursor) // a floor may fall back for a while; what was told stays told
	if !calendar.Scheduled() {
		list := s.stories.news(&r.Wishes, r.Cursor, to, 1)
		if len(list) == 0 || r.Mail != nil {
			return nil
		}
		p := list[0]
		return r.begin(period.Ordinal(p.ordinal), p.listed, p.ordinal, now)
	}
	last := r.Period
	if r.Mail != nil {
		last = r.Mail.Period // it was never tried, and the next one tells its stories as well
	}
	p, ok := calendar.Due(r.Since, last, now)
	switch {
	case !ok:
		return nil
	case len(s.stories.news(&r.Wishes, r.Cursor, to, 1)) == 0:
		return r.pass(p.Key, to)
	}
	return r.begin(p.Key, p.Due, to, now)
}

// mail begins a try of the mail in hand, if one may begin; else it returns how long none may. It is called with the lock.
func (s *shift) mail(at *seat) time.Duration {
	domain := domainOf(at.row.Address)
	if len(s.mailers) == 0 || s.domains[domain] >= perDomain {
		return s.look0()
	}
	now := time.Now() // of the server's rates, which no clock of periods changes
	if s.second.TokensAt(now) < 1 {
		return time.Duration((1 - s.second.TokensAt(now)) / float64(s.second.Limit()) * float64(time.Second))
	}
	if s.hour.TokensAt(now) < 1 {
		return time.Second
	}
	s.second.AllowN(now, 1)
	s.hour.AllowN(now, 1)
	mailer := s.mailers[len(s.mailers)-1]
	s.mailers = s.mailers[:len(s.mailers)-1]
	s.domains[domain]++
	at.busy = true
	id := at.row.ID
	s.group.Go(func() {
		err := s.try(id, mailer)
		s.mu.Lock()
		s.mailers = append(s.mailers, mailer)
		if s.domains[domain]--; s.domains[domain] == 0 {
			delete(s.domains, domain)
		}
		s.mu.Unlock()
		s.done(at, err)
	})
	return 0
}

// look0 is how long the loop need not look: who ends wakes it.
func (s *shift) look0() time.Duration { return s.List.look }

// try makes one try of the mail in hand.
func (s *shift) try(id string, mailer Mailer) error {
	row, revision, err := s.store.Reader(s.ctx, s.id, id)
	if err != nil {
		return err
	}
	if row == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.seats, id)
		return nil
	}
	s.note(row, revision)
	now := s.Now()
	switch m := row.Mail; {
	case m == nil || row.State != Confirmed && row.State != Pending || m.Due.After(now):
		return nil
	case !m.Sending.IsZero():
		if now.Sub(m.Sending) < dotLimit {
			return nil
		}
		// Whoever tried it died, or could not write what became of it. It may be out: it counts as sent.
		return s.settle(row, now, Lost, func(r *Reader) *Reader { return r.sent(Lost, now) })
	}
	if next := s.next(row, s.risen(), now); next != nil && next.Mail != nil && next.Mail.Period != row.Mail.Period {
		return s.planned(id, s.risen()) // the one in hand was missed
	}
	// Looked up for every mail: of who was suppressed by another list, or by a kill before the row, nothing else is known here.
	reason, barred, err := s.store.suppressed(s.ctx, string(row.Address))
	if err != nil {
		return err
	}
	if barred {
		return s.settle(row, now, Barred, func(r *Reader) *Reader { return suppress(r, reason, now) })
	}
	letter, err := s.write(row)
	switch {
	case err != nil && fault.KindOf(err) == fault.Unreachable:
		return err
	case err != nil:
		s.Log.Warn("could not write a mail, which is given up", "reader", row.ID, "kind", fault.KindOf(err), "err", err)
		return s.settle(row, now, Failed, func(r *Reader) *Reader { return r.end(Failed, string(fault.KindOf(err)), now) })
	case letter == nil:
		return s.settle(row, now, Empty, func(r *Reader) *Reader { return r.pass(r.Mail.Period, r.Mail.To) })
	}
	return s.hand(row, revision, *letter, mailer)
}

func (s *shift) risen() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.floor
}

// written is a mail as it is handed in.
type written struct {
	raw  []byte
	from string // of the envelope
	hash string // of the token in it
}

// hand hands a mail in. The row says that the mail leaves before the final dot does, by compare-and-set: a kill before that
// delivers nothing and leaves the mail to be sent, one behind it leaves a mail that counts as sent. Who has unsubscribed
// meanwhile, or was erased, has changed the row, and nothing is delivered.
func (s *shift) hand(row *Reader, revision uint64, letter written, mailer Mailer) error {
	ctx, cancel := outlive(s.ctx, tryLimit+dotLimit, s.stopGrace)
	defer cancel()
	var committed *Reader
	var refusal error // of the commit
	err := mailer.Send(ctx, letter.from, string(row.Address), letter.raw, func(ctx context.Context) error {
		if !s.lease.Valid() {
			refusal = fault.Errorf(fault.Conflict, "send a mail to %s: the lease of the list is lost", row)
			return refusal
		}
		committed = row.send(letter.hash, s.Now())
		_, refusal = s.store.put(ctx, committed, revision)
		return refusal
	})
	now := s.Now()
	switch {
	case refusal != nil && committed == nil:
		return refusal
	case refusal != nil:
		// Nothing was delivered, whether the row says so or not: its write may have arrived although nobody heard of it.
		return s.settle(committed, now, Skipped, func(r *Reader) *Reader { return r.postpone("", false, now) })
	case committed == nil:
		committed = row
	}
	return s.judge(committed, err, now)
}

// bar suppresses the address of a row everywhere.
func (s *shift) bar(row *Reader, reason string, now time.Time) error {
	ended, err := s.store.bar(s.ctx, string(row.Address), reason, now)
	for _, r := range ended {
		s.tellOf(r.List, "subscriber_suppressed", reason)
	}
	return err
}

// settle writes what became of the mail in hand, unless the row has moved on: then somebody else has dealt with it. The
// write is tried through an outage of the bus; given up, the mail counts as sent once its time is over.
func (s *shift) settle(row *Reader, now time.Time, outcome string, change func(*Reader) *Reader) error {
	ctx, cancel := outlive(s.ctx, dotLimit, s.commitGrace)
	defer cancel()
	for {
		var before *Reader
		r, revision, changed, err := s.store.change(ctx, row.List, row.ID, func(r *Reader) *Reader {
			if before = r; r == nil || !sameMail(r, row) {
				return nil
			}
			return change(r)
		})
		if err == nil {
			if r != nil {
				s.note(r, revision)
			}
			if !changed {
				return nil
			}
			s.count(before, r, outcome)
			if r.State == Suppressed && before.State != Suppressed {
				return s.bar(r, r.Reason, now) // on other lists, too
			}
			return nil
		}
		if kind := fault.KindOf(err); kind != fault.Unreachable && kind != fault.Throttled && kind != fault.Conflict {
			return err
		}
		if pause(ctx, writeAgain); ctx.Err() != nil {
			return err
		}
	}
}

// sameMail reports whether a row has the very mail in hand that another has.
func sameMail(r, row *Reader) bool {
	return r.Mail != nil && row.Mail != nil && r.Mail.Period == row.Mail.Period && r.Mail.Confirm == row.Mail.Confirm && r.Mail.Date.Equal(row.Mail.Date) &&
		(r.Mail.Attempt == row.Mail.Attempt && r.Mail.Sending.Equal(row.Mail.Sending))
}

func kindOf(r *Reader) string {
	if r.Mail != nil && r.Mail.Confirm {
		return "confirm"
	}
	return r.Wishes.Period
}

// count tells what became of a try.
func (s *shift) count(before, after *Reader, outcome string) {
	s.Observe.Mailed(s.id, kindOf(before), outcome)
	if after.State == Suppressed && before.State != Suppressed {
		s.tellOf(after.List, "subscriber_suppressed", after.Reason)
	}
	if m := before.Mail; (outcome == Sent || outcome == Lost) && !m.Confirm {
		s.mu.Lock()
		defer s.mu.Unlock()
		t := s.told[m.Period]
		if t == nil {
			t = &tally{kind: before.Wishes.Period}
			s.told[m.Period] = t
		}
		t.sent++
	}
}

// outlive returns a context that ends after limit, or some grace after ctx has ended.
func outlive(ctx context.Context, limit, grace time.Duration) (context.Context, context.CancelFunc) {
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return own, func() { stop(); cancel() }
}
