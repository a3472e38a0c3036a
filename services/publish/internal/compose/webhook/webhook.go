// Package webhook composes events for programs: a CloudEvents 1.0 document in structured mode with the article as its
// data (cloudevents.io, "JSON event format").
package webhook

import (
	_ "embed" // for example.yaml
	"strconv"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/compose"
	"tidings.internal/services/publish/internal/item"
)

//go:embed example.yaml
var example string

// maxBytes is the size above which an event goes without the body of the article: receivers take 256 KB at most.
const maxBytes = 256 << 10

// Network is the network of webhook channels.
var Network = compose.Network{
	Name:      "webhook",
	Others:    []string{"url", "url_file", "secret", "secret_file", "headers", "concurrency"},
	Example:   example,
	AnyChange: true,
	Compose:   composeEvent,
}

type cloudEvent struct {
	SpecVersion string `json:"specversion"`
	ID          string `json:"id"`
	Source      string `json:"source"`
	Type        string `json:"type"`
	Subject     string `json:"subject"`
	Time        string `json:"time"`
	ContentType string `json:"datacontenttype"`
	Data        data   `json:"data"`
}

// data is the article as a receiver gets it. It only grows.
type data struct {
	ID          string     `json:"id"`
	Story       string     `json:"story"`
	Revision    uint64     `json:"revision"`
	GUID        string     `json:"guid"` // the id of the item in feeds
	Backfill    bool       `json:"backfill,omitempty"`
	URL         string     `json:"url"`
	Title       string     `json:"title"`
	Summary     string     `json:"summary,omitempty"`
	ContentHTML string     `json:"content_html,omitempty"`
	Language    string     `json:"language,omitempty"`
	Published   string     `json:"published"`
	Updated     string     `json:"updated"`
	Authors     []author   `json:"authors,omitempty"`
	Tags        []tag      `json:"tags,omitempty"`
	Image       *image     `json:"image,omitempty"`
	Enclosure   *enclosure `json:"enclosure,omitempty"`
	Rights      string     `json:"rights,omitempty"`
	Source      source     `json:"source"`
}

type author struct {
	Name string `json:"name"`
	URL  string `json:"url,omitempty"`
}

type tag struct {
	ID    string `json:"id"`
	Label string `json:"label"`
}

type image struct {
	URL    string `json:"url"`
	Type   string `json:"type,omitempty"`
	Alt    string `json:"alt,omitempty"`
	Credit string `json:"credit,omitempty"`
	Width  int    `json:"width,omitempty"`
	Height int    `json:"height,omitempty"`
}

type enclosure struct {
	URL   string `json:"url"`
	Type  string `json:"type"`
	Bytes int64  `json:"bytes,omitempty"`
}

type source struct {
	ID      string `json:"id"`
	Title   string `json:"title,omitempty"`
	FeedURL string `json:"feed_url,omitempty"`
	SiteURL string `json:"site_url,omitempty"`
	Rights  string `json:"rights,omitempty"`
}

func composeEvent(in compose.Input) (compose.Draft, error) {
	e := cloudEvent{
		SpecVersion: "1.0", ID: id(in), Source: "/tidings/" + in.Channel.ID, Type: "article.published", Subject: in.Link,
		Time: rfc3339(in), ContentType: "application/json", Data: newData(in),
	}
	if in.Action == event.ActionEdit {
		e.Type = "article.updated"
	}
	body, err := compose.JSON(e)
	if err == nil && len(body) > maxBytes {
		e.Data.ContentHTML = ""
		body, err = compose.JSON(e)
	}
	if err != nil {
		return compose.Draft{}, err
	}
	return compose.Draft{
		Text: in.Item.Title, Count: event.Count{Used: len(body), Limit: maxBytes, Unit: "byte"},
		Request: event.Request{Method: "POST", Headers: map[string]string{"Content-Type": "application/cloudevents+json; charset=utf-8"}, Body: body},
	}, nil
}

// id is the same for every try of an event and another one for each change of the article. It has no dot, for it stands
// in the signed text of a Standard Webhooks request.
func id(in compose.Input) string {
	parts := []string{in.Channel.ID, in.Item.Story, in.Action}
	if in.Action != event.ActionCreate {
		parts = append(parts, strconv.FormatUint(in.Revision, 10))
	}
	return "msg_" + article.Digest(article.IDLength, parts...)
}

func rfc3339(in compose.Input) string { return in.Item.Updated.Format(time.RFC3339) }

func newData(in compose.Input) data {
	it := in.Item
	d := data{
		ID: it.Article, Story: it.Story, Revision: in.Revision, GUID: it.ID, Backfill: in.Backfill, URL: in.Link, Title: it.Title,
		Summary: it.Summary, ContentHTML: it.HTML, Language: it.Language, Published: it.Published.Format(time.RFC3339),
		Updated: rfc3339(in), Rights: it.Rights, Source: newSource(it.Source),
	}
	for _, a := range it.Authors {
		d.Authors = append(d.Authors, author{a.Name, a.URL})
	}
	for _, t := range it.Tags {
		d.Tags = append(d.Tags, tag{t.Term, t.Label})
	}
	if m := it.Image; m != nil {
		d.Image = &image{m.URL, m.Type, m.Alt, m.Credit, m.Width, m.Height}
	}
	if n := it.Enclosure; n != nil {
		d.Enclosure = &enclosure{n.URL, n.Type, n.Bytes}
	}
	return d
}

func newSource(s item.Source) source { return source{s.ID, s.Title, s.FeedURL, s.SiteURL, s.Rights} }
