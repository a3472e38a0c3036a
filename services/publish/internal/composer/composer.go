// Package composer decides which posts are due and emits them. It is the handler of the consumer that all replicas
// share, so each article is looked at by one of them.
//
// What was posted before stands in POSTS, one message a channel and story; nothing is remembered here. A crash at any
// line is repeated by the next delivery of the same article: a post that was emitted is found there and skipped, one
// that was not is composed again to the same bytes. Of two replicas that compose for one story at the same moment the
// compare-and-set of [bus.Bus.EmitAfter] lets one win, and the other judges anew by what stands there then: a post counts
// on from the one before it, so nothing may come between the two. Whether a post is sent is the matter of deliver, whose
// ledger has the last word.
package composer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/trace"
	"tidings.internal/services/publish/internal/compose"
	"tidings.internal/services/publish/internal/item"
)

// Bus is what the composer needs of [bus.Bus].
type Bus interface {
	Last(ctx context.Context, subject string) (*bus.Record, error)
	EmitAfter(ctx context.Context, m event.Message, last *bus.Record) (bus.Outcome, error)
	Bury(ctx context.Context, d *bus.Delivery, reason string, cause error) error
}

// Config is what a composer needs.
type Config struct {
	Channels []*compose.Channel
	Site     string // from which ids of items are made
	Bus      Bus
	Log      *slog.Logger
	Trace    *trace.Tracer // nil exports nothing
	Now      func() time.Time
	// Composed is told of each post: its channel, network and action, or the class of the error.
	Composed func(channel, network, action string)
	// Wrote is told the bytes of each post that was stored.
	Wrote func(bytes int)
	// Reduced is told of each item that shows less than its article has, by the reason.
	Reduced func(reason string)
}

// Composer handles articles.
type Composer struct{ Config }

// New makes a composer.
func New(c Config) *Composer { return &Composer{c} }

// BadLink is the reason of the dead letter of an article that nothing can link to.
const BadLink = "bad_link"

// Handle implements [bus.Handler].
func (c *Composer) Handle(ctx context.Context, d *bus.Delivery) (err error) {
	if len(d.Body) == 0 && len(d.Header[event.HeaderMarker]) > 0 {
		return nil // an article grew too old: what was posted of it stays
	}
	if d.Header.Value(event.HeaderType) == event.TypeDeleted {
		return c.deleted(ctx, d)
	}
	env, a, err := event.DecodeEnriched(d.Message)
	if err != nil {
		return err
	}
	span := c.Trace.Begin(env.Traceparent, "compose", trace.Attribute{Key: "article", Value: a.ID}, trace.Attribute{Key: "source", Value: a.Source.ID})
	defer func() { span.End(err) }()
	env.Traceparent = span.Traceparent()
	it, err := item.New(&a, c.Site)
	if err != nil {
		// The feeds go without it, too; the letter is written here because one replica alone meets the message here.
		return bus.Dead(BadLink, err)
	}
	if it.Reduced != "" {
		c.Reduced(it.Reduced)
	}
	var errs []error
	for _, ch := range c.Channels {
		if !ch.Takes(&a) {
			continue
		}
		err := judged(func() error { return c.channel(ctx, env, &a, it, ch) })
		if class := compose.Class(err); class != "" {
			// The other channels are not to wait for a template to be mended.
			c.Composed(ch.ID, ch.Network().Name, class)
			err = c.Bus.Bury(ctx, d, class, err)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// maxJudged is how often a post is judged when something else comes between each time. Then the article goes back to the
// broker for a moment.
const maxJudged = 5

// judged judges again when somebody else wrote to the same channel and story since.
func judged(judge func() error) error {
	var err error
	for range maxJudged {
		if err = judge(); fault.KindOf(err) != fault.Conflict {
			return err
		}
	}
	return err
}

// before is what was emitted last for a channel and story. Without post and withdrawn there is nothing that counts.
type before struct {
	record    *bus.Record // what the next is emitted after, nil where the subject is empty
	post      *event.Post
	withdrawn *event.Withdrawn
	version   event.Version
}

// any says whether anything was emitted.
func (b before) any() bool { return b.post != nil || b.withdrawn != nil }

// last reads what was emitted last.
func (c *Composer) last(ctx context.Context, channel, story string) (before, error) {
	subject, err := event.PostSubject(channel, story)
	if err != nil {
		return before{}, err
	}
	r, err := c.Bus.Last(ctx, subject)
	if err != nil || r == nil || r.Marker {
		return before{record: r}, err
	}
	// What is none of ours is replaced.
	if r.Header.Value(event.HeaderType) == event.TypeWithdrawn {
		if env, w, err := event.DecodeWithdrawn(r.Message); err == nil {
			return before{record: r, withdrawn: &w, version: env.Version}, nil
		}
	} else if env, p, err := event.DecodePost(r.Message); err == nil {
		return before{record: r, post: &p, version: env.Version}, nil
	}
	return before{record: r}, nil
}

// channel composes what one channel is due for an article.
func (c *Composer) channel(ctx context.Context, env event.Envelope, a *article.Article, it *item.Item, ch *compose.Channel) error {
	was, err := c.last(ctx, ch.ID, it.Story)
	if err != nil {
		return err
	}
	switch {
	case was.withdrawn != nil:
		return nil // taken back once: it does not come again by itself
	case was.post == nil:
		if a.Backfill {
			return nil
		}
		return c.post(ctx, env, a, it, ch, event.ActionCreate, was)
	case was.post.Article != a.ID, source(env.Version).Compare(source(was.version)) <= 0, ch.OnUpdate == "ignore":
		return nil
	}
	return c.post(ctx, env, a, it, ch, event.ActionEdit, was)
}

// source is the part of a version that tells what the source said: enriching the same again is nothing new to a channel.
func source(v event.Version) event.Version {
	v.Generation = 0
	return v
}

// following is the revision of what follows a post. It is the article's, but where a poller was killed after it had
// published a revision and before it had recorded it, the next one gives that number to what the source says by then. A
// post counts on, since whoever sends it knows a newer one by its number.
func following(revision uint64, was *event.Post) uint64 {
	if was == nil {
		return revision
	}
	return max(revision, was.Revision+1)
}

// post composes and emits, unless it would change nothing that counts.
func (c *Composer) post(ctx context.Context, env event.Envelope, a *article.Article, it *item.Item, ch *compose.Channel, action string, last before) error {
	was, next := last.post, *a
	if next.Revision = following(a.Revision, was); next.Revision > a.Revision {
		// Hours after the kill the stream no longer knows that it holds the revision: the same may have come again.
		same, err := ch.Post(a, it, was.Action, was.Backfill)
		if err != nil || same.Hash == was.Hash {
			return err
		}
	}
	p, err := ch.Post(&next, it, action, was != nil && was.Backfill)
	if err != nil {
		return err
	}
	if was != nil && !ch.Changed(was, &p) {
		return nil
	}
	return c.emit(ctx, last, ch, event.TypePost, action, env, it.Story, p.Revision, p)
}

func (c *Composer) emit(ctx context.Context, last before, ch *compose.Channel, typ, action string, cause event.Envelope, story string, revision uint64, payload any) error {
	subject, err := event.PostSubject(ch.ID, story)
	if err != nil {
		return err
	}
	m, err := event.Encode(subject, event.Envelope{
		Type: typ, ID: event.PostID(ch.ID, story, revision), Source: "publish", Time: c.Now(), Subject: cause.Subject,
		Article: cause.Article, Version: cause.Version, Traceparent: cause.Traceparent, Tracestate: cause.Tracestate,
	}, payload)
	if err != nil {
		return err
	}
	outcome, err := c.Bus.EmitAfter(ctx, m, last.record)
	if err != nil {
		return fmt.Errorf("emit post of story %s: %w", story, err)
	}
	if outcome == bus.Stored {
		c.Wrote(len(m.Body))
		c.Composed(ch.ID, ch.Network().Name, action)
		c.Log.Debug("composed a post", "channel", ch.ID, "network", ch.Network().Name, "story", story, "article", cause.Article, "trace", trace.ID(cause.Traceparent))
	}
	return nil
}

// deleted withdraws the posts of an article that is gone. The channels' selections are not asked: the tombstone does not
// say what the article was like, and what was posted says whether it was selected.
func (c *Composer) deleted(ctx context.Context, d *bus.Delivery) error {
	env, gone, err := event.DecodeDeleted(d.Message)
	if err != nil {
		return err
	}
	story := gone.Story
	if story == "" {
		story = gone.ID // the first article of a story has its id
	}
	if !article.ValidID(story) {
		return fault.Errorf(fault.Malformed, "withdraw article %s: %.40q is no story", env.Article, story)
	}
	var errs []error
	for _, ch := range c.Channels {
		if ch.OnRemove == "ignore" {
			continue
		}
		errs = append(errs, judged(func() error { return c.withdraw(ctx, env, gone.Reason, ch, story) }))
	}
	return errors.Join(errs...)
}

// withdraw takes back what one channel was given of an article.
func (c *Composer) withdraw(ctx context.Context, env event.Envelope, reason string, ch *compose.Channel, story string) error {
	was, err := c.last(ctx, ch.ID, story)
	if err != nil {
		return err
	}
	if was.post == nil || was.post.Article != env.Article {
		return nil
	}
	revision := following(env.Version.Revision, was.post)
	return c.emit(ctx, was, ch, event.TypeWithdrawn, event.ActionDelete, env, story, revision, event.Withdrawn{
		Channel: ch.ID, Network: ch.Network().Name, Story: story, Article: env.Article, Revision: revision, Reason: reason,
	})
}
