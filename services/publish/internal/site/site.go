// Package site answers the public port: feeds, their landing pages, the index, OPML and robots.txt. What sites ask of the
// hub, and readers on the pages of newsletters, it hands on.
//
// Everything else is made before it is asked for, so that a request is a look-up in memory and the port serves on while
// the broker is away. The package keeps no state, sets no cookie and takes no address from a request: those in its answers
// come from the configuration.
package site

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tidings.internal/services/publish/internal/document"
	"tidings.internal/services/publish/internal/feed"
	"tidings.internal/services/publish/internal/hub"
	"tidings.internal/services/publish/internal/limit"
	"tidings.internal/services/publish/internal/newsletter"
	"tidings.internal/services/publish/internal/page"
	"tidings.internal/services/publish/internal/projection"
	"tidings.internal/services/publish/internal/render"
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
	// Read, when set, is told who got a current document of a feed, or was told that nothing has changed.
	Read func(feed, kind, userAgent string)
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
	if err = add("/robots.txt", "other", "text/plain; charset=utf-8", robots(c.Base), nil); err != nil {
		return nil, err
	}
	if err = add("/style.css", "other", "text/css; charset=utf-8", page.Style, nil); err != nil {
		return nil, err
	}
	return s, nil
}

// robots is what robots.txt says. Its paths are those that crawlers see (RFC 9309 section 2.2.2), behind a proxy that puts one
// before ours.
func robots(base string) []byte {
	under := ""
	if u, err := url.Parse(base); err == nil {
		under = u.EscapedPath()
	}
	return fmt.Appendf(nil, "User-agent: *\nDisallow: %[1]s/t/\nDisallow: %[1]s/hub\nDisallow: %[1]s/newsletter/\n\nSitemap: %[2]s/sitemap-news.xml\n", under, base)
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
	if s.Read != nil && a.feed != "" && (a.status == http.StatusOK || a.status == http.StatusNotModified) {
		s.Read(a.feed, a.kind, r.UserAgent())
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

func (s *Site) nothing() *answer {
	return s.fail("other", http.StatusNotFound, "There is nothing at this address. The feeds are listed at %s/.", s.Base)
}

// gone is the answer for a feed that is no more. Readers that know the status stop asking.
func (s *Site) gone(kind string) *answer {
	return s.fail(kind, http.StatusGone, "This feed is no longer published. The feeds are listed at %s/.", s.Base)
}

// busy is the answer while there is nothing to serve yet.
func (s *Site) busy(kind render.Format) *answer {
	a := s.fail(string(kind), http.StatusServiceUnavailable, "The feeds are being built. Try again in %s seconds.", retryAfter)
	a.header.Set("Retry-After", retryAfter)
	return a
}

// moved leads to the one address of a document.
func (s *Site) moved(kind, to string) *answer {
	a := s.fail(kind, http.StatusMovedPermanently, "This document is at another address.")
	a.header.Set("Location", to)
	return a
}
