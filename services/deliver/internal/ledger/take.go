package ledger

import (
	"time"

	"tidings.internal/pkg/event"
)

// The ways of approval.
const (
	Auto   = "auto"   // at once
	Hold   = "hold"   // by time
	Manual = "manual" // by a person
)

// What an edit or a withdrawal asks for.
const (
	OnIgnore = "ignore"
	OnEdit   = "edit"
	OnDelete = "delete"
)

const (
	// maxEdits is how many edits of one post are sent: an article that changes without end is not news without end.
	maxEdits = 5
	// editGap is the shortest time between two operations on one post; of what arrives in between the newest counts.
	editGap = time.Minute
)

// Rules are what a channel and its network say about an arriving post.
type Rules struct {
	// Since is when the channel was first seen: what is older is not posted.
	Since time.Time
	// Backfill says that a post marked as backfill may go.
	Backfill bool
	// Approve is auto, hold or manual; HoldFor belongs to hold, ExpireAfter to manual.
	Approve     string
	HoldFor     time.Duration
	ExpireAfter time.Duration
	OnUpdate    string // ignore or edit
	OnRemove    string // ignore or delete
	// CanEdit and CanDelete say what the network is able to do.
	CanEdit, CanDelete bool
	// AnyChange makes every change worth an edit, not only one of title, URL or text, and sends each without a pause:
	// who listens is a program that keeps a copy.
	AnyChange bool
	// Listed says that posts are kept for mails of many stories, and none is sent by itself.
	Listed bool
}

// Take says what an arriving post makes of the row that is there, or of none. It returns the new row, or nil when the
// post is known already: taking the same post any number of times, in any order with others, ends in the same row.
func Take(old *Row, p event.Post, ordinal uint64, rules Rules, now time.Time) (*Row, error) {
	if old == nil {
		return first(p, ordinal, rules, now)
	}
	// Revisions of another article are not comparable, and the story belongs to the article that told it first.
	if p.Article != old.Article {
		return nil, nil
	}
	r := old.clone()
	if p.Revision == old.Seen && old.State == Failed && !old.Left && ordinal > old.Arrived {
		// The same post in a new place: an operator sent its dead letter back. A redelivery has the place it had.
		r.Arrived = ordinal
		if old.EditedBy != "" && p.Action != event.ActionDelete {
			r.reset(now) // with the words of the person who edited it
			return r, r.move(Planned, now, Self, "")
		}
		return r, r.again(p, now)
	}
	if p.Revision <= old.Seen {
		return nil, nil
	}
	r.Seen, r.Arrived = p.Revision, ordinal
	if r.Left {
		return r, nil
	}
	if p.Action == event.ActionDelete {
		return r, r.withdraw(p, rules, now)
	}
	return r, r.update(p, rules, now)
}

// first makes the row of a story that the channel has not seen.
func first(p event.Post, ordinal uint64, rules Rules, now time.Time) (*Row, error) {
	r := begin(p, ordinal, now)
	switch {
	case p.Action == event.ActionDelete:
		// The row is written although nothing was sent: an older revision may still be on its way here, and must find
		// that the story is taken down.
		return r, r.move(Skipped, now, Self, TakenDown)
	case p.Backfill && !rules.Backfill, !p.Backfill && p.FirstSeen.Before(rules.Since):
		return r, r.move(Skipped, now, Self, Baseline)
	}
	// A post that reaches us as an edit is a first post here when the first one was superseded before we read it: the
	// stream keeps only the newest.
	r.load(p)
	if rules.Listed {
		return r, r.move(Listed, now, Self, "")
	}
	return r, r.enter(rules, now)
}

// begin is a row without a state.
func begin(p event.Post, ordinal uint64, now time.Time) *Row {
	r := &Row{
		Channel: p.Channel, Story: p.Story, Network: p.Network, Article: p.Article, Op: Create, Revision: p.Revision,
		Seen: p.Revision, Ordinal: ordinal, Arrived: ordinal, Published: p.Published, FirstSeen: p.FirstSeen, Backfill: p.Backfill,
		URL: p.URL, First: now.UTC(), Key: CreateKey(p.Channel, p.Story),
	}
	if r.Published.IsZero() {
		r.Published = p.FirstSeen
	}
	return r
}

// enter gives a row without a state its first one.
func (r *Row) enter(rules Rules, now time.Time) error {
	switch rules.Approve {
	case Hold:
		r.Due = now.Add(rules.HoldFor).UTC()
		return r.move(Held, now, Self, Hold)
	case Manual:
		if rules.ExpireAfter > 0 {
			r.Due = now.Add(rules.ExpireAfter).UTC()
		}
		return r.move(Held, now, Self, Manual)
	default:
		return r.move(Planned, now, Self, "")
	}
}

// load takes a payload up as the one that will be sent.
func (r *Row) load(p event.Post) {
	r.Payload, r.Revision, r.URL = &p, p.Revision, p.URL
	r.Hash, r.Words = p.Hash, words(&p)
	if r.Op == Edit { // each edit has a key of its own; a create keeps the story's
		r.Key = EditKey(r.Channel, r.Story, Edit, p.Revision)
	}
}

// update takes up a newer revision.
func (r *Row) update(p event.Post, rules Rules, now time.Time) error {
	if r.EditedBy != "" {
		return nil // a person's words stand; what was seen is newer than what is sent, and says so
	}
	switch r.State {
	case Planned, Held, Approved:
		if r.Op == Delete {
			return nil // an article that comes back after its withdrawal is not posted again
		}
		if r.ApprovedBy == "" {
			r.load(p)
			return nil
		}
		// A person approved these very words: they go out, and the newer ones follow as an edit.
		r.follow(p, rules, now)
	case Sending, Waiting, Uncertain, Sent:
		r.follow(p, rules, now)
	case Failed:
		return r.again(p, now)
	case Listed:
		// It keeps its ordinal, so that it is no news to who had it in a mail; a mail that is still to come tells the newest.
		if r.Payload != nil {
			r.load(p)
		}
	case Skipped, Deleted:
		// The story's only chance in this channel is over.
	}
	return nil
}

// follow makes a newer revision the next operation of a row whose payload is frozen.
func (r *Row) follow(p event.Post, rules Rules, now time.Time) {
	if r.Next != nil && r.Next.Op == Delete {
		return // an article that comes back after its withdrawal is not posted again
	}
	same := words(&p) == r.Words
	if rules.AnyChange {
		same = p.Hash == r.Hash
	}
	switch {
	case rules.OnUpdate != OnEdit || same:
		r.Next = nil
	case !rules.CanEdit:
		r.Next, r.Reason = nil, Unsupported
	case r.Edits >= maxEdits && !rules.AnyChange:
		r.Next = nil
	default:
		r.Next = &Next{Op: Edit, Revision: p.Revision, Payload: &p, First: now.UTC()}
		r.space(rules)
	}
}

// space keeps an edit away from the operation before it.
func (r *Row) space(rules Rules) {
	if r.Next != nil && r.Next.Op == Edit && !rules.AnyChange && !r.EditedAt.IsZero() {
		r.Next.Due = r.EditedAt.Add(editGap)
	}
}

// again plans a failed row with the payload that has arrived.
func (r *Row) again(p event.Post, now time.Time) error {
	if p.Action == event.ActionDelete {
		if !r.posted() {
			return nil // there is nothing to delete
		}
		r.Next = &Next{Op: Delete, Revision: p.Revision, Payload: &p, First: now.UTC()}
		r.takeNext(now)
		return r.move(Planned, now, Self, "")
	}
	r.Op, r.Key = Create, CreateKey(r.Channel, r.Story)
	if r.posted() {
		r.Op = Edit
	}
	r.load(p)
	r.reset(now)
	return r.move(Planned, now, Self, "")
}

// reset forgets the tries of an earlier operation.
func (r *Row) reset(now time.Time) {
	r.Attempt, r.Looks, r.Frozen, r.Rush, r.Due, r.Text = 0, 0, false, false, time.Time{}, ""
	r.StartedAt, r.Deadline, r.Owner, r.First = time.Time{}, time.Time{}, "", now.UTC()
}

// withdraw takes up that an article is gone.
func (r *Row) withdraw(p event.Post, rules Rules, now time.Time) error {
	next := &Next{Op: Delete, Revision: p.Revision, Payload: &p, First: now.UTC()}
	switch r.State {
	case Planned, Held, Approved, Waiting:
		if !r.posted() {
			r.drop()
			return r.move(Skipped, now, Self, TakenDown)
		}
		// An edit is due and was surely not accepted: what it would change is to go.
		r.Next = next
		r.honour(rules)
		if r.Next != nil {
			r.takeNext(now)
		}
	case Sending, Uncertain:
		r.Next = next // nobody knows yet whether there is something to delete
	case Sent:
		r.Next = next
		r.honour(rules)
	case Failed:
		if !r.posted() {
			r.drop()
			return nil
		}
		r.Next = next
		r.honour(rules)
		if r.Next == nil {
			r.drop()
			return nil
		}
		r.takeNext(now)
		return r.move(Planned, now, Self, "")
	case Listed:
		r.drop()
		return r.move(Skipped, now, Self, TakenDown)
	case Skipped, Deleted:
		r.drop()
	}
	return nil
}

// honour drops a deletion that the channel does not want or the network cannot do. A person's is always wanted.
func (r *Row) honour(rules Rules) {
	if r.Next == nil || r.Next.Op != Delete {
		return
	}
	switch {
	case rules.OnRemove != OnDelete && r.Next.By == "":
		r.Next = nil
	case !rules.CanDelete:
		r.Next, r.Reason = nil, Unsupported
	}
}

// takeNext makes the next operation the one in hand.
func (r *Row) takeNext(now time.Time) {
	n := r.Next
	r.Next = nil
	r.Op, r.Revision = n.Op, n.Revision
	r.Key = EditKey(r.Channel, r.Story, n.Op, n.Revision)
	r.Payload = n.Payload
	if n.Op == Edit && n.Payload != nil {
		r.URL, r.Hash, r.Words = n.Payload.URL, n.Payload.Hash, words(n.Payload)
	}
	r.reset(now)
	r.First = n.First
}

// drop forgets every content of the row. Its hashes and its key stay.
func (r *Row) drop() { r.Payload, r.Next = nil, nil }
