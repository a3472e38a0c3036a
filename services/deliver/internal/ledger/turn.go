package ledger

import (
	"time"

	"tidings.internal/pkg/fault"
)

// Ready reports whether the row has an operation that may go at now, and which. Rows in the state sending are not
// ready: their request may still fly.
func (r *Row) Ready(now time.Time) (Op, bool) {
	switch r.State {
	case Planned, Approved:
		return r.Op, !now.Before(r.Due)
	case Waiting:
		return r.Op, !now.Before(r.Due)
	case Sent:
		if r.Next != nil {
			return r.Next.Op, !now.Before(r.Next.Due)
		}
	}
	return "", false
}

// Begin commits to an attempt: from here on the row says that a request may have left. It freezes the payload, and
// takes up the next operation of a sent row.
func (r *Row) Begin(now time.Time, limit time.Duration, owner string) (*Row, error) {
	b := r.clone()
	if b.State == Sent && b.Next != nil {
		b.takeNext(now)
		b.Rush = r.Rush // it is this operation that the person wanted now
	}
	if err := b.move(Sending, now, Self, ""); err != nil {
		return nil, err
	}
	b.Attempt++
	b.Frozen, b.Owner = true, owner
	b.StartedAt, b.Deadline = now.UTC(), now.Add(limit).UTC()
	b.Due, b.Text = time.Time{}, ""
	return b, nil
}

// Succeed records a receipt.
func (r *Row) Succeed(now time.Time, got Remote, rules Rules) (*Row, error) {
	s := r.clone()
	to := Sent
	if s.Op == Delete {
		to = Deleted
	}
	if err := s.move(to, now, Self, ""); err != nil {
		return nil, err
	}
	s.Payload, s.Due, s.Text, s.Rush = nil, time.Time{}, "", false // the hash stays
	s.EditedAt = now.UTC()
	switch s.Op {
	case Delete:
		s.drop()
		return s, nil
	case Edit:
		s.Edits++
	}
	if s.Posted.IsZero() {
		s.Posted = now.UTC()
	}
	if !got.IsZero() {
		s.Remote = got
	}
	s.space(rules)
	s.honour(rules)
	return s, nil
}

// Postpone records that the operation was surely not accepted and is to be tried again at due.
func (r *Row) Postpone(now, due time.Time, reason, text string, rules Rules) (*Row, error) {
	p := r.clone()
	if err := p.move(Waiting, now, Self, reason); err != nil {
		return nil, err
	}
	p.Due = due.UTC()
	p.say(text)
	if p.Next == nil || p.Next.Op != Delete {
		return p, nil
	}
	if !p.posted() {
		p.drop() // what was withdrawn while its request flew, and did not arrive, never leaves
		return p, p.move(Skipped, now, Self, TakenDown)
	}
	if p.honour(rules); p.Next != nil {
		p.takeNext(now)
	}
	return p, nil
}

// Refuse records that the operation failed for good. The payload stays for the operator who repairs it.
func (r *Row) Refuse(now time.Time, kind fault.Kind, text string, rules Rules) (*Row, error) {
	f := r.clone()
	if err := f.move(Failed, now, Self, string(kind)); err != nil {
		return nil, err
	}
	f.Due, f.Rush = time.Time{}, false
	f.say(text)
	f.honour(rules)
	if f.Next == nil {
		return f, nil
	}
	if !f.posted() {
		if f.Next.Op == Delete {
			f.drop() // nothing was posted, nothing is to be kept
			return f, nil
		}
		p := *f.Next.Payload // a newer revision is a new chance for the first post
		f.Next = nil
		return f, f.again(p, now)
	}
	f.takeNext(now)
	return f, f.move(Planned, now, Self, "")
}

// Doubt records that nobody knows whether the operation was accepted. The first look is at due.
func (r *Row) Doubt(now, due time.Time, reason, text string) (*Row, error) {
	d := r.clone()
	if err := d.move(Uncertain, now, Self, reason); err != nil {
		return nil, err
	}
	d.Due, d.Looks = due.UTC(), 0
	d.say(text)
	return d, nil
}

// Look records a reconciliation that did not find the post; the next one is at due.
func (r *Row) Look(due time.Time, text string) *Row {
	l := r.clone()
	l.Looks++
	l.Due = due.UTC()
	l.say(text)
	return l
}

// Delay moves the next look of a reconciliation that could not be made.
func (r *Row) Delay(due time.Time, text string) *Row {
	d := r.clone()
	d.Due = due.UTC()
	d.say(text)
	return d
}

// Approve clears a held row. Approving what is approved already changes nothing and returns nil.
func (r *Row) Approve(now time.Time, actor string) (*Row, error) {
	if r.approved() {
		return nil, nil
	}
	a := r.clone()
	if err := a.move(Approved, now, actor, ""); err != nil {
		return nil, err
	}
	a.Due, a.ApprovedAt = time.Time{}, now.UTC()
	if actor != Self {
		a.ApprovedBy = actor
	}
	return a, nil
}

// approved reports whether the row was approved before, however far it has come since.
func (r *Row) approved() bool {
	switch r.State {
	case Approved:
		return true
	case Sending, Waiting, Uncertain, Sent:
		return !r.ApprovedAt.IsZero()
	}
	return false
}

// Skip ends a row that was never sent. Its payload goes.
func (r *Row) Skip(now time.Time, actor, reason string) (*Row, error) {
	if r.posted() { // else what is at the network would be forgotten, and its deletion with it
		return nil, r.unfit("skip", "it was posted; delete it instead")
	}
	s := r.clone()
	if err := s.move(Skipped, now, actor, reason); err != nil {
		return nil, err
	}
	s.drop()
	return s, nil
}

// Fade forgets the content of a listed row that no mail will tell any more. That it was listed stays.
func (r *Row) Fade() *Row {
	f := r.clone()
	f.drop()
	return f
}

// Reject ends a held row, and keeps what the person said of it.
func (r *Row) Reject(now time.Time, actor, why string) (*Row, error) {
	s, err := r.Skip(now, actor, Rejected)
	if err == nil {
		s.say(why)
	}
	return s, err
}

// Fail ends a waiting row whose tries are used up.
func (r *Row) Fail(now time.Time, kind fault.Kind, rules Rules) (*Row, error) {
	return r.Refuse(now, kind, r.Text, rules)
}

// Found records that a person saw the post of an uncertain row at the network. What follows it, an edit or a withdrawal,
// stays and is taken up as after any success.
func (r *Row) Found(now time.Time, actor, url string) (*Row, error) {
	f := r.clone()
	if err := f.move(Sent, now, actor, ""); err != nil {
		return nil, err
	}
	f.Payload, f.Due, f.Text, f.Rush = nil, time.Time{}, "", false
	f.EditedAt = now.UTC()
	if f.Posted.IsZero() {
		f.Posted = now.UTC()
	}
	if url != "" {
		f.Remote.URL = url
	}
	return f, nil
}

// Absent records that a person saw that an uncertain row was not posted: it is tried again, with the same key.
func (r *Row) Absent(now time.Time, actor string) (*Row, error) {
	a := r.clone()
	if err := a.move(Waiting, now, actor, ""); err != nil {
		return nil, err
	}
	a.Due, a.Looks = now.UTC(), 0
	return a, nil
}

// Retry plans a failed row again, by a person's wish.
func (r *Row) Retry(now time.Time, actor string) (*Row, error) {
	if r.Payload == nil {
		return nil, fault.Errorf(fault.Invalid, "retry delivery %s: its payload is not kept any more", r.ID())
	}
	p := r.clone()
	p.reset(now)
	return p, p.move(Planned, now, actor, "")
}
