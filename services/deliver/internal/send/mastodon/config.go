package mastodon

import (
	_ "embed" // for example.yaml
	"net/url"
	"strings"

	"tidings.internal/pkg/config"
)

//go:embed example.yaml
var example string

// Settings are the keys of a mastodon channel that say where and as whom it posts; example.yaml is their manual.
type Settings struct {
	Server string `yaml:"server"`
	// Token is the access token of the account, with the scopes write:statuses, read:statuses and read:accounts.
	Token config.Secret `yaml:"token"`
}

// others are the keys of the composing side.
var others = []string{"visibility", "spoiler_text", "sensitive", "media", "flavour", "limit", "url_length"}

// Check reports what is wrong.
func (s *Settings) Check(at config.At) {
	if s.Server == "" || !at.Key("server").URL(s.Server) {
		return
	}
	if u, err := url.Parse(s.Server); err == nil && (strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "") {
		at.Key("server").Problemf("has a path; it wants the address of the server alone, such as https://social.example.org")
	}
}

// Complete reports what a channel that sends cannot do without.
func (s *Settings) Complete(at config.At) {
	if s.Server == "" {
		at.Key("server").Problemf("is missing; it wants the address of the server, such as https://social.example.org")
	}
	if s.Token.IsZero() {
		at.Key("token").Problemf("is missing; it wants the access token of the account, or token_file a file that holds it")
	}
}
