package dispatch_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
	"tidings.internal/services/deliver/internal/dispatch"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/send"
	"tidings.internal/services/deliver/internal/send/sendtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// network is a sender of a few lines: it answers from a script and writes down what it was asked.
type network struct {
	clock      *sendtest.Clock
	account    string
	credential string

	mu     sync.Mutex
	script []error
	sent   []entry
}

type entry struct {
	op    ledger.Op
	story string
	at    time.Time
}

func (n *network) do(j send.Job) (send.Receipt, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sent = append(n.sent, entry{j.Op, j.Story, n.clock.Now()})
	if len(n.script) > 0 {
		err := n.script[0]
		if n.script = n.script[1:]; err != nil {
			return send.Receipt{}, err
		}
	}
	return send.Receipt{Remote: ledger.Remote{ID: "r" + j.Story}}, nil
}

func (n *network) Send(_ context.Context, j send.Job) (send.Receipt, error)   { return n.do(j) }
func (n *network) Edit(_ context.Context, j send.Job) (send.Receipt, error)   { return n.do(j) }
func (n *network) Delete(_ context.Context, j send.Job) (send.Receipt, error) { return n.do(j) }
func (n *network) Account() string                                            { return n.account }
func (n *network) Credential() string                                         { return n.credential }

func (n *network) next(errs ...error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.script = append(n.script, errs...)
}

// log lists what was sent as "op n@time since the start".
func (n *network) log() []entry {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]entry(nil), n.sent...)
}

// rig is one channel of the five-line network on a real bus.
type rig struct {
	*dispatch.Channel
	t     *testing.T
	net   *network
	bus   *bus.Bus
	clock *sendtest.Clock
	book  *ledger.Ledger
	conf  config.Channel
	trait send.Traits
	seq   uint64
}

func newRig(t *testing.T, change func(*config.Channel)) *rig {
	t.Helper()
	clock := sendtest.NewClock()
	b := natstest.Run(t).Bus(t, "deliver")
	r := &rig{t: t, clock: clock, bus: b, book: ledger.New(b.Bucket(event.BucketDeliveries)), net: &network{clock: clock, account: "five lines", credential: "c1"}}
	r.conf.SetDefaults()
	r.conf.ID, r.conf.Network = "ch", "five"
	if change != nil {
		change(&r.conf)
	}
	r.restart()
	return r
}

// restart is another life of the process: it knows what the ledger knows.
func (r *rig) restart() {
	r.t.Helper()
	r.Channel = dispatch.New(dispatch.Options{
		Config: r.conf, Network: send.Network{Name: "five", Traits: r.trait}, Sender: r.net, Ledger: r.book, Bus: r.bus,
		Log: slog.New(slog.DiscardHandler), Observe: nobody{}, Owner: "me", MaxOpen: 100, Now: r.clock.Now, Random: func() float64 { return 0.5 },
	})
	if err := r.Open(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	follow(r.t, r.Channel)
}

// follow lets a channel learn what the ledger knows.
func follow(t *testing.T, c *dispatch.Channel) {
	ctx, cancel := context.WithCancel(t.Context())
	level, done := make(chan struct{}), make(chan struct{})
	var once sync.Once
	go func() {
		defer close(done)
		_ = c.Follow(ctx, func() { once.Do(func() { close(level) }) })
	}()
	<-level
	cancel() // what this process does itself it knows; what it must learn from others is the watch's test
	<-done
}

type nobody struct{}

func (nobody) Delivered(string, string, ledger.Op, string, string) {}
func (nobody) Took(string, time.Duration)                          {}
func (nobody) Arrived(time.Duration)                               {}

type lease bool

func (l lease) Valid() bool { return bool(l) }

func (r *rig) post(n int, revision uint64, action string) event.Post {
	body, _ := json.Marshal(map[string]any{"n": n, "revision": revision})
	p := event.Post{
		Channel: "ch", Network: "five", Story: sendtest.Story(n), Article: sendtest.Story(n), Revision: revision, Action: action,
		FirstSeen: r.clock.Now(), Published: r.clock.Now(), Title: fmt.Sprint("title ", n, " ", revision), URL: fmt.Sprint("https://example.org/", n),
	}
	if action != event.ActionDelete {
		p.Request, p.Hash = event.Request{Body: body}, event.Hash(body)
	}
	return p
}

func (r *rig) take(p event.Post) {
	r.t.Helper()
	if err := r.try(p); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) try(p event.Post) error {
	r.seq++
	subject, err := event.PostSubject(p.Channel, p.Story)
	if err != nil {
		r.t.Fatal(err)
	}
	m, err := event.Encode(subject, event.Envelope{
		Type: event.TypePost, ID: event.PostID(p.Channel, p.Story, p.Revision), Source: "publish", Time: r.clock.Now(), Article: p.Article,
		Version: event.Version{Revision: p.Revision},
	}, p)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.Take(r.t.Context(), &bus.Delivery{Message: m, Sequence: r.seq, Deliveries: 1})
}

// work lets a span of time go by.
func (r *rig) work(span time.Duration) {
	r.t.Helper()
	end := r.clock.Now().Add(span)
	for r.clock.Now().Before(end) {
		wait, err := r.Step(r.t.Context(), lease(true))
		if err != nil {
			r.t.Fatalf("step: %v", err)
		}
		r.clock.Add(min(wait, end.Sub(r.clock.Now())))
	}
}

func (r *rig) row(n int) *ledger.Row {
	r.t.Helper()
	row, _, err := r.book.Row(r.t.Context(), "ch", sendtest.Story(n))
	if err != nil || row == nil {
		r.t.Fatalf("row of story %d: %v, %v", n, row, err)
	}
	return row
}

func (r *rig) channel() *ledger.Channel {
	r.t.Helper()
	c, _, err := r.book.Channel(r.t.Context(), "ch")
	if err != nil || c == nil {
		r.t.Fatalf("channel row: %v, %v", c, err)
	}
	return c
}

func TestOldestGoesFirst(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	now := r.clock.Now()
	for n, age := range []time.Duration{time.Minute, 3 * time.Minute, 2 * time.Minute, 3 * time.Minute} {
		p := r.post(n, 1, event.ActionCreate)
		p.Published = now.Add(-age)
		r.take(p)
	}
	r.work(time.Minute)
	var got []int
	for _, e := range r.net.log() {
		for n := range 4 {
			if e.story == sendtest.Story(n) {
				got = append(got, n)
			}
		}
	}
	if fmt.Sprint(got) != "[1 3 2 0]" {
		t.Errorf("sent in the order %v", got)
	}
}

// A server of a cluster that is behind does not find a row that another has stored.
func TestARowThatIsNotFoundIsLookedForAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.take(r.post(1, 1, event.ActionCreate))
	r.take(r.post(2, 1, event.ActionCreate))
	row, rows := r.row(1), r.bus.Bucket(event.BucketDeliveries)
	if err := rows.Delete(t.Context(), ledger.Key("ch", sendtest.Story(1))); err != nil {
		t.Fatal(err)
	}
	r.work(10 * time.Second)
	if sent := r.net.log(); len(sent) != 1 || sent[0].story != sendtest.Story(2) {
		t.Fatalf("while a row is away the other one is to be sent, got %v", sent)
	}
	if _, err := r.book.Put(t.Context(), row, 0); err != nil {
		t.Fatal(err)
	}
	r.work(10 * time.Second)
	if sent := r.net.log(); len(sent) != 2 || r.row(1).State != ledger.Sent {
		t.Errorf("a row that was away for a while was not sent: %v", sent)
	}
	// One that stays away is forgotten in the end.
	r.take(r.post(3, 1, event.ActionCreate))
	if err := rows.Delete(t.Context(), ledger.Key("ch", sendtest.Story(3))); err != nil {
		t.Fatal(err)
	}
	r.work(3 * time.Minute)
	if open := r.Counts(); len(open) != 0 {
		t.Errorf("after three minutes there are still %v", open)
	}
}

func TestThrottledChannelWaitsAcrossRestarts(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.net.next(fault.Later(fault.Errorf(fault.Throttled, "429"), 90*time.Second))
	r.take(r.post(1, 1, event.ActionCreate))
	r.take(r.post(2, 1, event.ActionCreate))
	begin := r.clock.Now()
	r.work(time.Second)
	r.restart()
	r.work(3 * time.Minute)
	log := r.net.log()
	if len(log) != 3 {
		t.Fatalf("%d requests: %v", len(log), log)
	}
	for _, e := range log[1:] {
		if e.at.Before(begin.Add(90 * time.Second)) {
			t.Errorf("a request after %v, asked to wait 90s", e.at.Sub(begin))
		}
	}
	if log[0].story != log[1].story {
		t.Error("the order was lost")
	}
	if row := r.row(1); row.State != ledger.Sent || row.Attempt != 2 {
		t.Errorf("%s after %d attempts", row.State, row.Attempt)
	}
}

func TestRefusedPausesAndKeepsTheQueue(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.net.next(fault.Errorf(fault.Refused, "401 the token is invalid"))
	for n := range 3 {
		r.take(r.post(n, 1, event.ActionCreate))
	}
	r.work(time.Hour)
	r.restart()
	r.work(time.Hour)
	if n := len(r.net.log()); n != 1 {
		t.Errorf("%d requests of a paused channel", n)
	}
	if p := r.channel().Pause; p == nil || p.Reason != "refused" || r.Paused() != "refused" || !strings.Contains(p.Text, "401") {
		t.Fatalf("pause %+v", p)
	}
	for n := range 3 {
		if s := r.row(n).State; !s.Open() {
			t.Errorf("story %d is %s", n, s)
		}
	}
	r.net.credential = "c2" // the operator put a new token there
	r.restart()
	r.work(time.Hour)
	if r.channel().Pause != nil || len(r.net.log()) != 4 {
		t.Errorf("pause %+v, %d requests after the new token", r.channel().Pause, len(r.net.log()))
	}
}

func TestOperatorsPauseIsNotEndedByAToken(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	if _, err := r.book.ChangeChannel(t.Context(), "ch", func(c *ledger.Channel) (*ledger.Channel, error) {
		c.Pause = &ledger.Pause{At: r.clock.Now(), Reason: ledger.ByOperator}
		return c, nil
	}); err != nil {
		t.Fatal(err)
	}
	r.take(r.post(1, 1, event.ActionCreate))
	r.net.credential = "c2"
	r.restart()
	r.work(time.Hour)
	if n := len(r.net.log()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestBreakerLetsOneProbe(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *config.Channel) { c.MaxAge = 0 })
	for range 12 {
		r.net.next(fault.Errorf(fault.Unreachable, "connection refused"))
	}
	for n := range 10 {
		r.take(r.post(n, 1, event.ActionCreate))
	}
	begin := r.clock.Now()
	r.work(time.Second)
	if n := len(r.net.log()); n != 5 {
		t.Errorf("%d requests before the breaker opened", n)
	}
	r.work(10 * time.Minute)
	log := r.net.log()
	for i := 5; i < min(12, len(log)); i++ {
		if gap := log[i].at.Sub(log[i-1].at); gap < 24*time.Second {
			t.Errorf("probe %d after %v", i, gap)
		}
	}
	r.work(4 * time.Hour)
	for n := range 10 {
		if row := r.row(n); row.State != ledger.Sent {
			t.Errorf("story %d is %s", n, row.State)
		}
	}
	if c := r.channel(); c.Failures != 0 || !c.Wait.IsZero() || !c.Failing.IsZero() {
		t.Errorf("the breaker stays open: %+v after %v", c, r.clock.Now().Sub(begin))
	}
}

func TestRetriesOfAScheduleEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *config.Channel) { c.MaxAge = 0 })
	r.trait.Retries = []time.Duration{5 * time.Second, 5 * time.Minute}
	r.trait.Repeatable = true
	r.restart()
	for range 3 {
		r.net.next(fault.Errorf(fault.Uncertain, "500"))
	}
	r.take(r.post(1, 1, event.ActionCreate))
	begin := r.clock.Now()
	r.work(time.Hour)
	var at []time.Duration
	for _, e := range r.net.log() {
		at = append(at, e.at.Sub(begin))
	}
	if fmt.Sprint(at) != "[0s 5s 5m5s]" {
		t.Errorf("tries at %v", at)
	}
	if row := r.row(1); row.State != ledger.Failed || row.Payload == nil || row.Reason != "uncertain" {
		t.Errorf("%s (%s)", row.State, row.Reason)
	}
}

func TestInvalidFailsWithADeadLetter(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.net.next(fault.Errorf(fault.Invalid, "422 text is too long"))
	p := r.post(1, 1, event.ActionCreate)
	subject, _ := event.PostSubject("ch", p.Story)
	m, err := event.Encode(subject, event.Envelope{Type: event.TypePost, ID: event.PostID("ch", p.Story, 1), Source: "publish", Time: r.clock.Now(), Article: p.Article, Version: event.Version{Revision: 1}}, p)
	if err == nil {
		_, err = r.bus.As("publish").Emit(t.Context(), m)
	}
	if err != nil {
		t.Fatal(err)
	}
	r.take(p)
	r.work(time.Hour)
	if row := r.row(1); row.State != ledger.Failed || row.Text != "422 text is too long" || len(r.net.log()) != 1 {
		t.Errorf("%s: %q after %d requests", row.State, row.Text, len(r.net.log()))
	}
	letters, err := r.bus.DeadList(t.Context(), bus.DeadFilter{})
	if err != nil || len(letters) != 1 || letters[0].Reason != "invalid" {
		t.Errorf("dead letters %+v, %v", letters, err)
	}
}

func TestUncertainWaitsForAPerson(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		on    string
		state ledger.State
		tries int
	}{{"hold", ledger.Uncertain, 1}, {"retry", ledger.Sent, 2}} {
		r := newRig(t, func(ch *config.Channel) { ch.OnUncertain = c.on })
		r.net.next(fault.Errorf(fault.Uncertain, "reset"))
		r.take(r.post(1, 1, event.ActionCreate))
		r.work(time.Hour)
		r.restart()
		r.work(time.Hour)
		if row := r.row(1); row.State != c.state || len(r.net.log()) != c.tries {
			t.Errorf("%s: %s after %d requests", c.on, row.State, len(r.net.log()))
		}
	}
}

func TestPaceQuietAndAge(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *config.Channel) {
		c.MaxPerHour, c.MaxAge = 2, 90*time.Minute
		c.Quiet = config.Quiet{From: "10:00", To: "10:10", Zone: "Europe/Berlin"} // 09:00 to 09:10 UTC; the clock begins at 08:00
	})
	for n := range 6 {
		p := r.post(n, 1, event.ActionCreate)
		p.Published = r.clock.Now().Add(time.Duration(n) * time.Second)
		r.take(p)
	}
	begin := r.clock.Now()
	r.work(45 * time.Minute)
	r.restart() // refills nothing
	r.work(3 * time.Hour)
	var at []time.Duration
	for _, e := range r.net.log() {
		at = append(at, e.at.Sub(begin).Round(time.Minute))
	}
	// At 0 and 30 min, at 60 the quiet hours begin and at 70 they end; 90 min is the age.
	if fmt.Sprint(at) != "[0s 30m0s 1h10m0s]" {
		t.Errorf("sent at %v", at)
	}
	for n := 3; n < 6; n++ {
		if row := r.row(n); row.State != ledger.Skipped || row.Reason != ledger.TooOld {
			t.Errorf("story %d: %s (%s)", n, row.State, row.Reason)
		}
	}
}

func TestDeletionsIgnorePaceAndQuietHours(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *config.Channel) {
		c.MaxPerHour = 1
		c.Quiet = config.Quiet{From: "09:01", To: "09:00", Zone: "Europe/Berlin"} // open for the first minute alone
	})
	r.take(r.post(1, 1, event.ActionCreate))
	r.work(2 * time.Minute)
	r.take(r.post(1, 2, event.ActionEdit))
	r.take(r.post(2, 1, event.ActionCreate))
	r.work(10 * time.Minute)
	r.take(r.post(1, 3, event.ActionDelete))
	r.work(time.Minute)
	log := r.net.log()
	if len(log) != 2 || log[1].op != ledger.Delete {
		t.Errorf("sent %v", log)
	}
	if r.row(1).State != ledger.Deleted || r.row(2).State != ledger.Planned {
		t.Errorf("%s, %s", r.row(1).State, r.row(2).State)
	}
}

func TestHoldAndApproval(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *config.Channel) { c.Approve = config.Approve{Mode: config.ApproveHold, Hold: 10 * time.Minute} })
	r.take(r.post(1, 1, event.ActionCreate))
	r.work(9 * time.Minute)
	r.restart()
	if n := len(r.net.log()); n != 0 {
		t.Fatalf("%d requests before the hold ran out", n)
	}
	r.work(2 * time.Minute)
	if r.row(1).State != ledger.Sent {
		t.Errorf("%s after the hold", r.row(1).State)
	}

	r = newRig(t, func(c *config.Channel) {
		c.Approve, c.ExpireAfter, c.MaxAge = config.Approve{Mode: config.ApproveManual}, 24*time.Hour, time.Hour
	})
	r.take(r.post(1, 1, event.ActionCreate))
	r.take(r.post(2, 1, event.ActionCreate))
	r.work(12 * time.Hour)
	if _, _, err := r.book.Change(t.Context(), "ch", sendtest.Story(1), func(row *ledger.Row) (*ledger.Row, error) {
		return row.Approve(r.clock.Now(), "anna")
	}); err != nil {
		t.Fatal(err)
	}
	r.restart()
	r.work(30 * time.Minute)
	if row := r.row(1); row.State != ledger.Sent || row.ApprovedBy != "anna" {
		t.Errorf("approved: %s by %q", row.State, row.ApprovedBy)
	}
	r.work(24 * time.Hour)
	if row := r.row(2); row.State != ledger.Skipped || row.Reason != ledger.Expired || len(r.net.log()) != 1 {
		t.Errorf("not approved: %s (%s)", row.State, row.Reason)
	}
}

func TestOverflowDropsTheOldest(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *config.Channel) { c.Overflow, c.QueueCap, c.MaxPerHour = "drop_oldest", 2, 1 })
	for n := range 5 {
		p := r.post(n, 1, event.ActionCreate)
		p.Published = r.clock.Now().Add(time.Duration(n) * time.Second)
		r.take(p)
	}
	r.work(5 * time.Hour)
	for n, want := range []string{ledger.Dropped, ledger.Dropped, ledger.Dropped, "", ""} {
		if row := r.row(n); row.Reason != want {
			t.Errorf("story %d: %s (%s), want %q", n, row.State, row.Reason, want)
		}
	}
}

func TestFirstRunPostsNothingOlder(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *config.Channel) { c.Backfill = 3 })
	since := r.channel().Since
	old := r.post(0, 1, event.ActionCreate)
	old.FirstSeen = since.Add(-time.Second)
	r.take(old)
	for n := 1; n <= 10; n++ {
		p := r.post(n, 1, event.ActionCreate)
		p.Backfill, p.FirstSeen, p.Published = true, since.Add(-time.Duration(n)*24*time.Hour), since.Add(-time.Duration(100-n)*24*time.Hour)
		r.take(p)
		r.take(p) // as after a lost ack
	}
	r.restart()
	late := r.post(11, 1, event.ActionCreate)
	late.Backfill = true
	r.take(late)
	r.work(time.Hour)
	for n := range 12 {
		want := ledger.Skipped
		if n >= 1 && n <= 3 {
			want = ledger.Sent // without regard to their age, oldest first
		}
		if row := r.row(n); row.State != want {
			t.Errorf("story %d: %s (%s)", n, row.State, row.Reason)
		}
	}
	if log := r.net.log(); len(log) != 3 || log[0].story != sendtest.Story(1) {
		t.Errorf("sent %v", log)
	}
}

func TestChannelPostsWhatIsSeenInItsFirstSecond(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	bucket := r.bus.Bucket(event.BucketDeliveries)
	if err := bucket.Purge(t.Context(), ledger.ChannelKey("ch")); err != nil {
		t.Fatal(err)
	}
	r.clock.Add(r.clock.Now().Truncate(time.Second).Add(1900 * time.Millisecond).Sub(r.clock.Now()))
	r.restart()
	p := r.post(1, 1, event.ActionCreate)
	p.FirstSeen = r.clock.Now().Truncate(time.Second) // as ingest tells it
	r.take(p)
	r.work(time.Minute)
	if row := r.row(1); row.State != ledger.Sent {
		t.Errorf("%s (%s), want sent", row.State, row.Reason)
	}
}

func TestLostLedgerSkipsAndNeverFloods(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *config.Channel) { c.Backfill = 5 })
	r.take(r.post(1, 1, event.ActionCreate))
	r.work(time.Minute)
	seen := r.post(2, 1, event.ActionCreate)
	filled := r.post(3, 1, event.ActionCreate)
	filled.Backfill = true
	bucket := r.bus.Bucket(event.BucketDeliveries)
	for _, key := range []string{ledger.ChannelKey("ch"), ledger.Key("ch", sendtest.Story(1))} {
		if err := bucket.Purge(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	r.clock.Add(time.Hour)
	r.restart()
	r.take(r.post(1, 1, event.ActionCreate)) // first seen at the present time of the test's clock: truly new
	for _, p := range []event.Post{seen, filled} {
		r.take(p)
	}
	r.work(time.Hour)
	if c := r.channel(); !c.Closed {
		t.Error("the backfill of a channel that was there before is open again")
	}
	for _, n := range []int{2, 3} {
		if row := r.row(n); row.State != ledger.Skipped || row.Reason != ledger.Baseline {
			t.Errorf("story %d: %s (%s)", n, row.State, row.Reason)
		}
	}
}

func TestAnotherAccountUnderTheSameIDIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.net.account = "elsewhere"
	err := r.Open(t.Context())
	if account, ok := errors.AsType[*dispatch.AccountError](err); !ok || account.Was != "five lines" || fault.KindOf(err) != fault.Invalid {
		t.Errorf("%v", err)
	}
}

func TestMalformedPostsAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for name, c := range map[string]struct {
		change func(*event.Post)
		kind   fault.Kind
	}{
		"another channel": {func(p *event.Post) { p.Channel = "other" }, fault.Malformed},
		"another network": {func(p *event.Post) { p.Network = "mastodon" }, fault.Invalid},
		"no action":       {func(p *event.Post) { p.Action = "boost" }, fault.Malformed},
		"no payload":      {func(p *event.Post) { p.Request.Body = nil }, fault.Malformed},
		"a huge payload":  {func(p *event.Post) { p.Request.Body = []byte(`"` + strings.Repeat("x", 300<<10) + `"`) }, fault.TooLarge},
	} {
		p := r.post(1, 1, event.ActionCreate)
		c.change(&p)
		if err := r.try(p); fault.KindOf(err) != c.kind {
			t.Errorf("%s: %q, want %q: %v", name, fault.KindOf(err), c.kind, err)
		}
	}
	if row, _, _ := r.book.Row(t.Context(), "ch", sendtest.Story(1)); row != nil {
		t.Error("a refused post has a row")
	}
}

func TestNothingLeavesWithoutTheLease(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.take(r.post(1, 1, event.ActionCreate))
	if _, err := r.Step(t.Context(), lease(false)); fault.KindOf(err) != fault.Conflict {
		t.Errorf("%v", err)
	}
	if len(r.net.log()) != 0 || r.row(1).State != ledger.Planned {
		t.Errorf("%d requests, row %s", len(r.net.log()), r.row(1).State)
	}
}

func TestAPanicOfASenderIsAnUncertainOutcome(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.Sender = panics{r.net}
	r.take(r.post(1, 1, event.ActionCreate))
	r.work(time.Minute)
	if row := r.row(1); row.State != ledger.Uncertain {
		t.Errorf("%s (%s)", row.State, row.Text)
	}
}

type panics struct{ *network }

func (panics) Send(context.Context, send.Job) (send.Receipt, error) { panic("no") }

func TestOnlyTheEventsThatAChannelAsksFor(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *config.Channel) { c.Events = []string{"article.published", "article.removed"} })
	for i, action := range []string{event.ActionCreate, event.ActionEdit, event.ActionDelete} {
		r.take(r.post(1, uint64(i+1), action))
		r.work(time.Hour)
	}
	if log := r.net.log(); len(log) != 2 || log[0].op != ledger.Create || log[1].op != ledger.Delete {
		t.Errorf("sent %v", log)
	}
}
