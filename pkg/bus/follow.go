package bus

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// Fold turns a stream into a state in memory. The bus calls its methods from one goroutine.
type Fold interface {
	// Reset starts an empty state beside the one in use; the reason says why the old one cannot be continued.
	Reset(reason string)
	// Apply adds one record. An error is logged; it never stops the fold, since one bad record must not hide the rest.
	Apply(r Record) error
	// CaughtUp says that everything stored so far has been applied. After a Reset the new state takes the place of the
	// old one at the first call.
	CaughtUp(applied event.Applied)
	// Evicted says that records below a sequence are gone: a stream that reaches its size drops the oldest without a
	// marker.
	Evicted(first uint64)
}

// The reasons of a [Fold.Reset].
const (
	ResetStart     = "start"     // first fold of this process
	ResetRecreated = "recreated" // the stream was made anew or restored
	ResetRewound   = "rewound"   // the stream does not hold what was applied: a store was rolled back or emptied
)

const (
	// followCheck is how often the identity of a followed stream is compared. An ordered consumer hangs without an
	// error when its stream is deleted and made again.
	followCheck = 10 * time.Second
	// evictCheck is how often evicted rows are dropped.
	evictCheck = 60 * time.Second
)

// Follow folds the records of a stream, from its start and then as they come, until ctx ends. A broker that is away is
// waited for; a stream that was deleted, made again or rolled back is noticed and folded anew.
func (b *Bus) Follow(ctx context.Context, stream, filter string, f Fold) error {
	fo := &follower{bus: b, stream: stream, filter: filter, fold: f}
	b.again(ctx, "stopped following for now", fo.once, "stream", stream)
	return nil
}

type follower struct {
	bus    *Bus
	stream string
	filter string
	fold   Fold
	checkpoint
	session uint64 // of the connection under which the stream was recognised
	begun   bool
	level   bool   // CaughtUp was called since the last Reset
	goal    uint64 // last sequence of the stream when the fold began
}

// checkpoint is how far a fold has come, and what the stream is recognised by: a fold goes on only after one that is
// still valid. It lives as long as the fold, whose state is in memory: every start of a process folds from the beginning.
type checkpoint struct {
	applied event.Applied
	epoch   string
	last    []trace // of the records applied last, the newest at the end
}

// trace is what tells whether a record is still the one that was applied.
type trace struct {
	subject  string
	sequence uint64
	at       time.Time
}

// traces is how many records are remembered to recognise a stream by.
const traces = 16

// once follows until something ends it. It continues after the last applied record as long as the stream is the same.
func (fo *follower) once(ctx context.Context) error {
	back, forget := fo.bus.onReconnect()
	defer forget()
	fo.session = fo.bus.nc.Stats().Reconnects
	state, err := fo.bus.StreamState(ctx, fo.stream)
	if err != nil {
		return err
	}
	reason, err := fo.recognise(ctx, state)
	if err != nil {
		return err
	}
	if reason != "" {
		if fo.begun {
			fo.bus.observe.Rebuilt(reason)
			fo.bus.Notice(ctx, event.Notice{Type: "projection_rebuilt", Reason: reason, Text: "what was folded of " + fo.stream + " was begun anew"})
		}
		fo.fold.Reset(reason)
		fo.checkpoint = checkpoint{applied: event.Applied{Created: state.Created}, epoch: state.Epoch}
		fo.begun, fo.level, fo.goal = true, false, state.Last
	}
	consumer, err := fo.bus.js.OrderedConsumer(ctx, fo.stream, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{fo.filter}, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: fo.applied.Sequence + 1,
		MaxResetAttempts: 1, // with more the library tries for ever and cannot be stopped meanwhile; we try ourselves
	})
	if err != nil {
		return classify(err, "follow %s", fo.stream)
	}
	if consumer.CachedInfo().NumPending == 0 {
		fo.caughtUp()
	}
	records, failed, done := make(chan jetstream.Msg, 256), make(chan error, 1), make(chan struct{})
	cc, err := consumer.Consume(func(m jetstream.Msg) {
		select {
		case records <- m:
		case <-done:
		}
	}, jetstream.PullMaxMessages(500), jetstream.PullHeartbeat(fo.bus.patience.beat), jetstream.ConsumeErrHandler(endOn(failed)))
	if err != nil {
		return classify(err, "follow %s", fo.stream)
	}
	err = fo.loop(ctx, records, failed, back)
	close(done)
	cc.Stop()
	<-cc.Closed()
	return err
}

func (fo *follower) loop(ctx context.Context, records <-chan jetstream.Msg, failed <-chan error, back <-chan struct{}) error {
	check, evict := time.NewTicker(fo.bus.followEvery), time.NewTicker(fo.bus.evictEvery)
	defer check.Stop()
	defer evict.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-records:
			// It may be of a new connection that nobody has told us of yet.
			if err := fo.renewed(ctx); err != nil {
				return err
			}
			if err := fo.take(m); err != nil {
				return err
			}
		case err := <-failed:
			return classify(err, "follow %s", fo.stream)
		case <-back:
			if err := fo.renewed(ctx); err != nil {
				return err
			}
		case <-check.C:
			if err := fo.check(ctx); err != nil {
				return err
			}
		case <-evict.C:
			if state, err := fo.bus.StreamState(ctx, fo.stream); err == nil {
				fo.fold.Evicted(state.First)
			}
		}
	}
}

var errNotTheSame = errors.New("the stream is no longer the one that was followed")

// renewed ends the loop when the connection is another one and so is the stream. What a broker lost it lost before it
// came back, and others may have used its numbers again since.
func (fo *follower) renewed(ctx context.Context) error {
	session := fo.bus.nc.Stats().Reconnects
	if session == fo.session {
		return nil
	}
	state, err := fo.bus.StreamState(ctx, fo.stream)
	if err != nil {
		return err
	}
	if reason, err := fo.recognise(ctx, state); reason != "" || err != nil {
		return cmp.Or(err, errNotTheSame)
	}
	fo.session = session
	return nil
}

// check ends the loop when the stream is another one by now. A broker that does not answer proves nothing.
func (fo *follower) check(ctx context.Context) error {
	state, err := fo.bus.StreamState(ctx, fo.stream)
	if err != nil {
		return nil
	}
	if fo.reason(state) != "" {
		return errNotTheSame
	}
	if !fo.level {
		// What was pending at the start may have been removed before it came; then nothing tells that the end is
		// reached.
		if next, err := fo.bus.Next(ctx, fo.stream, fo.filter, fo.applied.Sequence+1); err == nil && next == nil {
			fo.caughtUp()
		}
	}
	return nil
}

// recognise is [follower.reason] for a connection that is new: it also looks whether the stream still holds, under
// their numbers, the records applied last, or newer ones on their subjects.
func (fo *follower) recognise(ctx context.Context, s StreamState) (string, error) {
	if reason := fo.reason(s); reason != "" || len(fo.last) == 0 {
		return reason, nil
	}
	found := false
	for _, t := range fo.last {
		r, err := fo.bus.At(ctx, fo.stream, t.sequence)
		if err != nil {
			return "", err
		}
		if r != nil && !r.Time.Equal(t.at) {
			return ResetRewound, nil
		}
		found = found || r != nil
	}
	if found {
		return "", nil
	}
	newest := fo.last[len(fo.last)-1]
	r, err := fo.bus.last(ctx, fo.stream, newest.subject)
	if err != nil || r != nil && r.Sequence > newest.sequence {
		return "", err
	}
	return ResetRewound, nil
}

// reason says why what was applied cannot be continued, or "". A sequence alone proves nothing: after a roll-back the
// broker uses numbers again.
func (fo *follower) reason(s StreamState) string {
	switch {
	case !fo.begun:
		return ResetStart
	case !s.Created.Equal(fo.applied.Created) || s.Epoch != fo.epoch:
		return ResetRecreated
	case s.Last < fo.applied.Sequence:
		return ResetRewound
	}
	return ""
}

func (fo *follower) take(m jetstream.Msg) error {
	meta, err := m.Metadata()
	if err != nil {
		return fault.Errorf(fault.Internal, "read a record of %s: %w", fo.stream, err)
	}
	r := Record{
		Message: event.Message{Subject: m.Subject(), Header: event.Header(m.Headers()), Body: m.Data()},
		Stream:  fo.stream, Sequence: meta.Sequence.Stream, Time: meta.Timestamp,
	}
	r.Marker = isMarker(r.Header, r.Body)
	if r.Sequence <= fo.applied.Sequence {
		return nil // seen before the subscription was renewed
	}
	if err := fo.fold.Apply(r); err != nil {
		fo.bus.log.Warn("left a record out of the projection", "stream", fo.stream, "subject", r.Subject, "kind", fault.KindOf(err), "err", err)
	}
	fo.applied.Sequence = r.Sequence
	fo.last = append(fo.last[max(0, len(fo.last)-traces+1):], trace{r.Subject, r.Sequence, r.Time})
	if meta.NumPending == 0 || !fo.level && r.Sequence >= fo.goal {
		fo.caughtUp()
	}
	return nil
}

func (fo *follower) caughtUp() {
	fo.level = true
	fo.fold.CaughtUp(fo.applied)
}
