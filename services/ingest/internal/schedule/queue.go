package schedule

import (
	"cmp"
	"container/heap"
	"context"
	"slices"
	"sync"
	"time"
)

// Gate is asked before each start at a host. *web.Gate is one.
type Gate interface {
	TryEnter(hostport string) (release func(), wait time.Duration, ok bool)
}

// Job is a poll that may start now.
type Job struct {
	ID, Host string
	// Due is when it should have started.
	Due time.Time
	// Release must be called once when the exchange with the host is over.
	Release func()
}

// Queue holds the sources until they are due, and then until their host may be asked. A source that waits for its host
// holds no worker, so a host with hundreds of sources delays nobody else.
type Queue struct {
	gate Gate
	// perHost is how many workers one host may have at most.
	perHost int
	now     func() time.Time
	open    func(id string) bool

	mu      sync.Mutex
	entries map[string]*entry
	due     entryHeap // sources that wait for their time
	hosts   map[string]*host
	ready   hostHeap // hosts with waiting sources, by when it is worth asking the gate
	wake    chan struct{}
}

type entry struct {
	id, host string
	at       time.Time
	index    int // in the heap, -1 when it is not in it
	waiting  bool
	running  bool
	again    time.Time // set while running: when to be due next
}

type host struct {
	name    string
	waiting []*entry
	running int
	at      time.Time
	index   int
}

// NewQueue makes a queue. open is asked before each start; a source it refuses is asked for again a second later.
func NewQueue(gate Gate, perHost int, now func() time.Time, open func(id string) bool) *Queue {
	return &Queue{gate: gate, perHost: max(perHost, 1), now: now, open: open, entries: map[string]*entry{}, hosts: map[string]*host{}, wake: make(chan struct{}, 1)}
}

// closedWait is how soon a start is tried again that the admission refused.
const closedWait = time.Second

// Set makes a source due at a time. A source that is running becomes due again when it is done, not before.
func (q *Queue) Set(id, hostport string, at time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := q.entries[id]
	if e == nil {
		e = &entry{id: id, index: -1}
		q.entries[id] = e
	}
	if e.running {
		e.host, e.again = hostport, at
		return
	}
	if e.waiting && e.host == hostport {
		return // it is due already
	}
	q.leave(e)
	e.host, e.at = hostport, at
	heap.Push(&q.due, e)
	q.poke()
}

// Spread sets the sources that are due already apart from each other, those that have waited longest first.
func (q *Queue) Spread(spread func(n, of int) time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.now()
	var overdue []*entry
	for _, e := range q.entries {
		if !e.running && !e.at.After(now) {
			overdue = append(overdue, e)
		}
	}
	slices.SortFunc(overdue, func(a, b *entry) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id)) })
	for n, e := range overdue {
		q.leave(e)
		e.at = now.Add(spread(n, len(overdue)))
		heap.Push(&q.due, e)
	}
	q.poke()
}

// Remove takes a source out. One that is running finishes and does not come back.
func (q *Queue) Remove(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e := q.entries[id]; e != nil {
		q.leave(e)
		delete(q.entries, id)
	}
}

// Len is how many sources are in the queue.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.entries)
}

// Done says that a job is over and when its source is due next.
func (q *Queue) Done(j Job, next time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if h := q.hosts[j.Host]; h != nil {
		h.running--
		q.settle(h)
	}
	e := q.entries[j.ID]
	if e == nil || !e.running {
		return // removed meanwhile
	}
	e.running = false
	if !e.again.IsZero() && e.again.Before(next) {
		next = e.again
	}
	e.again, e.at = time.Time{}, next
	heap.Push(&q.due, e)
	q.poke()
}

// leave takes an entry out of wherever it waits.
func (q *Queue) leave(e *entry) {
	if e.index >= 0 {
		heap.Remove(&q.due, e.index)
	}
	if e.waiting {
		h := q.hosts[e.host]
		for i, w := range h.waiting {
			if w == e {
				h.waiting = append(h.waiting[:i], h.waiting[i+1:]...)
				break
			}
		}
		e.waiting = false
		q.settle(h)
	}
}

// settle puts a host where it belongs: among those worth asking, or nowhere.
func (q *Queue) settle(h *host) {
	worth := len(h.waiting) > 0 && h.running < q.perHost
	switch {
	case worth && h.index < 0:
		heap.Push(&q.ready, h)
	case worth:
		heap.Fix(&q.ready, h.index)
	case h.index >= 0:
		heap.Remove(&q.ready, h.index)
	}
	if len(h.waiting) == 0 && h.running == 0 {
		delete(q.hosts, h.name)
	}
	q.poke()
}

func (q *Queue) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Run hands jobs to start, one at a time, until ctx ends. start blocks while all workers are busy.
func (q *Queue) Run(ctx context.Context, start func(Job)) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		job, wait, ok := q.next()
		if ok {
			start(job)
			if ctx.Err() != nil {
				return
			}
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-q.wake:
		case <-timer.C:
		}
	}
}

// idle is the longest sleep of the queue.
const idle = time.Minute

// next gives a job that may start, or how long nothing can.
func (q *Queue) next() (Job, time.Duration, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.now()
	for len(q.due) > 0 && !q.due[0].at.After(now) {
		e := heap.Pop(&q.due).(*entry)
		h := q.hosts[e.host]
		if h == nil {
			h = &host{name: e.host, index: -1}
			q.hosts[e.host] = h
		}
		e.waiting = true
		h.waiting = append(h.waiting, e)
		q.settle(h)
	}
	for len(q.ready) > 0 && !q.ready[0].at.After(now) {
		h := q.ready[0]
		e := h.waiting[0]
		if !q.open(e.id) {
			h.at = now.Add(closedWait)
			heap.Fix(&q.ready, h.index)
			continue
		}
		release, wait, ok := q.gate.TryEnter(h.name)
		if !ok {
			h.at = now.Add(wait)
			heap.Fix(&q.ready, h.index)
			continue
		}
		h.waiting = h.waiting[1:]
		h.running++
		e.waiting, e.running = false, true
		q.settle(h)
		return Job{ID: e.id, Host: h.name, Due: e.at, Release: release}, 0, true
	}
	wait := idle
	if len(q.due) > 0 {
		wait = min(wait, q.due[0].at.Sub(now))
	}
	if len(q.ready) > 0 {
		wait = min(wait, q.ready[0].at.Sub(now))
	}
	return Job{}, max(wait, time.Millisecond), false
}

type entryHeap []*entry

func (h entryHeap) Len() int           { return len(h) }
func (h entryHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h entryHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].index, h[j].index = i, j }
func (h *entryHeap) Push(x any)        { e := x.(*entry); e.index = len(*h); *h = append(*h, e) }
func (h *entryHeap) Pop() any {
	e := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	e.index = -1
	return e
}

type hostHeap []*host

func (h hostHeap) Len() int           { return len(h) }
func (h hostHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h hostHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].index, h[j].index = i, j }
func (h *hostHeap) Push(x any)        { e := x.(*host); e.index = len(*h); *h = append(*h, e) }
func (h *hostHeap) Pop() any {
	e := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	e.index = -1
	return e
}
