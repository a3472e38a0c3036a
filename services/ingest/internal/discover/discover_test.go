package discover

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFeedsOfAPage(t *testing.T) {
	t.Parallel()
	page := `<!doctype html><html><head><title>x</title>
<link rel="alternate" type="application/rss+xml" title="All  the
news &amp; more" href="/feed.rss"><LINK REL='Alternate home' TYPE='application/atom+xml; charset=utf-8' HREF='https://other.example/atom'>
<link rel=alternate type=application/feed+json href=json?a=1&amp;b=2>
<link rel="alternate" hreflang="de" href="/de"><link rel="stylesheet" type="application/rss+xml" href="/style">
<link rel="alternate" type="text/html" href="/print"><link rel="alternate" type="application/rss+xml" href="javascript:alert(1)">
<link rel="alternate" type="application/rss+xml" href="https://u:p@example.org/secret"><link rel="alternate" type="application/rss+xml" href="/feed.rss">
<script>"<link rel='alternate' type='application/rss+xml' href='/script'>"</script></head>
<body><a rel="alternate" type="application/rss+xml" href="/body">Feed</a></body></html>`
	want := []Feed{
		{URL: "https://example.org/feed.rss", Title: "All the news & more"}, {URL: "https://other.example/atom"},
		{URL: "https://example.org/x/json?a=1&b=2"}, {URL: "https://example.org/body"},
	}
	if diff := cmp.Diff(want, Feeds([]byte(page), "https://example.org/x/page")); diff != "" {
		t.Error(diff)
	}
	based := strings.Replace(page, "<title>", `<base href="https://cdn.example/y/"><title>`, 1)
	if got := Feeds([]byte(based), "https://example.org/x/page"); len(got) != 4 || got[2].URL != "https://cdn.example/y/json?a=1&b=2" {
		t.Errorf("with a base of its own the page names %v", got)
	}
	if got := Feeds([]byte(strings.Repeat(`<link rel=alternate type=application/rss+xml href=a>`, 3)+"<rss>"), "::"); got != nil {
		t.Errorf("of a page without address: %v", got)
	}
	if got := Feeds(nil, "https://example.org/"); got != nil {
		t.Errorf("of nothing: %v", got)
	}
}

func FuzzFeeds(f *testing.F) {
	f.Add([]byte(`<link rel=alternate type=application/rss+xml href=a title=b><base href=c>`))
	f.Fuzz(func(t *testing.T, page []byte) {
		for _, feed := range Feeds(page, "https://example.org/") {
			if !strings.HasPrefix(feed.URL, "http") || len(feed.URL) > maxURL {
				t.Errorf("feed %q", feed.URL)
			}
		}
	})
}
