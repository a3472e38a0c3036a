package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/origintest"
)

// A feed that gives the beginning of its articles only: what is published is what stands on their pages, where the host
// allows to read them, and the beginning where it does not.
func TestThePageOfAShortArticleIsPublished(t *testing.T) {
	t.Parallel()
	dir, origin := t.TempDir(), origintest.New(t)
	const teaser = "The harbour master opened the new lock on Monday …"
	paragraph := strings.Repeat("The gates weigh ninety tonnes each and move in under four minutes, which the skippers had long asked for. ", 4)
	page := fmt.Sprintf(`<!doctype html><html lang="en"><head><title>The new lock is open | News</title></head><body><nav><a href="/">Home</a> <a href="/sport">Sport</a></nav>
<main><article><h1>The new lock is open</h1><p>The harbour master opened the new lock on Monday morning.</p><p>%s</p><p>%s</p><p>The next ship is due at noon.</p></article></main>
<footer>Imprint, contact, terms</footer></body></html>`, paragraph, paragraph)
	origin.Serve("/robots.txt", "text/plain", []byte("User-agent: *\nDisallow: /private/\n"))
	f := origin.Feed("short").Describe("Short", "en")
	for _, path := range []string{"/open", "/private/closed"} {
		origin.Serve(path, "text/html; charset=utf-8", []byte(page))
		f.Add(origintest.Item{ID: path, URL: origin.URL(path), Title: "The new lock is open: " + path[1:], Content: "<p>" + teaser + "</p>", Published: time.Now().Add(-time.Hour)})
	}
	write(t, filepath.Join(dir, "tidings.yaml"), fmt.Sprintf(`site: {title: Test, url: "http://127.0.0.1:1", language: en}
ingest: {allow_networks: [127.0.0.0/8], hosts: {%q: {concurrency: 4, gap: 0s}}}
sources: [{id: short, url: %q, every: 1s}]
feeds: [{id: all, duplicates: all}]
`, origin.Addr(), f.URL(origintest.RSS)))
	p := start(t, dir, anyPort(), "run")
	p.awaitReady(t)
	within(t, 30*time.Second, "both articles, one with its whole text", func() (bool, string) {
		_, body, _ := get(p.address(t, "/feeds/all.json"))
		var shown struct {
			Items []struct {
				Title string
				HTML  string `json:"content_html"`
			}
		}
		if json.Unmarshal(body, &shown) != nil || len(shown.Items) != 2 {
			return false, string(body) + p.errors()
		}
		good := true
		for _, it := range shown.Items {
			whole := strings.Contains(it.HTML, "ninety tonnes") && strings.Contains(it.HTML, "due at noon") && !strings.Contains(it.HTML, "Imprint")
			if strings.HasSuffix(it.Title, "closed") {
				good = good && strings.Contains(it.HTML, teaser) && !strings.Contains(it.HTML, "ninety")
			} else {
				good = good && whole
			}
		}
		return good, string(body)
	})
	if n := len(origin.Requests("/private/closed")); n != 0 {
		t.Errorf("a page that robots.txt forbids was asked for %d times", n)
	}
}
