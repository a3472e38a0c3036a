package composer

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"tidings.internal/pkg/bus"
)

func TestGateShutsAboveEightTenthsAndOpensBelowHalf(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	asked := 0
	var state bus.StreamState
	var failure error
	g := &Gate{Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }, State: func(context.Context) (bus.StreamState, error) {
		asked++
		return state, failure
	}}
	for _, c := range []struct {
		bytes uint64
		err   error
		want  bool
	}{{10, nil, true}, {80, nil, true}, {81, nil, false}, {60, nil, false}, {0, errors.New("away"), false}, {49, nil, true}, {90, errors.New("away"), true}, {79, nil, true}} {
		now = now.Add(gateAge)
		state, failure = bus.StreamState{Bytes: c.bytes, MaxBytes: 100}, c.err
		if got := g.Open(t.Context()); got != c.want {
			t.Errorf("at %d of 100, error %v: open %v", c.bytes, c.err, got)
		}
	}
	before := asked
	g.Wrote(2) // a fiftieth
	g.Open(t.Context())
	if asked != before {
		t.Error("the broker is asked more often than every second")
	}
	state.Bytes = 90
	if g.Wrote(1); g.Open(t.Context()) || asked != before+1 {
		t.Error("a burst is not noticed")
	}
}
