package history

import (
	"context"
	"fmt"
	"net/url"
	"path"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
)

// Keep applies a topology in which the streams keep every version and not only the newest, so that [Read] finds the whole
// history at the end.
func Keep(ctx context.Context, b *bus.Bus, top event.Topology) error {
	for i := range top.Streams {
		if s := &top.Streams[i]; s.Kind == event.KindStream {
			s.PerSubject = 0
		}
	}
	plan, err := b.Plan(ctx, top)
	if err != nil {
		return err
	}
	return b.Apply(ctx, plan, false)
}

// KeyOf is the item that a link names.
func KeyOf(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	return path.Base(u.Path)
}

// Read reads the streams from the first message to the last, and the dead letters.
func Read(ctx context.Context, b *bus.Bus) (log []Entry, dead []string, err error) {
	for _, stream := range []string{event.StreamRaw, event.StreamArticles, event.StreamPosts} {
		if err := b.Scan(ctx, stream, func(r bus.Record) error {
			messages := []event.Message{r.Message}
			if r.Header.Value(event.HeaderType) == event.TypeBatch {
				var err error
				if messages, err = event.DecodeBatch(r.Message); err != nil {
					return err
				}
			}
			for _, m := range messages {
				r.Message = m
				e, err := entry(stream, r)
				if err != nil {
					return err
				}
				log = append(log, e)
			}
			return nil
		}); err != nil {
			return nil, nil, err
		}
	}
	letters, err := b.DeadList(ctx, bus.DeadFilter{})
	for _, d := range letters {
		dead = append(dead, fmt.Sprintf("%s/%s: %s (%s %d)", d.Service, d.Reason, d.Error, d.Stream, d.Origin))
	}
	return log, dead, err
}

func entry(stream string, r bus.Record) (Entry, error) {
	env, err := event.Decode(r.Message)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Stream: stream, Sequence: r.Sequence, Subject: r.Subject, ID: env.ID, Type: env.Type, Article: env.Article, Version: env.Version, Hash: env.Hash}
	switch env.Type {
	case event.TypeRaw:
		_, a, err := event.DecodeRaw(r.Message)
		e.Key, e.Title = KeyOf(a.URL), a.Title
		return e, err
	case event.TypeEnriched:
		_, a, err := event.DecodeEnriched(r.Message)
		e.Key, e.Title, e.Story = KeyOf(a.URL), a.Title, a.Story.ID
		return e, err
	case event.TypePost:
		_, p, err := event.DecodePost(r.Message)
		e.Key, e.Title, e.Story, e.Channel, e.Article = KeyOf(p.URL), p.Title, p.Story, p.Channel, p.Article
		return e, err
	}
	return e, nil
}
