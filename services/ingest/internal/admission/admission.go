// Package admission keeps ingest from publishing what RAW cannot keep.
//
// RAW drops its oldest messages when it is full, so nothing is accepted while enrich is far behind, the stream is
// nearly full, or what waits in it grows old. A gate that does not know how things stand is closed.
package admission

import (
	"context"
	"sync"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
)

// Bus tells how far behind a consumer is.
type Bus interface {
	Backlog(ctx context.Context, stream, consumer string) (bus.Backlog, error)
}

const (
	// maxFill of the stream's bytes closes both.
	maxFill = 0.8
	// ageShare of the stream's retention is how old the oldest message that nobody was given may be.
	ageShare = 4
	// resume is the part of each limit below which a closed gate opens again.
	resume = 0.8
	// every is how often the gate looks, stale how old a look may be before it counts as closed.
	every = 5 * time.Second
	stale = 30 * time.Second
	// soon is how often it looks as long as it knows nothing at all, which is at the start.
	soon = 500 * time.Millisecond
)

// Gate is open or closed.
type Gate struct {
	bus    Bus
	limits Limits
	now    func() time.Time
	// changed is told when a lane closes or opens.
	changed func(lane string, open bool, reason string)

	mu    sync.Mutex
	lanes map[string]*lane
}

type lane struct {
	consumer string
	looked   time.Time
	closed   bool
	reason   string
}

// The lanes.
const (
	Live     = "live"     // what happens now
	Backfill = "backfill" // what was there when a source was added
)

// Limits close a lane.
type Limits struct {
	// Lag is how many messages may wait for enrich or be in its hands.
	Lag int
	// MaxAge is the retention of RAW.
	MaxAge time.Duration
}

// New makes a gate that is closed until its first look.
func New(b Bus, limits Limits, now func() time.Time, changed func(lane string, open bool, reason string)) *Gate {
	return &Gate{bus: b, limits: limits, now: now, changed: changed, lanes: map[string]*lane{
		Live: {consumer: event.ConsumerEnrich}, Backfill: {consumer: event.ConsumerBackfill},
	}}
}

// Open reports whether a poll may start that publishes on a lane.
func (g *Gate) Open(name string) bool {
	open, _ := g.State(name)
	return open
}

// State also says why a lane is closed. Before the first look it is closed without a reason: nothing is wrong yet, and a
// broker that is away is told of elsewhere.
func (g *Gate) State(name string) (open bool, reason string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lanes[name]
	if l.looked.IsZero() {
		return false, ""
	}
	if g.now().Sub(l.looked) > stale {
		return false, "it is not known how far behind enrich is"
	}
	return !l.closed, l.reason
}

// Run looks until ctx ends.
func (g *Gate) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		g.Look(ctx)
		wait := every
		if !g.known() {
			wait = soon
		}
		timer.Reset(wait)
	}
}

// known reports whether both lanes were ever looked at.
func (g *Gate) known() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, l := range g.lanes {
		if l.looked.IsZero() {
			return false
		}
	}
	return true
}

// Look asks the broker once about both lanes. A lane of which nothing is heard keeps its state until it is stale.
func (g *Gate) Look(ctx context.Context) {
	for _, name := range []string{Live, Backfill} {
		b, err := g.bus.Backlog(ctx, event.StreamRaw, g.lanes[name].consumer)
		if err != nil {
			continue
		}
		g.judge(name, b)
	}
}

func (g *Gate) judge(name string, b bus.Backlog) {
	g.mu.Lock()
	l := g.lanes[name]
	factor := 1.0
	if l.closed {
		factor = resume
	}
	reason := ""
	switch {
	case float64(b.Lag()) > factor*float64(g.limits.Lag):
		reason = "enrich is too far behind"
	case b.MaxBytes > 0 && float64(b.Bytes) > factor*maxFill*float64(b.MaxBytes):
		reason = "the stream RAW is nearly full"
	case g.limits.MaxAge > 0 && float64(b.Oldest) > factor*float64(g.limits.MaxAge/ageShare):
		reason = "what waits for enrich has waited too long"
	}
	known := !l.looked.IsZero()
	flipped := l.closed != (reason != "")
	l.looked, l.closed, l.reason = g.now(), reason != "", reason
	g.mu.Unlock()
	if flipped && (known || reason != "") {
		g.changed(name, reason == "", reason)
	}
}
