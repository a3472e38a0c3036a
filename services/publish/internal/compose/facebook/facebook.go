// Package facebook composes posts for pages of Facebook (developers.facebook.com/docs/graph-api, "Page Feed").
//
// Nothing of Tidings sends them; they are left on the bus.
package facebook

import (
	_ "embed" // for example.yaml
	"unicode/utf8"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/compose"
)

//go:embed example.yaml
var example string

// Network is the network of facebook channels.
var Network = compose.Network{
	Name:     "facebook",
	Settings: defaults,
	Example:  example,
	Template: "{{.Title}}\n\n{{.Summary}}\n\n{{.URL}}\n\n{{hashtags .Tags}}",
	Compose:  composePost,
}

// Settings are the keys of a facebook channel; example.yaml is their manual.
type Settings struct {
	// Limit is the length of a post in characters. The page says nowhere how long one may be: 63,206 is what people found.
	Limit int `yaml:"limit"`
}

// Check reports what is wrong.
func (s *Settings) Check(at config.At) {
	if s.Limit < 100 || s.Limit > 63_206 {
		at.Key("limit").Problemf("%d is not within 100 and 63206", s.Limit)
	}
}

func defaults() any { return &Settings{Limit: 5000} }

// post is the body of a request.
type post struct {
	Message   string `json:"message"`
	Link      string `json:"link"`
	Published bool   `json:"published"`
}

func composePost(in compose.Input) (compose.Draft, error) {
	s, ok := in.Channel.Settings.(*Settings)
	if !ok {
		s = defaults().(*Settings)
	}
	text, used, err := compose.Fit(in, compose.NewFields(in, compose.Unmention), utf8.RuneCountInString, s.Limit)
	if err != nil {
		return compose.Draft{}, err
	}
	d := compose.Draft{Text: text, Count: event.Count{Used: used, Limit: s.Limit, Unit: "code_point"}}
	d.Request = event.Request{Method: "POST", Path: "/{page}/feed", Headers: map[string]string{"Content-Type": "application/json", "Authorization": "Bearer {token}"}}
	if in.Action == event.ActionEdit {
		d.Request.Path = "/{remote_id}"
	}
	d.Request.Body, err = compose.JSON(post{text, in.Link, true})
	return d, err
}
