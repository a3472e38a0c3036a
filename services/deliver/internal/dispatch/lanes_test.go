package dispatch_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/send"
	"tidings.internal/services/deliver/internal/send/sendtest"
)

// broad takes several requests at once, and answers none before as many are in flight.
type broad struct {
	*network
	lanes int

	mu      sync.Mutex
	waiting int
	full    chan struct{}
	most    int
}

func newBroad(n *network, lanes int) *broad {
	return &broad{network: n, lanes: lanes, full: make(chan struct{})}
}

func (b *broad) Concurrency() int { return b.lanes }

func (b *broad) Send(ctx context.Context, j send.Job) (send.Receipt, error) {
	b.mu.Lock()
	b.waiting++
	b.most = max(b.most, b.waiting)
	full := b.full
	if b.waiting == b.lanes {
		b.waiting, b.full = 0, make(chan struct{})
		close(full)
	}
	b.mu.Unlock()
	select {
	case <-full:
		return b.do(j)
	case <-ctx.Done():
		return send.Receipt{}, fault.Errorf(fault.Unreachable, "nobody came: %w", ctx.Err())
	}
}

// wide is a rig whose sender takes four requests at once.
func wide(t *testing.T, trait send.Traits, change func(*config.Channel)) (*rig, *broad) {
	r := newRig(t, func(c *config.Channel) {
		c.Timeout, c.MaxAge = time.Second, 0
		if change != nil {
			change(c)
		}
	})
	r.trait = trait
	r.restart()
	b := newBroad(r.net, 4)
	r.Sender = b
	return r, b
}

func TestTheOldestGoAtOnceWhereTheSenderTakesThem(t *testing.T) {
	t.Parallel()
	r, b := wide(t, send.Traits{Repeatable: true}, nil)
	now := r.clock.Now()
	for n := range 8 {
		p := r.post(n, 1, event.ActionCreate)
		p.Published = now.Add(-time.Duration(n%4*10+n) * time.Minute)
		r.take(p)
	}
	for round, want := range [][]int{{2, 3, 6, 7}, {0, 1, 4, 5}} {
		if wait, err := r.Step(t.Context(), lease(true)); err != nil || wait != 0 {
			t.Fatalf("step %d: wait %v, %v", round, wait, err)
		}
		var got []int
		for _, e := range r.net.log()[4*round:] {
			got = append(got, slices.IndexFunc([]int{0, 1, 2, 3, 4, 5, 6, 7}, func(n int) bool { return sendtest.Story(n) == e.story }))
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("step %d sent %v, want %v", round, got, want)
		}
	}
	for n := range 8 {
		if row := r.row(n); row.State != ledger.Sent || row.Attempt != 1 {
			t.Errorf("story %d is %s after %d attempts", n, row.State, row.Attempt)
		}
	}
	if b.most != 4 {
		t.Errorf("%d in flight", b.most)
	}
}

func TestOneAtATimeWhereMoreWouldDoHarm(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		trait  send.Traits
		change func(*config.Channel)
	}{
		"a repeat would be a second post": {},
		"a rate is kept":                  {send.Traits{Repeatable: true}, func(c *config.Channel) { c.MaxPerHour, c.Burst = 100, 10 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _ := wide(t, c.trait, c.change)
			single := newBroad(r.net, 1)
			r.Sender = more{single}
			for n := range 3 {
				r.take(r.post(n, 1, event.ActionCreate))
			}
			for n := range 3 {
				if _, err := r.Step(t.Context(), lease(true)); err != nil {
					t.Fatal(err)
				}
				if got := len(r.net.log()); got != n+1 {
					t.Fatalf("%d sent after %d steps", got, n+1)
				}
			}
		})
	}
}

// more says that it takes four at once, and answers each alone.
type more struct{ *broad }

func (more) Concurrency() int { return 4 }

func TestAFailureMakesOneProbeAtATime(t *testing.T) {
	t.Parallel()
	r, _ := wide(t, send.Traits{Repeatable: true}, nil)
	r.Sender = more{newBroad(r.net, 1)}
	for n := range 12 {
		r.take(r.post(n, 1, event.ActionCreate))
	}
	for range 5 {
		r.net.next(fault.Errorf(fault.Unreachable, "connection refused"))
	}
	for _, want := range []int{4, 5} {
		if _, err := r.Step(t.Context(), lease(true)); err != nil {
			t.Fatal(err)
		}
		if got := len(r.net.log()); got != want {
			t.Fatalf("%d requests, want %d", got, want)
		}
	}
	if c := r.channel(); c.Failures != 5 || !c.Wait.After(r.clock.Now()) {
		t.Errorf("the breaker is closed: %+v", c)
	}
	r.work(4 * time.Hour)
	for n := range 12 {
		if row := r.row(n); row.State != ledger.Sent {
			t.Errorf("story %d is %s", n, row.State)
		}
	}
}

// A process that dies while several requests fly leaves a row for each that says so, and the next one repeats these under
// the keys they had.
func TestWhatFlewAtAKillIsRepeatedUnderItsKeys(t *testing.T) {
	t.Parallel()
	r, _ := wide(t, send.Traits{Repeatable: true}, nil)
	dead, die := context.WithCancel(t.Context())
	keys := &keeper{network: r.net, keys: map[string][]string{}, arrived: make(chan struct{}, 4), die: dead.Done()}
	r.Sender = keys
	for n := range 4 {
		r.take(r.post(n, 1, event.ActionCreate))
	}
	old := r.Channel
	stepped := make(chan error, 1)
	go func() { _, err := old.Step(t.Context(), lease(true)); stepped <- err }()
	for range 4 {
		<-keys.arrived
	}
	for n := range 4 {
		if row := r.row(n); row.State != ledger.Sending {
			t.Errorf("the request of story %d flies and its row says %s", n, row.State)
		}
	}
	r.restart() // another process, which knows the ledger alone
	r.Sender = keys
	r.clock.Add(time.Minute)
	keys.lives.Store(true)
	r.work(time.Minute)
	die()
	if err := <-stepped; err != nil { // the late answers of the dead process find that the rows are not its own any more
		t.Error(err)
	}
	for n := range 4 {
		story := sendtest.Story(n)
		if row := r.row(n); row.State != ledger.Sent || row.Attempt != 2 {
			t.Errorf("story %d is %s after %d attempts", n, row.State, row.Attempt)
		}
		if k := keys.of(story); len(k) != 2 || k[0] != k[1] {
			t.Errorf("story %d was sent under the keys %s", n, fmt.Sprint(k))
		}
	}
}

// keeper writes down the keys that it is asked under, and answers the first life when that has died.
type keeper struct {
	*network
	lives   atomic.Bool
	arrived chan struct{}
	die     <-chan struct{}

	mu   sync.Mutex
	keys map[string][]string // by story
}

func (*keeper) Concurrency() int { return 4 }

func (k *keeper) Send(_ context.Context, j send.Job) (send.Receipt, error) {
	k.mu.Lock()
	k.keys[j.Story] = append(k.keys[j.Story], j.Key)
	k.mu.Unlock()
	if !k.lives.Load() {
		k.arrived <- struct{}{}
		<-k.die
	}
	return k.do(j)
}

func (k *keeper) of(story string) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.keys[story])
}
