// Package threads composes posts for Threads (developers.facebook.com/docs/threads, "Create and publish posts").
//
// A post is made in two steps: the payload is the first, which makes a container; the second names it to threads_publish.
// Nothing of Tidings sends them; they are left on the bus.
package threads

import (
	"unicode/utf8"

	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/clean"
	"tidings.internal/services/publish/internal/compose"
)

// limit is the length of a post: characters, of which emoji count with their bytes of UTF-8 ("Limitations").
const limit = 500

// maxTitle is what a title may take of that: forty emoji, which is as short as titles are cut elsewhere, may take all of
// it. It is cut by so many characters at a time.
const maxTitle, titleStep = 300, 10

// Network is the network of threads channels. A post has one topic tag, so the template writes one.
var Network = compose.Network{
	Name:     "threads",
	Others:   []string{},
	Example:  "# A threads channel has no keys of its own.\nid: threads\nnetwork: threads\n",
	Template: "{{.Title}}\n\n{{.Summary}}\n\n{{.URL}}\n\n{{hashtags .Tags 1}}",
	Compose:  composePost,
}

// container is the body of a request.
type container struct {
	MediaType string `json:"media_type"`
	Text      string `json:"text"`
	// LinkAttachment is the address that is shown as a card; without it the first address of the text would be.
	LinkAttachment string `json:"link_attachment"`
}

func composePost(in compose.Input) (compose.Draft, error) {
	f := compose.NewFields(in, compose.Unmention)
	for n := titleStep * 10; length(f.Title) > maxTitle && n >= titleStep; n -= titleStep {
		f.Title = clean.Shorten(f.Title, n)
	}
	text, used, err := compose.Fit(in, f, length, limit)
	if err != nil {
		return compose.Draft{}, err
	}
	d := compose.Draft{Text: text, Count: event.Count{Used: used, Limit: limit, Unit: "weighted"}}
	// There is no edit: an edit is the whole post, for whoever deletes and posts anew.
	d.Request = event.Request{Method: "POST", Path: "/{account}/threads", Headers: map[string]string{"Content-Type": "application/json", "Authorization": "Bearer {token}"}}
	d.Request.Body, err = compose.JSON(container{"TEXT", text, in.Link})
	return d, err
}

// length counts characters, and those of emoji by their bytes. What is outside of the basic plane is taken for emoji:
// counted too long rather than too short.
func length(text string) int {
	n := utf8.RuneCountInString(text)
	if !pictorial(text) { // nearly every text
		return n
	}
	for at, end := 0, 0; at < len(text); at = end {
		end = at + clean.Grapheme(text[at:])
		if g := text[at:end]; pictorial(g) {
			n += len(g) - utf8.RuneCountInString(g)
		}
	}
	return n
}

// pictorial reports whether there is an emoji in a text.
func pictorial(text string) bool {
	for _, r := range text {
		if r > 0xFFFF || r == 0xFE0F || r == 0x20E3 || r >= 0x2600 && r <= 0x27BF {
			return true
		}
	}
	return false
}
