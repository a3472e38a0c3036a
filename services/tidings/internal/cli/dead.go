package cli

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/tidings/internal/ops"
)

type deadVerb struct {
	List  deadListVerb  `cmd:"" help:"List dead letters, oldest first."`
	Show  deadShowVerb  `cmd:"" help:"Print one with its content."`
	Retry deadRetryVerb `cmd:"" help:"Send dead letters back to where they came from."`
	Drop  deadDropVerb  `cmd:"" help:"Remove dead letters for good."`
}

// deadFilter are the flags that choose dead letters.
type deadFilter struct {
	Stage  string        `help:"Only those of a service." placeholder:"SERVICE"`
	Reason string        `help:"Only those with a reason, such as malformed."`
	Since  time.Duration `help:"Only those of this time, such as 24h."`
}

// find lists what they choose, the oldest first.
func (f deadFilter) find(ctx context.Context, o *ops.Ops) ([]bus.DeadLetter, error) {
	since := time.Time{}
	if f.Since > 0 {
		since = time.Now().Add(-f.Since)
	}
	return o.Dead(ctx, f.Stage, f.Reason, since)
}

type deadListVerb struct {
	deadFilter
	rowLimit
	asJSON
}

// Run is the verb dead list.
func (v *deadListVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		list, err := v.find(ctx, o)
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

// letters are the dead letters that a change is about: those of the numbers, or all that the flags choose.
type letters struct {
	Numbers []uint64 `arg:"" optional:"" name:"number" help:"Numbers of dead letters. Else those that the flags choose."`
	deadFilter
	All    bool   `help:"All of them."`
	DryRun bool   `help:"Only tell which."`
	Rate   string `help:"At most so many a second, such as 10/s." placeholder:"RATE"`
	asJSON
}

// check finds what makes no sense. Without a word nothing is meant, and not everything.
func (l *letters) check() (rate float64, err error) {
	chosen := l.Stage != "" || l.Reason != "" || l.Since > 0
	switch {
	case len(l.Numbers) > 0 && (chosen || l.All):
		return 0, &usageError{"numbers go with none of --stage, --reason, --since and --all"}
	case len(l.Numbers) == 0 && !chosen && !l.All:
		return 0, &usageError{"say which: numbers, --stage, --reason, --since, or --all"}
	case l.Rate == "":
		return 0, nil
	}
	return readRate(l.Rate)
}

// change does something to each letter, and tells what became of it. planned is the word for one of a dry run; sure asks
// once more where something is lost.
func (l *letters) change(w *world, planned string, do func(context.Context, *ops.Ops, uint64) (string, error), sure func(n int) error) error {
	rate, err := l.check()
	if err != nil {
		return err
	}
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		numbers := l.Numbers
		if len(numbers) == 0 {
			list, err := l.find(ctx, o)
			if err != nil {
				return err
			}
			for _, one := range list {
				numbers = append(numbers, one.Sequence)
			}
		}
		if l.DryRun {
			return l.print(w, ops.Each(ctx, numbers, rate, func(n uint64) (string, error) {
				_, err := o.DeadLetter(ctx, n)
				return planned, err
			}))
		}
		if err := sure(len(numbers)); err != nil {
			return err
		}
		return l.print(w, ops.Each(ctx, numbers, rate, func(n uint64) (string, error) { return do(ctx, o, n) }))
	})
}

// print tells what became of each.
func (l *letters) print(w *world, done ops.Outcomes) error {
	switch {
	case l.JSON:
		if err := w.encode(done.Done); err != nil {
			return err
		}
	case len(done.Done) == 0:
		if err := w.printf("no dead letters\n"); err != nil {
			return err
		}
	default:
		rows := make([][]string, len(done.Done))
		for i, d := range done.Done {
			rows[i] = []string{strconv.FormatUint(d.Sequence, 10), d.Outcome, d.Error}
		}
		if err := w.table([]string{"NUMBER", "OUTCOME", "ERROR"}, rows); err != nil {
			return err
		}
	}
	bad := 0
	for _, d := range done.Done {
		if d.Error != "" {
			bad++
		}
	}
	if good := len(done.Done) - bad; done.Failed != nil && good > 0 {
		return &partial{good, bad}
	}
	return done.Failed
}

type deadRetryVerb struct{ letters }

// Run is the verb dead retry.
func (v *deadRetryVerb) Run(w *world) error {
	return v.change(w, "would be sent", func(ctx context.Context, o *ops.Ops, n uint64) (string, error) { return o.Retry(ctx, n) }, func(int) error { return nil })
}

type deadDropVerb struct {
	letters
	Yes bool `help:"Do not ask: a dropped letter is gone for good."`
}

// Run is the verb dead drop.
func (v *deadDropVerb) Run(w *world) error {
	if !v.Yes && !v.DryRun && !asks(w) {
		return &usageError{"dead drop removes for good; add --yes"}
	}
	return v.change(w, "would be dropped", func(ctx context.Context, o *ops.Ops, n uint64) (string, error) { return "dropped", o.Drop(ctx, n) }, func(n int) error {
		if v.Yes || n == 0 || confirmed(os.Stdin, w.stderr, fmt.Sprintf("drop %d dead letters for good?", n)) {
			return nil
		}
		return fault.Errorf(fault.Refused, "nothing was dropped")
	})
}
