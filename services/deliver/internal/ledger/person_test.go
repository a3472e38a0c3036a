package ledger

import (
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// taken is the row of a post that has just arrived.
func taken(t *testing.T, rules Rules) *Row {
	t.Helper()
	r, err := Take(nil, composed(event.ActionCreate, 1, "text 1"), 1, rules, start)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// did is a step that must succeed and change something.
func did(t *testing.T, r *Row, err error) *Row {
	t.Helper()
	if err != nil || r == nil {
		t.Fatalf("%+v, %v", r, err)
	}
	return r
}

func TestHoldStopsWhatWasAboutToGo(t *testing.T) {
	t.Parallel()
	rules := everything()
	rules.Approve = Auto
	planned := taken(t, rules)
	r, err := planned.Hold(start, time.Time{}, "anna")
	held := did(t, r, err)
	if _, ready := held.Ready(start.Add(time.Hour)); ready || held.State != Held || held.Reason != Operator || !held.Due.IsZero() {
		t.Errorf("held: %+v", held)
	}
	if again, err := held.Hold(start, time.Time{}, "anna"); again != nil || err != nil {
		t.Errorf("held twice: %+v, %v", again, err)
	}
	r, err = held.Hold(start, start.Add(time.Hour), "anna")
	if timed := did(t, r, err); timed.Reason != Hold || !timed.Due.Equal(start.Add(time.Hour)) {
		t.Errorf("held for an hour: %s until %v", timed.Reason, timed.Due)
	}
	r, err = held.Approve(start, "anna")
	r, err = did(t, r, err).Hold(start, time.Time{}, "bert")
	if back := did(t, r, err); back.State != Held || back.ApprovedBy != "" || !back.ApprovedAt.IsZero() {
		t.Errorf("an approval outlives a hold: %+v", back)
	}
	if _, err := sent(t, rules).Hold(start, time.Time{}, "anna"); err == nil {
		t.Error("a sent post was held")
	}
}

func TestWhatWaitsForAPersonGetsNoEnd(t *testing.T) {
	t.Parallel()
	rules := everything()
	rules.Approve = Manual
	held := taken(t, rules)
	if r, err := held.Hold(start, start.Add(time.Second), "anna"); r != nil || err == nil {
		t.Errorf("it would go without approval: %+v", r)
	}
	if r, err := held.Hold(start, time.Time{}, "anna"); r != nil || err != nil {
		t.Errorf("held as it is: %+v, %v", r, err)
	}
}

func TestTheHoldOfAChannelBecomesAPersons(t *testing.T) {
	t.Parallel()
	rules := everything()
	rules.Approve, rules.HoldFor = Hold, 10*time.Minute
	r, err := taken(t, rules).Hold(start, time.Time{}, "anna")
	if held := did(t, r, err); held.Reason != Operator || !held.Due.IsZero() || len(held.History) != 2 {
		t.Errorf("still approved by time: %+v", held)
	}
}

func TestNowNeedsSomethingThatWaits(t *testing.T) {
	t.Parallel()
	rules := everything()
	rules.Approve = Auto
	r, err := taken(t, rules).Hurry(start, "anna")
	now := did(t, r, err)
	if again, err := now.Hurry(start, "anna"); again != nil || err != nil || !now.Rush || now.ApprovedBy != "anna" {
		t.Errorf("%+v, then %+v, %v", now, again, err)
	}
	r, err = now.Begin(start, time.Minute, "me")
	r, err = did(t, r, err).Postpone(start, start.Add(time.Hour), "unreachable", "", rules)
	if waiting := did(t, r, err); !waiting.Rush {
		t.Error("a failed try ends the hurry")
	} else if r, err = waiting.Hurry(start, "anna"); !did(t, r, err).Due.IsZero() {
		t.Error("now waits for the next try")
	}
	if _, err := sent(t, rules).Hurry(start, "anna"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a sent post with nothing to follow: %v", err)
	}
	rules.Approve = Manual
	if _, err := taken(t, rules).Hurry(start, "anna"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a held post: %v", err)
	}
}

func TestWordsOfAPersonStand(t *testing.T) {
	t.Parallel()
	rules := everything()
	rules.Approve = Manual
	words := composed(event.ActionCreate, 1, "words of anna")
	r, err := taken(t, rules).Rewrite(words, start, "anna")
	edited := did(t, r, err)
	if again, err := edited.Rewrite(words, start, "anna"); again != nil || err != nil {
		t.Errorf("the same words once more: %+v, %v", again, err)
	}
	r, err = Take(edited, composed(event.ActionEdit, 2, "text 2"), 2, rules, start)
	newer := did(t, r, err)
	if newer.Payload.Text != "words of anna" || newer.Seen != 2 || newer.Revision != 1 || newer.Reason != Manual {
		t.Errorf("a newer revision leaves %q, seen %d", newer.Payload.Text, newer.Seen)
	}
	r, err = newer.Approve(start, "anna")
	r, err = did(t, r, err).Begin(start, time.Minute, "me")
	r, err = did(t, r, err).Refuse(start, fault.Invalid, "too long", rules)
	failed := did(t, r, err)
	r, err = Take(failed, composed(event.ActionEdit, 2, "text 2"), 3, rules, start) // its dead letter was sent back
	if back := did(t, r, err); back.State != Planned || back.Payload.Text != "words of anna" {
		t.Errorf("a dead letter brings %s with %q", back.State, back.Payload.Text)
	}
	r, err = failed.Rewrite(composed(event.ActionCreate, 1, "shorter"), start, "anna")
	r, err = did(t, r, err).Retry(start, "anna")
	r, err = did(t, r, err).Begin(start, time.Minute, "me")
	if r = did(t, r, err); r.Payload.Text != "shorter" || r.Key != CreateKey(r.Channel, r.Story) {
		t.Errorf("sends %q with key %s", r.Payload.Text, r.Key)
	}
	if _, err := r.Rewrite(words, start, "anna"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("what is being sent was edited: %v", err)
	}
	r, err = r.Succeed(start, Remote{ID: "7"}, rules)
	posted := did(t, r, err)
	r, err = Take(posted, composed(event.ActionEdit, 3, "text 3"), 4, rules, start)
	if r = did(t, r, err); r.Next != nil {
		t.Error("a newer revision edits away what a person wrote")
	}
	r, err = Take(r, composed(event.ActionDelete, 4, ""), 5, rules, start)
	if r = did(t, r, err); r.Next == nil || r.Next.Op != Delete {
		t.Error("a withdrawal does not reach an edited post")
	}
}

func TestAPersonsDeletionIsWantedWhateverTheChannelSays(t *testing.T) {
	t.Parallel()
	rules := everything()
	rules.Approve, rules.OnRemove = Auto, OnIgnore
	if _, err := taken(t, rules).Withdraw(start, "anna"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("what was not posted was deleted: %v", err)
	}
	for state, skip := range map[State]bool{Planned: true, Held: true, Waiting: true, Failed: false, Skipped: false} {
		r := taken(t, rules)
		r.State = state
		if _, err := r.Withdraw(start, "anna"); err == nil || strings.Contains(err.Error(), "skip it instead") != skip {
			t.Errorf("a deletion of what is %s and was not posted says %v", state, err)
		}
	}
	posted := sent(t, rules)
	r, err := posted.Withdraw(start, "anna")
	wanted := did(t, r, err)
	if again, err := wanted.Withdraw(start, "anna"); again != nil || err != nil {
		t.Errorf("twice: %+v, %v", again, err)
	}
	r, err = Take(wanted, composed(event.ActionEdit, 2, "text 2"), 2, rules, start)
	if op, ready := did(t, r, err).Ready(start); !ready || op != Delete {
		t.Errorf("a newer revision leaves %s", op)
	}
	r, err = wanted.Begin(start, time.Minute, "me")
	r, err = did(t, r, err).Postpone(start, start, "unreachable", "", rules)
	r, err = did(t, r, err).Begin(start, time.Minute, "me")
	r, err = did(t, r, err).Succeed(start, Remote{}, rules)
	if r = did(t, r, err); r.State != Deleted || r.Payload != nil {
		t.Errorf("ends %s", r.State)
	}
	// While the first request flies nobody knows whether there is something to delete.
	r, err = taken(t, rules).Begin(start, time.Minute, "me")
	r, err = did(t, r, err).Withdraw(start, "anna")
	flying := did(t, r, err)
	r, err = flying.Succeed(start, Remote{ID: "7"}, rules)
	if r = did(t, r, err); r.Next == nil || r.Next.Op != Delete {
		t.Error("a deletion wished for during the first request is forgotten")
	}
	r, err = flying.Postpone(start, start, "unreachable", "", rules)
	if r = did(t, r, err); r.State != Skipped {
		t.Errorf("what did not arrive is %s after its deletion", r.State)
	}
	rules.CanDelete = false
	r, err = flying.Succeed(start, Remote{ID: "7"}, rules)
	if r = did(t, r, err); r.Next != nil || r.Reason != Unsupported {
		t.Errorf("a network that cannot delete leaves %+v (%s)", r.Next, r.Reason)
	}
}

func TestWhatWasPostedIsNotSkipped(t *testing.T) {
	t.Parallel()
	rules := everything()
	r, err := Take(sent(t, rules), composed(event.ActionEdit, 2, "text 2"), 2, rules, start)
	r, err2 := did(t, r, err).Begin(start.Add(time.Hour), time.Minute, "me")
	r, err = did(t, r, err2).Postpone(start, start, "unreachable", "", rules)
	waiting := did(t, r, err)
	if _, err := waiting.Skip(start, "anna", Operator); fault.KindOf(err) != fault.Invalid {
		t.Errorf("an edit in doubt was skipped, and the post forgotten: %v", err)
	}
	r, err = waiting.Withdraw(start, "anna")
	if op, ready := did(t, r, err).Ready(start); !ready || op != Delete {
		t.Errorf("its deletion is %s, ready %v", op, ready)
	}
}

func TestATrialGoesOnceOrNever(t *testing.T) {
	t.Parallel()
	rules := everything()
	rules.OnRemove = OnIgnore
	r, err := Trial(composed(event.ActionCreate, 1, "a test"), start, "anna")
	trial := did(t, r, err)
	r, err = trial.Begin(start, time.Minute, "me")
	flying := did(t, r, err)
	if !trial.Rush || flying.Op != Create {
		t.Errorf("%+v", flying)
	}
	r, err = flying.Postpone(start, start, "unreachable", "connection refused", rules)
	if r = did(t, r, err); r.State != Skipped || r.Text != "connection refused" || r.Payload != nil {
		t.Errorf("a first try that failed leaves it %s: %s", r.State, r.Text)
	}
	r, err = flying.Refuse(start, fault.Invalid, "no", rules)
	if r = did(t, r, err); r.State != Failed || r.Next != nil || r.Payload != nil {
		t.Errorf("a refusal leaves it %s, next %v", r.State, r.Next)
	}
	r, err = flying.Succeed(start, Remote{ID: "7"}, rules)
	posted := did(t, r, err)
	if op, ready := posted.Ready(start); !ready || op != Delete {
		t.Errorf("it is not taken back: %s, %v", op, ready)
	}
	r, err = posted.Begin(start, time.Minute, "me")
	r, err = did(t, r, err).Succeed(start, Remote{}, rules)
	if r = did(t, r, err); r.State != Deleted {
		t.Errorf("it ends %s", r.State)
	}
}

func TestLeavingAnAccountSendsNothingTwice(t *testing.T) {
	t.Parallel()
	rules := everything()
	r, err := taken(t, rules).Begin(start, time.Minute, "me")
	sending := did(t, r, err)
	r, err = sending.Doubt(start, start, "uncertain", "")
	uncertain := did(t, r, err)
	r, err = sending.Refuse(start, fault.Invalid, "no", rules)
	failed := did(t, r, err)
	r, err = taken(t, rules).Skip(start, "anna", Operator)
	skipped := did(t, r, err)
	for name, c := range map[string]struct {
		row     *Row
		network string
		state   State // empty when it stays as it is
		left    bool
	}{
		"planned":                      {taken(t, rules), "mastodon", "", false},
		"planned for another network":  {taken(t, rules), "bluesky", Skipped, false},
		"failed for another network":   {failed, "bluesky", Failed, false},
		"sent":                         {sent(t, rules), "mastodon", Sent, true},
		"being sent":                   {sending, "mastodon", Sent, true},
		"perhaps sent":                 {uncertain, "bluesky", Sent, true},
		"skipped":                      {skipped, "bluesky", "", false},
		"planned, an edit, after that": {take(t, sent(t, rules), composed(event.ActionEdit, 2, "text 2"), rules, start), "mastodon", Sent, true},
	} {
		r, err := c.row.Leave(start, c.network)
		if err != nil || (r == nil) != (c.state == "") {
			t.Errorf("%s: %+v, %v", name, r, err)
			continue
		}
		if r == nil {
			continue
		}
		if r.State != c.state || r.Left != c.left || r.Payload != nil || r.Next != nil {
			t.Errorf("%s: %s, left %v, payload %v, next %v", name, r.State, r.Left, r.Payload, r.Next)
		}
		if _, ready := r.Ready(start.Add(1000 * time.Hour)); ready {
			t.Errorf("%s: it is sent", name)
		}
		again, err := r.Leave(start, c.network)
		if err != nil || again != nil && again.State != r.State {
			t.Errorf("%s, again: %+v, %v", name, again, err)
		}
	}
}

func TestCatchingUpTakesOnlyWhatWasMissed(t *testing.T) {
	t.Parallel()
	rules := everything()
	p := composed(event.ActionCreate, 3, "text 3")
	due := start.Add(24 * time.Hour)
	skipped := func(reason string) *Row {
		r, err := taken(t, rules).Skip(start, Self, reason)
		return did(t, r, err)
	}
	old := skipped(TooOld)
	for name, row := range map[string]*Row{"never heard of": nil, "older than the channel": skipped(Baseline), "too old": old, "pushed out": skipped(Dropped)} {
		r, err := CatchUp(row, p, rules, due, start, "anna")
		r = did(t, r, err)
		if r.State != Planned || !r.Backfill || !r.Due.Equal(due) || r.Payload.Text != "text 3" || r.Seen != 3 || r.Key != CreateKey(p.Channel, p.Story) || r.Op != Create {
			t.Errorf("%s: %+v", name, r)
		}
		if again, err := CatchUp(r, p, rules, due, start, "anna"); again != nil || err != nil {
			t.Errorf("%s, again: %+v, %v", name, again, err)
		}
		// The message by which the post came to the bus changes nothing.
		if again, err := Take(r, p, 9, rules, start); again != nil || err != nil {
			t.Errorf("%s, taken in: %+v, %v", name, again, err)
		}
	}
	// What was said of the words that were skipped is not said of these.
	manual := rules
	manual.Approve = Manual
	r, err := taken(t, manual).Rewrite(composed(event.ActionCreate, 1, "words of anna"), start, "anna")
	r, err = did(t, r, err).Approve(start, "anna")
	r, err = did(t, r, err).Skip(start, Self, TooOld)
	r, err = CatchUp(did(t, r, err), p, rules, due, start, "bert")
	if r = did(t, r, err); r.EditedBy != "" || r.ApprovedBy != "" || !r.ApprovedAt.IsZero() {
		t.Errorf("edited by %q, approved by %q at %v", r.EditedBy, r.ApprovedBy, r.ApprovedAt)
	}
	r, err = Take(r, composed(event.ActionEdit, 4, "text 4"), 9, rules, start)
	if r = did(t, r, err); r.Payload.Text != "text 4" {
		t.Errorf("a newer revision leaves %q", r.Payload.Text)
	}
	other := p
	other.Article = "bbbbbbbbbbbbbbbbbbbbbbbbbb"
	for name, c := range map[string]struct {
		row  *Row
		post event.Post
	}{
		"sent": {sent(t, rules), p}, "planned": {taken(t, rules), p}, "rejected": {skipped(Rejected), p}, "taken down": {skipped(TakenDown), p},
		"ended by a person": {skipped(Operator), p}, "told by another article": {old, other},
	} {
		if r, err := CatchUp(c.row, c.post, rules, due, start, "anna"); r != nil || err != nil {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// A channel whose posts a person reads before they go has the person read these, too.
func TestCatchingUpAsksForApproval(t *testing.T) {
	t.Parallel()
	rules := everything()
	rules.HoldFor, rules.ExpireAfter = time.Hour, 100*time.Hour
	p := composed(event.ActionCreate, 3, "text 3")
	r, err := taken(t, rules).Skip(start, Self, TooOld)
	old := did(t, r, err)
	for name, c := range map[string]struct {
		approve   string
		due, want time.Duration
		state     State
	}{
		"at once":                  {Auto, 0, 0, Planned},
		"a person":                 {Manual, 0, 100 * time.Hour, Held},
		"a person, on another day": {Manual, 48 * time.Hour, 100 * time.Hour, Held},
		"time":                     {Hold, 0, time.Hour, Held},
		"time, on another day":     {Hold, 48 * time.Hour, 48 * time.Hour, Held},
	} {
		rules.Approve = c.approve
		for _, row := range []*Row{nil, old} {
			r, err := CatchUp(row, p, rules, start.Add(c.due), start, "anna")
			r = did(t, r, err)
			if r.State != c.state || !r.Due.Equal(start.Add(c.want)) || c.state == Held && r.Reason != c.approve {
				t.Errorf("%s: %s (%s) until %v", name, r.State, r.Reason, r.Due)
			}
			if again, err := CatchUp(r, p, rules, start, start, "anna"); again != nil || err != nil {
				t.Errorf("%s, again: %+v, %v", name, again, err)
			}
			if c.state == Held {
				r, err = r.Approve(start, "bert")
				if r = did(t, r, err); r.ApprovedBy != "bert" || r.Payload.Text != "text 3" {
					t.Errorf("%s, approved by %q: %q", name, r.ApprovedBy, r.Payload.Text)
				}
			}
		}
	}
}
