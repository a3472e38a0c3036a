package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"tidings.internal/pkg/fault"
)

// process is one run of a program.
type process struct {
	program  Program
	options  Options
	host     host
	settings settings
	build    Build
	checks   *Checks
	metrics  *metrics
	log      *slog.Logger
	recent   *recent
	env      *Env
	reloader *reloader

	// name tells processes of one service apart, see [Standing].
	name string
	// ctx ends when the process is told to; background is what an operator has begun, pages what the admin port shows.
	ctx        context.Context
	background sync.WaitGroup
	pages      http.Handler
}

// signalled is the cause of an end that a signal asked for.
type signalled struct{ signal os.Signal }

func (s signalled) Error() string { return "signal: " + s.signal.String() }

// run is the life of a process: admin port, app, and the end in its order.
func (p *process) run(parent context.Context) error {
	if p.options.Config != "" && p.options.Doc == nil { // a configuration that can be read again
		p.reloader = &reloader{p: p, wishes: make(chan wish), over: make(chan struct{})}
	}
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	listener, err := Listen(ctx, "admin.listen", p.settings.admin.Listen)
	if err != nil {
		return stopped(ctx, err)
	}
	addr := listener.Addr().String()
	p.log.Info("starting", "version", p.build.Version, "admin", addr)
	var reconfigure func(context.Context) error
	if p.reloader != nil {
		reconfigure = p.reloader.do
	}
	shows := &admin{
		name: p.program.Name, build: p.build, checks: p.checks, log: p.log, metrics: p.metrics,
		reconfigure: reconfigure, recent: p.recent, pprof: p.settings.log.Pprof, local: isLoopback(listener.Addr()),
	}
	server := shows.server()
	p.ctx, p.pages, p.env.process = ctx, shows.routes(), p

	// The group holds what serves the process itself. Each part ends by itself once ctx has ended or, the server, once
	// it is shut.
	var group sync.WaitGroup
	group.Go(func() {
		if err := serve(server, listener); err != nil {
			cancel(err)
		}
	})
	quit := make(chan struct{})
	p.handleSignals(ctx, &group, quit, cancel)
	w := &watcher{checks: p.checks, log: p.log, began: time.Now(), ready: func() {
		if p.options.Ready != nil {
			p.options.Ready(addr)
		}
	}}
	group.Go(func() { w.run(ctx) })
	if p.host.bound != nil {
		p.host.bound(addr)
	}

	err = p.runApp(ctx)
	cause := context.Cause(ctx)
	cancel(nil)
	close(quit)
	err = errors.Join(err, endCause(cause), shut(server, adminShare(p.host.limit)))
	if !waitFor(&group, adminShare(p.host.limit)) || !waitFor(&p.background, adminShare(p.host.limit)) {
		err = errors.Join(err, busyError("the admin port of "+p.program.Name, p.host.limit))
	}
	return err
}

// adminShare is the part of the stop limit that is kept for the admin port, which goes last.
func adminShare(limit time.Duration) time.Duration { return limit / 25 }

// drainLimit is how long an app may take to end.
func (p *process) drainLimit() time.Duration { return p.host.limit - 2*adminShare(p.host.limit) }

// endCause returns the error that made the process end by itself, nil when somebody asked for the end.
func endCause(cause error) error {
	var s signalled
	if cause == nil || errors.As(cause, &s) || onlyCancelled(cause) || errors.Is(cause, context.DeadlineExceeded) {
		return nil
	}
	return cause
}

// runApp opens and runs the app and gives it, once ctx has ended, a bounded time to drain.
func (p *process) runApp(ctx context.Context) error {
	ended := make(chan error, 1)
	go func() { ended <- p.work(ctx) }()
	var err error
	select {
	case err = <-ended:
		p.checks.drain()
	case <-ctx.Done():
		p.checks.drain() // first of all: whoever asks is told before the intake stops
		began := time.Now()
		p.log.Info("stopping", "reason", context.Cause(ctx).Error())
		limit := p.drainLimit()
		bound := time.NewTimer(limit)
		defer bound.Stop()
		select {
		case err = <-ended:
		case <-bound.C:
			return busyError(p.program.Name, limit)
		}
		if err == nil {
			p.log.Info("stopped", "took", time.Since(began).Round(time.Millisecond).String())
		}
	}
	if broke, ok := errors.AsType[*panicError](err); ok {
		p.log.Error("panic recovered", "err", err.Error(), "kind", string(fault.KindOf(err)), "stack", string(broke.stack))
	}
	return err
}

// handleSignals listens until quit is closed. The first signal to stop cancels, the second ends the process with
// nothing drained.
func (p *process) handleSignals(ctx context.Context, group *sync.WaitGroup, quit <-chan struct{}, cancel context.CancelCauseFunc) {
	arrived := make(chan os.Signal, 4)
	signal.Notify(arrived, syscall.SIGINT, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // nohup asked for it
		signal.Notify(arrived, syscall.SIGHUP)
	}
	group.Go(func() {
		defer signal.Stop(arrived)
		stopping := false
		for {
			select {
			case <-quit:
				return
			case s := <-arrived:
				switch {
				case s == syscall.SIGHUP && p.reloader != nil:
					group.Go(func() { _ = p.reloader.do(ctx) }) // the reloader has logged and counted its error
				case stopping:
					_, _ = fmt.Fprintf(p.options.Stderr, "%s: second signal (%v): ended at once, nothing drained\n", p.program.Name, s)
					p.host.exit(fault.Internal.Row().Exit)
				default:
					stopping = true
					cancel(signalled{s})
				}
			}
		}
	})
}

// waitFor waits for a group, at most a time, and reports whether it ended.
func waitFor(group *sync.WaitGroup, limit time.Duration) bool {
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-time.After(limit):
		return false
	}
}
