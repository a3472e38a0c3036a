package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/run"
	"tidings.internal/services/ingest/internal/poll"
	"tidings.internal/services/ingest/internal/websub"
)

// The limits of the listener that hubs call.
const (
	hubHeader = 5 * time.Second
	hubRead   = 15 * time.Second
	hubWrite  = 30 * time.Second
	hubIdle   = 60 * time.Second
	hubStop   = 5 * time.Second
)

// hubs is the side of this service that hubs see.
type hubs struct {
	listener net.Listener
	keys     *websub.Keys
	server   *http.Server
}

// newHubs binds the listener; nil without an address that hubs could be given.
func newHubs(ctx context.Context, s WebSub) (*hubs, error) {
	if s.PublicURL == "" {
		return nil, nil
	}
	l, err := run.Listen(ctx, "ingest.websub.listen", s.Listen)
	if err != nil {
		return nil, err
	}
	return &hubs{listener: l, keys: websub.NewKeys([]byte(s.Key.Reveal()), s.PublicURL)}, nil
}

// poller is what a poller asks hubs with.
func (h *hubs) poller(a *App) *poll.Hubs {
	if h == nil {
		return nil
	}
	return &poll.Hubs{Client: a.client, Keys: h.keys}
}

// open makes the server once the engine is there.
func (h *hubs) open(a *App, allowSHA1 bool, observe func(outcome string)) {
	if h == nil {
		return
	}
	h.server = &http.Server{
		Handler:           websub.NewHandler(h.keys, a.engine, allowSHA1, time.Now, a.log, observe),
		ReadHeaderTimeout: hubHeader, ReadTimeout: hubRead, WriteTimeout: hubWrite, IdleTimeout: hubIdle, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
}

// run serves until ctx ends. What is being taken then is finished.
func (h *hubs) run(ctx context.Context) error {
	if h == nil {
		return nil
	}
	done := make(chan error, 1)
	go func() { done <- h.server.Serve(h.listener) }()
	select {
	case err := <-done:
		return fault.Errorf(fault.Internal, "serve hubs: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), hubStop)
	defer cancel()
	err := h.server.Shutdown(stop)
	if err != nil {
		err = errors.Join(err, h.server.Close())
	}
	if served := <-done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return nil // what was not finished is pushed again
	}
	return err
}

// fence gives the fence of whoever owns a shard at the moment.
func (a *App) fence(ctx context.Context, shard int) (uint64, error) {
	e, ok, err := a.bus.Bucket(event.BucketLeases).Read(ctx, fmt.Sprintf("%s.%d", Name, shard))
	if err == nil && !ok {
		err = fault.Errorf(fault.Throttled, "take a push: nobody owns shard %d yet", shard)
	}
	return e.Revision, err
}
