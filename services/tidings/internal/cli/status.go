package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tidings.internal/services/tidings/internal/ops"
)

type statusVerb struct{ asJSON }

// Run is the verb status.
func (v *statusVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		s, err := o.Status(ctx)
		if err != nil {
			return err
		}
		if v.JSON {
			return w.encode(s)
		}
		return w.status(s)
	})
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
		state := "sending"
		switch {
		case c.Paused != "":
			state = "paused: " + c.Paused + " " + c.Text
		case c.Wait.After(s.Time):
			state = "waits until " + when(c.Wait) + ": " + c.WaitReason
		}
		rows = append(rows, []string{c.ID, c.Network, counts(c.Deliveries), strconv.Itoa(c.Pending), state})
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
	for _, f := range s.Failing {
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
