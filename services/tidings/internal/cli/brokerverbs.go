package cli

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/tidings/internal/embedded"
	"tidings.internal/services/tidings/internal/ops"
	"tidings.internal/services/tidings/internal/standalone"
)

type tailVerb struct {
	Subject string        `arg:"" optional:"" help:"Subject, with * for one word and > for the rest, such as article.enriched.>"`
	Since   time.Duration `default:"0s" help:"Begin with what was stored within this time, such as 1h."`
	Body    bool          `help:"With --json: print the content too."`
	asJSON
}

// Run is the verb tail. It ends with the signal that the operator sends.
func (v *tailVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		ctx, stop := context.WithCancelCause(ctx)
		defer stop(nil)
		err := o.Tail(ctx, v.Subject, time.Now().Add(-v.Since), func(e ops.Event) {
			if err := v.print(w, e); err != nil {
				stop(err) // whoever read it has gone
			}
		})
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
			return nil
		}
		return err
	})
}

func (v *tailVerb) print(w *world, e ops.Event) error {
	if v.JSON {
		if !v.Body {
			e.Body = nil
		}
		return w.encodeLine(e)
	}
	what := e.Type
	if e.Marker {
		what = "expired"
	}
	if e.Revision > 0 {
		what += " r" + strconv.FormatUint(e.Revision, 10)
	}
	return w.printf("%s  %-60s  %-24s  %s\n", e.Time.Format("15:04:05.000"), plain(e.Subject), what, plain(e.About))
}

type topologyVerb struct {
	Plan  planVerb  `cmd:"" help:"Show what an apply would change."`
	Apply applyVerb `cmd:"" help:"Make streams and consumers as this version wants them."`
}

// replicas is the flag that stands for nats.replicas.
type replicas struct {
	Replicas int `help:"On how many servers each stream lies, in place of nats.replicas: 1 or 3." placeholder:"N"`
}

func (r replicas) check() error {
	if r.Replicas != 0 && r.Replicas != 1 && r.Replicas != 3 {
		return &usageError{"--replicas is 1 or 3"}
	}
	return nil
}

type planVerb struct {
	replicas
	asJSON
}

// Run is the verb topology plan.
func (v *planVerb) Run(w *world) error {
	if err := v.check(); err != nil {
		return err
	}
	return w.store(func(ctx context.Context, o *ops.Ops) error {
		p, err := o.WithReplicas(v.Replicas).Plan(ctx)
		if err != nil {
			return err
		}
		return w.plan(p, v.JSON)
	})
}

type applyVerb struct {
	Yes bool `help:"Also make changes that can lose data."`
	replicas
	asJSON
}

// Run is the verb topology apply.
func (v *applyVerb) Run(w *world) error {
	if err := v.check(); err != nil {
		return err
	}
	return w.store(func(ctx context.Context, o *ops.Ops) error {
		p, err := o.WithReplicas(v.Replicas).Apply(ctx, v.Yes)
		if len(p.Changes) > 0 || err == nil {
			err = errors.Join(w.plan(p, v.JSON), err)
		}
		return err
	})
}

// store connects as every verb does. When nothing runs in the data directory it starts that directory's server for
// itself: a store that needs a change before Tidings starts could not be changed otherwise.
func (w *world) store(f func(context.Context, *ops.Ops) error) error {
	return w.stored(true, f)
}

// kept is store for a verb that makes no sense without what a directory keeps: one that keeps nothing is not made.
func (w *world) kept(f func(context.Context, *ops.Ops) error) error {
	return w.stored(false, f)
}

func (w *world) stored(fresh bool, f func(context.Context, *ops.Ops) error) error {
	err := w.connected(f)
	if fault.KindOf(err) != fault.Unreachable {
		return err
	}
	doc, data, targetErr := w.target()
	if targetErr != nil {
		return targetErr
	}
	if n := ops.ReadNATS(doc); n.URL != "" || !fresh && !embedded.HasStore(data) {
		return err
	}
	return standalone.WithStore(w.ctx, data, doc, w.log(), func(o *ops.Ops) error { return f(w.ctx, o) })
}

func (w *world) plan(p bus.Plan, json bool) error {
	if json {
		if p.Changes == nil {
			p.Changes = []bus.Change{}
		}
		return w.encode(p)
	}
	if len(p.Changes) == 0 {
		return w.printf("nothing to change\n")
	}
	rows := make([][]string, len(p.Changes))
	for i, c := range p.Changes {
		rows[i] = []string{string(c.Kind), c.Object, strings.Join(c.Details, "; ")}
	}
	return w.table([]string{"CHANGE", "OBJECT", "DETAILS"}, rows)
}
