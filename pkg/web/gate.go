package web

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"

	"tidings.internal/pkg/fault"
)

// GateConfig bounds how hosts are asked. Zero fields have the defaults named there.
type GateConfig struct {
	Concurrency int           // requests in flight a host; 1
	Gap         time.Duration // between two starts at a host; 1 s
	Queue       int           // requests that may wait for a host; 10,000
	// Hosts replaces both bounds for an exact host:port. There a gap of zero means none.
	Hosts map[string]HostLimit
}

// HostLimit is how one host is asked. A concurrency of zero is that of the gate.
type HostLimit struct {
	Concurrency int
	Gap         time.Duration
}

// Gate spaces requests to each host, in the order they came. A host is an exact host:port, as [HostPort] gives it. It
// remembers a host only while one of its requests runs, waits or must be spaced from the next, or while it is blocked.
type Gate struct {
	config GateConfig

	mu    sync.Mutex
	hosts map[string]*gateHost
	sweep int // the number of hosts at which idle ones are looked for
}

type gateHost struct {
	limit   HostLimit
	slow    int // the gap is doubled this often
	running int
	next    time.Time // earliest next start by the gap
	blocked time.Time
	queue   list.List // of *gateWaiter
	timer   *time.Timer
}

type gateWaiter struct {
	ready chan struct{}
}

const (
	sweepFloor = 1024
	maxSlow    = 8 // 256 times the gap
	slowMemory = 24 * time.Hour
)

// NewGate makes a gate.
func NewGate(c GateConfig) *Gate {
	or(&c.Concurrency, 1)
	or(&c.Gap, time.Second)
	or(&c.Queue, 10_000)
	return &Gate{config: c, hosts: map[string]*gateHost{}, sweep: sweepFloor}
}

// Enter waits until a request to hostport may start. The release must be called once when it is over; further calls do
// nothing. It fails when ctx ends first, or at once when too many wait already.
func (g *Gate) Enter(ctx context.Context, hostport string) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("wait at gate: %w", context.Cause(ctx))
	}
	g.mu.Lock()
	h := g.host(hostport)
	if h.queue.Len() >= g.config.Queue {
		g.mu.Unlock()
		return nil, fault.Errorf(fault.Throttled, "wait at gate: %d requests wait for %s already", g.config.Queue, hostport)
	}
	w := &gateWaiter{ready: make(chan struct{})}
	element := h.queue.PushBack(w)
	g.advance(h)
	g.mu.Unlock()

	select {
	case <-w.ready:
	case <-ctx.Done():
		g.mu.Lock()
		defer g.mu.Unlock()
		select {
		case <-w.ready: // its turn came at the same moment: give it to the next
			h.running--
		default:
			h.queue.Remove(element)
		}
		g.advance(h)
		return nil, fmt.Errorf("wait at gate: %w", context.Cause(ctx))
	}
	return g.releaser(h), nil
}

// TryEnter starts a request now if it may, and otherwise tells how long to wait before it is worth asking again. A host
// that others wait for, or whose running requests must end first, gives its gap.
func (g *Gate) TryEnter(hostport string) (release func(), wait time.Duration, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	h := g.host(hostport)
	g.advance(h)
	wait = time.Until(h.start())
	if h.queue.Len() > 0 || h.running >= h.limit.Concurrency {
		return nil, max(wait, h.gap(), time.Millisecond), false
	}
	if wait > 0 {
		return nil, wait, false
	}
	h.begin()
	return g.releaser(h), 0, true
}

// Block lets no request to hostport start before until. A later time wins over an earlier one.
func (g *Gate) Block(hostport string, until time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	h := g.host(hostport)
	if until.After(h.blocked) {
		h.blocked = until
		g.advance(h)
	}
}

// Slow makes the gap of hostport four times as long: it refused a request without saying for how long.
func (g *Gate) Slow(hostport string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	h := g.host(hostport)
	h.slow = min(h.slow+2, maxSlow)
	h.next = later(h.next, time.Now().Add(h.gap()))
}

// Ease halves a gap that [Gate.Slow] made longer: a request succeeded.
func (g *Gate) Ease(hostport string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if h, ok := g.hosts[hostport]; ok && h.slow > 0 {
		h.slow--
	}
}

// host gives the state of a host. When many are known, those that say nothing any more are forgotten first, so the
// cost of looking for them is spread over the hosts that were added since.
func (g *Gate) host(hostport string) *gateHost {
	if h, ok := g.hosts[hostport]; ok {
		return h
	}
	if len(g.hosts) >= g.sweep {
		now := time.Now()
		for key, h := range g.hosts {
			if h.running == 0 && h.queue.Len() == 0 && now.Sub(h.start()) >= h.memory() {
				delete(g.hosts, key)
			}
		}
		g.sweep = max(sweepFloor, 2*len(g.hosts))
	}
	h := &gateHost{limit: HostLimit{Concurrency: g.config.Concurrency, Gap: g.config.Gap}}
	if own, ok := g.config.Hosts[hostport]; ok {
		or(&own.Concurrency, g.config.Concurrency)
		h.limit = own
	}
	g.hosts[hostport] = h
	return h
}

func (g *Gate) releaser(h *gateHost) func() {
	return sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		h.running--
		g.advance(h)
	})
}

// advance starts all that may start now, and sets the clock for the next. The lock is held.
func (g *Gate) advance(h *gateHost) {
	for h.queue.Len() > 0 && h.running < h.limit.Concurrency {
		if wait := time.Until(h.start()); wait > 0 {
			h.arm(wait, func() {
				g.mu.Lock()
				defer g.mu.Unlock()
				g.advance(h)
			})
			return
		}
		w := h.queue.Remove(h.queue.Front()).(*gateWaiter)
		h.begin()
		close(w.ready)
	}
	if h.timer != nil {
		h.timer.Stop()
	}
}

// arm wakes the host after wait. A timer that fires too early or too late only makes advance look again.
func (h *gateHost) arm(wait time.Duration, wake func()) {
	if h.timer == nil {
		h.timer = time.AfterFunc(wait, wake)
		return
	}
	h.timer.Reset(wait)
}

func (h *gateHost) begin() {
	h.running++
	h.next = time.Now().Add(h.gap())
}

func (h *gateHost) gap() time.Duration { return h.limit.Gap << h.slow }

// memory is how long the host is worth remembering after its next start was possible.
func (h *gateHost) memory() time.Duration {
	if h.slow > 0 {
		return slowMemory
	}
	return 0
}

func (h *gateHost) start() time.Time { return later(h.next, h.blocked) }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
