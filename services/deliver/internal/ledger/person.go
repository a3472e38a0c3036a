package ledger

import (
	"cmp"
	"slices"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// The marks of a [Step] that leaves the state as it is.
const (
	markNow     = "now"
	markEdited  = "edited"
	markDelete  = "delete"
	markTest    = "test"
	markRebind  = "rebind"
	markCatchup = "catchup"
)

// The methods below are wishes of a person. They return nil where the row is so already: to wish twice is as good.

// Hold stops a first post that was about to go, until due, or until a person approves it when due is zero.
func (r *Row) Hold(now, due time.Time, actor string) (*Row, error) {
	switch {
	case r.State != Planned && r.State != Approved && r.State != Held:
		return nil, r.unfit("hold", "it is "+string(r.State)+"; only what waits for its turn can be held")
	case r.Op != Create:
		return nil, r.unfit("hold", "it is the "+string(r.Op)+" of what was posted; pause the channel to stop it")
	case r.State == Held && r.Reason == Manual && due.IsZero():
		return nil, nil // it waits for a person as it is
	case r.State == Held && r.Reason == Manual:
		return nil, r.unfit("hold", "it waits for a person; with an end it would go without one")
	}
	h := r.clone()
	reason := Operator
	if !due.IsZero() {
		reason = Hold
	}
	if r.State == Held {
		if r.Reason == reason && r.Due.Equal(due) {
			return nil, nil
		}
		h.Reason = reason
		h.note(now, actor, reason)
	} else if err := h.move(Held, now, actor, reason); err != nil {
		return nil, err
	}
	h.Due, h.Rush, h.ApprovedAt, h.ApprovedBy = time.Time{}, false, time.Time{}, ""
	if !due.IsZero() {
		h.Due = due.UTC()
	}
	return h, nil
}

// Hurry lets what waits for its turn go next, without regard to rate and quiet hours. A pause of the channel, and a wait
// that the network asked for, hold it all the same.
func (r *Row) Hurry(now time.Time, actor string) (*Row, error) {
	switch r.State {
	case Planned, Approved, Waiting:
		if r.Rush && r.Due.IsZero() {
			return nil, nil
		}
	case Sent:
		if r.Next == nil {
			return nil, r.unfit("send now", "it is sent, and nothing follows")
		}
		if r.Rush {
			return nil, nil
		}
	case Held:
		return nil, r.unfit("send now", "it is held; approve it first")
	default:
		return nil, r.unfit("send now", "it is "+string(r.State)+", and nothing waits for its turn")
	}
	h := r.clone()
	h.Rush = true
	if h.State != Sent { // what follows keeps its distance to what was sent
		h.Due = time.Time{}
		if h.Op == Create {
			// Its age counts from here, and these are the words that go.
			h.ApprovedAt, h.ApprovedBy = now.UTC(), cmp.Or(h.ApprovedBy, actor)
		}
	}
	h.note(now, actor, markNow)
	return h, nil
}

// Rewrite puts a payload with a person's words in place of the one that was composed. From here on a newer revision of the
// article changes nothing but [Row.Seen]: the person's words stand, until the article is withdrawn.
func (r *Row) Rewrite(p event.Post, now time.Time, actor string) (*Row, error) {
	if n := len(p.Request.Body); n > MaxPayload {
		return nil, fault.Errorf(fault.TooLarge, "edit delivery %s: %d bytes are more than %d", r.ID(), n, MaxPayload)
	}
	if r.posted() {
		return nil, r.unfit("edit", "it is posted; correct the article at its source, or delete the post")
	}
	if !slices.Contains([]State{Planned, Held, Approved, Failed}, r.State) {
		return nil, r.unfit("edit", "it is "+string(r.State)+"; only what did not begin to be sent can be edited")
	}
	if r.Payload == nil { // it goes with a withdrawal, and words of whoever must not bring it back
		return nil, r.unfit("edit", "its payload is not kept any more")
	}
	if r.EditedBy == actor && r.Hash == p.Hash {
		return nil, nil
	}
	e := r.clone()
	p.Channel, p.Story, p.Action = r.Channel, r.Story, event.ActionCreate
	e.load(p)
	e.Seen, e.EditedBy = max(e.Seen, p.Revision), actor
	e.Next = nil     // a newer revision that would follow what was approved
	e.Frozen = false // what failed was refused for good: these are other words
	e.note(now, actor, markEdited)
	return e, nil
}

// Withdraw takes back what was posted, whatever the channel does about articles that are gone.
func (r *Row) Withdraw(now time.Time, actor string) (*Row, error) {
	switch {
	case r.State == Deleted, r.Next != nil && r.Next.Op == Delete && r.Next.By != "", r.Op == Delete && r.State.Open():
		return nil, nil
	case r.Left:
		return nil, r.unfit("delete", "it is at an account that the channel has left; delete it there")
	case r.State == Sending, r.State == Uncertain: // nobody knows yet whether there is something to delete
	case !r.posted():
		why := "it is " + string(r.State) + " and was not posted"
		if slices.Contains(transitions[r.State], Skipped) {
			why += "; skip it instead"
		}
		return nil, r.unfit("delete", why)
	}
	w := r.clone()
	w.Next = r.removal(now, actor)
	switch r.State {
	case Sent, Sending, Uncertain:
		w.note(now, actor, markDelete)
	case Failed:
		w.takeNext(now)
		return w, w.move(Planned, now, actor, markDelete)
	default: // an edit is due and was surely not accepted: what it would change is to go
		w.takeNext(now)
		w.note(now, actor, markDelete)
	}
	return w, nil
}

// Leave is what becomes of a row whose channel goes on with another account, on the network that is named. What was not
// sent goes to the new account if its payload is for that network. What was sent, and what perhaps was, is never sent
// again, and is out of reach from here on: an edit or a deletion would meet a stranger's post under the same id. It returns
// nil for a row that stays as it is, so that it may be repeated after a crash.
func (r *Row) Leave(now time.Time, network string) (*Row, error) {
	switch {
	case r.Left, r.State == Skipped, r.State == Deleted, r.State == Listed:
		return nil, nil
	case r.State != Sending && r.State != Uncertain && !r.posted():
		if r.Network == network {
			return nil, nil
		}
		l := r.clone()
		l.drop()
		if r.State == Failed {
			return l, nil // without a payload nobody tries it again
		}
		return l, l.move(Skipped, now, Self, Operator)
	}
	l := r.clone()
	var err error
	switch r.State {
	case Sending: // the first post, an edit or a deletion, of which nobody will hear
		if err = l.move(Uncertain, now, Self, markRebind); err == nil {
			err = l.move(Sent, now, Self, markRebind)
		}
	case Uncertain:
		err = l.move(Sent, now, Self, markRebind)
	case Planned, Approved, Held: // an edit or a deletion
		err = l.move(Skipped, now, Self, Operator)
	case Waiting:
		err = l.move(Failed, now, Self, markRebind)
	}
	l.drop()
	l.Left, l.Rush, l.Due = true, false, time.Time{}
	if l.Posted.IsZero() {
		l.Posted = now.UTC()
	}
	return l, err
}

// CatchUp plans the first post of a story that a channel missed, not before due: one that it never heard of, or that was
// skipped because of its age or of a full queue. Where the channel's posts are approved, it is held as one that arrives;
// of rules only that counts, and due only until a person approves it. It returns nil for every other story: what was sent
// is never sent again, and what a person ended stays so.
func CatchUp(old *Row, p event.Post, rules Rules, due, now time.Time, actor string) (*Row, error) {
	r := old
	switch {
	case old == nil:
		r = begin(p, 0, now)
	case old.posted(), old.Article != p.Article, old.State != Skipped, !slices.Contains([]string{Baseline, TooOld, Dropped}, old.Reason):
		return nil, nil
	default:
		r = old.clone()
	}
	r.reset(now)
	// What people said, they said of another text.
	r.EditedBy, r.ApprovedBy, r.ApprovedAt, r.Next = "", "", time.Time{}, nil
	p.Action = event.ActionCreate
	r.load(p)
	r.Seen, r.Backfill = max(r.Seen, p.Revision), true // what is caught up has no age
	if err := r.move(Planned, now, actor, markCatchup); err != nil {
		return nil, err
	}
	if rules.Approve == Hold || rules.Approve == Manual {
		if err := r.enter(rules, now); err != nil {
			return nil, err
		}
	}
	if rules.Approve != Manual && r.Due.Before(due) { // the due time of what waits for a person is when it expires
		r.Due = due.UTC()
	}
	return r, nil
}

// Trial is the row of a post that is sent to see whether a channel works, and taken back at once. One that does not arrive
// at its first try never leaves: who tries wants to know, not to wait.
func Trial(p event.Post, now time.Time, actor string) (*Row, error) {
	r := begin(p, 0, now)
	r.Published, r.Rush, r.ApprovedAt, r.ApprovedBy = now.UTC(), true, now.UTC(), actor
	r.load(p)
	r.Next = r.removal(now, actor)
	return r, r.move(Planned, now, actor, markTest)
}

// removal is the next operation by which a person takes a post back.
func (r *Row) removal(now time.Time, actor string) *Next {
	return &Next{
		Op: Delete, Revision: r.Seen, First: now.UTC(), By: actor,
		Payload: &event.Post{Channel: r.Channel, Network: r.Network, Story: r.Story, Article: r.Article, Revision: r.Seen, Action: event.ActionDelete},
	}
}

// Unable drops what follows a sent row because the network cannot do it. It is no error.
func (r *Row) Unable() *Row {
	u := r.clone()
	u.Next, u.Rush, u.Reason = nil, false, Unsupported
	return u
}

// note remembers what a person did that moved nothing.
func (r *Row) note(now time.Time, actor, what string) {
	op := r.Op
	if r.Next != nil {
		op = r.Next.Op
	}
	r.remember(Step{At: now.UTC(), From: r.State, To: r.State, Op: op, Actor: actor, Reason: what})
}

func (r *Row) unfit(verb, why string) error {
	return fault.Errorf(fault.Invalid, "%s delivery %s: %s", verb, r.ID(), why)
}
