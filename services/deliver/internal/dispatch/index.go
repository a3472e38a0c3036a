package dispatch

import (
	"sync"
	"time"

	"tidings.internal/services/deliver/internal/ledger"
)

// index knows which rows of a channel have something to do. It is a short cut and holds no truth: the row is read
// again before anything is done with it, and every change of it is a compare-and-set.
type index struct {
	mu     sync.Mutex
	items  map[string]item
	filled map[string]bool // stories that came as backfill and were let through
}

// item is the part of a row by which the next one is chosen.
type item struct {
	revision  uint64
	state     ledger.State
	op        ledger.Op
	due       time.Time
	deadline  time.Time
	published time.Time
	approved  time.Time
	ordinal   uint64
	backfill  bool
	missed    int       // how many times in a row it was not found
	again     time.Time // it is left alone until then
	rush      bool
	follows   bool // it is sent, and this is its next operation
}

func itemOf(r *ledger.Row, revision uint64) item {
	i := item{
		revision: revision, state: r.State, op: r.Op, due: r.Due, deadline: r.Deadline, published: r.Published,
		approved: r.ApprovedAt, ordinal: r.Ordinal, backfill: r.Backfill, rush: r.Rush, follows: r.State == ledger.Sent && r.Next != nil,
	}
	if i.follows {
		i.op, i.due = r.Next.Op, r.Next.Due
	}
	return i
}

// waits reports whether the row waits for nothing but its turn.
func (i item) waits() bool {
	return i.follows || i.state == ledger.Planned || i.state == ledger.Approved || i.state == ledger.Waiting
}

const (
	// missedGap and maxMissed are how often and for how long a row that the index knows of is looked for.
	missedGap = time.Second
	maxMissed = 60
)

func newIndex() *index { return &index{items: map[string]item{}, filled: map[string]bool{}} }

// put takes note of a row at a revision of the bucket. It reports whether that changed anything.
func (x *index) put(r *ledger.Row, revision uint64) bool {
	i := itemOf(r, revision)
	x.mu.Lock()
	defer x.mu.Unlock()
	if r.Backfill && r.Reason != ledger.Baseline {
		x.filled[r.Story] = true
	}
	old, known := x.items[r.Story]
	if known && old.revision >= revision {
		return false
	}
	if !i.follows && !r.State.Open() {
		// A finished row is forgotten: most are, and no late news of it can hurt, since rows are read again.
		delete(x.items, r.Story)
		return known
	}
	x.items[r.Story] = i
	return true
}

// missing takes note that a row was not found. Any server of a cluster answers a read, one that is behind says that there
// is nothing, and of a row that was forgotten for that nobody would hear again. So it is forgotten only when it stays away.
func (x *index) missing(story string, now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	i, known := x.items[story]
	if i.missed++; !known || i.missed > maxMissed {
		delete(x.items, story)
		return
	}
	i.again = now.Add(missedGap)
	x.items[story] = i
}

// reset forgets everything, before the present state is read again.
func (x *index) reset() {
	x.mu.Lock()
	defer x.mu.Unlock()
	clear(x.items)
	clear(x.filled)
}

// backfilled is how many stories came as backfill and were let through.
func (x *index) backfilled() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.filled)
}

// open is how many rows have not come to their first end.
func (x *index) open() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := 0
	for _, i := range x.items {
		if i.state.Open() {
			n++
		}
	}
	return n
}

func (x *index) counts() map[ledger.State]int {
	x.mu.Lock()
	defer x.mu.Unlock()
	m := map[ledger.State]int{}
	for _, i := range x.items {
		if i.state.Open() {
			m[i.state]++
		}
	}
	return m
}

// each shows all items. It must be quick: intake waits for it.
func (x *index) each(show func(story string, i item)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for story, i := range x.items {
		show(story, i)
	}
}

func (x *index) empty() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.items) == 0
}
