package bus

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// firstWait and lastWait bound the pause before something that ended is begun again.
	firstWait = 100 * time.Millisecond
	lastWait  = 5 * time.Second
	// steady is how long something must have worked for its next end to count as the first one.
	steady = time.Minute
)

// again does something until ctx ends, with growing pauses while it fails, cut short when the connection comes back. Of
// failures in a row only the first is a warning: an outage is one event, however often it is looked at.
func (b *Bus) again(ctx context.Context, message string, once func(ctx context.Context) error, attrs ...any) {
	wait, level := firstWait, slog.LevelWarn
	back, forget := b.onReconnect()
	defer forget()
	for ctx.Err() == nil {
		started := time.Now()
		err := once(ctx)
		if err == nil || time.Since(started) > steady {
			wait, level = firstWait, slog.LevelWarn
		}
		if err != nil && ctx.Err() == nil {
			b.log.Log(ctx, level, message, append(attrs, "retry_in", wait, "err", err)...)
			level = slog.LevelDebug
		}
		pause := time.NewTimer(wait)
		if err != nil {
			wait = min(2*wait, lastWait)
		}
		select {
		case <-ctx.Done():
		case <-back:
			wait = firstWait
		case <-pause.C:
		}
		pause.Stop()
	}
}

// endOn returns a handler for the errors of an ordered consumer that ends the subscription by the first one. The notice
// of a server that shuts down is none: the connection ends next, and the library goes on with the new one.
func endOn(failed chan<- error) func(jetstream.ConsumeContext, error) {
	return func(_ jetstream.ConsumeContext, err error) {
		if errors.Is(err, jetstream.ErrServerShutdown) {
			return
		}
		select {
		case failed <- err:
		default: // one is enough to begin again
		}
	}
}
