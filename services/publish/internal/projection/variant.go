package projection

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/publish/internal/clean"
	"tidings.internal/services/publish/internal/document"
	"tidings.internal/services/publish/internal/feed"
	"tidings.internal/services/publish/internal/item"
	"tidings.internal/services/publish/internal/page"
	"tidings.internal/services/publish/internal/render"
	"tidings.internal/services/publish/internal/selection"
)

// Variant names a document that is made when it is asked for and kept while it is right: nobody knows beforehand which
// of them will be wanted.
type Variant struct {
	Feed   string
	Format render.Format
	Filter *selection.Filter // nil for the whole feed
	// Archive names a page of the archive, as YYYY-MM-N; "" is the current document. It goes with no filter.
	Archive string
	// Under is the path under which a private feed is served: its addresses hold the token of the reader.
	Under string
}

func (v Variant) key() string {
	key := v.Under + "/" + v.Feed + "/" + v.Archive + " " + string(v.Format)
	if v.Filter != nil {
		key += "?" + v.Filter.Canonical
	}
	return key
}

// Rendered is a variant as it is served.
type Rendered struct {
	Feed     *feed.Feed
	Head     *render.Feed // what the document says of itself
	Document *document.Document
	// made tells what it was made of: what is made of the same is the same.
	made uint64
}

// The outcomes of [Observer.Variant].
const (
	Hit    = "hit"
	Built  = "built"
	Stale  = "stale" // served as it was, because the broker is away
	Failed = "failed"
)

// Missing reports whether there is nothing of that name; without the first catch-up nobody knows.
func Missing(err error) bool { return fault.KindOf(err) == fault.Gone }

// attempts bounds how often a rendering begins anew because an article changed meanwhile.
const attempts = 3

// Variant returns a document. The error's kind is gone where there is none of that name, and unreachable before the
// first catch-up and while an article cannot be read.
func (p *Projection) Variant(ctx context.Context, v Variant) (*Rendered, error) {
	var err error
	for range attempts {
		var r *Rendered
		var outcome string
		if r, outcome, err = p.variant(ctx, v); err == nil {
			p.Observe.Variant(outcome)
			return r, nil
		}
		if err != errSuperseded { // nothing wraps it on the way
			break
		}
	}
	if !Missing(err) {
		p.Observe.Variant(Failed)
		return nil, fault.Errorf(fault.Unreachable, "make a document of feed %s: %w", v.Feed, err)
	}
	return nil, err
}

func (p *Projection) variant(ctx context.Context, v Variant) (*Rendered, string, error) {
	s, changes, rows, err := p.find(v)
	if err != nil {
		return nil, "", err
	}
	old, current := p.variants.read(v.key(), changes)
	if current {
		return old, Hit, nil
	}
	c, err := p.cut(v, s, rows)
	if err != nil {
		return nil, "", err
	}
	if v.Filter != nil {
		c.changes = changes // of the moment at which its rows were taken
	}
	made := c.made()
	if old != nil && old.made == made { // something else of the feed changed: no article need be read again
		p.variants.keep(v.key(), c.changes, old)
		return old, Hit, nil
	}
	entries, err := p.complete(ctx, c)
	if err != nil {
		if old != nil && err != errSuperseded {
			return old, Stale, nil
		}
		return nil, "", err
	}
	r, err := c.render(v, entries, old)
	if err != nil {
		return nil, "", err
	}
	r.made = made
	p.variants.keep(v.key(), c.changes, r)
	return r, Built, nil
}

// cut is what a variant is made of, taken from the index at one moment.
type cut struct {
	feed    *feed.Feed
	head    *render.Feed
	rows    []*row
	entries []render.Entry // with items only where the index has them
	changes uint64
	moved   time.Time
	whole   bool // the current document of the feed
}

// find returns the shelf of a variant, the number of its last change, and its rows where a filter is to look at them.
func (p *Projection) find(v Variant) (s *shelf, changes uint64, rows []*row, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live == nil {
		if p.Known(v.Feed) || p.Automatic.could(v.Feed) {
			return nil, 0, nil, fault.Errorf(fault.Unreachable, "the feeds are being built")
		}
		return nil, 0, nil, fault.Errorf(fault.Gone, "there is no feed %s", v.Feed)
	}
	for i, f := range p.Feeds {
		if f.ID == v.Feed {
			s = p.live.shelves[i]
		}
	}
	if s == nil {
		s = p.live.grown(v.Feed, p.Automatic.Least)
	}
	if s == nil {
		return nil, 0, nil, fault.Errorf(fault.Gone, "there is no feed %s", v.Feed)
	}
	if v.Filter != nil {
		rows = slices.Clone(s.rows)
	}
	return s, s.changes, rows, nil
}

// cut takes the rows of a variant from the index. A filter looks at rows outside of the lock, since it may look at all.
func (p *Projection) cut(v Variant, s *shelf, rows []*row) (*cut, error) {
	part := s
	if v.Filter != nil {
		part, rows = narrow(s, rows, v.Filter)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	head := s.feed.Under(v.Under)
	if v.Under == "" {
		head.Hubs = s.feed.Head.Hubs
	}
	if !p.Known(v.Feed) {
		head.Title = clean.Title(head.Title+": "+s.label(), s.feed.ID)
	}
	c := &cut{feed: s.feed, head: &head, rows: rows, changes: s.changes, moved: s.moved}
	switch {
	case v.Filter != nil:
		c.filtered(v.Filter)
	case v.Archive != "":
		if !c.archived(s, v.Archive) {
			return nil, fault.Errorf(fault.Gone, "feed %s has no page %s in its archive", v.Feed, v.Archive)
		}
	default:
		c.whole = true
		c.rows, head.Older = s.current()
	}
	for _, r := range c.rows {
		c.entries = append(c.entries, render.Entry{Item: r.item, Also: part.also(r)})
	}
	return c, nil
}

// archived makes the cut a page of the archive, if there is one of that name.
func (c *cut) archived(s *shelf, name string) (found bool) {
	if c.rows, c.head.Newer, c.head.Older, found = s.archive(name); !found {
		return false
	}
	c.head.Archive, c.head.Hubs = name, nil // a page of the past is no topic
	c.head.Current = maps.Clone(c.head.Self)
	for _, format := range render.Formats() {
		c.head.Self[format] = c.head.ArchivePage(name, format)
	}
	return true
}

// made sums up everything that the document of a cut is made of.
func (c *cut) made() uint64 {
	h := fnv.New64a()
	fmt.Fprintln(h, c.head.Title, c.head.Older, c.head.Newer) // a hash takes everything
	for i, r := range c.rows {
		fmt.Fprintln(h, r.sequence, c.entries[i].Also)
	}
	return h.Sum64()
}

// complete completes the entries of a cut. What it reads is not kept: the document is.
func (p *Projection) complete(ctx context.Context, c *cut) ([]render.Entry, error) {
	for i, r := range c.rows {
		if c.entries[i].Item == nil {
			record, err := p.Last(ctx, r.subject)
			if err != nil {
				return nil, err
			}
			if record == nil || record.Sequence != r.sequence {
				return nil, errSuperseded
			}
			_, a, err := event.DecodeEnriched(record.Message)
			if err != nil {
				return nil, err
			}
			if c.entries[i].Item, err = item.New(&a, p.Site); err != nil {
				return nil, err
			}
		}
		c.entries[i].Item = c.feed.Show(c.entries[i].Item)
	}
	if c.whole {
		return c.feed.Complete(c.head, c.entries), nil
	}
	return c.entries, nil
}

func (c *cut) render(v Variant, entries []render.Entry, old *Rendered) (*Rendered, error) {
	contentType, body, err := v.Format.ContentType(), []byte(nil), error(nil)
	if v.Format == HTML {
		contentType = "text/html; charset=utf-8"
		body, err = page.Feed(c.head, entries, c.feed.Index)
	} else {
		body, err = render.Document(c.head, entries, v.Format)
	}
	if err != nil {
		return nil, fmt.Errorf("render feed %s: %w", v.Feed, err)
	}
	r := &Rendered{Feed: c.feed, Head: c.head}
	if old != nil && old.Document.Equal(body) {
		r.Document = old.Document
		return r, nil
	}
	r.Document, err = document.New(contentType, body, c.moved)
	return r, err
}
