// Package list composes entries of newsletters: what a mail tells of one article, as JSON. Mails are made of many entries,
// for each reader of those that he asked for, so nothing here knows of mails.
package list

import (
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/clean"
	"tidings.internal/services/publish/internal/compose"
)

const (
	// maxSummary is how much of a summary an entry has, in graphemes: a mail has up to fifty entries.
	maxSummary = 600
	// maxBytes is the size above which an entry goes without the body of the article. No row of a ledger holds more.
	maxBytes = 256 << 10
)

// Network is the network of list channels. Any change is worth an edit: a mail that is not written yet tells the newest.
var Network = compose.Network{
	Name:      "list",
	Settings:  defaults,
	Others:    others,
	Example:   example,
	AnyChange: true,
	Compose:   composeEntry,
}

// entry is an article in a mail. It only grows.
type entry struct {
	Title     string   `json:"title"`
	Summary   string   `json:"summary,omitempty"`
	HTML      string   `json:"html,omitempty"` // a fragment, sanitised
	URL       string   `json:"url"`
	Image     *image   `json:"image,omitempty"`
	Source    source   `json:"source"`
	Authors   []string `json:"authors,omitempty"`
	Tags      []tag    `json:"tags,omitempty"`
	Language  string   `json:"language,omitempty"`
	Published string   `json:"published"`
}

type image struct {
	URL string `json:"url"`
	Alt string `json:"alt"`
}

type source struct {
	ID    string `json:"id"`
	Title string `json:"title,omitempty"`
}

// tag has the id by which readers choose.
type tag struct {
	ID    string `json:"id"`
	Label string `json:"label"`
}

func composeEntry(in compose.Input) (compose.Draft, error) {
	e := newEntry(in)
	body, err := compose.JSON(e)
	if err == nil && len(body) > maxBytes {
		e.HTML = ""
		body, err = compose.JSON(e)
	}
	if err != nil {
		return compose.Draft{}, err
	}
	return compose.Draft{
		Text: e.Title, Count: event.Count{Used: len(body), Limit: maxBytes, Unit: "byte"}, Request: event.Request{Body: body},
	}, nil
}

func newEntry(in compose.Input) entry {
	it := in.Item
	e := entry{
		Title: it.Title, Summary: clean.Shorten(it.Summary, maxSummary), HTML: it.HTML, URL: in.Link, Source: source{it.Source.ID, it.Source.Title},
		Language: it.Language, Published: it.Published.UTC().Format(time.RFC3339),
	}
	if m := it.Image; m != nil {
		e.Image = &image{m.URL, m.Alt}
	}
	for _, a := range it.Authors {
		e.Authors = append(e.Authors, a.Name)
	}
	for _, t := range it.Tags {
		e.Tags = append(e.Tags, tag{t.Term, t.Label})
	}
	return e
}
