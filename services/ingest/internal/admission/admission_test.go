package admission

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
)

// broker answers with what a test put into it.
type broker struct {
	backlog map[string]bus.Backlog
	err     error
}

func (b *broker) Backlog(_ context.Context, _, consumer string) (bus.Backlog, error) {
	return b.backlog[consumer], b.err
}

func TestGateClosesAtItsLimitsAndOpensBelowThem(t *testing.T) {
	t.Parallel()
	const maxAge = 72 * time.Hour
	for _, c := range []struct {
		name                  string
		open, closed, reopens bus.Backlog
	}{
		{"lag", bus.Backlog{Pending: 49_000, AckPending: 1000}, bus.Backlog{Pending: 50_000, AckPending: 1}, bus.Backlog{Pending: 40_000}},
		{"bytes", bus.Backlog{Bytes: 80, MaxBytes: 100}, bus.Backlog{Bytes: 81, MaxBytes: 100}, bus.Backlog{Bytes: 64, MaxBytes: 100}},
		{"age", bus.Backlog{Oldest: 18 * time.Hour}, bus.Backlog{Oldest: 18*time.Hour + 1}, bus.Backlog{Oldest: 14 * time.Hour}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var told []string
			b := &broker{backlog: map[string]bus.Backlog{}}
			g := New(b, Limits{50_000, maxAge}, time.Now, func(lane string, open bool, _ string) { told = append(told, fmt.Sprint(lane, " ", open)) })
			if g.Open(Live) {
				t.Error("open before the first look")
			}
			for step, s := range []struct {
				backlog bus.Backlog
				open    bool
			}{{c.open, true}, {c.closed, false}, {c.open, false}, {c.reopens, true}, {c.open, true}} {
				b.backlog[event.ConsumerEnrich] = s.backlog
				g.Look(t.Context())
				if g.Open(Live) != s.open {
					t.Errorf("step %d: open %v, want %v", step, !s.open, s.open)
				}
				if !g.Open(Backfill) {
					t.Errorf("step %d: the other lane is closed, too", step)
				}
			}
			if want := []string{"live false", "live true"}; !slices.Equal(told, want) {
				t.Errorf("told %v, want %v", told, want)
			}
		})
	}
}

// A start is no failure: until the first look the gate is closed and has nothing to complain of.
func TestGateIsClosedWithoutAReasonBeforeItsFirstLook(t *testing.T) {
	t.Parallel()
	g := New(&broker{}, Limits{50_000, time.Hour}, time.Now, func(string, bool, string) {})
	if open, reason := g.State(Live); open || reason != "" {
		t.Errorf("open %v (%s) before the first look", open, reason)
	}
}

func TestGateThatHearsNothingCloses(t *testing.T) {
	t.Parallel()
	now := time.Now()
	b := &broker{}
	g := New(b, Limits{50_000, time.Hour}, func() time.Time { return now }, func(string, bool, string) {})
	g.Look(t.Context())
	b.err = errors.New("away")
	now = now.Add(29 * time.Second)
	g.Look(t.Context())
	if !g.Open(Live) {
		t.Error("closed after 29 s of silence")
	}
	now = now.Add(2 * time.Second)
	g.Look(t.Context())
	if open, reason := g.State(Live); open || reason == "" {
		t.Errorf("open %v (%s) after 31 s of silence", open, reason)
	}
}
