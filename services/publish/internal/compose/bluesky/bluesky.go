// Package bluesky composes records of app.bsky.feed.post (docs.bsky.app, "Posts"; atproto.com, "Record Key").
//
// Links and hashtags are facets: ranges of bytes of the text. Servers store wrong ones as they are, so they are made of
// the finished text and checked. A link is shown shortened and leads to the whole address.
package bluesky

import (
	"hash/fnv"
	"net/url"
	"strings"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/clean"
	"tidings.internal/services/publish/internal/compose"
)

const (
	// limit is the most graphemes of a text, maxBytes the most bytes (lexicon app.bsky.feed.post, maxGraphemes, maxLength).
	limit    = 300
	maxBytes = 3000
	// shownLink is the longest form of a link in the text, in characters.
	shownLink = 40
	// maxCard is the length of the texts of a card, maxThumb the size of its picture (lexicon app.bsky.embed.external).
	maxCard, maxThumb = 300, 1_000_000
	// maxTag is the longest hashtag in graphemes (lexicon app.bsky.richtext.facet).
	maxTag = 64

	collection = "app.bsky.feed.post"
)

// Network is the network of bluesky channels.
var Network = compose.Network{
	Name:     "bluesky",
	Settings: defaults,
	Others:   others,
	Example:  example,
	Template: "{{.Title}}\n\n{{.Summary}}\n\n{{.URL}}\n\n{{hashtags .Tags}}",
	Compose:  composePost,
}

// put is the body of com.atproto.repo.putRecord. deliver fills repo and rkey.
type put struct {
	Repo       string `json:"repo"`
	Collection string `json:"collection"`
	RKey       string `json:"rkey"`
	Validate   bool   `json:"validate"`
	Record     record `json:"record"`
}

type record struct {
	Type      string   `json:"$type"`
	Text      string   `json:"text"`
	CreatedAt string   `json:"createdAt"`
	Langs     []string `json:"langs,omitempty"`
	Facets    []facet  `json:"facets,omitempty"`
	Embed     *embed   `json:"embed,omitempty"`
}

type facet struct {
	Index    index     `json:"index"`
	Features []feature `json:"features"`
}

type index struct {
	Start int `json:"byteStart"`
	End   int `json:"byteEnd"`
}

type feature struct {
	Type string `json:"$type"`
	URI  string `json:"uri,omitempty"`
	Tag  string `json:"tag,omitempty"`
}

type embed struct {
	Type     string   `json:"$type"`
	External external `json:"external"`
}

type external struct {
	URI         string `json:"uri"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Thumb       *media `json:"thumb,omitempty"`
}

type media struct {
	Name string `json:"$media"`
}

func composePost(in compose.Input) (compose.Draft, error) {
	s, ok := in.Channel.Settings.(*Settings)
	if !ok {
		s = defaults().(*Settings)
	}
	link := shorten(in.Link)
	count := func(text string) int { return length(strings.ReplaceAll(text, in.Link, link)) }
	text, used, err := compose.Fit(in, compose.NewFields(in, compose.Unmention), count, limit)
	if err != nil {
		return compose.Draft{}, err
	}
	r := record{Type: collection, CreatedAt: created(in).Format("2006-01-02T15:04:05.000000Z")}
	r.Text = strings.ReplaceAll(text, in.Link, link)
	r.Facets = facets(text, in.Link)
	if l := in.Item.Language; l != "" {
		r.Langs = []string{l}
	}
	d := compose.Draft{Text: r.Text, Count: event.Count{Used: used, Limit: limit, Unit: "grapheme"}}
	if s.Card {
		r.Embed = &embed{Type: "app.bsky.embed.external", External: external{
			URI: in.Link, Title: clean.Shorten(in.Item.Title, maxCard), Description: clean.Shorten(in.Item.Summary, maxCard),
		}}
		if m := in.Item.Image; m != nil {
			r.Embed.External.Thumb = &media{"card"}
			d.Media = []event.Asset{{Name: "card", URL: m.URL, Alt: m.Alt, MaxBytes: maxThumb, Types: []string{"image/jpeg", "image/png"}}}
		}
	}
	d.Request = event.Request{Method: "POST", Path: "/xrpc/com.atproto.repo.putRecord", Headers: map[string]string{"Content-Type": "application/json", "Authorization": "Bearer {token}"}}
	d.Request.Body, err = compose.JSON(put{Repo: "{repo}", Collection: collection, RKey: "{rkey}", Validate: true, Record: r})
	return d, err
}

// created is when the article was published. The dates of feeds have whole seconds, and records are ordered by this time,
// so the story decides the microseconds: two articles of one second keep one order everywhere.
func created(in compose.Input) time.Time {
	h := fnv.New64a()
	_, _ = h.Write([]byte(in.Item.Story)) // never fails
	return in.Item.Published.UTC().Truncate(time.Second).Add(time.Duration(h.Sum64()%1_000_000) * time.Microsecond)
}

// length is the number of graphemes, or more if the bytes run out first.
func length(text string) int {
	return max(clean.Length(text), (len(text)*limit+maxBytes-1)/maxBytes)
}

// shorten is a link as it is shown: without its scheme, cut in the middle of nowhere and marked so.
func shorten(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return link
	}
	s := strings.TrimPrefix(u.Host, "www.") + u.EscapedPath()
	if u.RawQuery != "" {
		s += "?" + u.RawQuery
	}
	if s = strings.TrimSuffix(s, "/"); len(s) > shownLink {
		s = s[:shownLink-1] + "…" // an address is ASCII
	}
	return s
}

// facets are the ranges of the shown text that are a link or a hashtag. text still has the whole link.
func facets(text, link string) []facet {
	var out []facet
	shown, at := shorten(link), 0
	for i, part := range strings.Split(text, link) {
		if i > 0 {
			out = append(out, facet{index{at, at + len(shown)}, []feature{{Type: "app.bsky.richtext.facet#link", URI: link}}})
			at += len(shown)
		}
		for start, end := range compose.Hashtags(part) {
			name := part[start:end]
			// The # belongs to the range and not to the tag. A number is no tag.
			if strings.Trim(name, "0123456789") == "" || clean.Length(name) > maxTag {
				continue
			}
			out = append(out, facet{index{at + start - 1, at + end}, []feature{{Type: "app.bsky.richtext.facet#tag", Tag: name}}})
		}
		at += len(part)
	}
	return out
}
