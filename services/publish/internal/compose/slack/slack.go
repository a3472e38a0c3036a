// Package slack composes messages for chat.postMessage of Slack (docs.slack.dev, "chat.postMessage", "Rich text block").
//
// Slack's own markup knows no escape for an asterisk or an underscore, so what is shown is a block of rich text, whose
// pieces are what they are, words or link. The text that notifications show is markup: there the three characters that
// control Slack are escaped, & < >.
package slack

import (
	"strings"
	"unicode/utf8"

	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/compose"
)

// limit is the most characters of a post, as sent in its text, escapes included: what Slack allows a section of a message
// (Block Kit, "section"). Whole messages may be longer, and nobody reads them.
const limit = 3000

// Network is the network of slack channels.
var Network = compose.Network{
	Name:     "slack",
	Settings: defaults,
	Others:   others,
	Example:  example,
	Template: "{{.Title}}\n\n{{.Summary}}\n\n{{.URL}}\n\n{{hashtags .Tags}}",
	Compose:  composePost,
}

// message is the body of a request without the room, which the sending side knows.
type message struct {
	// Text is what notifications show, and programs that show no blocks.
	Text   string  `json:"text"`
	Blocks []block `json:"blocks"`
	// Links and media are not unfolded below a message unless somebody wants that.
	Links bool `json:"unfurl_links"`
	Media bool `json:"unfurl_media"`
}

// block is a block of rich text with one section.
type block struct {
	Type     string    `json:"type"`
	Elements []section `json:"elements"`
}

type section struct {
	Type     string  `json:"type"`
	Elements []piece `json:"elements"`
}

// piece is a run of words, or a link.
type piece struct {
	Type string `json:"type"`
	Text string `json:"text,omitempty"`
	URL  string `json:"url,omitempty"`
}

func composePost(in compose.Input) (compose.Draft, error) {
	s, ok := in.Channel.Settings.(*Settings)
	if !ok {
		s = defaults().(*Settings)
	}
	count := func(text string) int { return utf8.RuneCountInString(escape.Replace(text)) }
	whole, used, err := compose.Fit(in, compose.NewFields(in, nil), count, limit)
	if err != nil {
		return compose.Draft{}, err
	}
	m := message{
		Text: escape.Replace(whole), Links: s.Preview, Media: s.Preview,
		Blocks: []block{{Type: "rich_text", Elements: []section{{Type: "rich_text_section", Elements: pieces(whole, in.Link)}}}},
	}
	d := compose.Draft{Text: whole, Count: event.Count{Used: used, Limit: limit, Unit: "code_point"}}
	d.Request = event.Request{
		Method: "POST", Path: "/api/chat.postMessage", Headers: map[string]string{"Content-Type": "application/json; charset=utf-8", "Authorization": "Bearer {token}"},
	}
	if in.Action == event.ActionEdit {
		d.Request.Path = "/api/chat.update"
	}
	d.Request.Body, err = compose.JSON(m)
	return d, err
}

var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// pieces cuts a text into words and its link, wherever that stands.
func pieces(text, link string) []piece {
	var list []piece
	words := func(s string) {
		if s != "" {
			list = append(list, piece{Type: "text", Text: s})
		}
	}
	for link != "" {
		before, after, found := strings.Cut(text, link)
		if !found {
			break
		}
		words(before)
		list, text = append(list, piece{Type: "link", URL: link}), after
	}
	words(text)
	return list
}
