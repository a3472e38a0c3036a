// Package telegram composes messages for the Bot API of Telegram (core.telegram.org/bots/api, sendMessage).
//
// A message is text in the API's HTML. The limit is counted on the text that is left once the markup is read, so the text
// is fitted plain and marked up last: an escape is never cut in two.
package telegram

import (
	"strings"
	"unicode/utf16"

	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/compose"
)

// limit is the most UTF-16 code units of a message after its entities were read (sendMessage, "text").
const limit = 4096

// Network is the network of telegram channels.
var Network = compose.Network{
	Name:     "telegram",
	Settings: defaults,
	Others:   others,
	Example:  example,
	Template: "{{.Title}}\n\n{{.Summary}}\n\n{{.URL}}\n\n{{hashtags .Tags}}",
	Compose:  composePost,
}

// message is the body of a request. message_id is that of the message to edit; deliver knows it.
type message struct {
	Chat      string   `json:"chat_id"`
	MessageID string   `json:"message_id,omitempty"`
	Thread    int64    `json:"message_thread_id,omitempty"`
	Text      string   `json:"text"`
	ParseMode string   `json:"parse_mode"`
	Preview   *preview `json:"link_preview_options"`
	Silent    bool     `json:"disable_notification,omitempty"`
}

// preview says which link the card is made of: the article's, whatever other address stands in the text.
type preview struct {
	URL      string `json:"url,omitempty"`
	Disabled bool   `json:"is_disabled,omitempty"`
}

func composePost(in compose.Input) (compose.Draft, error) {
	s, ok := in.Channel.Settings.(*Settings)
	if !ok {
		s = defaults().(*Settings)
	}
	text, used, err := compose.Fit(in, compose.NewFields(in, compose.Unmention), length, limit)
	if err != nil {
		return compose.Draft{}, err
	}
	body := message{
		Chat: s.Chat, Thread: s.Thread, Text: escape.Replace(text), ParseMode: "HTML", Silent: s.Silent,
		Preview: &preview{URL: in.Link},
	}
	if !s.Preview {
		body.Preview = &preview{Disabled: true}
	}
	d := compose.Draft{Text: text, Count: event.Count{Used: used, Limit: limit, Unit: "utf16"}}
	d.Request = event.Request{Method: "POST", Path: "/sendMessage", Headers: map[string]string{"Content-Type": "application/json"}}
	if in.Action == event.ActionEdit {
		// All fields of a message stay in the body: when the edit overtakes the post it edits, deliver sends it as the post.
		d.Request.Path, body.MessageID = "/editMessageText", "{remote_id}"
	}
	d.Request.Body, err = compose.JSON(body)
	return d, err
}

// escape writes what the API's HTML would read as markup ("HTML style": all <, > and & that are no part of a tag).
var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// length counts UTF-16 code units, as the API does for texts and entities.
func length(text string) int {
	n := 0
	for _, r := range text {
		n += utf16.RuneLen(r)
	}
	return n
}
