package composer

import (
	"context"
	"slices"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/publish/internal/compose"
	"tidings.internal/services/publish/internal/item"
)

const (
	// settled is how long nothing may have come before a backfill is chosen: the first fetch of a source brings its
	// articles in no order, and the newest are wanted.
	settled = 5 * time.Second
	// backfillTick is how often a channel that waits for its backfill looks.
	backfillTick = time.Second
	// lookBack is how many stories tell whether a channel has posts.
	lookBack = 1000
)

// Backfill composes the newest articles for a channel that has no posts, as many as its configuration asks for, the
// oldest first, and marked so that deliver lets no more than these through. newest lists the subjects of at most n
// articles that the channel takes, the newest first, and for how long nothing new has come. It blocks until that is
// done or not called for, or ctx ends.
//
// A kill in between is made good by the next start: posts that are marked and among the newest are no sign of a channel
// in use.
func (c *Composer) Backfill(ctx context.Context, ch *compose.Channel, newest func(n int) ([]string, time.Duration)) error {
	if ch.Channel.Backfill == 0 {
		return nil
	}
	tick := time.NewTicker(backfillTick)
	defer tick.Stop()
	for {
		subjects, quiet := newest(lookBack)
		if len(subjects) > 0 && quiet >= settled {
			err := c.fill(ctx, ch, subjects)
			if err == nil {
				return nil
			}
			c.Log.Debug("could not compose a backfill", "channel", ch.ID, "retry_in", backfillTick, "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// candidate is an article that may be filled in.
type candidate struct {
	subject, story string
	posted         bool
}

func (c *Composer) fill(ctx context.Context, ch *compose.Channel, subjects []string) error {
	var wanted []candidate
	for i, subject := range subjects {
		story, err := c.storyOf(ctx, subject)
		if err != nil {
			return err
		}
		if story == "" {
			continue // it is gone, or about to change
		}
		was, err := c.last(ctx, ch.ID, story)
		if err != nil {
			return err
		}
		inside := i < ch.Channel.Backfill
		if was.any() && (!inside || was.post == nil || !was.post.Backfill) {
			return nil // the channel is in use
		}
		if inside {
			wanted = append(wanted, candidate{subject, story, was.any()})
		}
	}
	for _, w := range slices.Backward(wanted) {
		if w.posted {
			continue
		}
		if err := c.fillOne(ctx, ch, w.subject); err != nil {
			return err
		}
	}
	return nil
}

// storyOf reads the story of an article; it is empty when the subject holds none.
func (c *Composer) storyOf(ctx context.Context, subject string) (string, error) {
	r, err := c.Bus.Last(ctx, subject)
	if err != nil || r == nil || r.Marker {
		return "", err
	}
	_, a, err := event.DecodeEnriched(r.Message)
	if err != nil {
		return "", nil
	}
	if a.Story.ID == "" {
		return a.ID, nil
	}
	return a.Story.ID, nil
}

func (c *Composer) fillOne(ctx context.Context, ch *compose.Channel, subject string) error {
	r, err := c.Bus.Last(ctx, subject)
	if err != nil || r == nil || r.Marker {
		return err
	}
	env, a, err := event.DecodeEnriched(r.Message)
	if err != nil {
		return nil // a tombstone by now
	}
	it, err := item.New(&a, c.Site)
	if err != nil {
		return nil // the consumer puts it aside
	}
	p, err := ch.Post(&a, it, event.ActionCreate, true)
	if compose.Class(err) != "" {
		c.Composed(ch.ID, ch.Network().Name, compose.Class(err))
		return nil
	}
	if err != nil {
		return err
	}
	was, err := c.last(ctx, ch.ID, it.Story)
	if err != nil || was.any() {
		return err // a newer version of it, or another article of its story, was quicker
	}
	return c.emit(ctx, was, ch, event.TypePost, event.ActionCreate, env, it.Story, p.Revision, p)
}

// CatchUp returns the post of an article for a channel: the one that stands on the bus or, where there never was one, a
// first post that is composed and emitted now, marked as backfill. With dry it is composed and not emitted. Where there is
// none, why says so.
func (c *Composer) CatchUp(ctx context.Context, ch *compose.Channel, subject string, dry bool) (p *event.Post, why string, err error) {
	r, err := c.Bus.Last(ctx, subject)
	if err != nil || r == nil || r.Marker {
		return nil, "the article is gone", err
	}
	env, a, err := event.DecodeEnriched(r.Message)
	if err != nil {
		return nil, "the article was taken down", nil
	}
	it, err := item.New(&a, c.Site)
	if err != nil {
		return nil, err.Error(), nil
	}
	was, err := c.last(ctx, ch.ID, it.Story)
	switch {
	case err != nil:
		return nil, "", err
	case was.withdrawn != nil:
		return nil, "the post was taken back", nil
	case was.post != nil:
		return was.post, "", nil
	}
	first, err := ch.Post(&a, it, event.ActionCreate, true)
	if compose.Class(err) != "" {
		return nil, err.Error(), nil
	}
	if err != nil || dry {
		return &first, "", err
	}
	err = c.emit(ctx, was, ch, event.TypePost, event.ActionCreate, env, it.Story, first.Revision, first)
	if err != nil && fault.KindOf(err) != fault.Conflict {
		return nil, "", err
	}
	// Another may have been quicker: what stands there is what is edited and withdrawn later.
	if was, err = c.last(ctx, ch.ID, it.Story); err != nil || was.post == nil {
		return nil, "the post was taken back", err
	}
	return was.post, "", nil
}
