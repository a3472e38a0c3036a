package app

import (
	"context"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/services/deliver/internal/ledger"
)

// Restored puts the ledger of a backup into force. What was posted after the backup was taken is not in it, so every
// channel is paused, and nothing that waits is sent by itself: the story may be out already. What is known to be out
// keeps its edits and deletions, and what may be in the air is asked for at its network as after a crash.
// It may be repeated.
func Restored(ctx context.Context, b *bus.Bus, now time.Time) (channels, skipped int, err error) {
	list, err := book(b).Channels(ctx)
	if err != nil {
		return 0, 0, err
	}
	for _, c := range list {
		_, err := book(b).ChangeChannel(ctx, c.ID, func(c *ledger.Channel) (*ledger.Channel, error) {
			if c == nil {
				return nil, nil
			}
			c.Pause = &ledger.Pause{At: now.UTC(), Reason: ledger.Restored, Text: "restored from a backup; resume it when every source was polled"}
			c.Since, c.Closed = now.UTC(), true
			return c, nil
		})
		if err != nil {
			return channels, skipped, err
		}
		channels++
		n, err := skipQueue(ctx, b, c.ID, now)
		skipped += n
		if err != nil {
			return channels, skipped, err
		}
	}
	return channels, skipped, nil
}

// skipQueue skips what waits for its first sending in a channel.
func skipQueue(ctx context.Context, b *bus.Bus, channel string, now time.Time) (skipped int, err error) {
	rows, err := book(b).Rows(ctx, channel)
	if err != nil {
		return 0, err
	}
	for _, r := range rows {
		done := false
		_, _, err := book(b).Change(ctx, r.Channel, r.Story, func(r *ledger.Row) (*ledger.Row, error) {
			if done = r != nil && unsent(r); !done {
				return nil, nil
			}
			return r.Skip(now, ledger.Self, ledger.Baseline)
		})
		if err != nil {
			return skipped, err
		}
		if done {
			skipped++
		}
	}
	return skipped, nil
}

func unsent(r *ledger.Row) bool {
	switch r.State {
	case ledger.Planned, ledger.Held, ledger.Approved, ledger.Waiting, ledger.Listed:
		return r.Posted.IsZero()
	default:
		return false
	}
}

// renew ends the pause of a restore. Sources were read again meanwhile, and what they offered that the backup did not
// know looked new: it queued up while the channel was paused, and may have been posted before. The channel begins now.
// The queue goes first, so that a crash in between leaves the channel paused.
func renew(ctx context.Context, b *bus.Bus, channel string) error {
	if !article.ValidName(channel) {
		return nil // the caller says so
	}
	c, _, err := book(b).Channel(ctx, channel)
	if err != nil || c == nil || c.Pause == nil || c.Pause.Reason != ledger.Restored {
		return err
	}
	now := time.Now()
	if _, err := skipQueue(ctx, b, channel, now); err != nil {
		return err
	}
	return changeChannel(ctx, b, channel, func(c *ledger.Channel) bool {
		c.Since = now.UTC()
		return true
	})
}
