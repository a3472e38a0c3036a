package run

import (
	"context"
	"log/slog"
	"strings"
	"time"
)

const (
	// watchStarting is how often the checks are asked before the process is ready, watchRunning how often afterwards.
	watchStarting = 100 * time.Millisecond
	watchRunning  = 5 * time.Second
	// patience is how long a start may take before the log says what it waits for.
	patience = 10 * time.Second
)

// watcher asks the checks regularly and logs what changed, so that a log tells when the process became ready and which
// check failed when, also when nobody asked /readyz at that moment.
type watcher struct {
	checks *Checks
	log    *slog.Logger
	began  time.Time
	ready  func()

	wasReady bool
	told     bool
	failing  map[string]bool
}

// run watches until ctx ends.
func (w *watcher) run(ctx context.Context) {
	w.failing = map[string]bool{}
	every := watchStarting
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		r := w.checks.Report(ctx)
		if ctx.Err() != nil {
			return // the probes failed because the process ends
		}
		w.see(r)
		if w.wasReady {
			every = watchRunning
		}
		timer.Reset(every)
	}
}

// see logs what is new in a report.
func (w *watcher) see(r Report) {
	took := time.Since(w.began)
	switch {
	case w.wasReady:
	case r.Status.Serving():
		w.wasReady = true
		w.log.Info("ready", "took", took.Round(time.Millisecond).String(), "status", string(r.Status))
		w.ready()
	case took > patience && !w.told:
		w.told = true
		w.log.Warn("not ready yet", "status", string(r.Status), "reason", reasons(r))
		return
	default:
		return
	}
	for _, c := range r.Checks {
		switch {
		case !c.OK && !w.failing[c.Name]:
			w.failing[c.Name] = true
			w.log.Warn("check failed", "check", c.Name, "err", c.Reason, "kind", string(c.kind), "hint", c.Hint)
		case c.OK && w.failing[c.Name]:
			delete(w.failing, c.Name)
			w.log.Info("check recovered", "check", c.Name)
		}
	}
}

// reasons joins what the failing checks say.
func reasons(r Report) string {
	var s []string
	for _, c := range r.Checks {
		if !c.OK {
			s = append(s, c.Name+": "+c.Reason)
		}
	}
	return strings.Join(s, "; ")
}
