package page

import (
	"encoding/xml"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"tidings.internal/pkg/config"
	"tidings.internal/services/publish/internal/feed"
	"tidings.internal/services/publish/internal/item"
	"tidings.internal/services/publish/internal/render"
)

func feeds(t *testing.T) []*feed.Feed {
	t.Helper()
	var list []*feed.Feed
	for _, c := range []feed.Config{{ID: "all", Title: `"><script>alert(1)</script>`, Language: "de"}, {ID: "crm", Description: "About & more"}} {
		f, err := feed.New(c, config.Site{Title: "Site"}, "https://news.example.org")
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, f)
	}
	return list
}

// loads matches what would make a browser fetch, run or send something.
var loads = regexp.MustCompile(`(?i)<(script|img|iframe|object|embed|form|video|audio|svg|base|style)\b|\son[a-z]+\s*=|style\s*=|javascript:`)

func check(t *testing.T, body []byte) *html.Node {
	t.Helper()
	if found := loads.Find(body); found != nil {
		t.Errorf("the page holds %s", found)
	}
	root, err := html.Parse(strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestLandingPageIsInert(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	hostile := `"><img src=x onerror=alert(1)> & '`
	entries := []render.Entry{{Item: &item.Item{
		URL: "https://example.org/?a=1&b=2", Title: hostile, Summary: hostile, Language: "en", Published: at, Updated: at, Rights: hostile,
		Authors: []item.Author{{Name: hostile}}, Tags: []item.Tag{{Label: hostile}}, Source: item.Source{Title: hostile, SiteURL: "https://example.org/"},
	}}, {Item: &item.Item{URL: "https://example.org/2", Title: "Two", Published: at}}}
	for _, f := range feeds(t) {
		body, err := Feed(&f.Head, entries, f.ID == "all")
		if err != nil {
			t.Fatal(err)
		}
		// What was escaped must not be taken for markup.
		root := check(t, []byte(strings.NewReplacer("onerror=alert", "", "onerror&#61;alert", "").Replace(string(body))))
		alternates, articles, robots := 0, 0, false
		for n := range root.Descendants() {
			attr := map[string]string{}
			for _, a := range n.Attr {
				attr[a.Key] = a.Val
			}
			switch {
			case n.Data == "link" && attr["rel"] == "alternate":
				alternates++
				if !strings.HasPrefix(attr["href"], "https://news.example.org/feeds/"+f.ID+".") {
					t.Errorf("autodiscovery leads to %s", attr["href"])
				}
			case n.Data == "article":
				articles++
			case n.Data == "meta" && attr["name"] == "robots":
				robots = attr["content"] == "noindex"
			}
		}
		if alternates != 3 || articles != 2 || robots != (f.ID != "all") {
			t.Errorf("%s: %d alternates, %d articles, noindex %v", f.ID, alternates, articles, robots)
		}
	}
}

// A subscriber that begins with the page finds the hub and a topic that the hub knows (WebSub section 4); without a hub there
// is no topic.
func TestLandingPageNamesHubAndTopic(t *testing.T) {
	t.Parallel()
	for _, f := range feeds(t) {
		const hub, self = `<link rel="hub" href="https://news.example.org/hub">`, `rel="self"`
		body, err := Feed(&f.Head, nil, true)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(body), `rel="hub"`) || strings.Contains(string(body), self) {
			t.Errorf("without a hub the page names one, or a topic:\n%s", body)
		}
		f.Join("https://news.example.org/hub")
		if body, err = Feed(&f.Head, nil, true); err != nil {
			t.Fatal(err)
		}
		topic := `<link rel="self" type="application/rss&#43;xml" href="` + f.Head.Self[render.RSS] + `">`
		if strings.Count(string(body), self) != 1 || !strings.Contains(string(body), hub) || !strings.Contains(string(body), topic) {
			t.Errorf("want %s and %s in\n%s", hub, topic, body)
		}
	}
}

func TestSitemapNamesLanguagesAsSearchEnginesDo(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		"de": "de", "de-CH": "de", "pt-br": "pt", "": "fr", "und": "fr", "zh": "zh-cn", "zh-CN": "zh-cn", "zh-hans-tw": "zh-cn", "zh-TW": "zh-tw", "zh-hant": "zh-tw", "zh-hk": "zh-tw",
	} {
		body, err := Sitemap("Site", "fr-CA", []Listed{{URL: "https://news.example.org/1", Title: "One", Language: code}})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(body), "<news:language>"+want+"</news:language>") {
			t.Errorf("%q: want %s in\n%s", code, want, body)
		}
	}
}

func TestIndexAndOPMLListEveryFeed(t *testing.T) {
	t.Parallel()
	list := feeds(t)
	body, err := Index("Site <b>", "About", "de", list, nil)
	if err != nil {
		t.Fatal(err)
	}
	check(t, body)
	for _, want := range []string{`href="feeds/all"`, `href="feeds/crm"`, "https://news.example.org/feeds/crm.atom", "Site &lt;b&gt;"} {
		if !strings.Contains(string(body), want) {
			t.Errorf("the index does not hold %s", want)
		}
	}
	body, err = OPML("Site", list)
	if err != nil {
		t.Fatal(err)
	}
	var o struct {
		Version  string `xml:"version,attr"`
		Outlines []struct {
			Text string `xml:"text,attr"`
			URL  string `xml:"xmlUrl,attr"`
			Page string `xml:"htmlUrl,attr"`
		} `xml:"body>outline"`
	}
	if err := xml.Unmarshal(body, &o); err != nil {
		t.Fatal(err)
	}
	if o.Version != "2.0" || len(o.Outlines) != 2 || o.Outlines[1].URL != "https://news.example.org/feeds/crm.rss" || o.Outlines[1].Page != "https://news.example.org/feeds/crm" || o.Outlines[1].Text != "Site: crm" {
		t.Errorf("%s", body)
	}
}
