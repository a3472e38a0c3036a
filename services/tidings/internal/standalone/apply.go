package standalone

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/run"
	"tidings.internal/services/tidings/internal/ops"
)

// WithStore starts the server of a data directory for the time of f, without any service. It is how the topology of a
// store is changed that refuses to start: the directory must be in nobody's hands.
func WithStore(ctx context.Context, data string, doc *config.Doc, log *slog.Logger, f func(*ops.Ops) error) (err error) {
	n := ops.ReadNATS(doc)
	if err := doc.Err(); err != nil {
		return err
	}
	unlock, err := run.LockData(data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	server, err := startServer(ctx, data, n, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	b, err := bus.Connect(ctx, bus.Config{Service: ops.Role, InProcess: server, Seed: server.Seed(), Log: log})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
		defer cancel()
		err = errors.Join(err, b.Close(ctx))
	}()
	within, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := b.WaitConnected(within); err != nil {
		return err
	}
	return f(ops.On(b, doc, n))
}
