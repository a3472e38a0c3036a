package app

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/run"
)

// flow shows RAW and what waits there for enrich. Ingest looks at both anyway, so as to fetch no more than can be kept.
func (a *App) flow() prometheus.Collector {
	return run.NewFlow(run.Flow{
		Streams: []string{event.StreamRaw}, Consumers: []string{event.ConsumerEnrich, event.ConsumerBackfill},
		Level: func(ctx context.Context, stream string) (run.Level, error) {
			s, err := a.bus.StreamState(ctx, stream)
			return run.Level{Bytes: s.Bytes, Limit: s.MaxBytes}, err
		},
		Queue: func(ctx context.Context, consumer string) (run.Queue, error) {
			l, err := a.bus.Backlog(ctx, event.StreamRaw, consumer)
			return run.Queue{Pending: l.Pending, InHand: l.AckPending, Oldest: l.Oldest}, err
		},
	})
}
