package projection

import (
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/document"
	"tidings.internal/services/publish/internal/feed"
	"tidings.internal/services/publish/internal/page"
	"tidings.internal/services/publish/internal/render"
)

// HTML is the kind of the landing page beside the formats of feeds.
const HTML render.Format = "html"

// Published is a feed with its documents. It does not change: a change makes a new one.
type Published struct {
	Feed      *feed.Feed
	Documents map[render.Format]*document.Document
	// Updated is when the newest change of any item was, zero when there are none.
	Updated time.Time
	// Applied is the place in ARTICLES that the documents show.
	Applied event.Applied
	Items   int
}

// publish renders a feed, whose first page of the archive is older. Documents whose bytes did not change are taken over from before. changed reports whether any
// of the three formats did.
func publish(f *feed.Feed, older string, entries []render.Entry, before *Published, modified time.Time, others ...document.Coding) (p *Published, changed bool, err error) {
	p = &Published{Feed: f, Documents: map[render.Format]*document.Document{}, Items: len(entries)}
	for _, e := range entries {
		if e.Updated.After(p.Updated) {
			p.Updated = e.Updated
		}
	}
	if f.Private() {
		return p, false, nil // it has no address without a token; what a token sees is made when it asks
	}
	head := f.Head
	head.Older = older
	take := func(kind render.Format, contentType string, body []byte, err error) error {
		if err != nil {
			return err
		}
		if before != nil {
			if old := before.Documents[kind]; old != nil && old.Equal(body) {
				p.Documents[kind] = old
				return nil
			}
		}
		changed = changed || kind != HTML
		p.Documents[kind], err = document.New(contentType, body, modified, others...)
		return err
	}
	for _, format := range render.Formats() {
		body, err := render.Document(&head, entries, format)
		if err := take(format, format.ContentType(), body, err); err != nil {
			return nil, false, err
		}
	}
	body, err := page.Feed(&head, entries, f.Index)
	if err := take(HTML, "text/html; charset=utf-8", body, err); err != nil {
		return nil, false, err
	}
	return p, changed, nil
}
