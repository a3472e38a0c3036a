// Package teams composes messages for workflows of Microsoft Teams ("Post to a channel when a webhook request is
// received"): one Adaptive Card (adaptivecards.io, schema 1.5) in a message.
//
// A TextBlock of a card reads Markdown, so the words stand in blocks of rich text, which read nothing. A card cannot be
// changed or taken back through a workflow.
package teams

import (
	"encoding/json"
	"net/url"
	"strings"

	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/compose"
)

// limit is the most bytes of the words as JSON. Teams takes messages of 28 KB, and what the workflow adds counts.
const limit = 18 << 10

// Network is the network of teams channels.
var Network = compose.Network{
	Name:     "teams",
	Settings: defaults,
	Others:   others,
	Example:  example,
	Template: "{{.Title}}\n\n{{.Summary}}\n\n{{.URL}}\n\n{{hashtags .Tags}}",
	Compose:  composePost,
}

type message struct {
	Type        string       `json:"type"`
	Attachments []attachment `json:"attachments"`
}

type attachment struct {
	ContentType string `json:"contentType"`
	// ContentURL is null for a card that stands in the message itself; without the field it is refused.
	ContentURL *string `json:"contentUrl"`
	Content    card    `json:"content"`
}

type card struct {
	Schema  string   `json:"$schema"`
	Type    string   `json:"type"`
	Version string   `json:"version"`
	Body    []block  `json:"body"`
	Actions []action `json:"actions,omitempty"`
}

type block struct {
	Type    string `json:"type"`
	Inlines []run  `json:"inlines"`
}

type run struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

type action struct {
	Type  string `json:"type"`
	Title string `json:"title"`
	URL   string `json:"url"`
}

func composePost(in compose.Input) (compose.Draft, error) {
	s, ok := in.Channel.Settings.(*Settings)
	if !ok {
		s = defaults().(*Settings)
	}
	text, used, err := compose.Fit(in, compose.NewFields(in, nil), size, limit)
	if err != nil {
		return compose.Draft{}, err
	}
	c := card{Schema: "http://adaptivecards.io/schemas/adaptive-card.json", Type: "AdaptiveCard", Version: "1.5"}
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		c.Body = append(c.Body, block{Type: "RichTextBlock", Inlines: []run{{Type: "TextRun", Text: paragraph}}})
	}
	if s.Button && in.Link != "" {
		c.Actions = []action{{Type: "Action.OpenUrl", Title: host(in.Link), URL: in.Link}}
	}
	d := compose.Draft{Text: text, Count: event.Count{Used: used, Limit: limit, Unit: "byte"}}
	d.Request = event.Request{Method: "POST", Headers: map[string]string{"Content-Type": "application/json"}}
	d.Request.Body, err = compose.JSON(message{Type: "message", Attachments: []attachment{{ContentType: "application/vnd.microsoft.card.adaptive", Content: c}}})
	return d, err
}

// size is how much a text takes in a body. It is never less than what is sent, which escapes fewer characters.
func size(text string) int {
	b, err := json.Marshal(text)
	if err != nil {
		return limit + 1 // a string is always written
	}
	return len(b)
}

// host is what the button is called.
func host(link string) string {
	u, err := url.Parse(link)
	if err != nil || u.Host == "" {
		return "link"
	}
	return strings.TrimPrefix(u.Hostname(), "www.")
}
