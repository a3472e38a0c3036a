// Package engine keeps the sources of the shards that this replica owns in the queue, and lets workers poll them.
//
// It joins the parts: who owns (package owner), when (package schedule), whether (package admission), how (package
// poll). A source is polled by one worker at a time, and only under a valid lease of its shard.
package engine

import (
	"cmp"
	"context"
	"log/slog"
	"net/url"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/web"
	"tidings.internal/services/ingest/internal/admission"
	"tidings.internal/services/ingest/internal/identity"
	"tidings.internal/services/ingest/internal/outage"
	"tidings.internal/services/ingest/internal/poll"
	"tidings.internal/services/ingest/internal/schedule"
	"tidings.internal/services/ingest/internal/state"
)

// Config is what an engine is given.
type Config struct {
	Poller    *poll.Poller
	Gate      *web.Gate
	Admission *admission.Gate
	Workers   int
	Sources   []*poll.Source
	Log       *slog.Logger
	Now       func() time.Time
	// Late is told how late each poll starts.
	Late func(time.Duration)
	// Outage tells whether it is us who are cut off. Nil means that nobody looks.
	Outage *outage.Detector
	// Fence gives the fence of whoever owns a shard at the moment.
	Fence func(ctx context.Context, shard int) (uint64, error)
}

// Engine polls.
type Engine struct {
	config Config
	queue  *schedule.Queue
	// polls and slow are the places of polls that run: one that waits for web pages gives its place among the polls to
	// another one.
	polls, slow *semaphore.Weighted

	mu      sync.Mutex
	sources map[string]*item
	shards  map[int][]*item
	leases  map[int]*bus.Lease // of the shards that this replica owns
	apart   schedule.Apart     // what is added together
}

// item is a source with its place.
type item struct {
	source *poll.Source
	host   string // host:port, the key of the gate
	shard  int

	mu    sync.Mutex // held while it is polled or loaded
	known *bus.Lease // under which its state was read

	// The rest is under the engine's lock.
	lease   *bus.Lease // nil while the shard is another's
	refresh time.Time  // the last wish for a refresh
	climb   time.Time  // the last wish that the source goes by its ids again
	paused  bool       // by the operator
	last    state.Source
	recent  []Look             // oldest first
	cancel  context.CancelFunc // of the poll that runs
}

// Look is one poll of the past.
type Look struct {
	At        time.Time     `json:"at"`
	Outcome   string        `json:"outcome"`
	Took      time.Duration `json:"took"` // nanoseconds
	Published int           `json:"published,omitempty"`
}

// looks is how many polls of a source are remembered. They are known to its owner alone, and as long as it runs.
const looks = 50

// New makes an engine. Nothing runs before [Engine.Run].
func New(c Config) *Engine {
	e := &Engine{config: c, sources: map[string]*item{}, shards: map[int][]*item{}, leases: map[int]*bus.Lease{}}
	if e.config.Outage == nil {
		e.config.Outage = outage.New(c.Now)
	}
	e.polls, e.slow = semaphore.NewWeighted(int64(c.Workers)), semaphore.NewWeighted(int64(slowFactor*c.Workers))
	e.queue = schedule.NewQueue(c.Gate, (c.Workers+3)/4, c.Now, e.admit)
	for _, s := range c.Sources {
		e.insert(place(s))
	}
	return e
}

// place makes the item of a source.
func place(s *poll.Source) *item {
	it := &item{source: s, last: *state.New(s.URL, "")}
	if u, err := url.Parse(s.URL); err == nil {
		it.host, it.shard = web.HostPort(u), article.Shard(u.Hostname())
	}
	return it
}

// insert puts an item where it belongs. The caller holds the lock, or nobody else knows the engine yet.
func (e *Engine) insert(it *item) {
	it.lease = e.leases[it.shard]
	e.sources[it.source.ID] = it
	e.shards[it.shard] = append(e.shards[it.shard], it)
}

// Shards lists the shards that have sources.
func (e *Engine) Shards() []int {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := make([]int, 0, len(e.shards))
	for shard := range e.shards {
		list = append(list, shard)
	}
	slices.Sort(list)
	return list
}

// admit tells whether a poll of a source may start now. The queue asks it under its own lock, which we take under ours
// when we put a source into the queue: to wait for ours here could be to wait for ever. The queue asks again soon.
func (e *Engine) admit(id string) bool {
	if !e.config.Admission.Open(admission.Live) || !e.mu.TryLock() {
		return false
	}
	it := e.sources[id]
	firstPoll := it != nil && it.last.First()
	e.mu.Unlock()
	return (!firstPoll || e.config.Admission.Open(admission.Backfill)) && e.config.Outage.May()
}

// Run polls until ctx ends and every worker is done.
func (e *Engine) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	e.queue.Run(ctx, func(j schedule.Job) {
		if err := e.polls.Acquire(ctx, 1); err != nil {
			j.Release() // told to stop: the source is not polled any more
			return
		}
		workers.Go(func() {
			free := sync.OnceFunc(func() { e.polls.Release(1) })
			defer free()
			e.work(ctx, j, free)
		})
	})
	workers.Wait()
	return nil
}

// Online sets the sources apart that became due while we were cut off, so that they do not come in a burst.
func (e *Engine) Online() {
	e.queue.Spread(func(n, of int) time.Duration { return schedule.Spread(n, of, 1) })
}

// Other gives the id of another source that polls an address, or "".
func (e *Engine) Other(id, address string) string {
	feed := identity.SameFeed(address)
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, it := range e.sources {
		if it.source.ID != id && it.last.Phase != state.Merged && identity.SameFeed(it.source.URL) == feed {
			return it.source.ID
		}
	}
	return ""
}

func hostPort(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return web.HostPort(u)
}

// Gained takes over a shard: its sources are read from the bucket and put into the queue.
func (e *Engine) Gained(ctx context.Context, shard int, lease *bus.Lease) {
	e.mu.Lock()
	e.leases[shard] = lease
	shards := len(e.shards)
	var items []*item
	for _, it := range e.shards[shard] {
		if it.lease = lease; !it.paused {
			items = append(items, it)
		}
	}
	e.mu.Unlock()
	now := e.config.Now()
	type due struct {
		it   *item
		host string
		at   time.Time
	}
	var overdue []due
	for _, it := range items {
		at, host := e.next(ctx, it, lease, now)
		if at.After(now) {
			e.queue.Set(it.source.ID, host, at)
			continue
		}
		overdue = append(overdue, due{it, host, at})
	}
	slices.SortStableFunc(overdue, func(a, b due) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	for n, d := range overdue {
		e.queue.Set(d.it.source.ID, d.host, now.Add(schedule.Spread(n, len(overdue), shards)))
	}
}

// next tells when, and at which host, a source of a new shard is due: as its last owner wrote, but no later than its interval allows, since
// the interval may have been shortened.
func (e *Engine) next(ctx context.Context, it *item, lease *bus.Lease, now time.Time) (at time.Time, host string) {
	it.mu.Lock()
	defer it.mu.Unlock()
	if it.known != lease {
		it.source.Reset()
		it.known = lease
	}
	if err := e.config.Poller.Load(ctx, it.source); err != nil {
		e.config.Log.Debug("could not read the state of a source", "source", it.source.ID, "err", err)
		return now, hostPort(it.source.URL) // the poll reads it again
	}
	s := it.source.State()
	e.mu.Lock()
	it.remember()
	it.host = hostPort(s.Address())
	host = it.host
	wish := it.refresh
	e.mu.Unlock()
	if wish.After(s.Polled) {
		return now, host
	}
	return e.config.Poller.Due(it.source, now), host
}

// Lost stops work on a shard.
func (e *Engine) Lost(shard int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.leases, shard)
	for _, it := range e.shards[shard] {
		it.lease = nil
		if it.cancel != nil {
			it.cancel()
		}
		e.queue.Remove(it.source.ID)
	}
}

// Refresh polls a source soon because somebody wished so at a time. A wish that lies before the last poll is granted
// already.
func (e *Engine) Refresh(id string, at time.Time) {
	e.mu.Lock()
	it := e.sources[id]
	if it == nil || !at.After(it.refresh) {
		e.mu.Unlock()
		return
	}
	it.refresh = at
	due := it.lease != nil && !it.paused && at.After(it.last.Polled)
	host := it.host
	e.mu.Unlock()
	if due {
		e.queue.Set(id, host, e.config.Now())
	}
}

// Climb lets a source go by its ids again that was demoted, because somebody wished so at a time. A wish that was
// granted already is not granted again: the state remembers it.
func (e *Engine) Climb(id string, at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if it := e.sources[id]; it != nil {
		it.climb = at
	}
}

// Recent lists the last polls of a source that this replica owns, oldest first.
func (e *Engine) Recent(id string) []Look {
	e.mu.Lock()
	defer e.mu.Unlock()
	if it := e.sources[id]; it != nil {
		return slices.Clone(it.recent)
	}
	return nil
}

// Status lists how the sources stand that this replica owns.
func (e *Engine) Status() map[string]state.Source {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := map[string]state.Source{}
	for id, it := range e.sources {
		if it.lease != nil {
			list[id] = it.last
		}
		if s, ok := list[id]; ok && it.paused {
			s.Phase = state.Paused
			list[id] = s
		}
	}
	return list
}

// Phases counts the sources of this replica by phase.
func (e *Engine) Phases() map[state.Phase]int {
	counts := map[state.Phase]int{}
	for _, s := range e.Status() {
		counts[s.Phase]++
	}
	return counts
}
