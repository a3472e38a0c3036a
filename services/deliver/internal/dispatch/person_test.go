package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/dispatch"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/send"
	"tidings.internal/services/deliver/internal/send/sendtest"
)

// wish changes a row as an operator does, and lets the channel hear of it.
func (r *rig) wish(n int, change func(*ledger.Row) (*ledger.Row, error)) {
	r.t.Helper()
	if _, _, err := r.book.Change(r.t.Context(), "ch", sendtest.Story(n), change); err != nil {
		r.t.Fatal(err)
	}
	r.restart() // the watch shows the row
}

func TestNowSkipsRateAndQuietHours(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *config.Channel) {
		c.MaxPerHour, c.MaxAge = 1, 0
		c.Quiet = config.Quiet{From: "07:30", To: "20:00", Zone: "UTC"} // the clock begins at 08:00
	})
	for n := range 4 {
		p := r.post(n, 1, event.ActionCreate)
		p.Published = r.clock.Now().Add(time.Duration(n) * time.Second)
		r.take(p)
	}
	r.work(time.Minute)
	if n := len(r.net.log()); n != 0 {
		t.Fatalf("%d requests in quiet hours", n)
	}
	now := func(row *ledger.Row) (*ledger.Row, error) { return row.Hurry(r.clock.Now(), "anna") }
	r.wish(2, now)
	r.wish(3, now)
	begin := r.clock.Now()
	r.work(time.Minute)
	log := r.net.log()
	if len(log) != 2 || log[0].story != sendtest.Story(2) || log[1].story != sendtest.Story(3) || log[1].at.Sub(begin) > time.Second {
		t.Fatalf("sent %v", log)
	}
	// They count: what follows waits for the rate, two posts further on.
	r.work(13 * time.Hour)
	var at []time.Duration
	for _, e := range r.net.log()[2:] {
		at = append(at, e.at.Sub(begin).Round(time.Hour))
	}
	if fmt.Sprint(at) != "[12h0m0s 13h0m0s]" {
		t.Errorf("the others were sent after %v", at)
	}
}

func TestNowWaitsForAPauseAndForTheNetwork(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	if _, err := r.book.ChangeChannel(t.Context(), "ch", func(c *ledger.Channel) (*ledger.Channel, error) {
		c.Pause = &ledger.Pause{At: r.clock.Now(), Reason: ledger.ByOperator}
		return c, nil
	}); err != nil {
		t.Fatal(err)
	}
	r.take(r.post(1, 1, event.ActionCreate))
	r.wish(1, func(row *ledger.Row) (*ledger.Row, error) { return row.Hurry(r.clock.Now(), "anna") })
	r.work(time.Hour)
	if n := len(r.net.log()); n != 0 {
		t.Fatalf("%d requests of a paused channel", n)
	}
	if _, err := r.book.ChangeChannel(t.Context(), "ch", func(c *ledger.Channel) (*ledger.Channel, error) {
		c.Resume()
		c.Wait, c.WaitReason = r.clock.Now().Add(time.Hour), "throttled"
		return c, nil
	}); err != nil {
		t.Fatal(err)
	}
	begin := r.clock.Now()
	r.work(2 * time.Hour)
	if log := r.net.log(); len(log) != 1 || log[0].at.Sub(begin) < time.Hour {
		t.Errorf("sent %v", log)
	}
}

func TestHeldByAPersonWaitsForOne(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *config.Channel) { c.Approve = config.Approve{Mode: config.ApproveHold, Hold: 10 * time.Minute} })
	for n := range 2 {
		r.take(r.post(n, 1, event.ActionCreate))
	}
	r.wish(0, func(row *ledger.Row) (*ledger.Row, error) { return row.Hold(r.clock.Now(), time.Time{}, "anna") })
	r.wish(1, func(row *ledger.Row) (*ledger.Row, error) {
		return row.Hold(r.clock.Now(), r.clock.Now().Add(time.Hour), "anna")
	})
	r.work(50 * time.Minute)
	if n := len(r.net.log()); n != 0 {
		t.Fatalf("%d requests for what is held", n)
	}
	r.work(1000 * time.Hour)
	if log := r.net.log(); len(log) != 1 || log[0].story != sendtest.Story(1) || r.row(0).State != ledger.Held {
		t.Errorf("sent %v; the other is %s", log, r.row(0).State)
	}
	r.wish(0, func(row *ledger.Row) (*ledger.Row, error) { return row.Approve(r.clock.Now(), "anna") })
	r.work(time.Minute)
	if r.row(0).State != ledger.Sent { // its age counts from the approval
		t.Errorf("approved after weeks: %s (%s)", r.row(0).State, r.row(0).Reason)
	}
}

func TestAPersonsDeletionIsSentOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *config.Channel) { c.OnRemove = ledger.OnIgnore })
	r.take(r.post(1, 1, event.ActionCreate))
	r.work(time.Minute)
	for range 2 {
		r.wish(1, func(row *ledger.Row) (*ledger.Row, error) { return row.Withdraw(r.clock.Now(), "anna") })
		r.work(time.Minute)
	}
	log := r.net.log()
	if len(log) != 2 || log[1].op != ledger.Delete || r.row(1).State != ledger.Deleted {
		t.Errorf("sent %v, %s", log, r.row(1).State)
	}
}

// poster is the network without edits and deletions.
type poster struct{ n *network }

func (p poster) Send(_ context.Context, j send.Job) (send.Receipt, error) { return p.n.do(j) }
func (p poster) Account() string                                          { return p.n.account }
func (p poster) Credential() string                                       { return p.n.credential }

func TestADeletionThatTheNetworkCannotDoIsNoError(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.take(r.post(1, 1, event.ActionCreate))
	r.work(time.Minute)
	o := r.Channel.Options
	o.Sender = poster{r.net}
	r.Channel = dispatch.New(o)
	if err := r.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	row, _, err := r.book.Change(t.Context(), "ch", sendtest.Story(1), func(row *ledger.Row) (*ledger.Row, error) {
		return row.Withdraw(r.clock.Now(), "anna")
	})
	if err != nil || row.Next == nil {
		t.Fatal(row, err)
	}
	follow(t, r.Channel)
	r.work(time.Minute)
	if row := r.row(1); row.State != ledger.Sent || row.Next != nil || row.Reason != ledger.Unsupported || len(r.net.log()) != 1 {
		t.Errorf("%s (%s), next %v, %v", row.State, row.Reason, row.Next, r.net.log())
	}
}

func TestOutlookSaysWhatGoesNext(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *config.Channel) {
		c.MaxPerHour, c.MaxAge = 1, 0
		c.Quiet = config.Quiet{From: "08:30", To: "11:00", Zone: "UTC"} // the clock begins at 08:00
	})
	outlook := func() (dispatch.Due, bool) {
		t.Helper()
		rows, err := r.book.Rows(t.Context(), "ch")
		if err != nil {
			t.Fatal(err)
		}
		return r.Outlook(*r.channel(), rows, r.clock.Now())
	}
	if next, ok := outlook(); ok {
		t.Errorf("nothing waits, and %v is next", next)
	}
	begin := r.clock.Now()
	for n := range 3 {
		p := r.post(n, 1, event.ActionCreate)
		p.Published = begin.Add(time.Duration(-n) * time.Second)
		r.take(p)
	}
	if next, ok := outlook(); !ok || next.Story != sendtest.Story(2) || next.Op != ledger.Create || !next.At.Equal(begin) {
		t.Errorf("next is %v", next)
	}
	r.work(time.Minute) // one goes; the second has its turn at nine, in quiet hours
	next, ok := outlook()
	if want := time.Date(begin.Year(), begin.Month(), begin.Day(), 11, 0, 0, 0, time.UTC); !ok || next.Story != sendtest.Story(1) || !next.At.Equal(want) {
		t.Errorf("next is %v, want story 1 at %v", next, want)
	}
	r.work(next.At.Sub(r.clock.Now()) + time.Second)
	if log := r.net.log(); len(log) != 2 || log[1].story != next.Story || log[1].at.Sub(next.At).Abs() > time.Second {
		t.Errorf("sent %v, said %v", log, next)
	}
	r.wish(2, func(row *ledger.Row) (*ledger.Row, error) { return row.Withdraw(r.clock.Now(), "anna") })
	if next, ok := outlook(); !ok || next.Op != ledger.Delete || next.At.After(r.clock.Now()) {
		t.Errorf("a deletion waits for something: %v", next)
	}
}

// allow is the operator's word that the channel may change its account.
func (r *rig) allow() {
	r.t.Helper()
	if _, err := r.book.ChangeChannel(r.t.Context(), "ch", func(c *ledger.Channel) (*ledger.Channel, error) {
		if c.Pause != nil && c.Pause.Reason == ledger.AccountChanged {
			c.Resume()
		}
		c.Rebind = &ledger.Rebind{At: r.clock.Now(), By: "anna"}
		return c, nil
	}); err != nil {
		r.t.Fatal(err)
	}
}

func TestAnotherAccountNeedsAPersonsWord(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *config.Channel) { c.MaxAge = 0 })
	for n := range 2 {
		r.take(r.post(n, 1, event.ActionCreate))
	}
	r.work(time.Minute)
	r.net.next(fault.Errorf(fault.Uncertain, "reset"))
	r.take(r.post(2, 1, event.ActionCreate))
	r.work(time.Minute)
	r.net.next(fault.Errorf(fault.Unreachable, "connection refused"))
	r.take(r.post(0, 2, event.ActionEdit))
	r.work(time.Second)
	r.take(r.post(3, 1, event.ActionCreate))
	before := len(r.net.log())

	r.net.account = "other"
	if err := dispatch.New(r.Channel.Options).Open(t.Context()); err == nil {
		t.Fatal("the channel goes on with another account by itself")
	} else if _, ok := errors.AsType[*dispatch.AccountError](err); !ok {
		t.Fatal(err)
	}
	r.allow()
	r.clock.Add(25 * time.Hour)
	if err := dispatch.New(r.Channel.Options).Open(t.Context()); err == nil {
		t.Fatal("the word of a person holds for ever")
	}
	r.allow()
	r.restart()
	if c := r.channel(); c.Account != "other" || c.Rebind != nil {
		t.Errorf("the channel's row: %+v", c)
	}
	r.take(r.post(1, 2, event.ActionEdit))
	r.take(r.post(1, 3, event.ActionDelete))
	r.work(100 * time.Hour)
	log := r.net.log()[before:]
	if len(log) != 1 || log[0].story != sendtest.Story(3) || log[0].op != ledger.Create {
		t.Errorf("the new account got %v", log)
	}
	for n, want := range []ledger.State{ledger.Failed, ledger.Sent, ledger.Sent, ledger.Sent} {
		if row := r.row(n); row.State != want || row.Left != (n < 3) || row.Payload != nil || row.Next != nil {
			t.Errorf("story %d: %s, left %v, payload %v, next %v", n, row.State, row.Left, row.Payload != nil, row.Next)
		}
	}
	if _, err := r.row(1).Withdraw(r.clock.Now(), "anna"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a post of the former account is deleted at the new one: %v", err)
	}
	r.net.account = "five lines"
	if err := dispatch.New(r.Channel.Options).Open(t.Context()); err == nil {
		t.Error("the word of a person holds for more than one account")
	}
}

// named is the network that says who its credentials belong to.
type named struct {
	*network
	id string
}

func (n named) Probe(context.Context) (send.Identity, error) { return send.Identity{ID: n.id}, nil }

func TestAStrangersCredentialsSendNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	as := func(id string) {
		t.Helper()
		o := r.Channel.Options
		o.Sender = named{r.net, id}
		r.Channel = dispatch.New(o)
		if err := r.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		follow(t, r.Channel)
	}
	as("first")
	r.take(r.post(1, 1, event.ActionCreate))
	r.work(time.Minute)
	as("second")
	r.take(r.post(2, 1, event.ActionCreate))
	r.work(time.Minute)
	if p := r.channel().Pause; p == nil || p.Reason != ledger.AccountChanged {
		t.Fatalf("pause %+v", p)
	}
	if _, err := r.book.ChangeChannel(t.Context(), "ch", func(c *ledger.Channel) (*ledger.Channel, error) { c.Resume(); return c, nil }); err != nil {
		t.Fatal(err)
	}
	r.work(time.Minute)
	if p := r.channel().Pause; p == nil || len(r.net.log()) != 1 {
		t.Fatalf("a resume sends to a stranger: pause %+v, %v", p, r.net.log())
	}
	r.allow()
	r.work(time.Minute)
	if c := r.channel(); c.Pause != nil || c.Person != "second" || c.Rebind != nil {
		t.Errorf("the channel's row: %+v", c)
	}
	if log := r.net.log(); len(log) != 2 || log[1].story != sendtest.Story(2) || !r.row(1).Left {
		t.Errorf("sent %v", log)
	}
}

func TestAVerdictIsWhatThenHappens(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		keys   func(*config.Channel)
		post   func(*event.Post, time.Time)
		state  ledger.State
		reason string
		at     time.Duration // after now; negative for never
	}{
		"sent at once":           {nil, nil, ledger.Planned, "", 0},
		"in quiet hours":         {func(c *config.Channel) { c.Quiet = config.Quiet{From: "07:00", To: "09:00", Zone: "UTC"} }, nil, ledger.Planned, "", time.Hour},
		"held by time":           {func(c *config.Channel) { c.Approve = config.Approve{Mode: config.ApproveHold, Hold: time.Minute} }, nil, ledger.Held, ledger.Hold, time.Minute},
		"held for a person":      {func(c *config.Channel) { c.Approve = config.Approve{Mode: config.ApproveManual} }, nil, ledger.Held, ledger.Manual, 168 * time.Hour},
		"older than the channel": {nil, func(p *event.Post, now time.Time) { p.FirstSeen = now.Add(-time.Hour) }, ledger.Skipped, ledger.Baseline, -1},
		"too old":                {nil, func(p *event.Post, now time.Time) { p.Published = now.Add(-49 * time.Hour) }, ledger.Skipped, ledger.TooOld, -1},
		"backfill":               {nil, func(p *event.Post, _ time.Time) { p.Backfill = true }, ledger.Skipped, ledger.Baseline, -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, c.keys)
			now := r.clock.Now()
			p := r.post(1, 1, event.ActionCreate)
			if c.post != nil {
				c.post(&p, now)
			}
			judge := func() dispatch.Verdict {
				rows, err := r.book.Rows(t.Context(), "ch")
				if err != nil {
					t.Fatal(err)
				}
				v, err := r.Verdict(*r.channel(), rows, p, now)
				if err != nil {
					t.Fatal(err)
				}
				return v
			}
			v := judge()
			if v.State != c.state || v.Reason != c.reason || v.Known || v.At.IsZero() != (c.at < 0) || c.at >= 0 && !v.At.Equal(now.Add(c.at)) {
				t.Errorf("verdict %+v", v)
			}
			if rows, _ := r.book.Rows(t.Context(), "ch"); len(rows) != 0 {
				t.Fatal("a question left a row")
			}
			r.take(p)
			r.work(time.Second)
			row := r.row(1)
			if row.State != c.state && !(c.state == ledger.Planned && c.at == 0 && row.State == ledger.Sent) || row.Reason != c.reason {
				t.Errorf("then it is %s (%s)", row.State, row.Reason)
			}
			if v := judge(); !v.Known || v.State != row.State {
				t.Errorf("afterwards the verdict is %+v", v)
			}
		})
	}
}

func TestWhatAPersonWantsNowIsNeitherDroppedNorTooOld(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *config.Channel) {
		c.Overflow, c.QueueCap, c.MaxAge = "drop_oldest", 1, time.Hour
		c.Quiet = config.Quiet{From: "07:30", To: "20:00", Zone: "UTC"}
	})
	if _, err := r.book.ChangeChannel(t.Context(), "ch", func(c *ledger.Channel) (*ledger.Channel, error) {
		c.Wait, c.WaitReason = r.clock.Now().Add(10*time.Minute), "throttled"
		return c, nil
	}); err != nil {
		t.Fatal(err)
	}
	for n := range 2 {
		p := r.post(n, 1, event.ActionCreate)
		p.Published = r.clock.Now().Add(time.Duration(n)*time.Second - time.Hour)
		r.take(p)
	}
	r.wish(0, func(row *ledger.Row) (*ledger.Row, error) { return row.Hurry(r.clock.Now(), "anna") })
	r.work(time.Hour)
	if log := r.net.log(); len(log) != 1 || log[0].story != sendtest.Story(0) || r.row(1).State != ledger.Skipped {
		t.Errorf("sent %v; they are %s (%s) and %s (%s)", log, r.row(0).State, r.row(0).Reason, r.row(1).State, r.row(1).Reason)
	}
}

func TestATrialInDoubtIsTakenBackOnceAPersonKnows(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *config.Channel) { c.OnRemove = ledger.OnIgnore })
	r.net.next(fault.Errorf(fault.Uncertain, "reset"))
	trial, err := ledger.Trial(r.post(1, 1, event.ActionCreate), r.clock.Now(), "anna")
	if err == nil {
		_, err = r.book.Put(t.Context(), trial, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	r.restart()
	r.work(time.Hour)
	if row := r.row(1); row.State != ledger.Uncertain || len(r.net.log()) != 1 {
		t.Fatalf("in doubt it is %s after %v", row.State, r.net.log())
	}
	r.wish(1, func(row *ledger.Row) (*ledger.Row, error) { return row.Found(r.clock.Now(), "anna", "") })
	r.work(time.Minute)
	if log := r.net.log(); len(log) != 2 || log[1].op != ledger.Delete || r.row(1).State != ledger.Deleted {
		t.Errorf("sent %v, %s", log, r.row(1).State)
	}
}
