package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/run"
	"tidings.internal/services/tidings/internal/ops"
)

type statusVerb struct {
	Watch bool          `xor:"how" help:"Print it anew every two seconds, until stopped."`
	Wait  time.Duration `xor:"how" help:"Wait up to this long, such as 60s, for the broker to answer and for every stage to have nothing left to do; exit 1 if it did not come to that." placeholder:"TIME"`
	asJSON
}

const (
	watchEvery = 2 * time.Second
	waitEvery  = 250 * time.Millisecond
)

// Run is the verb status.
func (v *statusVerb) Run(w *world) error {
	switch {
	case v.Watch:
		return w.connected(func(ctx context.Context, o *ops.Ops) error { return v.watch(ctx, w, o) })
	case v.Wait > 0:
		return v.wait(w)
	}
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		s, err := o.Status(ctx)
		if err != nil {
			return err
		}
		return v.print(w, s)
	})
}

func (v *statusVerb) print(w *world, s ops.Status) error {
	if v.JSON {
		return w.encode(s)
	}
	return w.status(s)
}

// watch ends with the signal that the operator sends.
func (v *statusVerb) watch(ctx context.Context, w *world, o *ops.Ops) error {
	for {
		s, err := o.Status(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case v.JSON:
			err = w.encodeLine(s)
		default:
			if err = w.printf("--- %s\n", when(s.Time)); err == nil {
				err = w.status(s)
			}
		}
		if err != nil {
			return err
		}
		if !pause(ctx, watchEvery) {
			return nil
		}
	}
}

// wait asks until nothing is left to do. A broker that does not answer yet, or lacks its streams, may still start; a wrong
// configuration does not become right by waiting.
func (v *statusVerb) wait(w *world) error {
	asked, end := run.Interruptible(w.ctx)
	defer end()
	ctx, stop := context.WithTimeout(asked, v.Wait)
	defer stop()
	in := *w
	in.read = asked // an answer that is under way may be given still
	for {
		var s ops.Status
		err := in.connected(func(ctx context.Context, o *ops.Ops) (err error) {
			s, err = o.Status(ctx)
			return err
		})
		switch {
		case asked.Err() != nil:
			return asked.Err()
		case fault.KindOf(err) == fault.Invalid, fault.KindOf(err) == fault.Refused:
			return err
		case err == nil && !busy(s):
			return v.print(w, s)
		case pause(ctx, waitEvery):
			continue
		case err != nil:
			return err
		}
		return errors.Join(v.print(w, s), fault.Errorf(fault.Refused, "wait for the stages: after %v there is still something to do", v.Wait))
	}
}

// busy reports whether a stage has something to do.
func busy(s ops.Status) bool {
	return slices.ContainsFunc(s.Stages, func(one ops.Stage) bool { return one.Waiting+one.InHand > 0 })
}

// pause waits, and reports whether ctx let it.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (w *world) status(s ops.Status) error {
	var rows [][]string
	for _, one := range s.Stages {
		rows = append(rows, []string{one.Name, one.Stream, strconv.FormatUint(one.Waiting, 10), strconv.FormatUint(one.InHand, 10), one.Oldest.Round(time.Second).String()})
	}
	if err := w.table([]string{"STAGE", "STREAM", "WAITING", "IN HAND", "OLDEST"}, rows); err != nil {
		return err
	}
	rows = nil
	for _, one := range s.Streams {
		rows = append(rows, []string{one.Name, strconv.FormatUint(one.Messages, 10), size(one.Bytes), fmt.Sprintf("%.1f %%", 100*float64(one.Bytes)/max(1, float64(one.MaxBytes)))})
	}
	if err := w.printf("\n"); err != nil {
		return err
	}
	if err := w.table([]string{"HOLDS", "MESSAGES", "SIZE", "FULL"}, rows); err != nil {
		return err
	}
	rows = nil
	for _, c := range s.Channels {
		rows = append(rows, []string{c.ID, c.Network, counts(c.Deliveries), strconv.Itoa(c.Waiting), channelState(c, s.Time)})
	}
	if len(rows) > 0 {
		if err := w.printf("\n"); err != nil {
			return err
		}
		if err := w.table([]string{"CHANNEL", "NETWORK", "DELIVERIES", "WAITING", "STATE"}, rows); err != nil {
			return err
		}
	}
	if err := w.printf("\nsources: %s\ndead letters: %d\n", counts(s.Sources), s.Dead); err != nil {
		return err
	}
	for i, f := range s.Failing {
		if i == maxRows {
			if err := w.printf("%d more sources are not well: tidings sources list --all\n", len(s.Failing)-maxRows); err != nil {
				return err
			}
			break
		}
		if err := w.printf("source %s is %s: %s\n", plain(f.ID), plain(f.State), plain(f.Sentence)); err != nil {
			return err
		}
	}
	for _, d := range s.Drift {
		if err := w.printf("topology differs: %s\n", plain(d)); err != nil {
			return err
		}
	}
	return nil
}

// counts prints "3 active, 1 failing".
func counts(m map[string]int) string {
	var words []string
	for name, n := range m {
		words = append(words, strconv.Itoa(n)+" "+name)
	}
	if len(words) == 0 {
		return "none"
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}
