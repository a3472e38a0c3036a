package composer

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"tidings.internal/pkg/bus"
)

const (
	// gateAge is how long an answer of the broker is good, and gateShare what part of POSTS may be written meanwhile.
	gateAge   = time.Second
	gateShare = 50
	// POSTS drops its oldest messages when it is full, delivered or not: composing stops in time, and goes on once
	// there is room for more than a few.
	shutAbove, openBelow = 0.8, 0.5
)

// Gate stops composing while POSTS fills up, which happens when deliver is down for long. The articles wait in ARTICLES.
type Gate struct {
	State func(ctx context.Context) (bus.StreamState, error)
	Log   *slog.Logger
	Now   func() time.Time

	mu    sync.Mutex
	asked time.Time
	size  int64 // of POSTS, as last heard
	wrote int64 // bytes since the broker was asked
	shut  bool
}

// Wrote tells the gate of a post that was stored: a burst must not outrun the looks at the broker.
func (g *Gate) Wrote(bytes int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.wrote += int64(bytes)
}

// Open reports whether there is room. When the broker does not say, the last answer stands.
func (g *Gate) Open(ctx context.Context) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now := g.Now(); now.Sub(g.asked) < gateAge && g.wrote <= g.size/gateShare {
		return !g.shut
	}
	state, err := g.State(ctx)
	if err != nil || state.MaxBytes <= 0 {
		return !g.shut
	}
	g.asked, g.size, g.wrote = g.Now(), state.MaxBytes, 0
	full := float64(state.Bytes) / float64(state.MaxBytes)
	was := g.shut
	switch {
	case full > shutAbove:
		g.shut = true
	case full < openBelow:
		g.shut = false
	}
	if g.shut != was {
		if g.shut {
			g.Log.Warn("stopped composing: POSTS is nearly full", "bytes", state.Bytes)
		} else {
			g.Log.Info("composes again: POSTS has room", "bytes", state.Bytes)
		}
	}
	return !g.shut
}
