// Package site answers the public port: feeds, their landing pages, the index, OPML and robots.txt. What sites ask of the
// hub, and readers on the pages of newsletters, it hands on.
//
// Everything else is made before it is asked for, so that a request is a look-up in memory and the port serves on while
// the broker is away. The package keeps no state, sets no cookie and takes no address from a request: those in its answers
// come from the configuration.
package site

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tidings.internal/pkg/fault"
	"tidings.internal/services/publish/internal/document"
	"tidings.internal/services/publish/internal/feed"
	"tidings.internal/services/publish/internal/hub"
	"tidings.internal/services/publish/internal/limit"
	"tidings.internal/services/publish/internal/newsletter"
	"tidings.internal/services/publish/internal/page"
	"tidings.internal/services/publish/internal/projection"
	"tidings.internal/services/publish/internal/render"
	"tidings.internal/services/publish/internal/selection"
)

// Feeds is where the documents come from.
type Feeds interface {
	Known(id string) bool
	Feed(id string) (*projection.Published, bool)
	Variant(ctx context.Context, v projection.Variant) (*projection.Rendered, error)
	Ready() bool
	Recent(since time.Time, most int) []page.Listed
}

// Config is what a site is made of.
type Config struct {
	Feeds Feeds
	// List holds the feeds of the configuration. Those that are private are shown nowhere.
	List        []*feed.Feed
	Base        string // address of the site without a slash at its end
	Title       string
	Description string
	Language    string
	// SitemapHosts are the hosts whose articles stand in the sitemap for news.
	SitemapHosts []string
	// Moved gives the ids of feeds by those that they had before, and Gone the ids of feeds that are no more.
	Moved map[string]string
	Gone  map[string]bool
	// Hub takes the requests of sites that want to be told of news; nil when the hub is off.
	Hub func(*http.Request) (status int, text string)
	// Newsletter answers below newsletter.Path, and Lists leads there; nil when no list has pages.
	Newsletter func(*http.Request) *newsletter.Answer
	Lists      []page.List
	// Limit, when set, holds clients back that ask too often.
	Limit *limit.Limiter
	// Now is the clock by which tokens end; [time.Now] when it is nil.
	Now func() time.Time
	// Served is told of each answer: the kind of document and the status.
	Served func(kind string, status int)
}

// The limits of a request.
const (
	maxURL        = 4 << 10
	maxHeader     = 16 << 10
	headerTimeout = 5 * time.Second
	writeTimeout  = 60 * time.Second
	idleTimeout   = 120 * time.Second
	// retryAfter is what a reader is told who comes before the feeds are built, in seconds.
	retryAfter = "5"
	// hubRetryAfter is what a site is told whose request could not be stored, in seconds.
	hubRetryAfter = "60"
)

// Site is the handler of the public port.
type Site struct {
	Config
	fixed   map[string]fixed
	private map[string]*feed.Feed
}

// fixed is a page that depends on the configuration alone.
type fixed struct {
	kind     string
	document *document.Document
	html     bool
}

// New makes a site.
func New(c Config) (*Site, error) {
	s := &Site{Config: c, fixed: map[string]fixed{}, private: map[string]*feed.Feed{}}
	if s.Now == nil {
		s.Now = time.Now
	}
	for _, f := range c.List {
		if f.Private() {
			s.private[f.ID] = f
		}
	}
	public := feed.Public(c.List)
	add := func(path, kind, contentType string, body []byte, err error) error {
		if err != nil {
			return err
		}
		d, err := document.New(contentType, body, time.Time{})
		s.fixed[path] = fixed{kind, d, strings.HasPrefix(contentType, "text/html")}
		return err
	}
	index, err := page.Index(c.Title, c.Description, c.Language, public, c.Lists)
	if err = add("/", "html", "text/html; charset=utf-8", index, err); err != nil {
		return nil, err
	}
	opml, err := page.OPML(c.Title, public)
	if err = add("/opml.xml", "opml", "text/x-opml; charset=utf-8", opml, err); err != nil {
		return nil, err
	}
	if err = add("/robots.txt", "other", "text/plain; charset=utf-8", []byte("User-agent: *\nDisallow: /t/\nDisallow: /hub\nDisallow: /newsletter/\n\nSitemap: "+c.Base+"/sitemap-news.xml\n"), nil); err != nil {
		return nil, err
	}
	if err = add("/style.css", "other", "text/css; charset=utf-8", page.Style, nil); err != nil {
		return nil, err
	}
	return s, nil
}

// Server makes the HTTP server of a site, with its limits.
func (s *Site) Server(log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: s, ReadHeaderTimeout: headerTimeout, ReadTimeout: headerTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader,
		// What net/http has to say is about clients that hang up or speak nonsense: nothing an operator can mend.
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// ServeHTTP implements [http.Handler].
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := s.limited(r)
	a.write(w, r)
	if s.Served != nil {
		s.Served(a.kind, a.status)
	}
}

// limited answers a request unless its network has asked too often.
func (s *Site) limited(r *http.Request) *answer {
	if s.Limit == nil || s.mailed(r) && newsletter.Spared(r) {
		return s.answer(r)
	}
	network, counted := s.Limit.Client(r)
	if !counted {
		return s.answer(r)
	}
	if wait := s.Limit.Wait(network); wait > 0 {
		seconds := strconv.Itoa(int(wait.Seconds()))
		a := s.fail("other", http.StatusTooManyRequests, "Your network asked too often. Try again in %s seconds, and send If-None-Match: what did not change costs a tenth.", seconds)
		a.header.Set("Retry-After", seconds)
		return a
	}
	a := s.answer(r)
	points := limit.Whole
	switch {
	case a.dear && (a.status == http.StatusOK || a.status == http.StatusNotModified || a.status == http.StatusAccepted):
		points = limit.Made // it may have been made only to be found unchanged, or have been written to disk
	case a.status == http.StatusNotModified:
		points = limit.Unchanged
	}
	s.Limit.Spend(network, points)
	return a
}

// answer decides what a request gets.
func (s *Site) answer(r *http.Request) *answer {
	if len(r.RequestURI) > maxURL {
		return s.fail("other", http.StatusRequestURITooLong, "This address is longer than %d bytes. Shorten it.", maxURL)
	}
	if r.URL.Path == hub.Path && s.Hub != nil {
		return s.hub(r)
	}
	if s.mailed(r) {
		return s.newsletter(r)
	}
	a := s.route(r)
	if a.document == nil {
		return a
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return a.choose(r)
	case http.MethodOptions:
		return preflight(a)
	}
	failed := s.fail(a.kind, http.StatusMethodNotAllowed, "This address can be read, with GET or HEAD, and nothing else.")
	failed.header.Set("Allow", allowed)
	return failed
}

// hub answers sites that want to be told of news.
func (s *Site) hub(r *http.Request) *answer {
	if r.Method != http.MethodPost {
		a := s.fail("hub", http.StatusMethodNotAllowed, "This is a WebSub hub. Subscribe with a POST, as https://www.w3.org/TR/websub/ says in section 5.")
		a.header.Set("Allow", http.MethodPost)
		return a
	}
	status, text := s.Hub(r)
	a := s.fail("hub", status, "%s", text)
	if status == http.StatusServiceUnavailable {
		a.header.Set("Retry-After", hubRetryAfter)
	}
	a.dear = true
	return a
}

func (s *Site) route(r *http.Request) *answer {
	path := r.URL.Path
	if f, ok := s.fixed[path]; ok {
		a := found(f.kind, f.document)
		a.header.Set("Cache-Control", "public, max-age=300")
		if f.html {
			a.header.Set("Content-Security-Policy", page.Policy)
		}
		return a
	}
	if path == "/sitemap-news.xml" {
		return s.sitemap()
	}
	if rest, ok := strings.CutPrefix(path, "/t/"); ok {
		return s.secluded(r, rest)
	}
	if a := s.below(r, "", path); a != nil {
		return a
	}
	return s.nothing()
}

const (
	// sitemapAge and sitemapMost bound the sitemap for news: search engines take two days and 1,000 articles.
	sitemapAge  = 48 * time.Hour
	sitemapMost = 1000
)

// sitemap answers with the articles of the last two days that stand on hosts of our own. It is the one document that
// depends on the clock, so it is made when it is asked for.
func (s *Site) sitemap() *answer {
	if !s.Feeds.Ready() {
		return s.busy("sitemap")
	}
	list := slices.DeleteFunc(s.Feeds.Recent(s.Now().Add(-sitemapAge), 10*sitemapMost), func(l page.Listed) bool {
		u, err := url.Parse(l.URL)
		return err != nil || !slices.Contains(s.SitemapHosts, u.Hostname())
	})
	if len(list) == 0 {
		return s.fail("sitemap", http.StatusNotFound, "There is no article of the last two days on a host of this site.")
	}
	body, err := page.Sitemap(s.Title, s.Language, list[:min(len(list), sitemapMost)])
	if err == nil {
		var d *document.Document
		if d, err = document.New("application/xml; charset=utf-8", body, time.Time{}); err == nil {
			a := found("sitemap", d)
			a.header.Set("Cache-Control", "public, max-age=300")
			a.dear = true
			return a
		}
	}
	return s.busy("sitemap") // it fails only where memory does
}

func (s *Site) nothing() *answer {
	return s.fail("other", http.StatusNotFound, "There is nothing at this address. The feeds are listed at %s/.", s.Base)
}

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

// hidden reports whether a feed is private, and not asked for by its token. Such a feed is not named either: an id that
// it had before leads those without a token to it no more than its own does.
func (s *Site) hidden(under, id string) bool { return under == "" && s.private[id] != nil }

// secluded answers for what stands below /t/: private feeds, with the token of a reader. What is served there is for
// this reader alone: no cache in between may keep it, no page of another site may read it, and its address goes nowhere.
func (s *Site) secluded(r *http.Request, rest string) *answer {
	token, path, _ := strings.Cut(rest, "/")
	path = "/" + path
	switch path {
	case "/style.css": // the page of a feed asks for it beside itself
		f := s.fixed[path]
		return found(f.kind, f.document)
	case "/":
		return s.moved("html", s.Base+"/")
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(path, "/feeds/"), "/")
	id, _ := split(name)
	if to, ok := s.Moved[id]; ok {
		id = to
	}
	f := s.private[id]
	switch {
	case s.Gone[id]:
		return s.gone("other")
	case f == nil:
		return s.nothing()
	}
	switch f.Admit(token, s.Now()) {
	case feed.Refused:
		return s.nothing()
	case feed.Past:
		return s.seclude(s.fail("other", http.StatusGone, "This address does not hold any more. Ask whoever gave it to you for another one."))
	}
	a := s.below(r, "/t/"+token, path)
	if a == nil {
		return s.nothing()
	}
	return s.seclude(a)
}

// seclude keeps an answer with its reader.
func (s *Site) seclude(a *answer) *answer {
	a.header.Del("Access-Control-Allow-Origin")
	a.header.Set("Referrer-Policy", "no-referrer")
	a.header.Set("X-Robots-Tag", "noindex")
	if a.header.Get("Cache-Control") != "no-cache" {
		a.header.Set("Cache-Control", "private, max-age=60")
	}
	a.secluded = true
	return a
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

// gone is the answer for a feed that is no more. Readers that know the status stop asking.
func (s *Site) gone(kind string) *answer {
	return s.fail(kind, http.StatusGone, "This feed is no longer published. The feeds are listed at %s/.", s.Base)
}

// query gives the query of a request with its mark, if any.
func query(r *http.Request) string {
	if r.URL.RawQuery == "" {
		return ""
	}
	return "?" + r.URL.RawQuery
}

// busy is the answer while there is nothing to serve yet.
func (s *Site) busy(kind render.Format) *answer {
	a := s.fail(string(kind), http.StatusServiceUnavailable, "The feeds are being built. Try again in %s seconds.", retryAfter)
	a.header.Set("Retry-After", retryAfter)
	return a
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

// moved leads to the one address of a document.
func (s *Site) moved(kind, to string) *answer {
	a := s.fail(kind, http.StatusMovedPermanently, "This document is at another address.")
	a.header.Set("Location", to)
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
