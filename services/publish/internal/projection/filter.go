package projection

import (
	"slices"

	"tidings.internal/pkg/article"
	"tidings.internal/services/publish/internal/render"
	"tidings.internal/services/publish/internal/selection"
)

// meets reports whether a row is within a filter.
func (r *row) meets(f *selection.Filter) bool {
	any := func(wanted, have []string) bool {
		return len(wanted) == 0 || slices.ContainsFunc(wanted, func(w string) bool { return slices.Contains(have, w) })
	}
	return !r.published.Before(f.Since) && any(f.Tags, r.tags) && any(f.Authors, r.authors) &&
		(len(f.Languages) == 0 || selection.Speaks(f.Languages, r.language)) &&
		(len(f.Sources) == 0 || slices.Contains(f.Sources, r.source)) && (f.Query == nil || f.Query.Match(r.words()))
}

// narrow makes the shelf of a filter. Of a story the filter knows only what it takes, so that an article is not hidden
// by one that is not shown. rows are those of the feed at one moment.
func narrow(s *shelf, rows []*row, f *selection.Filter) (*shelf, []*row) {
	part := newShelf(s.feed)
	for _, r := range rows {
		if r.meets(f) {
			part.add(r)
		}
	}
	part.group() // rows came in their order
	limit := f.Limit
	if limit == 0 {
		limit = s.feed.Items
	}
	var chosen []*row
	bytes := 0
	for _, r := range part.rows {
		if len(chosen) == limit || len(chosen) > 0 && bytes+r.size > currentBytes {
			break
		}
		if part.shows(r) {
			chosen, bytes = append(chosen, r), bytes+r.size
		}
	}
	return part, chosen
}

// filtered turns what a feed says of itself into what its filtered form says: another address, no hub, not for search
// engines, and never more of an article than the feed passes on.
func (c *cut) filtered(f *selection.Filter) {
	own := *c.feed
	own.Index = false
	switch f.Content {
	case "summary":
		own.Level = own.Level.Lesser(article.Excerpt)
	case "title":
		own.Level = own.Level.Lesser(article.Headline)
	}
	c.feed = &own
	c.head.Hubs = nil
	for _, format := range render.Formats() {
		c.head.Self[format] += "?" + f.Canonical
	}
}
