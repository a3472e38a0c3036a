// Package mastodon composes posts for the statuses API of Mastodon (docs.joinmastodon.org, "statuses API methods").
//
// A post is plain text: the server makes links and hashtags of it. What would call for a person is switched off, since
// nobody asked to be called by an article.
package mastodon

import (
	"regexp"
	"strings"

	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/clean"
	"tidings.internal/services/publish/internal/compose"
)

// maxAlt is the length of an image's description (Mastodon, app/models/media_attachment.rb: MAX_DESCRIPTION_LENGTH).
const maxAlt = 1500

// Network is the network of mastodon channels.
var Network = compose.Network{
	Name:     "mastodon",
	Settings: defaults,
	Others:   others,
	Example:  example,
	Template: "{{.Title}}\n\n{{.Summary}}\n\n{{.URL}}\n\n{{hashtags .Tags}}",
	Limits:   limits,
	Compose:  composePost,
}

// status is the body of a request. media_ids holds a placeholder: deliver uploads the image and knows its id.
type status struct {
	Status      string  `json:"status"`
	Visibility  string  `json:"visibility,omitempty"`
	Language    string  `json:"language,omitempty"`
	SpoilerText string  `json:"spoiler_text,omitempty"`
	Sensitive   bool    `json:"sensitive,omitempty"`
	MediaIDs    []media `json:"media_ids,omitempty"`
	ContentType string  `json:"content_type,omitempty"` // gotosocial alone knows it
}

type media struct {
	Name string `json:"$media"`
}

func composePost(in compose.Input) (compose.Draft, error) {
	s, ok := in.Channel.Settings.(*Settings)
	if !ok {
		s = defaults().(*Settings)
	}
	spoiler := clean.Line(s.SpoilerText)
	count := func(text string) int { return s.length(spoiler) + s.length(text) }
	text, used, err := compose.Fit(in, compose.NewFields(in, compose.Unmention), count, s.limit())
	if err != nil {
		return compose.Draft{}, err
	}
	body := status{Status: text, Visibility: s.Visibility, Language: iso639(in.Item.Language), SpoilerText: spoiler, Sensitive: s.Sensitive}
	d := compose.Draft{Text: text, Count: event.Count{Used: used, Limit: s.limit(), Unit: s.unit()}}
	if s.Flavour == goToSocial {
		// Else the account's own choice decides, which may be Markdown: a title is not to become markup.
		body.ContentType = "text/plain"
	}
	if m := in.Item.Image; m != nil && s.Media == "image" {
		body.MediaIDs = []media{{"image"}}
		d.Media = []event.Asset{{
			Name: "image", URL: m.URL, Alt: clean.Shorten(m.Alt, maxAlt), MaxBytes: 10 << 20,
			Types: []string{"image/jpeg", "image/png", "image/gif", "image/webp"},
		}}
	}
	d.Request = event.Request{Method: "POST", Path: "/api/v1/statuses"}
	if in.Action == event.ActionEdit {
		// The visibility stays in the body although an edit cannot change it: when the edit overtakes the post it edits,
		// deliver sends it as the post.
		d.Request = event.Request{Method: "PUT", Path: "/api/v1/statuses/{remote_id}"}
	}
	d.Request.Headers = map[string]string{"Content-Type": "application/json", "Authorization": "Bearer {token}"}
	d.Request.Body, err = compose.JSON(body)
	return d, err
}

var (
	// linkForm matches no more of an address than any server does, so that what it leaves over counts in full.
	linkForm = regexp.MustCompile(`https?://[A-Za-z0-9\-._~:/?#=&%+]*[A-Za-z0-9\-_~/=&%+]`)
	// accountForm matches an account on another server, of which the server's name does not count.
	accountForm = regexp.MustCompile(`(^|[^\w/])(@\w+)@[\w.-]+\w`)
)

// length counts as Mastodon does (app/validators/status_length_validator.rb): graphemes, each address as a fixed number,
// accounts without their server.
func length(text string, link int) int {
	text = linkForm.ReplaceAllLiteralString(text, strings.Repeat("x", link))
	if strings.Contains(text, "@") {
		text = accountForm.ReplaceAllString(text, "$1$2")
	}
	return clean.Length(text)
}

// iso639 gives the two letters that the API takes.
func iso639(language string) string {
	base, _, _ := strings.Cut(language, "-")
	if len(base) != 2 {
		return ""
	}
	return strings.ToLower(base)
}
