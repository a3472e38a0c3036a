package bus

import (
	"context"
	"errors"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings.internal/pkg/event"
)

// lostConsumer says whether an error means that pulling has no object any more. The library ends by itself only where
// the broker says so to a waiting pull; a consumer that was deleted during an outage is noticed by silence.
func lostConsumer(err error) bool {
	return errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrNoHeartbeat) || errors.Is(err, jetstream.ErrConsumerDeleted) ||
		errors.Is(err, jetstream.ErrConsumerNotFound)
}

// EnsureConsumer makes a durable consumer unless it exists with these settings. It reports whether it made one.
func (b *Bus) EnsureConsumer(ctx context.Context, c event.Consumer) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	_, err := b.js.Consumer(ctx, c.Stream, c.Name)
	if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return false, classify(err, "look for consumer %s of %s", c.Name, c.Stream)
	}
	made := err != nil
	if _, err := b.js.CreateOrUpdateConsumer(ctx, c.Stream, consumerConfig(c)); err != nil {
		return false, classify(err, "make consumer %s of %s", c.Name, c.Stream)
	}
	return made, nil
}

// DropConsumer removes a durable consumer. One that does not exist is no error.
func (b *Bus) DropConsumer(ctx context.Context, stream, name string) error {
	err := b.js.DeleteConsumer(ctx, stream, name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil
	}
	return classify(err, "drop consumer %s of %s", name, stream)
}

func consumerConfig(c event.Consumer) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable: c.Name, Description: c.About, FilterSubject: c.Filter,
		AckPolicy: jetstream.AckExplicitPolicy, DeliverPolicy: jetstream.DeliverAllPolicy, ReplayPolicy: jetstream.ReplayInstantPolicy,
		MaxDeliver: c.MaxDeliver, MaxAckPending: c.MaxAckPending, AckWait: c.AckWait, Replicas: c.Replicas,
		Metadata: map[string]string{event.MetaTopology: strconv.Itoa(event.TopologyNumber), event.MetaAttempts: strconv.Itoa(c.Attempts)},
	}
}
