package site

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"tidings.internal/pkg/fault"
	"tidings.internal/services/publish/internal/page"
	"tidings.internal/services/publish/internal/projection"
	"tidings.internal/services/publish/internal/render"
	"tidings.internal/services/publish/internal/selection"
)

// below answers for the paths of feeds and their archives, which private feeds have under a path with their token. It is
// nil where there is no such path.
func (s *Site) below(r *http.Request, under, path string) *answer {
	name, ok := strings.CutPrefix(path, "/feeds/")
	if !ok || name == "" {
		return nil
	}
	id, page, deeper := strings.Cut(name, "/")
	if !deeper {
		return s.feed(r, under, name)
	}
	if page, ok := strings.CutPrefix(page, "archive/"); ok {
		return s.archive(r, under, id, page)
	}
	return nil
}

// split takes the name of a document apart: the id of the feed and the format, which is that of pages where none is named.
func split(name string) (id string, kind render.Format) {
	for _, format := range render.Formats() {
		if before, ok := strings.CutSuffix(name, "."+string(format)); ok {
			return before, format
		}
	}
	return name, projection.HTML
}

// feed answers for a feed. name is an id, with the ending of a format or without.
func (s *Site) feed(r *http.Request, under, name string) *answer {
	id, kind := split(name)
	negotiated := kind == projection.HTML
	root := s.Base + under + "/feeds/"
	if to, ok := s.Moved[id]; ok && !s.hidden(under, to) {
		return s.moved(string(kind), root+url.PathEscape(to)+strings.TrimPrefix(name, id)+query(r))
	}
	if s.Gone[id] {
		return s.gone(string(kind))
	}
	if negotiated {
		kind = negotiate(r.Header)
	}
	var filter *selection.Filter
	if r.URL.RawQuery != "" {
		var err error
		filter, err = selection.ParseFilter(r.URL.RawQuery)
		switch place := root + url.PathEscape(id); {
		case err != nil && kind == projection.HTML:
			filter = nil // people come with the marks of whoever linked to the page
		case err != nil:
			return s.fail(string(kind), http.StatusBadRequest, "This filter cannot be used: %s.", err)
		case kind == projection.HTML && filter.Canonical != r.URL.RawQuery:
			return s.moved(string(kind), place+"?"+filter.Canonical)
		case kind != projection.HTML && (filter.Canonical != r.URL.RawQuery || negotiated):
			return s.moved(string(kind), place+"."+string(kind)+"?"+filter.Canonical)
		}
	}
	doc, err := s.document(r.Context(), under, id, kind, filter)
	switch {
	case projection.Missing(err):
		return s.fail(string(kind), http.StatusNotFound, "There is no feed of this name. The feeds are listed at %s/.", s.Base)
	case err != nil:
		return s.busy(kind)
	}
	a := feedAnswer(doc, kind, negotiated)
	a.dear = filter != nil
	if filter == nil && kind != projection.HTML {
		a.feed = id
	}
	return a
}

// archivePage is the name of a page of the archive with the ending of a format.
var archivePage = regexp.MustCompile(`^([0-9]{4}-[0-9]{2}-[0-9]{1,6})\.(rss|atom|json)$`)

// archive answers for a page of the archive of a feed (RFC 5005 section 4). It may be kept for an hour, and not for
// ever: what is taken down leaves it, too.
func (s *Site) archive(r *http.Request, under, id, name string) *answer {
	page := archivePage.FindStringSubmatch(name)
	if page == nil {
		return s.fail("other", http.StatusNotFound, "There is nothing at this address. The feeds are listed at %s/.", s.Base)
	}
	kind := render.Format(page[2])
	if to, ok := s.Moved[id]; ok && !s.hidden(under, to) {
		return s.moved(string(kind), s.Base+under+"/feeds/"+url.PathEscape(to)+"/archive/"+page[0])
	}
	if s.Gone[id] {
		return s.gone(string(kind))
	}
	if r.URL.RawQuery != "" {
		return s.moved(string(kind), s.Base+under+"/feeds/"+url.PathEscape(id)+"/archive/"+page[0])
	}
	doc, err := s.Feeds.Variant(r.Context(), projection.Variant{Feed: id, Format: kind, Archive: page[1], Under: under})
	switch {
	case projection.Missing(err) || s.hidden(under, id):
		return s.fail(string(kind), http.StatusNotFound, "There is no page of this name in the archive of this feed. The current document of the feed leads to its archive.")
	case err != nil:
		return s.busy(kind)
	}
	a := feedAnswer(doc, kind, false)
	a.header.Set("Cache-Control", "public, max-age=3600")
	a.dear = true
	return a
}

// query gives the query of a request with its mark, if any.
func query(r *http.Request) string {
	if r.URL.RawQuery == "" {
		return ""
	}
	return "?" + r.URL.RawQuery
}

// document finds what is made already, or has it made. A whole feed of the configuration is never made on
// demand: it is there, or everything is still being built.
func (s *Site) document(ctx context.Context, under, id string, kind render.Format, filter *selection.Filter) (*projection.Rendered, error) {
	if s.hidden(under, id) {
		return nil, fault.Errorf(fault.Gone, "feed %s is private", id)
	}
	if filter == nil && under == "" && s.Feeds.Known(id) {
		p, ok := s.Feeds.Feed(id)
		if !ok {
			return nil, fault.Errorf(fault.Unreachable, "the feeds are being built")
		}
		return &projection.Rendered{Feed: p.Feed, Head: &p.Feed.Head, Document: p.Documents[kind]}, nil
	}
	return s.Feeds.Variant(ctx, projection.Variant{Feed: id, Format: kind, Filter: filter, Under: under})
}

// feedAnswer is the answer with a document of a feed.
func feedAnswer(p *projection.Rendered, kind render.Format, negotiated bool) *answer {
	a := found(string(kind), p.Document)
	a.header.Set("Cache-Control", "public, max-age=60, stale-while-revalidate=300")
	if negotiated {
		a.header.Set("Vary", "Accept, Accept-Encoding")
	}
	if kind == projection.HTML {
		a.header.Set("Content-Security-Policy", page.Policy)
	} else {
		a.header.Set("Link", links(p.Head, kind))
		if negotiated {
			a.header.Set("Content-Location", p.Head.Self[kind])
		}
	}
	if !p.Feed.Index {
		a.header.Set("X-Robots-Tag", "noindex")
	}
	return a
}

// links is the one Link header of a feed (RFC 8288), by which subscribers find its hub and its topic.
func links(f *render.Feed, kind render.Format) string {
	var list []string
	for _, hub := range f.Hubs {
		list = append(list, "<"+hub+`>; rel="hub"`)
	}
	return strings.Join(append(list, "<"+f.Self[kind]+`>; rel="self"`), ", ")
}
