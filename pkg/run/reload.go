package run

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
)

// A reload takes a configuration over as a whole or not at all: it is read and checked first; then the app ends as it
// does on a stop, and another one opens in the same process. If that fails the former configuration is taken up again.
// Whatever the app was doing is safe for the reason for which a kill is: the next one goes on from what is stored.

// wish is a configuration that is to be taken over.
type wish struct {
	doc  *config.Doc
	done chan error
}

// reloader takes wishes, one at a time, whoever asks.
type reloader struct {
	mu     sync.Mutex
	p      *process
	wishes chan wish
	over   chan struct{} // closed once there is no app any more

	told   sync.Mutex // of what follows; mu is held for as long as a reload takes
	ended  int        // reloads that have ended
	failed string     // why the last one was refused
}

// do reloads and says in log and metrics what came of it.
func (r *reloader) do(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.reload(ctx)
	defer r.tell(err)
	if err != nil {
		r.p.metrics.reloadOK.Set(0)
		r.p.log.Error("config reload refused, the former values stay", errAttrs(err)...)
		return err
	}
	r.p.metrics.reloadOK.Set(1)
	r.p.metrics.reloadAt.SetToCurrentTime()
	r.p.log.Info("config reloaded")
	return nil
}

// tell keeps what came of a reload, for whoever asks later.
func (r *reloader) tell(err error) {
	r.told.Lock()
	defer r.told.Unlock()
	r.ended++
	r.failed = ""
	if err != nil {
		r.failed = err.Error()
	}
}

// stands returns what the last reload came to.
func (r *reloader) stands() (ended int, failed string) {
	r.told.Lock()
	defer r.told.Unlock()
	return r.ended, r.failed
}

// read reads the file as it is now, and says why it cannot be taken over.
func (r *reloader) read() (*config.Doc, error) {
	if file := r.p.options.Config; replaced(file) {
		return nil, fault.Errorf(fault.Invalid, "%s was replaced on the host; run \"docker compose restart\"", filepath.Base(file))
	}
	doc, s, err := document(r.p.program, r.p.options)
	if err != nil {
		return nil, err
	}
	if keys := changed(r.p.settings, s); len(keys) > 0 {
		return nil, fault.Errorf(fault.Invalid, "reload the configuration: needs restart: %s", strings.Join(keys, ", "))
	}
	return doc, nil
}

func (r *reloader) reload(ctx context.Context) error {
	doc, err := r.read()
	if err != nil {
		return err
	}
	w := wish{doc, make(chan error, 1)}
	ending := fault.Errorf(fault.Unreachable, "reload the configuration: the process is ending")
	select {
	case r.wishes <- w:
	case <-r.over:
		return ending
	case <-ctx.Done():
		return ending
	}
	select {
	case err := <-w.done:
		return err
	case <-r.over:
	}
	select {
	case err := <-w.done: // both were ready
		return err
	default:
		return ending
	}
}

// changed names the keys of this package's sections whose values differ. Logger, exporter and admin port outlive every
// app, so only a restart changes them. It looks at no document: one in use is not to be read beside a reload.
func changed(before, after settings) []string {
	var keys []string
	was, is := before.values(), after.values()
	for path, text := range is {
		if was[path] != text {
			keys = append(keys, path)
		}
	}
	slices.Sort(keys)
	return keys
}

// values are all settings by the path of their key.
func (s settings) values() map[string]string {
	return map[string]string{
		"log.level": s.log.Level, "log.format": s.log.Format, "log.pprof": strconv.FormatBool(s.log.Pprof),
		"tracing.otlp": s.tracing.OTLP, "tracing.sample": strconv.FormatFloat(s.tracing.Sample, 'g', -1, 64), "admin.listen": s.admin.Listen,
	}
}

// work is the app's own goroutine: one app after the other, each with the configuration of its time.
func (p *process) work(ctx context.Context) error {
	if p.reloader != nil {
		defer close(p.reloader.over)
	}
	app, err := p.open(ctx, p.env)
	for err == nil {
		p.checks.started()
		app, err = p.serve(ctx, app)
		if app == nil {
			break
		}
	}
	return stopped(ctx, err)
}

// serve runs an app until it ends or gives way to another one, which it returns.
func (p *process) serve(parent context.Context, app App) (next App, err error) {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- Guard("run "+p.program.Name, func() error { return app.Run(ctx) }) }()
	var wishes chan wish
	if p.reloader != nil {
		wishes = p.reloader.wishes
	}
	select {
	case err := <-ended:
		return nil, err
	case w := <-wishes:
		p.log.Info("reloading")
		p.checks.renew()
		cancel()
		bound := time.NewTimer(p.drainLimit())
		defer bound.Stop()
		select {
		case err = <-ended:
		case <-bound.C:
			err = busyError(p.program.Name, p.drainLimit())
		}
		if stopped(ctx, err) != nil {
			w.done <- err
			return nil, err
		}
		return p.change(parent, w)
	}
}

// change opens an app with another configuration, and the former one if that cannot be.
func (p *process) change(ctx context.Context, w wish) (App, error) {
	former := p.env
	p.env = former.with(w.doc)
	app, err := p.open(ctx, p.env)
	if err == nil {
		w.done <- nil
		return app, nil
	}
	p.env = former.with(former.Config)
	app, again := p.open(ctx, p.env)
	w.done <- err
	if again != nil {
		return nil, errors.Join(err, again)
	}
	return app, nil
}

// open opens an app. What one that cannot be opened has registered is taken back.
func (p *process) open(ctx context.Context, env *Env) (app App, err error) {
	p.checks.renew()
	p.metrics.renew(env)
	err = Guard("start "+p.program.Name, func() (err error) {
		app, err = p.program.Open(ctx, env)
		if err != nil {
			return openError(p.program.Name, err)
		}
		return nil
	})
	return app, err
}

// with returns the surroundings of another app with a configuration.
func (e *Env) with(doc *config.Doc) *Env {
	next := *e
	next.Config = doc
	return &next
}

// generation is what one app has registered.
type generation struct {
	registry *prometheus.Registry

	mu   sync.Mutex
	list []prometheus.Collector
}

var _ prometheus.Registerer = (*generation)(nil)

// Register implements [prometheus.Registerer].
func (g *generation) Register(c prometheus.Collector) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.registry.Register(c); err != nil {
		return err
	}
	g.list = append(g.list, c)
	return nil
}

// MustRegister implements [prometheus.Registerer].
func (g *generation) MustRegister(list ...prometheus.Collector) {
	for _, c := range list {
		if err := g.Register(c); err != nil {
			panic(err)
		}
	}
}

// Unregister implements [prometheus.Registerer].
func (g *generation) Unregister(c prometheus.Collector) bool { return g.registry.Unregister(c) }

// end takes back everything that was registered.
func (g *generation) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.list {
		g.registry.Unregister(c)
	}
	g.list = nil
}
