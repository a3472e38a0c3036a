package bus

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// ReplayState is how far a replay has come.
type ReplayState struct {
	event.Replay
	Pending uint64 `json:"pending"` // not handed to enrich yet
	InHand  uint64 `json:"in_hand"` // handed out and not settled
	// Reached is the place in RAW up to which all is settled.
	Reached uint64 `json:"reached"`
	waiting int    // pulls that wait for messages
}

// Finished reports whether everything that is meant has been settled.
func (s ReplayState) Finished() bool {
	return s.Pending == 0 && s.InHand == 0 || s.Reached >= s.Goal
}

// minRate keeps the wait of one handler for its turn well below its deadline.
const minRate = 0.1

// StartReplay makes the consumer by which enrich handles raw articles again. The error is a conflict while another
// replay is under way; the same one again is no error, so that a verb that was killed can be given again.
func (b *Bus) StartReplay(ctx context.Context, r event.Replay) (ReplayState, error) {
	if err := checkReplay(r); err != nil {
		return ReplayState{}, err
	}
	old, found, err := b.Replaying(ctx)
	if err != nil {
		return ReplayState{}, err
	}
	if found && !old.Finished() {
		if !sameReplay(old.Replay, r) {
			return old, fault.Errorf(fault.Conflict, "start a replay: another one is under way, %d messages are left of it", old.Pending+old.InHand)
		}
		return old, nil
	}
	if found {
		if err := b.EndReplay(ctx); err != nil {
			return ReplayState{}, err
		}
	}
	if r.Goal, err = b.replayGoal(ctx, r.Until); err != nil {
		return ReplayState{}, err
	}
	config := replayConfig(r)
	if err := putReplay(&config, r); err != nil {
		return ReplayState{}, err
	}
	making, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	// Create, not update: of two verbs at once one is told of a conflict.
	if _, err = b.js.CreateConsumer(making, event.StreamRaw, config); errors.Is(err, jetstream.ErrConsumerExists) {
		return ReplayState{}, fault.Errorf(fault.Conflict, "start a replay: another one has begun at the same time")
	}
	if err != nil {
		return ReplayState{}, classify(err, "make consumer %s of %s", event.ConsumerReplay, event.StreamRaw)
	}
	state, _, err := b.Replaying(ctx)
	return state, err
}

func checkReplay(r event.Replay) error {
	switch {
	case r.Since.IsZero():
		return fault.Errorf(fault.Invalid, "start a replay: it needs a time to begin at")
	case r.Since.After(time.Now()):
		// The broker would take this for everything.
		return fault.Errorf(fault.Invalid, "start a replay: %s is not yet", r.Since.Format(time.RFC3339))
	case !r.Until.IsZero() && !r.Until.After(r.Since):
		return fault.Errorf(fault.Invalid, "start a replay: it would end at %s, before it begins", r.Until.Format(time.RFC3339))
	case r.Source != "" && !article.ValidName(r.Source):
		return fault.Errorf(fault.Invalid, "start a replay: %w", article.CheckName(r.Source))
	case r.Rate != 0 && r.Rate < minRate:
		return fault.Errorf(fault.Invalid, "start a replay: the rate is %g a second; use at least %g, or none", r.Rate, minRate)
	}
	return nil
}

func sameReplay(a, b event.Replay) bool {
	return a.Since.Equal(b.Since) && a.Until.Equal(b.Until) && a.Source == b.Source && a.Rate == b.Rate
}

func replayConfig(r event.Replay) jetstream.ConsumerConfig {
	config := consumerConfig(r.Consumer())
	since := r.Since.UTC()
	config.DeliverPolicy, config.OptStartTime = jetstream.DeliverByStartTimePolicy, &since
	return config
}

func putReplay(config *jetstream.ConsumerConfig, r event.Replay) error {
	value, err := json.Marshal(r)
	if err != nil {
		return fault.Errorf(fault.Internal, "write the replay: %w", err)
	}
	config.Metadata[event.MetaReplay] = string(value)
	return nil
}

// replayGoal is the place of the last message that is stored by a time, or by now.
func (b *Bus) replayGoal(ctx context.Context, until time.Time) (uint64, error) {
	state, err := b.StreamState(ctx, event.StreamRaw)
	if err != nil || until.IsZero() || !until.Before(time.Now()) {
		return state.Last, err
	}
	first, err := b.get(ctx, event.StreamRaw, map[string]any{"start_time": until.UTC().Add(1), "next_by_subj": ">"})
	if err != nil || first == nil {
		return state.Last, err
	}
	return first.Sequence - 1, nil
}

// Replaying tells how the replay stands that is under way, and false if there is none.
func (b *Bus) Replaying(ctx context.Context) (ReplayState, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	c, err := b.js.Consumer(ctx, event.StreamRaw, event.ConsumerReplay)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return ReplayState{}, false, nil
	}
	if err != nil {
		return ReplayState{}, false, classify(err, "look for consumer %s of %s", event.ConsumerReplay, event.StreamRaw)
	}
	info := c.CachedInfo()
	s := ReplayState{Pending: info.NumPending, InHand: uint64(info.NumAckPending), Reached: info.AckFloor.Stream, waiting: info.NumWaiting}
	if err := json.Unmarshal([]byte(info.Config.Metadata[event.MetaReplay]), &s.Replay); err != nil {
		return s, true, fault.Errorf(fault.Malformed, "read the replay: %w", err)
	}
	return s, true, nil
}

// letGo is how long the end of a replay waits for the replicas of enrich to stop pulling. They look each second.
const letGo = 5 * time.Second

// EndReplay removes the replay, finished or not. One that does not exist is no error. It first says so to those who
// consume it, so that none of them finds its consumer gone and takes that for a fault.
func (b *Bus) EndReplay(ctx context.Context) error {
	state, found, err := b.Replaying(ctx)
	if err != nil && fault.KindOf(err) != fault.Malformed {
		return err
	}
	if !found {
		return nil
	}
	if err == nil && !state.Done {
		state.Done = true
		config := replayConfig(state.Replay)
		if err := putReplay(&config, state.Replay); err != nil {
			return err
		}
		updating, cancel := context.WithTimeout(ctx, ackWait)
		defer cancel()
		if _, err := b.js.UpdateConsumer(updating, event.StreamRaw, config); err != nil {
			return classify(err, "end the replay")
		}
	}
	limit := time.NewTimer(letGo)
	defer limit.Stop()
	tick := time.NewTicker(handLook)
	defer tick.Stop()
	for waiting := state.waiting; waiting > 0; {
		select {
		case <-tick.C:
			if state, found, err = b.Replaying(ctx); err != nil || !found {
				return err
			}
			waiting = state.waiting
		case <-limit.C:
			waiting = 0 // a replica that was killed leaves its pull behind; a live one survives the end, with a warning
		case <-ctx.Done():
			return classify(ctx.Err(), "end the replay")
		}
	}
	return b.DropConsumer(ctx, event.StreamRaw, event.ConsumerReplay)
}

// CountReplay returns how many messages a replay would handle. It changes nothing.
func (b *Bus) CountReplay(ctx context.Context, r event.Replay) (uint64, error) {
	if err := checkReplay(r); err != nil {
		return 0, err
	}
	from, err := b.pendingSince(ctx, r, r.Since)
	// The broker takes a time that is not yet for the beginning of all.
	if err != nil || r.Until.IsZero() || !r.Until.Before(time.Now()) {
		return from, err
	}
	after, err := b.pendingSince(ctx, r, r.Until.Add(1))
	return from - min(from, after), err
}

func (b *Bus) pendingSince(ctx context.Context, r event.Replay, since time.Time) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	since = since.UTC()
	c, err := b.js.CreateConsumer(ctx, event.StreamRaw, jetstream.ConsumerConfig{
		FilterSubject: r.Consumer().Filter, AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, InactiveThreshold: ackWait,
		DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &since,
	})
	if err != nil {
		return 0, classify(err, "count the messages of %s", event.StreamRaw)
	}
	info := c.CachedInfo()
	return info.NumPending, b.DropConsumer(ctx, event.StreamRaw, info.Name)
}

// ConsumeReplay hands the messages of replays to a handler, as [Bus.Consume] does, whenever there is one, until ctx
// ends. while is asked each second as well. It keeps the replay's rate. Without a replay it asks the broker once a
// second and says nothing.
func (b *Bus) ConsumeReplay(ctx context.Context, workers int, while func(ctx context.Context) bool, handle Handler) error {
	var pace pace
	return b.Consume(ctx, Consume{
		Stream: event.StreamRaw, Consumer: event.ConsumerReplay, Workers: workers,
		While: func(ctx context.Context) bool {
			state, found, err := b.Replaying(ctx)
			if err != nil || !found || state.Done {
				return false
			}
			pace.set(state.Rate)
			return while(ctx)
		},
		Handle: func(ctx context.Context, d *Delivery) error {
			if err := pace.wait(ctx); err != nil {
				return err
			}
			return handle(ctx, d)
		},
	})
}

// pace spreads the beginnings of handlers evenly.
type pace struct {
	mu   sync.Mutex
	gap  time.Duration
	next time.Time
}

func (p *pace) set(rate float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gap = 0
	if rate > 0 {
		p.gap = time.Duration(float64(time.Second) / rate)
	}
}

// wait returns when it is the caller's turn.
func (p *pace) wait(ctx context.Context) error {
	p.mu.Lock()
	turn := time.Now()
	if p.next.After(turn) {
		turn = p.next
	}
	p.next = turn.Add(p.gap)
	p.mu.Unlock()
	timer := time.NewTimer(time.Until(turn))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fault.Errorf(fault.Unreachable, "wait for the turn in a replay: %w", ctx.Err())
	}
}
