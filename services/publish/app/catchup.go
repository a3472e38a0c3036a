package app

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/compose"
	"tidings.internal/services/publish/internal/composer"
)

// Missed is a story that a channel may have missed.
type Missed struct {
	Article string
	Story   string
	Title   string
	// Post is its post as it stands on the bus, or would with dry; nil where there is none.
	Post *event.Post
	// Why tells why there is none.
	Why string
}

// CatchUp gives the newest stories that a channel takes, at most so many, the oldest of them first, each with its post.
// Posts that were never composed are composed and emitted now, marked as backfill, so that an edit and a takedown of the
// article find them. With dry nothing is emitted. It may be repeated: what stands on the bus is taken as it is.
func CatchUp(ctx context.Context, b *bus.Bus, doc *config.Doc, channel string, most int, dry bool) ([]Missed, error) {
	ch, site, err := find(doc, channel)
	if err != nil {
		return nil, err
	}
	newest, err := newestStories(ctx, b, ch, most)
	if err != nil {
		return nil, err
	}
	c := composer.New(composer.Config{
		Site: site, Bus: b, Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Composed: func(string, string, string) {}, Wrote: func(int) {}, Reduced: func(string) {},
	})
	list := make([]Missed, 0, len(newest))
	for _, s := range slices.Backward(newest) {
		m := Missed{Article: s.article, Story: s.story, Title: s.title}
		m.Post, m.Why, err = c.CatchUp(ctx, ch, s.subject, dry)
		if err != nil {
			return list, err
		}
		list = append(list, m)
	}
	return list, nil
}

// told is the article by which a channel hears of a story.
type told struct {
	subject, article, story, title string
	seen, published                time.Time
}

// newestStories lists the stories that a channel takes, the newest first. Of a story that several articles tell, the one
// that was seen first counts, as it does when they come one by one.
func newestStories(ctx context.Context, b *bus.Bus, ch *compose.Channel, most int) ([]told, error) {
	stories := map[string]told{}
	err := b.Read(ctx, event.StreamArticles, func(r bus.Record) error {
		if r.Marker || r.Header.Value(event.HeaderType) == event.TypeDeleted {
			return nil
		}
		_, a, err := event.DecodeEnriched(r.Message)
		if err != nil || !ch.Takes(&a) {
			return nil // a dead letter tells of what cannot be read
		}
		t := told{r.Subject, a.ID, cmp.Or(a.Story.ID, a.ID), a.Title, a.FirstSeen, a.FirstSeen}
		if a.Published != nil {
			t.published = *a.Published
		}
		if other, ok := stories[t.story]; !ok || cmp.Or(t.seen.Compare(other.seen), cmp.Compare(t.article, other.article)) < 0 {
			stories[t.story] = t
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	list := make([]told, 0, len(stories))
	for _, t := range stories {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b told) int {
		return cmp.Or(b.published.Compare(a.published), cmp.Compare(a.story, b.story))
	})
	return list[:min(len(list), most)], nil
}
