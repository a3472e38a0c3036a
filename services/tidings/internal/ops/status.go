package ops

import (
	"context"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	deliver "tidings.internal/services/deliver/app"
)

// Status is how the whole stands.
type Status struct {
	Time    time.Time `json:"time"`
	Streams []Stream  `json:"streams"`
	// Stages are the consumers of the pipeline: what waits in front of each.
	Stages   []Stage         `json:"stages"`
	Sources  map[string]int  `json:"sources"` // by state
	Failing  []SourceStatus  `json:"failing"`
	Channels []ChannelStatus `json:"channels"`
	Dead     int             `json:"dead_letters"`
	// Drift lists what differs from the declared topology.
	Drift []string `json:"drift"`
}

// Stream is how full a stream is.
type Stream struct {
	Name     string `json:"name"`
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
	MaxBytes int64  `json:"max_bytes"`
}

// Stage is a consumer.
type Stage struct {
	Name   string `json:"name"`
	Stream string `json:"stream"`
	// Waiting are messages that were not handed out yet, InHand those that were and are not settled.
	Waiting uint64        `json:"waiting"`
	InHand  uint64        `json:"in_hand"`
	Oldest  time.Duration `json:"oldest_ns"`
}

// ChannelStatus is how a channel stands.
type ChannelStatus = deliver.ChannelStatus

// Channels lists every channel that deliver has ever opened.
func (o *Ops) Channels(ctx context.Context) ([]ChannelStatus, error) {
	return deliver.Channels(ctx, o.bus)
}

// good is the state of a source that needs no look.
const good = "active"

// Status asks for everything that tells whether articles flow.
func (o *Ops) Status(ctx context.Context) (Status, error) {
	s := Status{Time: time.Now().UTC(), Sources: map[string]int{}, Failing: []SourceStatus{}, Drift: []string{}}
	// Beside each other, since the sources take longest where they are many.
	group, within := errgroup.WithContext(ctx)
	group.Go(func() error {
		sources, err := o.Sources(within)
		for _, one := range sources {
			s.Sources[one.State]++
			if one.State != good && one.Sentence != "" {
				s.Failing = append(s.Failing, one)
			}
		}
		return err
	})
	group.Go(func() error { return o.rest(within, &s) })
	err := group.Wait()
	return s, err
}

// rest is everything but the sources.
func (o *Ops) rest(ctx context.Context, s *Status) error {
	if err := o.flow(ctx, s); err != nil {
		return err
	}
	var err error
	if s.Channels, err = o.Channels(ctx); err != nil {
		return err
	}
	letters, err := o.Dead(ctx, "", "", time.Time{})
	if err != nil {
		return err
	}
	s.Dead = len(letters)
	plan, err := o.Plan(ctx)
	if err != nil {
		return err
	}
	for _, c := range plan.Changes {
		s.Drift = append(s.Drift, string(c.Kind)+" "+c.Object+detail(c.Details))
	}
	return nil
}

func detail(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return ": " + strings.Join(list, "; ")
}

// flow reads streams and consumers.
func (o *Ops) flow(ctx context.Context, s *Status) error {
	t, err := Topology(o.nats)
	if err != nil {
		return err
	}
	for _, stream := range t.Streams {
		state, err := o.bus.StreamState(ctx, stream.StreamName())
		if err != nil {
			return err
		}
		s.Streams = append(s.Streams, Stream{stream.Name, state.Messages, state.Bytes, state.MaxBytes})
	}
	for _, c := range t.Consumers {
		l, err := o.bus.Backlog(ctx, c.Stream, c.Name)
		if err != nil {
			return err
		}
		s.Stages = append(s.Stages, Stage{Name: c.Name, Stream: c.Stream, Waiting: l.Pending, InHand: l.AckPending, Oldest: l.Oldest})
	}
	return nil
}
