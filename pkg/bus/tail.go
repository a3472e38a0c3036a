package bus

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// Tail shows what is stored on the subjects that match a filter, from a time on and then as it comes, until ctx ends.
// It follows all streams at once, so records of different streams may come in another order than they were stored.
func (b *Bus) Tail(ctx context.Context, filter string, since time.Time, each func(Record)) error {
	if filter == "" {
		filter = ">"
	}
	filters := map[string][]string{}
	for _, stream := range []string{event.StreamRaw, event.StreamArticles, event.StreamPosts, event.StreamFeeds, event.StreamDead, event.StreamEvents} {
		info, err := b.streamInfo(ctx, stream)
		if err != nil {
			return err
		}
		if parts := narrow(filter, info.Config.Subjects); len(parts) > 0 {
			filters[stream] = parts
		}
	}
	var mu sync.Mutex
	var group sync.WaitGroup
	for stream, parts := range filters {
		t := &tail{bus: b, stream: stream, filters: parts, since: since, each: func(r Record) {
			mu.Lock()
			defer mu.Unlock()
			each(r)
		}}
		group.Go(func() { b.again(ctx, "stopped tailing for now", t.once, "stream", stream) })
	}
	group.Wait()
	return nil
}

type tail struct {
	bus     *Bus
	stream  string
	filters []string
	since   time.Time
	each    func(Record)
	shown   uint64
}

func (t *tail) once(ctx context.Context) error {
	c := jetstream.OrderedConsumerConfig{FilterSubjects: t.filters, DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &t.since, MaxResetAttempts: 1}
	if t.shown > 0 {
		c.DeliverPolicy, c.OptStartTime, c.OptStartSeq = jetstream.DeliverByStartSequencePolicy, nil, t.shown+1
	}
	consumer, err := t.bus.js.OrderedConsumer(ctx, t.stream, c)
	if err != nil {
		return classify(err, "tail %s", t.stream)
	}
	records, failed, done := make(chan jetstream.Msg), make(chan error, 1), make(chan struct{})
	cc, err := consumer.Consume(func(m jetstream.Msg) {
		select {
		case records <- m:
		case <-done:
		}
	}, jetstream.ConsumeErrHandler(endOn(failed)))
	if err != nil {
		return classify(err, "tail %s", t.stream)
	}
	err = t.loop(ctx, records, failed)
	close(done)
	cc.Stop()
	<-cc.Closed()
	return err
}

func (t *tail) loop(ctx context.Context, records <-chan jetstream.Msg, failed <-chan error) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return classify(err, "tail %s", t.stream)
		case m := <-records:
			meta, err := m.Metadata()
			if err != nil {
				return fault.Errorf(fault.Internal, "read a record of %s: %w", t.stream, err)
			}
			t.shown = meta.Sequence.Stream
			header := event.Header(m.Headers())
			t.each(Record{
				Message: event.Message{Subject: m.Subject(), Header: header, Body: m.Data()},
				Stream:  t.stream, Sequence: meta.Sequence.Stream, Time: meta.Timestamp, Marker: isMarker(header, m.Data()),
			})
		}
	}
}
