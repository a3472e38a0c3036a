package mastodon

import (
	_ "embed" // for example.yaml

	"tidings.internal/pkg/config"
)

//go:embed example.yaml
var example string

// Settings are the keys of a mastodon channel that say what its posts look like; example.yaml is their manual.
type Settings struct {
	Visibility  string `yaml:"visibility"`
	SpoilerText string `yaml:"spoiler_text"`
	Sensitive   bool   `yaml:"sensitive"`
	Media       string `yaml:"media"`
	// Limit and URLLength are what the server says in /api/v2/instance; a post holds no more than Limit characters, and
	// each address counts as URLLength of them.
	Limit     int `yaml:"limit"`
	URLLength int `yaml:"url_length"`
}

// Check reports what is wrong.
func (s *Settings) Check(at config.At) {
	at.Key("visibility").OneOf(s.Visibility, "public", "unlisted", "private", "direct")
	at.Key("media").OneOf(s.Media, "none", "image")
	if s.Limit < 100 || s.Limit > 100_000 {
		at.Key("limit").Problemf("%d is not within 100 and 100000", s.Limit)
	}
	if s.URLLength < 1 || s.URLLength > 2048 {
		at.Key("url_length").Problemf("%d is not within 1 and 2048", s.URLLength)
	}
	if n := length(s.SpoilerText, s.URLLength); n > s.Limit/2 {
		at.Key("spoiler_text").Problemf("takes %d of the %d characters of a post", n, s.Limit)
	}
}

func defaults() any {
	return &Settings{Visibility: "public", Media: "none", Limit: 500, URLLength: 23}
}

// others are the keys of the sending side.
var others = []string{"server", "token", "token_file"}
