package sendtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/natstest"
	"tidings.internal/services/deliver/internal/dispatch"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/send"
)

// Rig runs one channel against a fake, on a real bus, with a clock that the test moves. A process can die in it at any
// point of a delivery and another one take over.
type Rig struct {
	Fake
	Clock  *Clock
	Book   *ledger.Ledger
	Config config.Channel

	t       testing.TB
	network send.Network
	bus     *bus.Bus
	poster  *bus.Bus
}

// NewRig starts a bus and a fake. more are further keys of the channel.
func NewRig(t *testing.T, c Case, more ...string) *Rig {
	t.Helper()
	server := natstest.Run(t)
	clock := NewClock()
	f := c.New(t, clock)
	keys, _ := f.Keys(f.Server().URL)
	b := server.Bus(t, "deliver")
	return &Rig{
		Fake: f, Clock: clock, Book: ledger.New(b.Bucket(event.BucketDeliveries)), t: t, network: c.Network, bus: b, poster: server.Bus(t, "publish"),
		Config: Channel(t, c.Network, keys, append([]string{"allow_private: true", "max_age: 0s"}, more...)...),
	}
}

// errDead is what every write of a dead process comes to.
var errDead = errors.New("the process is dead")

// Process is one life of the deliver service.
type Process struct {
	*dispatch.Channel
	rig    *Rig
	bucket *mortal
	point  string
	end    func()
}

// Start begins a life. point says where it dies, empty for never.
func (r *Rig) Start(point string) *Process {
	r.t.Helper()
	bucket := &mortal{Bucket: r.bus.Bucket(event.BucketDeliveries)}
	sender := OpenChannel(r.t, r.network, r.Config, r.Clock)
	p := &Process{rig: r, bucket: bucket, point: point}
	p.Channel = dispatch.New(dispatch.Options{
		Config: r.Config, Network: r.network, Sender: dying(sender, bucket), Ledger: ledger.New(bucket), Bus: r.bus, Log: slog.New(slog.DiscardHandler),
		Observe: nobody{}, Owner: fmt.Sprint("life ", r.Clock.Now().UnixNano(), point), MaxOpen: 1000, Now: r.Clock.Now, Random: func() float64 { return 0.5 },
	})
	if err := p.Open(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.t.Context())
	level := make(chan struct{})
	var once sync.Once
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = p.Follow(ctx, func() { once.Do(func() { close(level) }) })
	}()
	p.end = func() { cancel(); <-done }
	r.t.Cleanup(p.end)
	<-level
	return p
}

// Stop ends a life.
func (p *Process) Stop() { p.end() }

// Take hands a post to the process as its consumer would.
func (p *Process) Take(post event.Post) error {
	r := p.rig
	subject, err := event.PostSubject(post.Channel, post.Story)
	if err != nil {
		r.t.Fatal(err)
	}
	env := event.Envelope{
		Type: event.TypePost, ID: event.PostID(post.Channel, post.Story, post.Revision), Source: "publish", Time: r.Clock.Now(),
		Article: post.Article, Version: event.Version{Revision: post.Revision},
	}
	m, err := event.Encode(subject, env, post)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.poster.Emit(r.t.Context(), m); err != nil {
		r.t.Fatal(err)
	}
	last, err := r.poster.Last(r.t.Context(), subject)
	if err != nil {
		r.t.Fatal(err)
	}
	return p.Channel.Take(r.t.Context(), &bus.Delivery{Message: last.Message, Stream: last.Stream, Sequence: last.Sequence, Deliveries: 1, Time: last.Time})
}

// valid is a lease that is never lost.
type valid struct{}

func (valid) Valid() bool { return true }

// Work does what there is to do for a span of time, moving the clock whenever the channel waits. It returns false when
// the process died.
func (p *Process) Work(span time.Duration) bool {
	p.rig.t.Helper()
	p.bucket.arm(p.point)
	for end := p.rig.Clock.Now().Add(span); p.rig.Clock.Now().Before(end); {
		wait, err := p.Step(p.rig.t.Context(), valid{})
		if p.bucket.dead() {
			return false
		}
		if err != nil {
			p.rig.t.Fatalf("step: %v", err)
		}
		p.rig.Clock.Add(wait)
	}
	return true
}

// Row reads a row of the ledger.
func (r *Rig) Row(story string) *ledger.Row {
	r.t.Helper()
	row, _, err := r.Book.Row(r.t.Context(), "ch", story)
	if err != nil {
		r.t.Fatal(err)
	}
	if row == nil {
		r.t.Fatalf("there is no row of %s", story)
	}
	return row
}

// The points at which a process dies.
const (
	BeforeSending = "before sending is written"
	AfterSending  = "after sending is written"
	AfterRequest  = "after the request was acted on, before its answer"
	AfterAnswer   = "after the answer, before it is written"
	AfterOutcome  = "after the outcome is written"
)

// Points lists them.
func Points() []string {
	return []string{BeforeSending, AfterSending, AfterRequest, AfterAnswer, AfterOutcome}
}

// Survive kills the process at each point of many deliveries and of their edits and deletions, and counts what the
// network has in the end.
func Survive(t *testing.T, c Case) {
	for _, point := range Points() {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			c.survive(t, point)
		})
	}
	t.Run("two holders at once", c.holders)
}

const (
	// stories is how many deliveries are killed at each point; every changed-th of them again at its edit and deletion.
	stories = 20
	changed = 5
)

func (c Case) survive(t *testing.T, point string) {
	r := NewRig(t, c)
	want := map[int]string{}
	shows := func(what ledger.Op) {
		t.Helper()
		made := r.Made()
		slices.Sort(made)
		if diff := cmp.Diff(slices.Sorted(maps.Values(want)), made, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("after each %s the network shows (-want +got):\n%s", what, diff)
		}
	}
	ops := []ledger.Op{ledger.Create, ledger.Edit, ledger.Delete}
	if _, ok := OpenChannel(t, c.Network, r.Config, r.Clock).(send.Editor); !ok {
		ops = []ledger.Op{ledger.Create, ledger.Delete}
	}
	for i, op := range ops {
		r.Clock.Add(time.Hour)
		for n := range stories {
			if op != ledger.Create && n%changed != 0 {
				continue
			}
			text := fmt.Sprintf("text %02d %s", n, op)
			if want[n] = text; op == ledger.Delete {
				delete(want, n)
			}
			p := r.Start(point)
			if err := p.Take(r.Post(Story(n), uint64(i+1), op, text)); err != nil {
				t.Fatal(err)
			}
			if p.Work(time.Minute) {
				t.Fatalf("%s of story %d: the process did not die", op, n)
			}
			p.Stop()
			if n%3 == 0 { // the next one comes at once, or when the request is surely over
				r.Clock.Add(time.Second)
			} else {
				r.Clock.Add(2 * time.Minute)
			}
			p = r.Start("")
			p.Work(10 * time.Minute)
			p.Stop()
		}
		shows(op)
	}
	for n := range stories {
		end := ledger.Sent
		if n%changed == 0 {
			end = ledger.Deleted
		}
		if row := r.Row(Story(n)); row.State != end {
			t.Errorf("story %d ends as %s (%s)", n, row.State, row.Reason)
		}
	}
	if !c.Keyless {
		c.sameAgain(t, r)
	}
}

// sameAgain checks that every repeat of a request had the key and the bytes of the first.
func (c Case) sameAgain(t *testing.T, r *Rig) {
	t.Helper()
	bodies := map[string]string{}
	for _, call := range r.Server().Calls() {
		key := call.Header.Get("Idempotency-Key") + call.Header.Get("Webhook-Id")
		if key == "" {
			continue
		}
		if body, ok := bodies[key]; ok && body != call.Body {
			t.Errorf("one key with two bodies:\n%s\n%s", body, call.Body)
		}
		bodies[key] = call.Body
	}
	if len(bodies) < stories {
		t.Errorf("%d keys for %d stories", len(bodies), stories)
	}
}

// holders lets two processes work on the same rows at the same time, as when a lease was lost and nobody noticed.
func (c Case) holders(t *testing.T) {
	r := NewRig(t, c)
	a, b := r.Start(""), r.Start("")
	for n := range stories {
		if err := errors.Join(a.Take(r.Post(Story(n), 1, ledger.Create, fmt.Sprintf("text %02d create", n))), b.Take(r.Post(Story(n), 1, ledger.Create, fmt.Sprintf("text %02d create", n)))); err != nil {
			t.Fatal(err)
		}
	}
	var group sync.WaitGroup
	for _, p := range []*Process{a, b} {
		group.Go(func() {
			for range 3 * stories {
				if _, err := p.Step(t.Context(), valid{}); err != nil {
					t.Errorf("step: %v", err)
				}
			}
		})
	}
	group.Wait()
	if n := len(r.Made()); n != stories {
		t.Errorf("%d posts of %d stories", n, stories)
	}
	if n := len(r.Server().Calls()); n != stories {
		t.Errorf("%d requests for %d stories", n, stories)
	}
}

// nobody observes nothing.
type nobody struct{}

func (nobody) Delivered(string, string, ledger.Op, string, string) {}
func (nobody) Took(string, time.Duration)                          {}
func (nobody) Arrived(time.Duration)                               {}
