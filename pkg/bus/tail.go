package bus

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tidings.internal/pkg/event"
)

// Tail shows what is stored on the subjects that match a filter, from a time on and then as it comes, until ctx ends.
// It follows all streams at once, so records of different streams may come in another order than they were stored.
func (b *Bus) Tail(ctx context.Context, filter string, since time.Time, each func(Record)) error {
	if filter == "" {
		filter = ">"
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	var group sync.WaitGroup
	failed := make(chan error, 1)
	for _, stream := range []string{event.StreamRaw, event.StreamArticles, event.StreamPosts, event.StreamFeeds, event.StreamDead, event.StreamEvents} {
		info, err := b.streamInfo(ctx, stream)
		if err != nil {
			return err
		}
		filters := narrow(filter, info.Config.Subjects)
		if len(filters) == 0 {
			continue
		}
		group.Go(func() {
			err := b.tailOne(ctx, stream, filters, since, func(r Record) {
				mu.Lock()
				defer mu.Unlock()
				each(r)
			})
			if err != nil {
				select {
				case failed <- err:
				default: // one error is enough to stop
				}
				cancel()
			}
		})
	}
	group.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

func (b *Bus) tailOne(ctx context.Context, stream string, filters []string, since time.Time, each func(Record)) error {
	c := jetstream.OrderedConsumerConfig{FilterSubjects: filters, DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &since}
	consumer, err := b.js.OrderedConsumer(ctx, stream, c)
	if err != nil {
		return classify(err, "tail %s", stream)
	}
	cc, err := consumer.Consume(func(m jetstream.Msg) {
		if meta, err := m.Metadata(); err == nil {
			each(Record{
				Message: event.Message{Subject: m.Subject(), Header: event.Header(m.Headers()), Body: m.Data()},
				Stream:  stream, Sequence: meta.Sequence.Stream, Time: meta.Timestamp, Marker: isMarker(event.Header(m.Headers()), m.Data()),
			})
		}
	})
	if err != nil {
		return classify(err, "tail %s", stream)
	}
	select {
	case <-ctx.Done():
	case <-cc.Closed():
	}
	cc.Stop()
	<-cc.Closed()
	return nil
}
