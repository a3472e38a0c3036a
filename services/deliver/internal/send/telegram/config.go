package telegram

import (
	_ "embed" // for example.yaml
	"net/url"
	"regexp"
	"strings"

	"tidings.internal/pkg/config"
)

//go:embed example.yaml
var example string

// Settings are the keys of a telegram channel that say through which server and as which bot it posts; example.yaml is
// their manual.
type Settings struct {
	Server string        `yaml:"server"`
	Token  config.Secret `yaml:"token"`
}

// others are the keys of the composing side.
var others = []string{"chat", "thread", "preview", "silent"}

// tokenForm is a bot's number, a colon and its secret. It becomes part of a path.
var tokenForm = regexp.MustCompile(`^(\d{1,20}):[A-Za-z0-9_-]{20,100}$`)

// Check reports what is wrong.
func (s *Settings) Check(at config.At) {
	if !at.Key("server").URL(s.Server) {
		return
	}
	if u, err := url.Parse(s.Server); err == nil && (strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "") {
		at.Key("server").Problemf("has a path; it wants the address of the server alone, such as https://api.telegram.org")
	}
}

// Complete reports what a channel that sends cannot do without.
func (s *Settings) Complete(at config.At) {
	if !tokenForm.MatchString(s.Token.Reveal()) {
		at.Key("token").Problemf("is no token of a bot; it wants what BotFather gave, a number, a colon and letters, or token_file a file that holds it")
	}
}
