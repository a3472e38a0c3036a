// Package standalone is the whole of Tidings in one process: an embedded NATS server and the four services on one
// connection to it, each with the same app value that it has as a process of its own.
//
// It adds no behaviour. What differs from four processes is the order of the end: the services first, then the
// connection, the server last of all.
package standalone

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/run"
	deliver "tidings.internal/services/deliver/app"
	enrich "tidings.internal/services/enrich/app"
	ingest "tidings.internal/services/ingest/app"
	publish "tidings.internal/services/publish/app"
	"tidings.internal/services/tidings/internal/embedded"
	"tidings.internal/services/tidings/internal/ops"
)

const (
	// connectLimit is how long the start waits for a NATS server of the operator's own. The embedded one is there at
	// once.
	connectLimit = 15 * time.Second
	// closeLimit bounds the drain of the connection; what a service wanted stored is acknowledged before.
	closeLimit = 10 * time.Second
)

// serveVersion is the version of the verbs that an operator may ask, as NATS wants one.
const serveVersion = "1.0.0"

// Options are what a caller may want beside the whole itself. Each may be nil.
type Options struct {
	// Opened is called with the address of the feeds once it is bound.
	Opened func(feeds string, doc *config.Doc)
	// Hold keeps ingest from its first poll until it returns; the other services run meanwhile. It has the operator's
	// view of them. An error ends all.
	Hold func(ctx context.Context, o *ops.Ops) error
}

// Program is the whole as one program.
func Program(o Options) run.Program {
	return run.Program{
		Name:  ops.Role,
		Check: ops.Check,
		Open: func(ctx context.Context, env *run.Env) (run.App, error) {
			w, err := open(ctx, env)
			if err != nil {
				return nil, err
			}
			if o.Opened != nil {
				o.Opened(w.feeds, env.Config)
			}
			if o.Hold != nil {
				view := ops.On(w.bus, env.Config, ops.ReadNATS(env.Config))
				w.hold = func(ctx context.Context) error { return o.Hold(ctx, view) }
			}
			return w, nil
		},
	}
}

// service is what the four have in common.
type service struct {
	name string
	app  run.App
}

type whole struct {
	server   *embedded.Server // nil when the operator runs NATS
	bus      *bus.Bus
	services []service
	hold     func(context.Context) error // nil for none
	feeds    string
}

// open builds everything in the order in which it depends on one another, and undoes it in the reverse when it fails.
func open(ctx context.Context, env *run.Env) (w *whole, err error) {
	w = &whole{}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close(ctx))
		}
	}()
	n := ops.ReadNATS(env.Config)
	if err := env.Config.Err(); err != nil {
		return w, err
	}
	if err := w.connect(ctx, env, n); err != nil {
		return w, err
	}
	if err := w.prepare(ctx, env.Data, n); err != nil {
		return w, err
	}
	if err := ops.On(w.bus, env.Config, n).Figures(env.Metrics); err != nil {
		return w, err
	}
	if err := env.Offer(func(name string, verb run.Verb) error {
		_, err := w.bus.Serve(ctx, serveVersion, name, verb) // it ends with the bus
		return err
	}); err != nil {
		return w, err
	}
	return w, w.build(ctx, env)
}

// connect starts the server, unless the operator has one, and connects to it.
func (w *whole) connect(ctx context.Context, env *run.Env, n config.NATS) error {
	c := bus.Config{
		Service: ops.Role, URL: n.URL, CredentialsFile: n.CredentialsFile, TLS: bus.TLS(n.TLS), Log: env.Log, Observer: run.NewBusMetrics(env.Metrics),
	}
	if n.URL == "" {
		server, err := startServer(ctx, env.Data, n, env.Log)
		if err != nil {
			return err
		}
		w.server = server
		env.Checks.Degrade("disk", server.ProbeSpace)
		c.InProcess, c.Seed, c.CredentialsFile = server, server.Seed(), ""
	}
	b, err := bus.Connect(ctx, c)
	if err != nil {
		return err
	}
	w.bus = b
	within, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	return b.WaitConnected(within)
}

func startServer(ctx context.Context, data string, n config.NATS, log *slog.Logger) (*embedded.Server, error) {
	if data == "" {
		return nil, fault.Errorf(fault.Invalid, "start the embedded NATS server: no data directory; name one with --data")
	}
	always, every := n.SyncInterval()
	return embedded.Start(ctx, embedded.Config{
		Data: data, Listen: n.Listen, SyncAlways: always, SyncInterval: every, MaxFile: int64(n.MaxFile), Log: log,
	})
}

// prepare makes the streams as this version wants them. What could lose data stops the start: nobody is there to ask.
func (w *whole) prepare(ctx context.Context, data string, n config.NATS) error {
	t, err := ops.Topology(n)
	if err != nil {
		return err
	}
	plan, err := w.bus.Plan(ctx, t)
	if err != nil {
		return err
	}
	if w.server != nil && embedded.Begun(data) && misses(plan, event.StreamRaw) {
		return fault.Errorf(fault.Invalid, "prepare the store: the store in %s is empty, and Tidings has run with this directory before; put back the store that belongs "+
			"there or restore a backup; to begin anew run \"tidings topology apply\"", data)
	}
	if len(plan.Destructive()) > 0 {
		err := w.bus.Apply(ctx, plan, false)
		return fault.Errorf(fault.Invalid, "prepare the store: %w; to accept the loss run \"tidings topology apply --yes\"", err)
	}
	if err := w.bus.Apply(ctx, plan, false); err != nil {
		return err
	}
	if w.server != nil {
		if err := embedded.Begin(data); err != nil {
			return err
		}
	}
	if w.server == nil || n.Listen != "" {
		return nil // other processes may work on the same store
	}
	return w.freeLeases(ctx)
}

// misses reports whether a plan is to make a stream that is not there.
func misses(p bus.Plan, stream string) bool {
	return slices.ContainsFunc(p.Changes, func(c bus.Change) bool { return c.Kind == bus.ChangeCreate && c.Object == "stream "+stream })
}

// freeLeases takes away the leases that a killed process left behind; else nothing would be polled or posted until they
// run out after 30 s. The data directory is locked and the server was not open to others, so their holder is dead. It
// would be safe even if it lived: the fence of the next holder is higher, since it is a sequence of the bucket's stream,
// and all state is written by compare-and-set.
func (w *whole) freeLeases(ctx context.Context) error {
	leases := w.bus.Bucket(event.BucketLeases)
	left, err := leases.Entries(ctx)
	if err != nil {
		return err
	}
	for _, l := range left {
		if err := leases.Delete(ctx, l.Key); err != nil {
			return err
		}
	}
	return nil
}

// build makes the four services.
func (w *whole) build(ctx context.Context, env *run.Env) error {
	add := func(name string, app run.App) { w.services = append(w.services, service{name, app}) }
	i, err := ingest.New(ctx, ingest.Deps{Config: env.Config, Bus: w.bus.As("ingest"), Log: env.LogFor("ingest"), Metrics: env.Metrics, Checks: env.Checks, Trace: env.Trace.As("ingest")})
	if err != nil {
		return fmt.Errorf("start ingest: %w", err)
	}
	add("ingest", i)
	e, err := enrich.New(ctx, enrich.Deps{Config: env.Config, Bus: w.bus.As("enrich"), Log: env.LogFor("enrich"), Metrics: env.Metrics, Checks: env.Checks, Trace: env.Trace.As("enrich")})
	if err != nil {
		return fmt.Errorf("start enrich: %w", err)
	}
	add("enrich", e)
	d, err := deliver.New(ctx, deliver.Deps{Config: env.Config, Bus: w.bus.As("deliver"), Log: env.LogFor("deliver"), Metrics: env.Metrics, Checks: env.Checks, Trace: env.Trace.As("deliver")})
	if err != nil {
		return fmt.Errorf("start deliver: %w", err)
	}
	add("deliver", d)
	// The last, since it alone binds a port: when that fails nothing before it holds one.
	p, err := publish.New(ctx, publish.Deps{Config: env.Config, Bus: w.bus.As("publish"), Log: env.LogFor("publish"), Metrics: env.Metrics, Checks: env.Checks, Trace: env.Trace.As("publish")})
	if err != nil {
		return fmt.Errorf("start publish: %w", err)
	}
	add("publish", p)
	w.feeds = p.Addr().String()
	return nil
}

// Run works until ctx ends, then waits for the services, closes the connection, and stops the server. A service that
// fails ends the others: a process without one of its parts is restarted as a whole.
func (w *whole) Run(ctx context.Context) error {
	group, inner := errgroup.WithContext(ctx)
	for _, s := range w.services {
		group.Go(func() error {
			// A panic in one service becomes the error that ends all, so that the store is still closed in order.
			return run.Guard("run "+s.name, func() error {
				if s.name == "ingest" && w.hold != nil {
					if err := w.hold(inner); err != nil {
						return err
					}
				}
				return s.app.Run(inner)
			})
		})
	}
	err := group.Wait()
	return errors.Join(err, w.close(ctx))
}

func (w *whole) close(ctx context.Context) error {
	var errs []error
	if w.bus != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
		defer cancel()
		errs = append(errs, w.bus.Close(ctx))
	}
	if w.server != nil {
		errs = append(errs, w.server.Close())
	}
	return errors.Join(errs...)
}
