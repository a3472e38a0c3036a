package ledger

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// world is the model that a random walk compares the row with: what the network has, and nothing else.
type world struct {
	creates, edits int
	there          bool // a post is at the network
	gone           bool // a withdrawal has arrived
	newest         uint64
	held           string // the words at the network
	edited         bool   // a person wrote the words before they went
}

// TestRandomWalkNeverPostsTwice lets posts arrive and requests end in any order and checks, against the model, that no
// story is ever created a second time, that an uncertain one is not sent again without a look, and that what was
// withdrawn goes.
func TestRandomWalkNeverPostsTwice(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules := everything()
		rules.AnyChange = rapid.Bool().Draw(t, "any change")
		rules.Approve = rapid.SampledFrom([]string{Auto, Hold, Manual}).Draw(t, "approve")
		rules.OnRemove = rapid.SampledFrom([]string{OnDelete, OnIgnore}).Draw(t, "on_remove")
		now := start
		var row *Row
		var w world
		accepted := false // the request in flight was accepted, whether or not we know
		try := func(r *Row, err error) {
			if err != nil {
				t.Fatalf("in state %s: %v", row.State, err)
			}
			check(t, row, r)
			row = r
		}
		t.Repeat(map[string]func(*rapid.T){
			"": func(*rapid.T) { now = now.Add(2 * time.Minute) },
			"arrive": func(t *rapid.T) {
				revision := rapid.Uint64Range(1, 12).Draw(t, "revision")
				p := composed(event.ActionEdit, revision, fmt.Sprint("text ", revision))
				if revision == 12 { // a withdrawal is the last thing that happens to an article
					p = composed(event.ActionDelete, revision, "")
				}
				r, err := Take(row, p, 1, rules, now)
				if err != nil {
					t.Fatal(err)
				}
				if (r == nil) != (revision <= w.newest) {
					t.Fatalf("revision %d after %d: changed %v", revision, w.newest, r != nil)
				}
				if r != nil {
					check(t, row, r)
					row, w.newest = r, revision
					w.gone = revision == 12
				}
			},
			"begin": func(t *rapid.T) {
				if row == nil {
					t.Skip()
				}
				op, ready := row.Ready(now)
				if !ready {
					t.Skip()
				}
				try(row.Begin(now, time.Minute, "me"))
				if row.Op != op {
					t.Fatalf("ready for %s, begun %s", op, row.Op)
				}
				if op == Create && w.there {
					t.Fatal("creates what is there")
				}
				if op != Create && !w.there {
					t.Fatalf("%s of what is not there", op)
				}
				if accepted = rapid.Bool().Draw(t, "accepted"); !accepted {
					return
				}
				switch op {
				case Create:
					w.creates++
					w.there, w.held = true, row.Payload.Text
				case Edit:
					w.edits++
					w.held = row.Payload.Text
				case Delete:
					w.there = false
				}
			},
			"answer": func(t *rapid.T) {
				if row == nil || row.State != Sending {
					t.Skip()
				}
				switch {
				case rapid.Bool().Draw(t, "lost"):
					if row.Op == Create {
						try(row.Doubt(now, now, "uncertain", ""))
					} else if accepted && row.Op == Delete {
						try(row.Succeed(now, Remote{}, rules)) // a repeat says that it is gone
					} else {
						try(row.Postpone(now, now, "uncertain", "", rules))
					}
				case accepted:
					try(row.Succeed(now, Remote{ID: "7"}, rules))
				case rapid.Bool().Draw(t, "for good"):
					try(row.Refuse(now, fault.Invalid, "no", rules))
				default:
					try(row.Postpone(now, now, "throttled", "", rules))
				}
			},
			"look": func(t *rapid.T) {
				if row == nil || row.State != Uncertain {
					t.Skip()
				}
				if accepted {
					try(row.Succeed(now, Remote{ID: "7"}, rules))
				} else {
					try(row.Postpone(now, now, "not_found", "", rules))
				}
			},
			"person": func(t *rapid.T) {
				if row == nil {
					t.Skip()
				}
				switch {
				case row.State == Held && rapid.Bool().Draw(t, "approves"):
					try(row.Approve(now, "anna"))
				case row.State == Held:
					try(row.Skip(now, "anna", Rejected))
				case row.State == Failed && row.Payload != nil:
					try(row.Retry(now, "anna"))
				case (row.State == Planned || row.State == Approved) && row.Op == Create:
					try(row.Hold(now, time.Time{}, "anna"))
				default:
					t.Skip()
				}
			},
			"wish": func(t *rapid.T) {
				if row == nil {
					t.Skip()
				}
				wish := func(r *Row, err error) {
					if kind := fault.KindOf(err); err != nil && kind != fault.Invalid {
						t.Fatalf("in state %s: %v", row.State, err)
					}
					if err == nil && r != nil { // a wish that does not fit changes nothing
						check(t, row, r)
						row = r
					}
				}
				switch rapid.SampledFrom([]string{"now", "edit", "delete"}).Draw(t, "wish") {
				case "now":
					wish(row.Hurry(now, "anna"))
				case "edit":
					wish(row.Rewrite(composed(event.ActionCreate, row.Seen, "words of anna"), now, "anna"))
					w.edited = row.EditedBy != ""
				case "delete":
					wish(row.Withdraw(now, "anna"))
				}
			},
			"invariant": func(t *rapid.T) {
				if w.creates > 1 {
					t.Fatalf("%d posts of one story", w.creates)
				}
				if w.edited && w.there && w.held != "words of anna" {
					t.Fatalf("a person's words were replaced by %q", w.held)
				}
				if row != nil && row.State == Deleted && w.there {
					t.Fatal("deleted by the row, there at the network")
				}
				if row != nil && w.gone && row.State == Skipped && row.Payload != nil {
					t.Fatal("keeps the words of a withdrawn article")
				}
			},
		})
		finish(t, &row, rules, now, &w)
	})
}

// finish lets everything succeed from here on and checks where it ends.
func finish(t *rapid.T, row **Row, rules Rules, now time.Time, w *world) {
	r := *row
	for range 20 {
		now = now.Add(2 * time.Minute)
		var err error
		if r == nil {
			return
		}
		switch r.State {
		case Sending, Uncertain:
			return // its outcome is the world's to say
		case Held:
			r, err = r.Approve(now, Self)
		}
		if err != nil {
			t.Fatal(err)
		}
		op, ready := r.Ready(now)
		if !ready {
			break
		}
		if r, err = r.Begin(now, time.Minute, "me"); err != nil {
			t.Fatal(err)
		}
		if op == Create {
			w.creates++
		}
		if r, err = r.Succeed(now, Remote{ID: "7"}, rules); err != nil {
			t.Fatal(err)
		}
	}
	if w.creates > 1 {
		t.Fatalf("%d posts of one story", w.creates)
	}
	if w.gone && rules.OnRemove == OnDelete && r.State == Sent {
		t.Fatal("a withdrawn post stays at the network")
	}
}

// check holds what is true of every step.
func check(t *rapid.T, old, r *Row) {
	if old == nil {
		return
	}
	if r.Seen < old.Seen {
		t.Fatalf("seen fell from %d to %d", old.Seen, r.Seen)
	}
	if r.Op == Create && r.Key != CreateKey(r.Channel, r.Story) {
		t.Fatal("a create with another key")
	}
	if r.Op == Edit && r.Key != EditKey(r.Channel, r.Story, Edit, r.Revision) {
		t.Fatal("an edit with the key of another revision")
	}
	if old.Frozen && r.Frozen && old.Op == r.Op && old.Revision != r.Revision && old.State != Sent {
		t.Fatalf("the payload of a begun %s changed from revision %d to %d", r.Op, old.Revision, r.Revision)
	}
	if r.Op == Create && r.State == Sending && r.posted() {
		t.Fatal("sends a create for what was posted")
	}
}
