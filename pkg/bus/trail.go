package bus

import (
	"context"

	"tidings.internal/pkg/event"
)

// Trail is what the streams hold of one article.
type Trail struct {
	// Subject is that of the article in ARTICLES.
	Subject string
	// Raw are its messages in RAW, oldest first, those out of batches as if they had come alone.
	Raw []Record
	// Article is what stands in ARTICLES, the article or its tombstone; nil where there is none yet.
	Article *Record
	// Posts are the posts of its story, one a channel.
	Posts []Record
	// Dead are its dead letters.
	Dead []DeadLetter
}

// Trail follows an article through the streams.
func (b *Bus) Trail(ctx context.Context, id string) (Trail, error) {
	var t Trail
	var err error
	if t.Subject, err = b.ArticleSubject(ctx, id); err != nil {
		return t, err
	}
	s, err := event.ParseSubject(t.Subject)
	if err != nil {
		return t, err
	}
	if t.Article, err = b.last(ctx, event.StreamArticles, t.Subject); err != nil {
		return t, err
	}
	subjects, err := event.RawSubjects(s.Partition, s.Source)
	if err != nil {
		return t, err
	}
	err = b.sweep(ctx, event.StreamRaw, subjects, func(r Record) error {
		if concerns(r.Message, id) {
			t.Raw = append(t.Raw, alone(r, id)...)
		}
		return nil
	})
	if err != nil {
		return t, err
	}
	letters, err := b.DeadList(ctx, DeadFilter{})
	if err != nil {
		return t, err
	}
	for _, l := range letters {
		if l.Article == id {
			t.Dead = append(t.Dead, l)
		}
	}
	return t, b.posts(ctx, &t, id)
}

// alone takes the article out of a batch.
func alone(r Record, id string) []Record {
	if r.Header.Value(event.HeaderType) != event.TypeBatch {
		return []Record{r}
	}
	members, err := event.DecodeBatch(r.Message)
	if err != nil {
		return nil // the batch is a dead letter by now, or will be
	}
	var list []Record
	for _, m := range members {
		if concerns(m, id) {
			one := r
			one.Message = m
			list = append(list, one)
		}
	}
	return list
}

func (b *Bus) posts(ctx context.Context, t *Trail, id string) error {
	story := id // a story has the id of its first article; a better answer stands in the article
	if t.Article != nil {
		if _, a, err := event.DecodeEnriched(t.Article.Message); err == nil && a.Story.ID != "" {
			story = a.Story.ID
		}
		if _, d, err := event.DecodeDeleted(t.Article.Message); err == nil && d.Story != "" {
			story = d.Story
		}
	}
	for next := uint64(1); ; {
		r, err := b.Next(ctx, event.StreamPosts, event.AnyPost(story), next)
		if err != nil || r == nil {
			return err
		}
		t.Posts = append(t.Posts, *r)
		next = r.Sequence + 1
	}
}
