package parse

import (
	"net/url"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/services/ingest/internal/cause"
	"tidings.internal/services/ingest/internal/dates"
	"tidings.internal/services/ingest/internal/guard"
)

// Options say where a document came from.
type Options struct {
	// URL is the address that answered, after redirects; Content-Location (RFC 9110 section 8.7) goes before it.
	URL             string
	ContentLocation string
	ContentLanguage string
	// Now bounds dates in the future.
	Now time.Time
}

// Document is a feed as it was read.
type Document struct {
	Format  guard.Format
	Version string
	Feed    Feed
	Items   []Item
	// Deleted are the items that the document itself declares as withdrawn (RFC 6721).
	Deleted []Deleted
	// Partial tells that the document was broken, cut or too long, so that an item that is not in it may still exist.
	Partial bool
	// Repairs counts what was not well-formed and could be mended.
	Repairs int
	// Skipped counts what was left out, by reason: "empty" and "broken" items, "bad_link" addresses.
	Skipped map[string]int
}

// Feed is what a document says of itself.
type Feed struct {
	ID          string           `json:"id,omitempty"`
	Title       string           `json:"title,omitempty"`
	Description string           `json:"description,omitempty"`
	SiteURL     string           `json:"site_url,omitempty"`
	SelfURL     string           `json:"self_url,omitempty"`
	NextURL     string           `json:"next_url,omitempty"`
	Language    string           `json:"language,omitempty"`
	Rights      string           `json:"rights,omitempty"`
	Image       string           `json:"image,omitempty"`
	Authors     []article.Person `json:"authors,omitempty"`
	Hubs        []string         `json:"hubs,omitempty"`
	// TTL is how long the publisher asks to wait between polls, from ttl or sy:updatePeriod; zero when it does not.
	TTL       time.Duration  `json:"ttl,omitempty"`
	SkipHours []int          `json:"skip_hours,omitempty"` // of the day in GMT
	SkipDays  []time.Weekday `json:"skip_days,omitempty"`
	// Ended tells that nothing will come any more (JSON expired, itunes:complete).
	Ended bool `json:"ended,omitempty"`
	// NewURL is itunes:new-feed-url.
	NewURL string `json:"new_url,omitempty"`
}

// Item is an article as the document has it. The fields that need memory (id, revision, source, first seen) are empty.
type Item struct {
	article.Raw
	// About is rdf:about.
	About string `json:"about,omitempty"`
}

// Deleted is an item that its publisher withdrew.
type Deleted struct {
	Ref  string
	When *time.Time
}

// Read reads a document that package decode made clean UTF-8. The error is a *cause.Error.
func Read(data []byte, o Options) (doc *Document, err error) {
	// gofeed parses what strangers wrote; should it ever panic on something that the guard let through, then it is
	// this document that cannot be read, and no other.
	defer func() {
		if p := recover(); p != nil {
			doc, err = nil, cause.Errorf(cause.Malformed, "parse document: the parser gave up: %v", p)
		}
	}()
	scanned, err := guard.Scan(data)
	if err != nil {
		return nil, err
	}
	r := newReader(scanned, o)
	switch scanned.Format {
	case guard.RSS:
		err = r.rss()
	case guard.Atom:
		err = r.atom()
	default:
		err = r.json()
	}
	if err != nil {
		return nil, err
	}
	r.finish()
	if len(r.doc.Items) == 0 && scanned.Cut {
		return nil, cause.Errorf(cause.Truncated, "parse document: it ends before its first item does")
	}
	return r.doc, nil
}

// reader carries one document from the parser's structs to ours.
type reader struct {
	doc     *Document
	scanned *guard.Document
	base    *url.URL
	options Options
	order   dates.Order
	// side holds the guard's notes on each item, or nil where they do not match the parser's items.
	side []guard.Element
}

func newReader(s *guard.Document, o Options) *reader {
	r := &reader{
		scanned: s, options: o,
		doc: &Document{Format: s.Format, Partial: s.Cut || s.Beyond, Repairs: s.Repairs, Skipped: map[string]int{}},
	}
	r.base, _ = url.Parse(o.URL)
	if u, err := url.Parse(o.ContentLocation); err == nil && o.ContentLocation != "" && r.base != nil {
		r.base = r.base.ResolveReference(u)
	}
	if r.base == nil {
		r.base = &url.URL{}
	}
	return r
}

// match takes over the side table if it fits the number of items that the parser found.
func (r *reader) match(items int) {
	if len(r.scanned.Items) == items {
		r.side = r.scanned.Items
	}
}

// element gives the notes on item i; empty ones when there are none.
func (r *reader) element(i int) *guard.Element {
	if i < len(r.side) {
		return &r.side[i]
	}
	return &guard.Element{Lang: r.scanned.Head.Lang, Base: r.scanned.Head.Base}
}

// skip counts something that was left out.
func (r *reader) skip(reason string) { r.doc.Skipped[reason]++ }

// finish does what is the same for every format: limits, dates, languages, and items that say nothing.
func (r *reader) finish() {
	var raws []string
	for i := range r.doc.Items {
		raws = append(raws, r.doc.Items[i].PublishedRaw, r.doc.Items[i].UpdatedRaw)
	}
	r.order = dates.OrderOf(raws)
	kept := r.doc.Items[:0]
	for i := range r.doc.Items {
		it := &r.doc.Items[i]
		it.Published, it.Updated = r.date(it.PublishedRaw), r.date(it.UpdatedRaw)
		limit(it)
		if it.GUID == "" && it.About == "" && it.Link == "" && it.Title == "" && it.Content.Empty() && it.Summary.Empty() && len(it.Enclosures) == 0 {
			r.skip("empty")
			continue
		}
		kept = append(kept, *it)
	}
	r.doc.Items = kept
}

// date reads a date; what is unreadable or cannot be true is absent, its text is kept beside it.
func (r *reader) date(text string) *time.Time {
	t, ok := dates.Parse(text, r.order)
	if !ok || !dates.Plausible(t, r.options.Now) {
		return nil
	}
	return &t
}
