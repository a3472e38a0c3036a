// Package discover finds the feeds that a web page names, for whoever gave the address of a page in place of a feed.
package discover

import (
	"bytes"
	"mime"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Feed is a feed that a page names.
type Feed struct {
	URL   string `json:"url"`
	Title string `json:"title,omitempty"`
}

const (
	// maxFeeds is how many are taken of a page, and maxTokens how far it is read: the links stand in its head.
	maxFeeds  = 20
	maxTokens = 20_000
	maxURL    = 2048
	maxTitle  = 200
)

// types are the media types of feeds (HTML standard, link type "alternate").
var types = []string{"application/rss+xml", "application/atom+xml", "application/feed+json", "application/rdf+xml"}

// Feeds lists the feeds that a page in UTF-8 names, in its order, each once. base is the address of the page.
func Feeds(page []byte, base string) []Feed {
	at, err := url.Parse(base)
	if err != nil {
		return nil
	}
	var list []Feed
	z := html.NewTokenizer(bytes.NewReader(page))
	for range maxTokens {
		kind := z.Next()
		if kind == html.ErrorToken || len(list) == maxFeeds {
			break
		}
		if kind != html.StartTagToken && kind != html.SelfClosingTagToken {
			continue
		}
		t := z.Token()
		switch t.DataAtom {
		case atom.Base:
			if u, err := at.Parse(attribute(t, "href")); err == nil {
				at = u
			}
		case atom.Link, atom.A:
			if f, ok := feed(t, at); ok && !slices.ContainsFunc(list, func(o Feed) bool { return o.URL == f.URL }) {
				list = append(list, f)
			}
		}
	}
	return list
}

func feed(t html.Token, base *url.URL) (Feed, bool) {
	if !slices.Contains(strings.Fields(strings.ToLower(attribute(t, "rel"))), "alternate") {
		return Feed{}, false
	}
	kind, _, err := mime.ParseMediaType(attribute(t, "type"))
	if err != nil || !slices.Contains(types, kind) {
		return Feed{}, false
	}
	u, err := base.Parse(strings.TrimSpace(attribute(t, "href")))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || len(u.String()) > maxURL {
		return Feed{}, false
	}
	title := strings.Join(strings.Fields(attribute(t, "title")), " ")
	if len(title) > maxTitle {
		title = strings.ToValidUTF8(title[:maxTitle], "")
	}
	return Feed{URL: u.String(), Title: title}, true
}

func attribute(t html.Token, name string) string {
	for _, a := range t.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
