package matrix

import (
	_ "embed" // for example.yaml
	"net/url"
	"regexp"
	"strings"

	"tidings.internal/pkg/config"
)

//go:embed example.yaml
var example string

// Settings are the keys of a matrix channel that say where and as whom it posts; example.yaml is their manual.
type Settings struct {
	Server string        `yaml:"server"`
	Room   string        `yaml:"room"`
	Token  config.Secret `yaml:"token"`
}

// others are the keys of the composing side.
var others = []string{"kind"}

// roomForm is the id of a room (spec.matrix.org, "Room IDs"); since version 12 of rooms it need not name a server.
var roomForm = regexp.MustCompile(`^![A-Za-z0-9._~+/=-]{1,200}(:[A-Za-z0-9.:\[\]-]{1,200})?$`)

// Check reports what is wrong.
func (s *Settings) Check(at config.At) {
	if s.Room != "" && !roomForm.MatchString(s.Room) {
		at.Key("room").Problemf("%q is no id of a room; it wants one such as !abcdef:example.org, which clients show under \"Advanced\"", s.Room)
	}
	if s.Server == "" || !at.Key("server").URL(s.Server) {
		return
	}
	if u, err := url.Parse(s.Server); err == nil && (strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "") {
		at.Key("server").Problemf("has a path; it wants the address of the server alone, such as https://matrix.example.org")
	}
}

// Complete reports what a channel that sends cannot do without.
func (s *Settings) Complete(at config.At) {
	if s.Server == "" {
		at.Key("server").Problemf("is missing; it wants the address of the server, such as https://matrix.example.org")
	}
	if s.Room == "" {
		at.Key("room").Problemf("is missing; it wants the id of the room, such as !abcdef:example.org")
	}
	if s.Token.IsZero() {
		at.Key("token").Problemf("is missing; it wants the access token of the account, or token_file a file that holds it")
	}
}
