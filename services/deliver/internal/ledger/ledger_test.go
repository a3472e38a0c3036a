package ledger

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
)

var start = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

const story = "aaaaaaaaaaaaaaaaaaaaaaaaaa"

func composed(action string, revision uint64, text string) event.Post {
	return event.Post{
		Channel: "masto", Network: "mastodon", Story: story, Article: story, Revision: revision, Action: action,
		FirstSeen: start, Published: start, Title: text, URL: "https://example.org/1", Text: text,
		Request: event.Request{Body: []byte(`{"status":"` + text + `"}`)}, Hash: event.Hash([]byte(text)),
	}
}

func everything() Rules {
	return Rules{Since: start.Add(-time.Hour), Approve: Auto, OnUpdate: OnEdit, OnRemove: OnDelete, CanEdit: true, CanDelete: true}
}

// take is Take with a row at the end whether or not anything changed.
func take(t *testing.T, old *Row, p event.Post, rules Rules, now time.Time) *Row {
	t.Helper()
	r, err := Take(old, p, 1, rules, now)
	if err != nil {
		t.Fatalf("Take %s %d: %v", p.Action, p.Revision, err)
	}
	if r == nil {
		return old
	}
	return r
}

func must(t *testing.T) func(*Row, error) *Row {
	return func(r *Row, err error) *Row {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
}

func sent(t *testing.T, rules Rules) *Row {
	t.Helper()
	r := take(t, nil, composed(event.ActionCreate, 1, "one"), rules, start)
	r = must(t)(r.Begin(start, time.Minute, "me"))
	return must(t)(r.Succeed(start.Add(time.Second), Remote{ID: "7"}, rules))
}

func TestOnlyTheTableMovesRows(t *testing.T) {
	t.Parallel()
	for _, from := range append(States(), "") {
		for _, to := range States() {
			r := &Row{Channel: "masto", Story: story, State: from}
			err := r.move(to, start, Self, "")
			if allowed := slices.Contains(After(from), to); allowed != (err == nil) {
				t.Errorf("%q to %q: error %v, want allowed %v", from, to, err, allowed)
			}
			if wrong, ok := errors.AsType[*TransitionError](err); err != nil && (!ok || wrong.From != from || wrong.To != to || r.State != from || len(r.History) != 0) {
				t.Errorf("%q to %q: %v left state %q and %d steps", from, to, err, r.State, len(r.History))
			}
		}
	}
	for _, s := range States() {
		if s != Deleted && len(After(s)) == 0 {
			t.Errorf("%s is a dead end", s)
		}
	}
}

func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	r := take(t, nil, composed(event.ActionCreate, 1, "one"), everything(), start)
	for n := range 50 {
		r = must(t)(r.Begin(start.Add(time.Duration(n)*time.Second), time.Minute, "me"))
		r = must(t)(r.Postpone(start, start, "throttled", string(make([]byte, 5000)), everything()))
	}
	if len(r.History) != maxHistory || len(r.Text) > maxText || r.Attempt != 50 {
		t.Errorf("history %d, text %d bytes, attempt %d", len(r.History), len(r.Text), r.Attempt)
	}
}

func TestFirstPost(t *testing.T) {
	t.Parallel()
	old := composed(event.ActionCreate, 1, "one")
	old.FirstSeen = start.Add(-2 * time.Hour)
	filled := composed(event.ActionCreate, 1, "one")
	filled.Backfill, filled.FirstSeen = true, start.Add(-48*time.Hour)
	for name, c := range map[string]struct {
		post   event.Post
		change func(*Rules)
		state  State
		reason string
	}{
		"new":                           {post: composed(event.ActionCreate, 1, "one"), state: Planned},
		"older than the channel":        {post: old, state: Skipped, reason: Baseline},
		"backfill nobody asked for":     {post: filled, state: Skipped, reason: Baseline},
		"backfill that was asked for":   {post: filled, change: func(r *Rules) { r.Backfill = true }, state: Planned},
		"an edit whose post was missed": {post: composed(event.ActionEdit, 4, "four"), state: Planned},
		"a withdrawal of nothing":       {post: composed(event.ActionDelete, 9, ""), state: Skipped, reason: TakenDown},
		"hold":                          {post: composed(event.ActionCreate, 1, "one"), change: func(r *Rules) { r.Approve, r.HoldFor = Hold, time.Minute }, state: Held, reason: Hold},
		"manual":                        {post: composed(event.ActionCreate, 1, "one"), change: func(r *Rules) { r.Approve = Manual }, state: Held, reason: Manual},
	} {
		rules := everything()
		if c.change != nil {
			c.change(&rules)
		}
		r := take(t, nil, c.post, rules, start)
		if r.State != c.state || r.Reason != c.reason || r.Op != Create || r.Key != CreateKey("masto", story) {
			t.Errorf("%s: state %s (%s) op %s", name, r.State, r.Reason, r.Op)
		}
		if (r.Payload == nil) != (c.state == Skipped) {
			t.Errorf("%s: payload kept %v in state %s", name, r.Payload != nil, r.State)
		}
		if again, err := Take(r, c.post, 1, rules, start.Add(time.Hour)); again != nil || err != nil {
			t.Errorf("%s: the same post again changes the row: %v", name, err)
		}
	}
}

func TestLateCreateDoesNotUndoAWithdrawal(t *testing.T) {
	t.Parallel()
	r := take(t, nil, composed(event.ActionDelete, 2, ""), everything(), start)
	if r = take(t, r, composed(event.ActionCreate, 1, "one"), everything(), start); r.State != Skipped || r.Payload != nil {
		t.Errorf("state %s after the late create", r.State)
	}
}

func TestArrivalInAnyOrderEndsInTheNewest(t *testing.T) {
	t.Parallel()
	posts := []event.Post{composed(event.ActionCreate, 1, "one"), composed(event.ActionEdit, 2, "two"), composed(event.ActionEdit, 3, "three")}
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		var r *Row
		for _, i := range order {
			r = take(t, r, posts[i], everything(), start)
		}
		if r.State != Planned || r.Revision != 3 || r.Payload.Text != "three" || r.Op != Create {
			t.Errorf("order %v: %s %s revision %d", order, r.State, r.Op, r.Revision)
		}
	}
}

func TestSendingFreezesThePayload(t *testing.T) {
	t.Parallel()
	rules := everything()
	r := take(t, nil, composed(event.ActionCreate, 1, "one"), rules, start)
	r = must(t)(r.Begin(start, time.Minute, "me"))
	r = take(t, r, composed(event.ActionEdit, 2, "two"), rules, start)
	r = must(t)(r.Postpone(start, start, "throttled", "", rules))
	r = must(t)(r.Begin(start, time.Minute, "me"))
	if r.Payload.Text != "one" || r.Op != Create || r.Key != CreateKey("masto", story) || r.Attempt != 2 {
		t.Fatalf("the second try sends %q as %s with key %s", r.Payload.Text, r.Op, r.Key)
	}
	r = must(t)(r.Succeed(start, Remote{ID: "7"}, rules))
	if r.State != Sent || r.Payload != nil || r.Next == nil || !r.Next.Due.Equal(start.Add(editGap)) {
		t.Fatalf("after the receipt: %s, next %+v", r.State, r.Next)
	}
	if _, ready := r.Ready(start); ready {
		t.Error("the edit does not keep its distance")
	}
	if op, ready := r.Ready(start.Add(editGap)); !ready || op != Edit {
		t.Errorf("ready %v for %s", ready, op)
	}
	r = must(t)(r.Begin(start.Add(editGap), time.Minute, "me"))
	if r.Op != Edit || r.Payload.Text != "two" || r.Key != EditKey("masto", story, Edit, 2) || r.Attempt != 1 {
		t.Errorf("the edit sends %q as %s", r.Payload.Text, r.Op)
	}
}

func TestOnlyARealChangeIsAnEdit(t *testing.T) {
	t.Parallel()
	same := composed(event.ActionEdit, 2, " one ")
	same.Hash = "another"
	for name, c := range map[string]struct {
		post   event.Post
		change func(*Rules)
		want   bool
		reason string
	}{
		"other text":                  {post: composed(event.ActionEdit, 2, "two"), want: true},
		"white space":                 {post: same},
		"white space, to a program":   {post: same, change: func(r *Rules) { r.AnyChange = true }, want: true},
		"the channel wants no edits":  {post: composed(event.ActionEdit, 2, "two"), change: func(r *Rules) { r.OnUpdate = OnIgnore }},
		"the network knows no edits":  {post: composed(event.ActionEdit, 2, "two"), change: func(r *Rules) { r.CanEdit = false }, reason: Unsupported},
		"an article from elsewhere":   {post: func() event.Post { p := composed(event.ActionEdit, 2, "two"); p.Article = "b"; return p }()},
		"the same revision once more": {post: composed(event.ActionEdit, 1, "two")},
	} {
		rules := everything()
		if c.change != nil {
			c.change(&rules)
		}
		r := take(t, sent(t, rules), c.post, rules, start.Add(time.Hour))
		if (r.Next != nil) != c.want || r.Reason != c.reason || r.State != Sent {
			t.Errorf("%s: next %+v, reason %q, state %s", name, r.Next, r.Reason, r.State)
		}
	}
}

func TestAnArticleThatChangesForEverStopsBeingNews(t *testing.T) {
	t.Parallel()
	rules := everything()
	r := sent(t, rules)
	now := start
	for n := uint64(2); n < 20; n++ {
		now = now.Add(time.Hour)
		r = take(t, r, composed(event.ActionEdit, n, string(rune('a'+n))), rules, now)
		if _, ready := r.Ready(now); ready {
			r = must(t)(r.Begin(now, time.Minute, "me"))
			r = must(t)(r.Succeed(now, Remote{}, rules))
		}
	}
	if r.Edits != maxEdits || r.Remote.ID != "7" {
		t.Errorf("%d edits, remote %q", r.Edits, r.Remote.ID)
	}
}

func TestWithdrawal(t *testing.T) {
	t.Parallel()
	gone := composed(event.ActionDelete, 9, "")
	planned := take(t, nil, composed(event.ActionCreate, 1, "one"), everything(), start)
	flying := must(t)(planned.Begin(start, time.Minute, "me"))
	waiting := must(t)(flying.Postpone(start, start, "throttled", "", everything()))
	doubted := must(t)(flying.Doubt(start, start, "uncertain", ""))
	failed := must(t)(flying.Refuse(start, fault.Invalid, "no", everything()))
	for name, c := range map[string]struct {
		row    *Row
		change func(*Rules)
		then   func(*Row, Rules) (*Row, error)
		state  State
		next   Op
	}{
		"planned": {row: planned, state: Skipped},
		"waiting": {row: waiting, state: Skipped},
		"failed":  {row: failed, state: Failed},
		"flying, then refused for now": {row: flying, state: Skipped,
			then: func(r *Row, rules Rules) (*Row, error) { return r.Postpone(start, start, "", "", rules) }},
		"flying, then accepted": {row: flying, state: Sent, next: Delete,
			then: func(r *Row, rules Rules) (*Row, error) { return r.Succeed(start, Remote{ID: "7"}, rules) }},
		"flying, then refused for good": {row: flying, state: Failed,
			then: func(r *Row, rules Rules) (*Row, error) { return r.Refuse(start, fault.Invalid, "", rules) }},
		"in doubt, then found": {row: doubted, state: Sent, next: Delete,
			then: func(r *Row, rules Rules) (*Row, error) { return r.Succeed(start, Remote{ID: "7"}, rules) }},
		"in doubt, then not found": {row: doubted, state: Skipped,
			then: func(r *Row, rules Rules) (*Row, error) { return r.Postpone(start, start, "", "", rules) }},
		"sent":                           {row: sent(t, everything()), state: Sent, next: Delete},
		"sent, and the channel keeps it": {row: sent(t, everything()), change: func(r *Rules) { r.OnRemove = OnIgnore }, state: Sent},
		"sent, and the network keeps it": {row: sent(t, everything()), change: func(r *Rules) { r.CanDelete = false }, state: Sent},
		"an edit of it was just refused": {row: editFailed(t), state: Planned, next: ""},
	} {
		rules := everything()
		if c.change != nil {
			c.change(&rules)
		}
		r := take(t, c.row, gone, rules, start)
		if c.then != nil {
			r = must(t)(c.then(r, rules))
		}
		next := Op("")
		if r.Next != nil {
			next = r.Next.Op
		}
		if r.State != c.state || next != c.next {
			t.Errorf("%s: state %s next %q, want %s %q", name, r.State, next, c.state, c.next)
		}
		if (r.State == Skipped || r.State == Failed) && r.Payload != nil {
			t.Errorf("%s: the words of a withdrawn article are kept", name)
		}
	}
}

// editFailed is a row that was sent and whose edit was refused for good.
func editFailed(t *testing.T) *Row {
	r := take(t, sent(t, everything()), composed(event.ActionEdit, 2, "two"), everything(), start.Add(time.Hour))
	r = must(t)(r.Begin(start.Add(time.Hour), time.Minute, "me"))
	return must(t)(r.Refuse(start.Add(time.Hour), fault.Invalid, "no", everything()))
}

func TestFailedRowsComeBackByNewerRevisionOrByVerb(t *testing.T) {
	t.Parallel()
	r := take(t, nil, composed(event.ActionCreate, 1, "one"), everything(), start)
	r = must(t)(r.Begin(start, time.Minute, "me"))
	r = must(t)(r.Refuse(start, fault.Invalid, "status is empty", everything()))
	if r.Payload == nil || r.Text != "status is empty" {
		t.Fatal("the operator has nothing to repair")
	}
	again := must(t)(r.Retry(start, "anna"))
	if again.State != Planned || again.Op != Create || again.Attempt != 0 || again.History[len(again.History)-1].Actor != "anna" {
		t.Errorf("by verb: %s %s attempt %d", again.State, again.Op, again.Attempt)
	}
	newer := take(t, r, composed(event.ActionEdit, 2, "two"), everything(), start)
	if newer.State != Planned || newer.Op != Create || newer.Payload.Text != "two" {
		t.Errorf("by revision: %s %s", newer.State, newer.Op)
	}
	edit := take(t, editFailed(t), composed(event.ActionEdit, 3, "three"), everything(), start)
	if edit.State != Planned || edit.Op != Edit || edit.Key != EditKey("masto", story, Edit, 3) {
		t.Errorf("of an edit: %s %s", edit.State, edit.Op)
	}
}

func TestADeadLetterThatIsSentBackIsTriedAgain(t *testing.T) {
	t.Parallel()
	p := composed(event.ActionCreate, 1, "one")
	r, err := Take(nil, p, 10, everything(), start)
	if err != nil {
		t.Fatal(err)
	}
	r = must(t)(r.Begin(start, time.Minute, "me"))
	r = must(t)(r.Refuse(start, fault.Invalid, "no", everything()))
	if same, err := Take(r, p, 10, everything(), start); same != nil || err != nil {
		t.Errorf("a redelivery changes the row: %v", err)
	}
	back, err := Take(r, p, 11, everything(), start)
	if err != nil || back == nil || back.State != Planned || back.Attempt != 0 {
		t.Fatalf("sent back: %+v, %v", back, err)
	}
	if twice, err := Take(back, p, 11, everything(), start); twice != nil || err != nil {
		t.Errorf("its redelivery changes the row: %v", err)
	}
	if s := sent(t, everything()); take(t, s, p, everything(), start) != s {
		t.Error("a post that was sent is tried again")
	}
	gone := composed(event.ActionDelete, 9, "")
	r, err = Take(sent(t, everything()), gone, 20, everything(), start)
	if err != nil {
		t.Fatal(err)
	}
	r = must(t)(r.Begin(start, time.Minute, "me"))
	r = must(t)(r.Refuse(start, fault.Invalid, "no", everything()))
	if r, err = Take(r, gone, 21, everything(), start); err != nil || r.State != Planned || r.Op != Delete {
		t.Errorf("a deletion sent back: %+v, %v", r, err)
	}
}

func TestApprovedWordsGoOutAsApproved(t *testing.T) {
	t.Parallel()
	rules := everything()
	rules.Approve = Manual
	r := take(t, nil, composed(event.ActionCreate, 1, "one"), rules, start)
	r = must(t)(r.Approve(start, "anna"))
	if twice, err := r.Approve(start, "bert"); twice != nil || err != nil {
		t.Errorf("approving twice: %v", err)
	}
	r = take(t, r, composed(event.ActionEdit, 2, "two"), rules, start)
	if r.Payload.Text != "one" || r.Next == nil || r.Next.Op != Edit {
		t.Errorf("approved %q, next %+v", r.Payload.Text, r.Next)
	}
	if _, err := sent(t, everything()).Approve(start, "anna"); err == nil {
		t.Error("a sent row can be approved")
	}
}

func TestLedgerIsACompareAndSet(t *testing.T) {
	t.Parallel()
	l := New(natstest.Run(t).Bus(t, "deliver").Bucket(event.BucketDeliveries))
	r := take(t, nil, composed(event.ActionCreate, 1, "<b>&</b>"), everything(), start)
	rev, err := l.Put(t.Context(), r, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Put(t.Context(), r, 0); fault.KindOf(err) != fault.Conflict {
		t.Errorf("made twice: %v", err)
	}
	got, at, err := l.Row(t.Context(), "masto", story)
	if err != nil || at != rev {
		t.Fatalf("read: %v, revision %d, want %d", err, at, rev)
	}
	if diff := cmp.Diff(r, got); diff != "" {
		t.Errorf("read differs from written (-want +got):\n%s", diff)
	}
	calls := 0
	row, _, err := l.Change(t.Context(), "masto", story, func(old *Row) (*Row, error) {
		if calls++; calls == 1 { // somebody else is quicker
			b := must(t)(old.Begin(start, time.Minute, "other"))
			if _, err := l.Put(t.Context(), b, at); err != nil {
				t.Fatal(err)
			}
			return old.Begin(start, time.Minute, "me")
		}
		return nil, nil
	})
	if err != nil || calls != 2 || row.Owner != "other" {
		t.Errorf("the loser wrote: owner %q after %d calls, %v", row.Owner, calls, err)
	}
	if rows, err := l.Rows(t.Context(), "masto"); err != nil || len(rows) != 1 {
		t.Errorf("rows: %d, %v", len(rows), err)
	}
	if none, _, err := l.Row(t.Context(), "masto", "bbbbbbbbbbbbbbbbbbbbbbbbbb"); none != nil || err != nil {
		t.Errorf("a row that is not there: %v, %v", none, err)
	}
}

// A failed edit that a person plans again may meet a newer revision before it goes: that one has a key of its own.
func TestAPlannedEditThatIsReplacedHasTheKeyOfItsRevision(t *testing.T) {
	t.Parallel()
	rules := everything()
	must := func(r *Row, err error) *Row {
		t.Helper()
		if err != nil || r == nil {
			t.Fatalf("%v, %v", r, err)
		}
		return r
	}
	r := must(Take(nil, composed(event.ActionCreate, 1, "one"), 1, rules, start))
	r = must(r.Begin(start, time.Minute, "me"))
	r = must(r.Succeed(start, Remote{ID: "7"}, rules))
	r = must(Take(r, composed(event.ActionEdit, 2, "two"), 2, rules, start))
	later := start.Add(2 * time.Minute)
	r = must(r.Begin(later, time.Minute, "me"))
	r = must(r.Refuse(later, fault.Invalid, "no", rules))
	r = must(r.Retry(later, "anna"))
	r = must(Take(r, composed(event.ActionEdit, 3, "three"), 3, rules, later))
	if want := EditKey(r.Channel, r.Story, Edit, 3); r.Op != Edit || r.Revision != 3 || r.Key != want {
		t.Errorf("op %s revision %d key %s, want %s", r.Op, r.Revision, r.Key, want)
	}
}

// A person who looked at the network settles what is in doubt. A withdrawal that came meanwhile is kept either way.
func TestAPersonSettlesWhatIsInDoubt(t *testing.T) {
	t.Parallel()
	rules := everything()
	flying := must(t)(take(t, nil, composed(event.ActionCreate, 1, "one"), rules, start).Begin(start, time.Minute, "me"))
	doubted := must(t)(flying.Doubt(start, start, "uncertain", ""))
	withdrawn := take(t, doubted, composed(event.ActionDelete, 9, ""), rules, start)

	found := must(t)(withdrawn.Found(start, "anna", "https://example.org/7"))
	if op, ready := found.Ready(start); found.State != Sent || found.Remote.URL == "" || found.Posted.IsZero() || !ready || op != Delete {
		t.Errorf("found: %s, %+v, ready %v for %s", found.State, found.Remote, ready, op)
	}
	absent := must(t)(doubted.Absent(start, "anna"))
	if op, ready := absent.Ready(start); absent.State != Waiting || absent.Key != flying.Key || !ready || op != Create {
		t.Errorf("absent: %s, key %s, ready %v for %s", absent.State, absent.Key, ready, op)
	}
	for _, r := range []*Row{found, absent, flying} {
		if last := r.History[len(r.History)-1]; r != flying && last.Actor != "anna" {
			t.Errorf("the history names %s", last.Actor)
		}
	}
	if _, err := found.Absent(start, "anna"); err == nil {
		t.Error("what was found is absent")
	}
}

// A list keeps posts for mails that are still to come.
func TestAListKeepsTheNewestInThePlaceOfTheFirst(t *testing.T) {
	t.Parallel()
	rules := everything()
	rules.Listed, rules.Approve = true, Manual
	r := take(t, nil, composed(event.ActionCreate, 1, "one"), rules, start)
	if r.State != Listed || r.Payload == nil || r.Payload.Text != "one" || r.Ordinal != 1 {
		t.Fatalf("a new story is %+v", r)
	}
	if _, ready := r.Ready(start.Add(time.Hour)); ready || r.State.Open() {
		t.Error("a listed story waits to be sent by itself")
	}
	r2, err := Take(r, composed(event.ActionEdit, 2, "two"), 9, rules, start.Add(time.Minute))
	if err != nil || r2.State != Listed || r2.Payload.Text != "two" || r2.Ordinal != 1 || r2.Revision != 2 {
		t.Fatalf("its newer revision is %+v, %v", r2, err)
	}
	if again, err := Take(r2, composed(event.ActionCreate, 1, "one"), 1, rules, start); again != nil || err != nil {
		t.Errorf("an old revision changes it to %+v, %v", again, err)
	}
	faded := r2.Fade()
	if faded.Payload != nil || faded.State != Listed || r2.Payload == nil {
		t.Errorf("faded, it is %+v", faded)
	}
	if late := take(t, faded, composed(event.ActionEdit, 3, "three"), rules, start.Add(time.Hour)); late.Payload != nil || late.Seen != 3 {
		t.Errorf("a revision of a faded story is kept: %+v", late)
	}
	gone := take(t, r2, composed(event.ActionDelete, 3, ""), rules, start.Add(time.Hour))
	if gone.State != Skipped || gone.Reason != TakenDown || gone.Payload != nil {
		t.Errorf("withdrawn, it is %+v", gone)
	}
	if back := take(t, gone, composed(event.ActionEdit, 4, "four"), rules, start.Add(time.Hour)); back.State != Skipped || back.Payload != nil {
		t.Errorf("it came back as %+v", back)
	}
	rules.Since = start.Add(time.Hour)
	if old := take(t, nil, composed(event.ActionCreate, 1, "one"), rules, start); old.State != Skipped || old.Reason != Baseline {
		t.Errorf("a story older than the list is %+v", old)
	}
}
