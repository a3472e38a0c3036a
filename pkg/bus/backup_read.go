package bus

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// sweepIdle is how long a sweep waits for the next record.
const sweepIdle = 10 * time.Second

// Read shows everything that a stream holds at this moment, in order. Unlike [Bus.Scan] it has the broker send ahead,
// which reads a long stream some hundred times faster.
func (b *Bus) Read(ctx context.Context, stream string, each func(Record) error) error {
	return b.sweep(ctx, stream, nil, each)
}

// sweep shows what a stream holds at this moment on the subjects that match one of the filters, all for none.
func (b *Bus) sweep(ctx context.Context, stream string, filters []string, each func(Record) error) error {
	state, err := b.StreamState(ctx, stream)
	if err != nil || state.Messages == 0 {
		return err
	}
	return b.level(ctx, stream, jetstream.OrderedConsumerConfig{FilterSubjects: filters, DeliverPolicy: jetstream.DeliverAllPolicy}, state.Last, each)
}

// level shows what a stream holds up to a sequence, or, for 0, until nothing is left to show: everything that the
// stream held at that instant, of what was asked for, has been shown then.
func (b *Bus) level(ctx context.Context, stream string, config jetstream.OrderedConsumerConfig, last uint64, each func(Record) error) error {
	consumer, err := b.js.OrderedConsumer(ctx, stream, config)
	if err != nil {
		return classify(err, "read %s", stream)
	}
	if consumer.CachedInfo().NumPending == 0 {
		return nil
	}
	messages, done := make(chan jetstream.Msg, 64), make(chan struct{})
	cc, err := consumer.Consume(func(m jetstream.Msg) {
		select {
		case messages <- m:
		case <-done:
		}
	})
	if err != nil {
		return classify(err, "read %s", stream)
	}
	err = shown(ctx, stream, last, messages, each)
	close(done)
	cc.Stop()
	<-cc.Closed()
	return err
}

func shown(ctx context.Context, stream string, last uint64, messages <-chan jetstream.Msg, each func(Record) error) error {
	idle := time.NewTimer(sweepIdle)
	defer idle.Stop()
	for {
		select {
		case m := <-messages:
			idle.Reset(sweepIdle)
			meta, err := m.Metadata()
			if err != nil {
				return fault.Errorf(fault.Internal, "read %s: %w", stream, err)
			}
			if last > 0 && meta.Sequence.Stream > last {
				return nil
			}
			err = each(Record{
				Message: event.Message{Subject: m.Subject(), Header: event.Header(m.Headers()), Body: m.Data()},
				Stream:  stream, Sequence: meta.Sequence.Stream, Time: meta.Timestamp, Marker: isMarker(event.Header(m.Headers()), m.Data()),
			})
			if err != nil || meta.NumPending == 0 || meta.Sequence.Stream == last {
				return err
			}
		case <-idle.C:
			return fault.Errorf(fault.Unreachable, "read %s: nothing came within %v", stream, sweepIdle)
		case <-ctx.Done():
			return classify(ctx.Err(), "read %s", stream)
		}
	}
}
