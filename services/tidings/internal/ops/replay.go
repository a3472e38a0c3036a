package ops

import (
	"context"
	"errors"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// Replay says which raw articles go through enrich again.
type Replay = event.Replay

// ReplayState is how far a replay has come.
type ReplayState = bus.ReplayState

const (
	// replayLook is how often a replay is looked at.
	replayLook = 500 * time.Millisecond
	// replayStop is how long the end of a replay may take that was interrupted.
	replayStop = 10 * time.Second
)

// CountReplay returns how many messages a replay would handle.
func (o *Ops) CountReplay(ctx context.Context, r Replay) (uint64, error) {
	return o.bus.CountReplay(ctx, r)
}

// Replay has raw articles enriched again and waits for the end, which removes what it made. An interruption does so,
// too. progress hears how far it is.
func (o *Ops) Replay(ctx context.Context, r Replay, progress func(ReplayState)) (err error) {
	state, err := o.bus.StartReplay(ctx, r)
	if err != nil {
		return err
	}
	defer func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), replayStop)
		defer cancel()
		err = errors.Join(err, o.bus.EndReplay(ending))
	}()
	tick := time.NewTicker(replayLook)
	defer tick.Stop()
	for {
		progress(state)
		if state.Finished() {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fault.Errorf(fault.Invalid, "the replay was stopped; %d messages were left", state.Pending+state.InHand)
		}
		next, found, err := o.bus.Replaying(ctx)
		switch {
		case errors.Is(err, context.Canceled), fault.KindOf(err) == fault.Unreachable:
			continue // a broker that is away comes back, and the replay is still there
		case err != nil:
			return err
		case !found || next.Done:
			return fault.Errorf(fault.Conflict, "the replay was ended by somebody else")
		}
		state = next
	}
}

// EndReplay ends a replay whose verb was killed.
func (o *Ops) EndReplay(ctx context.Context) error { return o.bus.EndReplay(ctx) }
