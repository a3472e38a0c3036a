// Package matrix composes messages for rooms of Matrix (spec.matrix.org, client-server API, "m.room.message").
//
// A message has its text plain and as HTML; clients show the latter. Both are made of the fitted text: the HTML is escaped
// last, with the article's link as a link. Nobody is called: m.mentions is there and empty.
package matrix

import (
	"html"
	"strings"

	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/compose"
)

// limit is the most bytes of text and HTML together. An event may have 65,536 with all that servers add (client-server
// API, "Size limits"), and escapes of JSON count.
const limit = 45_000

// Network is the network of matrix channels.
var Network = compose.Network{
	Name:     "matrix",
	Settings: defaults,
	Others:   others,
	Example:  example,
	Template: "{{.Title}}\n\n{{.Summary}}\n\n{{.URL}}\n\n{{hashtags .Tags}}",
	Compose:  composePost,
}

// message is the content of an event, and of the one that replaces it.
type message struct {
	Type      string   `json:"msgtype"`
	Body      string   `json:"body"`
	Format    string   `json:"format"`
	Formatted string   `json:"formatted_body"`
	Mentions  struct{} `json:"m.mentions"`

	New       *message   `json:"m.new_content,omitempty"`
	RelatesTo *relatesTo `json:"m.relates_to,omitempty"`
}

type relatesTo struct {
	Type  string `json:"rel_type"`
	Event string `json:"event_id"`
}

func composePost(in compose.Input) (compose.Draft, error) {
	s, ok := in.Channel.Settings.(*Settings)
	if !ok {
		s = defaults().(*Settings)
	}
	count := func(text string) int { return len(text) + len(markup(text, in.Link)) }
	text, used, err := compose.Fit(in, compose.NewFields(in, nil), count, limit)
	if err != nil {
		return compose.Draft{}, err
	}
	m := message{Type: s.Kind, Body: text, Format: "org.matrix.custom.html", Formatted: markup(text, in.Link)}
	if in.Action == event.ActionEdit {
		// What is beside m.new_content is for clients that know no edits. deliver sends the new content alone when the edit
		// overtakes the post it edits.
		whole := m
		m.Body, m.Formatted = "* "+m.Body, "* "+m.Formatted
		m.New, m.RelatesTo = &whole, &relatesTo{Type: "m.replace", Event: "{remote_id}"}
	}
	d := compose.Draft{Text: text, Count: event.Count{Used: used, Limit: limit, Unit: "byte"}}
	d.Request = event.Request{
		Method: "PUT", Path: "/_matrix/client/v3/rooms/{room}/send/m.room.message/{key}",
		Headers: map[string]string{"Content-Type": "application/json", "Authorization": "Bearer {token}"},
	}
	d.Request.Body, err = compose.JSON(m)
	return d, err
}

// markup is a text as HTML: paragraphs at blank lines, line breaks, and the link as a link.
func markup(text, link string) string {
	anchor := `<a href="` + html.EscapeString(link) + `">` + html.EscapeString(link) + "</a>"
	var b strings.Builder
	b.Grow(len(text) + len(text)/16 + 2*len(anchor))
	for p := range strings.SplitSeq(text, "\n\n") {
		b.WriteString("<p>")
		for i, part := range strings.Split(p, link) {
			if i > 0 {
				b.WriteString(anchor)
			}
			b.WriteString(strings.ReplaceAll(html.EscapeString(part), "\n", "<br>"))
		}
		b.WriteString("</p>")
	}
	return b.String()
}
