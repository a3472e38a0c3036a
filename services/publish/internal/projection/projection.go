package projection

import (
	"context"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/publish/internal/document"
	"tidings.internal/services/publish/internal/feed"
)

// Change is a feed whose documents have new bytes because of an article or a tombstone.
type Change struct {
	Published *Published
	Applied   event.Applied
	// Start: the feed was built anew. Whether it changed, and why, is not known; a process that was killed may have known
	// it and told nobody.
	Start bool
}

// Observer is told what the projection does. Its methods must be quick and safe for concurrent use.
type Observer interface {
	Applied(outcome string)
	Rendered(took time.Duration)
	Sizes(articles, documents int)
	Variant(outcome string)
	// Shown is told how long ago an article was fetched of which a feed shows a new version for the first time.
	Shown(since time.Duration)
}

// The outcomes of [Observer.Applied].
const (
	Stored  = "stored"
	Deleted = "deleted"
	Expired = "expired"
	Refused = "refused" // cannot be decoded or shown
)

// Config is what a projection needs.
type Config struct {
	Site  string // from which ids of items are made
	Feeds []*feed.Feed
	// Watch are selections that are kept in order like feeds but never rendered, see [Projection.Newest].
	Watch []*feed.Feed
	// Automatic says which feeds come into being by themselves.
	Automatic Automatic
	// Language is the one in which automatic feeds name their tags.
	Language string
	// Codings are those that the documents of feeds are packed in beside gzip. What is made for a request is not.
	Codings []document.Coding
	// Last reads the newest message of a subject ([bus.Bus.Last]).
	Last    func(ctx context.Context, subject string) (*bus.Record, error)
	Changed func(Change)
	Log     *slog.Logger
	Observe Observer
}

// Projection is a [bus.Fold] over ARTICLES. [Projection.Run] renders what changes.
type Projection struct {
	Config
	wake  chan struct{}
	known map[string]bool

	mu       sync.Mutex
	live     *index
	building *index // being filled after a Reset
	dirty    map[string]*mark
	last     map[string]time.Time // when a feed was rendered
	shown    map[string][]*row    // the rows of its current document

	// ahead and slots are of the fold alone: records that are being read, and how many at the same moment.
	ahead []*reading
	slots chan struct{}

	published atomic.Pointer[map[string]*Published] // nil before the first catch-up
	staged    map[string]*Published                 // of Run alone
	variants  *cache
	moved     time.Time // when a record was applied last
}

var _ bus.Fold = (*Projection)(nil)

// index is the state of a fold.
type index struct {
	rows      map[string]*row // by subject
	shelves   []*shelf
	automatic map[string]*shelf // by the id of the feed
	changes   uint64            // counts what touched any shelf
	fresh     []*row            // applied since the last rendering; they carry their items
	applied   event.Applied
	newest    time.Time // when the newest message was stored
}

// mark says that a feed is to be rendered.
type mark struct {
	since   time.Time // of the first change
	stored  time.Time // of the last message that may have changed the bytes
	news    bool      // an article or tombstone is the reason, and not a start or an expiry
	start   bool      // the index was built anew
	waiting time.Time // not to be tried again before
}

const (
	// debounce is how long a feed waits for more changes after the first one.
	debounce = 200 * time.Millisecond
	// pause is the least time between two renderings of a feed.
	pause = time.Second
)

// New makes a projection that has applied nothing yet.
func New(c Config) *Projection {
	known := map[string]bool{}
	for _, f := range c.Feeds {
		known[f.ID] = true
	}
	return &Projection{
		Config: c, wake: make(chan struct{}, 1), known: known, dirty: map[string]*mark{}, last: map[string]time.Time{},
		slots: make(chan struct{}, runtime.GOMAXPROCS(0)), shown: map[string][]*row{}, staged: map[string]*Published{}, variants: newCache(maxVariants),
	}
}

// Ready reports whether all feeds have been rendered once.
func (p *Projection) Ready() bool { return p.published.Load() != nil }

// Feed returns a feed as it is to be served. There is none before the first catch-up.
func (p *Projection) Feed(id string) (*Published, bool) {
	all := p.published.Load()
	if all == nil {
		return nil, false
	}
	f, ok := (*all)[id]
	return f, ok
}

// Known reports whether there is a configured feed of that id, whether or not it has been rendered.
func (p *Projection) Known(id string) bool { return p.known[id] }

// Reset implements [bus.Fold]: a new index is filled beside the one in use.
func (p *Projection) Reset(reason string) {
	p.ahead = nil // of an index that is given up
	p.mu.Lock()
	defer p.mu.Unlock()
	p.building = &index{rows: map[string]*row{}, automatic: map[string]*shelf{}}
	for _, f := range p.shelved() {
		p.building.shelves = append(p.building.shelves, newShelf(f))
	}
	p.Log.Debug("began to build the feeds", "reason", reason)
}

// take applies a record that was read.
func (p *Projection) take(r bus.Record, fresh *row, err error) error {
	outcome, err := p.put(r, fresh, err)
	p.Observe.Applied(outcome)
	return err
}

func (p *Projection) put(r bus.Record, fresh *row, err error) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x, serving := p.live, true
	if p.building != nil {
		x, serving = p.building, false
	}
	if x == nil {
		return Refused, fault.Errorf(fault.Internal, "apply a record before any reset")
	}
	if r.Time.After(x.newest) {
		x.newest = r.Time
	}
	x.applied.Sequence = r.Sequence
	p.moved = time.Now()
	former := x.rows[r.Subject]
	touched := x.remove(r.Subject)
	outcome := Deleted
	switch {
	case err != nil:
		outcome = Refused
	case r.Marker:
		outcome = Expired
	case fresh != nil:
		outcome = Stored
		fresh.awaited = serving && fresh.news(former)
		p.widen(x, fresh, serving)
		touched = append(touched, x.add(fresh, serving)...)
	}
	if serving {
		for _, s := range touched {
			x.touched(s, r.Time)
			p.touch(s.feed.ID, r.Time, !r.Marker)
		}
	}
	return outcome, err
}

// add puts a row on the shelves of the feeds that take it.
func (x *index) add(r *row, keep bool) []*shelf {
	x.rows[r.subject] = r
	r.shelves = make([]*shelf, 0, len(r.takenBy)+len(r.automatic))
	for _, i := range r.takenBy {
		r.shelves = append(r.shelves, x.shelves[i])
	}
	for _, id := range r.automatic {
		r.shelves = append(r.shelves, x.automatic[id])
	}
	r.takenBy, r.automatic = nil, nil
	for _, s := range r.shelves {
		s.add(r)
	}
	if keep {
		x.fresh = append(x.fresh, r)
	} else {
		r.item = nil
	}
	return r.shelves
}

// remove takes the row of a subject off its shelves and returns these.
func (x *index) remove(subject string) []*shelf {
	r, ok := x.rows[subject]
	if !ok {
		return nil
	}
	delete(x.rows, subject)
	r.gone = true
	for _, s := range r.shelves {
		s.remove(r)
		if s.sorted && len(s.stories) == 0 && x.automatic[s.feed.ID] == s {
			delete(x.automatic, s.feed.ID)
		}
	}
	return r.shelves
}

// shelved lists everything that has a shelf.
func (p *Projection) shelved() []*feed.Feed { return slices.Concat(p.Feeds, p.Watch) }

// touch marks a feed for rendering. A selection that is only watched is none.
func (p *Projection) touch(id string, stored time.Time, news bool) {
	if !p.Known(id) {
		return
	}
	m := p.dirty[id]
	if m == nil {
		m = &mark{since: time.Now()}
		p.dirty[id] = m
	}
	if stored.After(m.stored) {
		m.stored = stored
	}
	m.news = m.news || news
	p.signal()
}

func (p *Projection) signal() {
	select {
	case p.wake <- struct{}{}:
	default: // it is awake already
	}
}

// CaughtUp implements [bus.Fold]: an index that was filled takes the place of the old one, and every feed is rendered
// from it.
func (p *Projection) CaughtUp(applied event.Applied) {
	p.drain()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.building == nil {
		p.live.applied = applied
		return
	}
	for _, s := range p.building.all() {
		s.sort()
		p.building.touched(s, p.building.newest)
	}
	maps.DeleteFunc(p.building.automatic, func(_ string, s *shelf) bool { return len(s.rows) == 0 })
	p.variants.clear()
	p.live, p.building = p.building, nil
	p.live.applied = applied
	if len(p.Feeds) == 0 { // all are gone: there is nothing to wait for
		p.published.Store(&map[string]*Published{})
	}
	for _, f := range p.Feeds {
		p.touch(f.ID, p.live.newest, false)
		p.dirty[f.ID].since, p.dirty[f.ID].start = time.Time{}, true // at once
		p.last[f.ID] = time.Time{}
	}
}

// Evicted implements [bus.Fold].
func (p *Projection) Evicted(first uint64) {
	p.drain()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, x := range []*index{p.live, p.building} {
		if x == nil {
			continue
		}
		for _, subject := range slices.Collect(maps.Keys(x.rows)) {
			if x.rows[subject].sequence >= first {
				continue
			}
			for _, s := range x.remove(subject) {
				if x == p.live {
					x.touched(s, x.newest)
					p.touch(s.feed.ID, x.newest, false)
				}
			}
		}
	}
}

// Newest returns the subjects of at most n articles that a watched selection shows, the newest first, one a story. quiet
// is how long no record came; it is zero before the first catch-up.
func (p *Projection) Newest(watch, n int) (subjects []string, quiet time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live == nil || p.building != nil {
		return nil, 0
	}
	s := p.live.shelves[len(p.Feeds)+watch]
	for _, r := range s.rows {
		if len(subjects) == n {
			break
		}
		if s.shows(r) {
			subjects = append(subjects, r.subject)
		}
	}
	return subjects, time.Since(p.moved)
}

// Rows returns the number of articles in the index.
func (p *Projection) Rows() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live == nil {
		return 0
	}
	return len(p.live.rows)
}
