package run

import (
	"context"
	"log/slog"
	"sync"
)

// reloader calls a program's Reload, one call at a time, whoever asks.
type reloader struct {
	mu      sync.Mutex
	run     func(ctx context.Context) error
	log     *slog.Logger
	metrics *metrics
}

// do reloads and says in log and metrics what came of it.
func (r *reloader) do(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := Guard("reload the configuration", func() error { return r.run(ctx) })
	if err != nil {
		r.metrics.reloadOK.Set(0)
		r.log.Error("config reload refused, the former values stay", errAttrs(err)...)
		return err
	}
	r.metrics.reloadOK.Set(1)
	r.metrics.reloadAt.SetToCurrentTime()
	r.log.Info("config reloaded")
	return nil
}
