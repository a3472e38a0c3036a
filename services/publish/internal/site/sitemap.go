package site

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"tidings.internal/services/publish/internal/document"
	"tidings.internal/services/publish/internal/page"
)

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
