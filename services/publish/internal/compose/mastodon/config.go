package mastodon

import (
	"cmp"
	_ "embed" // for example.yaml
	"unicode/utf8"

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
	// Flavour is the software of the server, which counts in its own way.
	Flavour string `yaml:"flavour"`
	// Limit and URLLength are what the server says in /api/v2/instance; a post holds no more than Limit characters, and
	// each address counts as URLLength of them. Zero stands for what servers of the flavour have.
	Limit     int `yaml:"limit"`
	URLLength int `yaml:"url_length"`
}

// The flavours.
const (
	plain      = "mastodon"
	goToSocial = "gotosocial"
)

// limit is the length of a post.
func (s *Settings) limit() int {
	switch {
	case s.Limit > 0:
		return s.Limit
	case s.Flavour == goToSocial:
		return 5000 // docs.gotosocial.org, "Statuses": statuses-max-chars
	}
	return 500
}

// limits are the keys that the server has a say in.
func limits(settings any) map[string]int {
	s, ok := settings.(*Settings)
	switch {
	case !ok:
		return nil
	case s.Flavour == goToSocial:
		return map[string]int{"limit": s.limit()} // what it says of addresses is not what it does
	}
	return map[string]int{"limit": s.limit(), "url_length": cmp.Or(s.URLLength, 23)}
}

// length counts as the server does. GoToSocial says that an address counts as 25 and counts it whole.
func (s *Settings) length(text string) int {
	if s.Flavour == goToSocial {
		return utf8.RuneCountInString(text)
	}
	return length(text, cmp.Or(s.URLLength, 23))
}

// unit is what is counted.
func (s *Settings) unit() string {
	if s.Flavour == goToSocial {
		return "code_point"
	}
	return "grapheme"
}

// Check reports what is wrong.
func (s *Settings) Check(at config.At) {
	at.Key("visibility").OneOf(s.Visibility, "public", "unlisted", "private", "direct")
	at.Key("media").OneOf(s.Media, "none", "image")
	at.Key("flavour").OneOf(s.Flavour, plain, goToSocial)
	if s.Limit != 0 && (s.Limit < 100 || s.Limit > 100_000) {
		at.Key("limit").Problemf("%d is neither 0 nor within 100 and 100000", s.Limit)
	}
	if s.URLLength < 0 || s.URLLength > 2048 {
		at.Key("url_length").Problemf("%d is not within 0 and 2048", s.URLLength)
	}
	if s.URLLength != 0 && s.Flavour == goToSocial {
		at.Key("url_length").Problemf("has no meaning on gotosocial, which counts addresses whole")
	}
	if n := s.length(s.SpoilerText); n > s.limit()/2 {
		at.Key("spoiler_text").Problemf("takes %d of the %d characters of a post", n, s.limit())
	}
}

func defaults() any {
	return &Settings{Visibility: "public", Media: "none", Flavour: plain}
}

// others are the keys of the sending side.
var others = []string{"server", "token", "token_file"}
