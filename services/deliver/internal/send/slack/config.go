package slack

import (
	_ "embed" // for example.yaml
	"net/url"
	"regexp"
	"strings"

	"tidings.internal/pkg/config"
)

//go:embed example.yaml
var example string

// Settings are the keys of a slack channel that say where and as whom it posts; example.yaml is their manual.
type Settings struct {
	Server string        `yaml:"server"`
	Room   string        `yaml:"room"`
	Token  config.Secret `yaml:"token"`
}

// others are the keys of the composing side.
var others = []string{"preview"}

var (
	// roomForm is the id of a conversation, or the name of a public one.
	roomForm  = regexp.MustCompile(`^([CGD][A-Z0-9]{5,20}|#[a-z0-9_-]{1,80})$`)
	tokenForm = regexp.MustCompile(`^xox[a-z]-[A-Za-z0-9-]{10,250}$`)
)

// Check reports what is wrong.
func (s *Settings) Check(at config.At) {
	if s.Room != "" && !roomForm.MatchString(s.Room) {
		at.Key("room").Problemf("%q is no room; it wants the id of a conversation such as C0123456789, or the name of a public one such as #news", s.Room)
	}
	if !at.Key("server").URL(s.Server) {
		return
	}
	if u, err := url.Parse(s.Server); err == nil && (strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "") {
		at.Key("server").Problemf("has a path; it wants the address of the server alone, such as https://slack.com")
	}
}

// Complete reports what a channel that sends cannot do without.
func (s *Settings) Complete(at config.At) {
	if s.Room == "" {
		at.Key("room").Problemf("is missing; it wants the id of a conversation such as C0123456789")
	}
	if !tokenForm.MatchString(s.Token.Reveal()) {
		at.Key("token").Problemf("is no token of an app; it wants the bot token that begins with xoxb-, or token_file a file that holds it")
	}
}
