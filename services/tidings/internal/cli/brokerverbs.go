package cli

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/fault"
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

type deadVerb struct {
	List  deadListVerb  `cmd:"" help:"List dead letters, oldest first."`
	Show  deadShowVerb  `cmd:"" help:"Print one with its content."`
	Retry deadRetryVerb `cmd:"" help:"Send dead letters back to where they came from."`
	Drop  deadDropVerb  `cmd:"" help:"Remove dead letters for good."`
}

type deadListVerb struct {
	Stage  string        `help:"Only those of a service." placeholder:"SERVICE"`
	Reason string        `help:"Only those with a reason, such as malformed."`
	Since  time.Duration `help:"Only those of this time, such as 24h."`
	rowLimit
	asJSON
}

// Run is the verb dead list.
func (v *deadListVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		since := time.Time{}
		if v.Since > 0 {
			since = time.Now().Add(-v.Since)
		}
		list, err := o.Dead(ctx, v.Stage, v.Reason, since)
		if err != nil {
			return err
		}
		left := 0
		if n := v.most(); n > 0 && len(list) > n {
			left = len(list) - n
			list = list[left:]
		}
		defer w.leftOut(left)
		if v.JSON {
			return w.encode(struct {
				Letters []bus.DeadLetter `json:"letters"`
				Left    int              `json:"left_out"`
			}{list, left})
		}
		if len(list) == 0 {
			return w.printf("no dead letters\n")
		}
		rows := make([][]string, len(list))
		for i, l := range list {
			rows[i] = []string{strconv.FormatUint(l.Sequence, 10), when(l.Time), l.Service, l.Reason, l.Subject, l.Error}
		}
		return w.table([]string{"NUMBER", "TIME", "STAGE", "REASON", "SUBJECT", "ERROR"}, rows)
	})
}

type deadShowVerb struct {
	Number uint64 `arg:"" help:"Number of the dead letter."`
	asJSON
}

// Run is the verb dead show.
func (v *deadShowVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		l, err := o.DeadLetter(ctx, v.Number)
		if err != nil {
			return err
		}
		if v.JSON {
			return w.encode(l)
		}
		row := fault.Kind(l.Kind).Row()
		rows := [][]string{
			{"time", when(l.Time)}, {"stage", l.Service}, {"reason", l.Reason}, {"error", l.Error}, {"means", row.Sentence}, {"hint", row.Hint},
			{"from", l.Stream + " " + strconv.FormatUint(l.Origin, 10)}, {"subject", l.Subject}, {"deliveries", strconv.Itoa(l.Deliveries)},
			{"type", l.Type}, {"id", l.ID}, {"article", l.Article},
		}
		rows = slices.DeleteFunc(rows, func(r []string) bool { return r[1] == "" })
		if err := w.table([]string{"number", strconv.FormatUint(l.Sequence, 10)}, rows); err != nil {
			return err
		}
		if l.Body != nil {
			return w.encode(l.Body)
		}
		return w.printf("%q\n", l.Text)
	})
}

type numbers struct {
	Numbers []uint64 `arg:"" name:"number" help:"Numbers of dead letters."`
	asJSON
}

// run prints what became of each.
func (n *numbers) run(w *world, do func(context.Context, *ops.Ops) ([]ops.Done, error)) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		done, failed := do(ctx, o)
		if err := n.print(w, done); err != nil {
			return err
		}
		good := 0
		for _, d := range done {
			if d.Error == "" {
				good++
			}
		}
		if failed != nil && good > 0 {
			return &partial{good, len(done) - good}
		}
		return failed
	})
}

func (n *numbers) print(w *world, done []ops.Done) error {
	if n.JSON {
		return w.encode(done)
	}
	rows := make([][]string, len(done))
	for i, d := range done {
		rows[i] = []string{strconv.FormatUint(d.Sequence, 10), d.Outcome, d.Error}
	}
	return w.table([]string{"NUMBER", "OUTCOME", "ERROR"}, rows)
}

type deadRetryVerb struct{ numbers }

// Run is the verb dead retry.
func (v *deadRetryVerb) Run(w *world) error {
	return v.run(w, func(ctx context.Context, o *ops.Ops) ([]ops.Done, error) { return o.Retry(ctx, v.Numbers) })
}

type deadDropVerb struct {
	numbers
	Yes bool `help:"Needed: a dropped letter is gone for good."`
}

// Run is the verb dead drop.
func (v *deadDropVerb) Run(w *world) error {
	if !v.Yes {
		return &usageError{"dead drop removes for good; add --yes"}
	}
	return v.run(w, func(ctx context.Context, o *ops.Ops) ([]ops.Done, error) { return o.Drop(ctx, v.Numbers) })
}

type topologyVerb struct {
	Plan  planVerb  `cmd:"" help:"Show what an apply would change."`
	Apply applyVerb `cmd:"" help:"Make streams and consumers as this version wants them."`
}

type planVerb struct{ asJSON }

// Run is the verb topology plan.
func (v *planVerb) Run(w *world) error {
	return w.store(func(ctx context.Context, o *ops.Ops) error {
		p, err := o.Plan(ctx)
		if err != nil {
			return err
		}
		return w.plan(p, v.JSON)
	})
}

type applyVerb struct {
	Yes bool `help:"Also make changes that can lose data."`
	asJSON
}

// Run is the verb topology apply.
func (v *applyVerb) Run(w *world) error {
	return w.store(func(ctx context.Context, o *ops.Ops) error {
		p, err := o.Apply(ctx, v.Yes)
		if len(p.Changes) > 0 || err == nil {
			err = errors.Join(w.plan(p, v.JSON), err)
		}
		return err
	})
}

// store connects as every verb does. When nothing runs in the data directory it starts that directory's server for
// itself: a store that needs a change before Tidings starts could not be changed otherwise.
func (w *world) store(f func(context.Context, *ops.Ops) error) error {
	err := w.connected(f)
	if fault.KindOf(err) != fault.Unreachable {
		return err
	}
	doc, data, targetErr := w.target()
	if targetErr != nil {
		return targetErr
	}
	if n := ops.ReadNATS(doc); n.URL != "" {
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
