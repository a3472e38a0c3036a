package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tidings.internal/services/tidings/internal/ops"
)

type replayVerb struct {
	Since  string `help:"From when on: a time such as 2026-05-01T12:00:00Z, a day, or how long ago, such as 24h or 14d." placeholder:"TIME"`
	Until  string `help:"Up to when; else up to now." placeholder:"TIME"`
	Source string `help:"Only the articles of a source." placeholder:"ID"`
	Rate   string `help:"At most so many articles a second for each replica of enrich, such as 10/s." placeholder:"RATE"`
	DryRun bool   `help:"Only count."`
	Stop   bool   `help:"End a replay whose command was killed."`
	asJSON
}

// Run is the verb replay.
func (v *replayVerb) Run(w *world) error {
	if v.Stop {
		if v.Since != "" || v.Until != "" || v.Source != "" || v.Rate != "" || v.DryRun {
			return &usageError{"--stop goes with no other flag"}
		}
		return w.connected(func(ctx context.Context, o *ops.Ops) error {
			return v.done(w, "verb", "replay", "ended", o.EndReplay(ctx))
		})
	}
	r, err := v.read(time.Now())
	if err != nil {
		return err
	}
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		n, err := o.CountReplay(ctx, r)
		if err != nil {
			return err
		}
		if !v.DryRun {
			last := uint64(0)
			err = o.Replay(ctx, r, func(s ops.ReplayState) {
				if left := s.Pending + s.InHand; left != last {
					last = left
					w.progress("%d messages left\n", left)
				}
			})
			if err != nil {
				return err
			}
		}
		if v.JSON {
			return w.encode(struct {
				ops.Replay
				Messages uint64 `json:"messages"`
				DryRun   bool   `json:"dry_run"`
			}{r, n, v.DryRun})
		}
		if v.DryRun {
			return w.printf("%d messages would go through enrich again\n", n)
		}
		return w.printf("%d messages went through enrich again\n", n)
	})
}

func (v *replayVerb) read(now time.Time) (ops.Replay, error) {
	r := ops.Replay{Source: v.Source}
	var err error
	if v.Since == "" {
		return r, &usageError{"replay needs a time to begin at: --since TIME"}
	}
	if r.Since, err = moment(v.Since, now); err != nil {
		return r, err
	}
	if v.Until != "" {
		if r.Until, err = moment(v.Until, now); err != nil {
			return r, err
		}
	}
	if v.Rate != "" {
		if r.Rate, err = readRate(v.Rate); err != nil {
			return r, err
		}
	}
	return r, nil
}

// maxRate is more than any store takes.
const maxRate = 1e6

// readRate reads how many a second.
func readRate(text string) (float64, error) {
	n, err := strconv.ParseFloat(strings.TrimSuffix(text, "/s"), 64)
	if err != nil || !(n >= 1/maxRate && n <= maxRate) { // a number that is none is not within bounds either
		return 0, &usageError{fmt.Sprintf("%q is no rate; use one such as 10/s", text)}
	}
	return n, nil
}

// moment reads a time, a day in UTC, or how long ago something was.
func moment(text string, now time.Time) (time.Time, error) {
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(form, text); err == nil {
			return t, nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return now.Add(-d), nil
	}
	if n, err := strconv.Atoi(strings.TrimSuffix(text, "d")); err == nil && strings.HasSuffix(text, "d") && n > 0 && n < 10_000 {
		return now.AddDate(0, 0, -n), nil
	}
	return time.Time{}, &usageError{fmt.Sprintf("%q is no time; use one such as 2026-05-01T12:00:00Z, 2026-05-01, 24h or 14d", text)}
}
