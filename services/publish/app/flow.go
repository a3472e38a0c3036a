package app

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/run"
)

// flow shows the streams that publish reads and writes, and what waits to be composed.
func (a *App) flow() prometheus.Collector {
	return run.NewFlow(run.Flow{
		Streams: []string{event.StreamArticles, event.StreamPosts, event.StreamFeeds}, Consumers: []string{event.ConsumerComposer},
		Level: func(ctx context.Context, stream string) (run.Level, error) {
			s, err := a.bus.StreamState(ctx, stream)
			return run.Level{Bytes: s.Bytes, Limit: s.MaxBytes}, err
		},
		Queue: func(ctx context.Context, consumer string) (run.Queue, error) {
			l, err := a.bus.Backlog(ctx, event.StreamArticles, consumer)
			return run.Queue{Pending: l.Pending, InHand: l.AckPending, Oldest: l.Oldest}, err
		},
	})
}
