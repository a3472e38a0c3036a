// Package discord composes messages for webhooks of Discord (docs.discord.com, "Execute Webhook").
//
// Content is Markdown, and its limit counts what is sent: escapes included. So the text is counted as it will be escaped,
// and escaped last. Nobody is called: Discord is told to parse no mention at all.
package discord

import (
	"strings"
	"unicode/utf8"

	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/compose"
)

const (
	// limit is the most characters of a message's content, as sent (Execute Webhook, "content").
	limit = 2000
	// suppressEmbeds is the flag of a message without cards (Message Flags, SUPPRESS_EMBEDS).
	suppressEmbeds = 1 << 2
)

// Network is the network of discord channels.
var Network = compose.Network{
	Name:     "discord",
	Settings: defaults,
	Others:   others,
	Example:  example,
	Template: "{{.Title}}\n\n{{.Summary}}\n\n{{.URL}}\n\n{{hashtags .Tags}}",
	Compose:  composePost,
}

// message is the body of a request.
type message struct {
	Content  string   `json:"content"`
	Username string   `json:"username,omitempty"`
	Flags    int      `json:"flags,omitempty"`
	Mentions mentions `json:"allowed_mentions"`
}

// mentions lists what kinds of mentions call somebody: none.
type mentions struct {
	Parse []string `json:"parse"`
}

func composePost(in compose.Input) (compose.Draft, error) {
	s, ok := in.Channel.Settings.(*Settings)
	if !ok {
		s = defaults().(*Settings)
	}
	count := func(text string) int { return length(text, in.Link) }
	text, used, err := compose.Fit(in, compose.NewFields(in, nil), count, limit)
	if err != nil {
		return compose.Draft{}, err
	}
	body := message{Content: markdown(text, in.Link), Username: s.Username, Mentions: mentions{Parse: []string{}}}
	if !s.Preview {
		body.Flags = suppressEmbeds
	}
	d := compose.Draft{Text: text, Count: event.Count{Used: used, Limit: limit, Unit: "code_point"}}
	d.Request = event.Request{Method: "POST", Headers: map[string]string{"Content-Type": "application/json"}}
	if in.Action == event.ActionEdit {
		d.Request.Method, d.Request.Path = "PATCH", "/messages/{remote_id}"
	}
	d.Request.Body, err = compose.JSON(body)
	return d, err
}

// markdown escapes what Discord would read as markup, everywhere but in the article's link, which it makes a link of by
// itself. A backslash before any punctuation shows the latter as it is.
func markdown(text, link string) string {
	before, after, found := strings.Cut(text, link)
	if !found || link == "" {
		return escape.Replace(text)
	}
	return escape.Replace(before) + link + markdown(after, link)
}

// length is how many characters [markdown] makes of a text: one more for each that is escaped.
func length(text, link string) int {
	n := utf8.RuneCountInString(text) + escapes(text)
	if link != "" {
		n -= strings.Count(text, link) * escapes(link)
	}
	return n
}

// escapes is how many characters of a text are escaped.
func escapes(text string) int {
	n := 0
	for i := range len(signs) {
		n += strings.Count(text, signs[i:i+1])
	}
	return n
}

// signs are what Discord may read as markup.
const signs = "\\*_~`|>#-+[]()<:@"

var escape = func() *strings.Replacer {
	var pairs []string
	for _, c := range signs {
		pairs = append(pairs, string(c), `\`+string(c))
	}
	return strings.NewReplacer(pairs...)
}()
