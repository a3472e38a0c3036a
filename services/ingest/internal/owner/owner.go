// Package owner shares the polling shards among the replicas of ingest by leases.
//
// All sources of a host lie in one shard, so politeness to a host is a local matter of the replica that owns it. Each
// replica holds at most its fair share and gives back what it has too much of. Losing a lease stops work on its shard;
// that nothing goes wrong when two replicas believe to own one is not the lease's doing but that of the
// compare-and-set on the state of a source and of the fence in every version.
package owner

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/fault"
)

// Bus is what an owner needs of the broker.
type Bus interface {
	Acquire(ctx context.Context, name string) (*bus.Lease, error)
}

// Table lists the leases.
type Table interface {
	Entries(ctx context.Context, filters ...string) ([]bus.Entry, error)
}

// Config says how an owner works.
type Config struct {
	Bus    Bus
	Leases Table
	// Replica is the name of this process among all of its kind.
	Replica string
	// Wanted lists the shards that have sources.
	Wanted func() []int
	// Gained and Lost tell of shards as they come and go.
	Gained func(ctx context.Context, shard int, lease *bus.Lease)
	Lost   func(shard int)
	Log    *slog.Logger
	// Tick is how often shares are looked at; 2 s if zero.
	Tick time.Duration
	// Alive, when set, is called with each look.
	Alive func()
}

// Owner holds leases.
type Owner struct {
	config Config
	member *bus.Lease

	mu   sync.Mutex
	held map[int]*bus.Lease
}

const (
	defaultTick = 2 * time.Second
	prefix      = "ingest."
	memberNames = "ingest.member."
	// releaseLimit bounds giving everything back at the end: what is not given back expires in 30 s.
	releaseLimit = 5 * time.Second
)

// New makes an owner that holds nothing.
func New(c Config) *Owner {
	if c.Tick <= 0 {
		c.Tick = defaultTick
	}
	return &Owner{config: c, held: map[int]*bus.Lease{}}
}

// Held is how many shards are owned now.
func (o *Owner) Held() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.held)
}

// Run takes and gives back leases until ctx ends, then waits for done and releases all.
func (o *Owner) Run(ctx context.Context, done <-chan struct{}) error {
	tick := time.NewTicker(o.config.Tick)
	defer tick.Stop()
	for {
		o.look(ctx)
		if o.config.Alive != nil {
			o.config.Alive()
		}
		select {
		case <-ctx.Done():
			<-done
			o.release(ctx)
			return nil
		case <-tick.C:
		}
	}
}

// look brings what is held towards the fair share.
func (o *Owner) look(ctx context.Context) {
	o.drop()
	if !o.join(ctx) {
		return
	}
	members, err := o.members(ctx)
	if err != nil {
		o.report(ctx, err)
		return
	}
	fair := (article.Shards + members - 1) / members
	wanted := o.config.Wanted()
	// Replicas that start together would all try the same shard first.
	rand.Shuffle(len(wanted), func(i, j int) { wanted[i], wanted[j] = wanted[j], wanted[i] })
	for _, shard := range wanted {
		if ctx.Err() != nil || o.Held() >= fair {
			break
		}
		o.take(ctx, shard)
	}
	if o.Held() > fair {
		o.giveBack(ctx)
	}
}

// drop forgets leases that were lost.
func (o *Owner) drop() {
	o.mu.Lock()
	var lost []int
	for shard, l := range o.held {
		if !l.Valid() {
			delete(o.held, shard)
			lost = append(lost, shard)
		}
	}
	o.mu.Unlock()
	for _, shard := range lost {
		o.config.Log.Warn("lost a polling shard", "shard", shard)
		o.config.Lost(shard)
	}
}

// join makes this replica count among the members.
func (o *Owner) join(ctx context.Context) bool {
	if o.member != nil && o.member.Valid() {
		return true
	}
	l, err := o.config.Bus.Acquire(ctx, memberNames+o.config.Replica)
	if err != nil {
		o.report(ctx, err)
		return false
	}
	o.member = l
	o.bury(ctx)
	return true
}

// bury strikes off members that are certainly dead, such as our own former process: taking their lease succeeds only
// then. Otherwise they would count for our share until their leases expire.
func (o *Owner) bury(ctx context.Context) {
	entries, err := o.config.Leases.Entries(ctx, memberNames+"*")
	if err != nil {
		return // they expire
	}
	for _, e := range entries {
		if e.Key == memberNames+o.config.Replica {
			continue
		}
		if l, err := o.config.Bus.Acquire(ctx, e.Key); err == nil {
			if err := l.Release(ctx); err != nil {
				o.report(ctx, err)
			}
		}
	}
}

func (o *Owner) members(ctx context.Context) (int, error) {
	entries, err := o.config.Leases.Entries(ctx, memberNames+"*")
	return max(len(entries), 1), err
}

func (o *Owner) take(ctx context.Context, shard int) {
	o.mu.Lock()
	_, has := o.held[shard]
	o.mu.Unlock()
	if has {
		return
	}
	l, err := o.config.Bus.Acquire(ctx, prefix+strconv.Itoa(shard))
	if err != nil {
		o.report(ctx, err)
		return
	}
	o.mu.Lock()
	o.held[shard] = l
	o.mu.Unlock()
	o.config.Gained(ctx, shard, l)
}

// giveBack releases one shard a look, so that a new replica fills up without the work standing still.
func (o *Owner) giveBack(ctx context.Context) {
	o.mu.Lock()
	var shard int
	var lease *bus.Lease
	for shard, lease = range o.held {
		delete(o.held, shard)
		break
	}
	o.mu.Unlock()
	if lease == nil {
		return
	}
	o.config.Lost(shard)
	if err := lease.Release(ctx); err != nil {
		o.report(ctx, err)
	}
}

func (o *Owner) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseLimit)
	defer cancel()
	o.mu.Lock()
	leases := make([]*bus.Lease, 0, len(o.held)+1)
	for _, l := range o.held {
		leases = append(leases, l)
	}
	clear(o.held)
	o.mu.Unlock()
	if o.member != nil {
		leases = append(leases, o.member)
	}
	var wg sync.WaitGroup
	for _, l := range leases {
		wg.Go(func() {
			if err := l.Release(ctx); err != nil {
				o.report(ctx, err)
			}
		})
	}
	wg.Wait()
}

// report tells of trouble that the next look may find gone. A lease that another holds is none.
func (o *Owner) report(ctx context.Context, err error) {
	if ctx.Err() != nil || fault.KindOf(err) == fault.Conflict {
		return
	}
	o.config.Log.Debug("could not look after the polling shards", "kind", fault.KindOf(err), "err", err)
}
