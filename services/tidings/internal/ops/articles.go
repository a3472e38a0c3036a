package ops

import (
	"context"
	"slices"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
)

// ArticleRow is an article as a list shows it.
type ArticleRow struct {
	ID       string `json:"id"`
	Source   string `json:"source"`
	Story    string `json:"story,omitempty"`
	Title    string `json:"title,omitempty"`
	URL      string `json:"url,omitempty"`
	Language string `json:"language,omitempty"`
	// Published is when the source says that it came out; zero where it does not say.
	Published time.Time `json:"published,omitzero"`
	// Stored is when its newest revision was enriched, or when it was taken down.
	Stored time.Time `json:"stored"`
	// Deleted is the reason of a tombstone, which has no title any more.
	Deleted string `json:"deleted,omitempty"`
}

// Articles lists the newest articles of a source, or of all for "", those that changed last first, and tells how many
// older ones are left out. most is how many are listed, 0 for all.
func (o *Ops) Articles(ctx context.Context, source string, most int) (list []ArticleRow, left int, err error) {
	list = []ArticleRow{}
	err = o.bus.Read(ctx, event.StreamArticles, func(r bus.Record) error {
		s, err := event.ParseSubject(r.Subject)
		if err != nil || r.Marker || source != "" && s.Source != source {
			return nil // the mark of one that grew too old tells nothing of an article
		}
		if list = append(list, articleRow(s, r)); most > 0 && len(list) >= 2*most {
			// Of a million articles no more than is shown is kept.
			left += len(list) - most
			list = slices.Delete(list, 0, len(list)-most)
		}
		return nil
	})
	if n := len(list) - most; most > 0 && n > 0 {
		left += n
		list = slices.Delete(list, 0, n)
	}
	slices.Reverse(list)
	return list, left, err
}

func articleRow(s event.Subject, r bus.Record) ArticleRow {
	row := ArticleRow{ID: s.Article, Source: s.Source, Stored: r.Time}
	if _, d, err := event.DecodeDeleted(r.Message); r.Header.Value(event.HeaderType) == event.TypeDeleted && err == nil {
		row.Story, row.Deleted = d.Story, d.Reason
		return row
	}
	_, a, err := event.DecodeEnriched(r.Message)
	if err != nil {
		return row // whoever reads it makes it a dead letter, which tells why
	}
	row.Story, row.Title, row.URL, row.Language = a.Story.ID, a.Title, a.URL, a.Language.Code
	if a.Published != nil {
		row.Published = *a.Published
	}
	return row
}
