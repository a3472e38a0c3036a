package bluesky

import (
	_ "embed" // for example.yaml
	"net/url"
	"regexp"
	"strings"

	"tidings.internal/pkg/config"
)

//go:embed example.yaml
var example string

// Settings are the keys of a bluesky channel that say where and as whom it posts; example.yaml is their manual.
type Settings struct {
	Server   string        `yaml:"server"`
	Handle   string        `yaml:"handle"`
	Password config.Secret `yaml:"password"`
}

// others are the keys of the composing side.
var others = []string{"card"}

// handleForm is a handle or a DID (atproto.com, "Handle", "DID").
var handleForm = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+|did:[a-z]+:[A-Za-z0-9._:%-]+)$`)

// Check reports what is wrong.
func (s *Settings) Check(at config.At) {
	if s.Handle != "" && !handleForm.MatchString(s.Handle) {
		at.Key("handle").Problemf("%q is no handle such as news.example.org", s.Handle)
	}
	if !at.Key("server").URL(s.Server) {
		return
	}
	if u, err := url.Parse(s.Server); err == nil && (strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "") {
		at.Key("server").Problemf("has a path; it wants the address of the server alone, such as https://bsky.social")
	}
}

// Complete reports what a channel that sends cannot do without.
func (s *Settings) Complete(at config.At) {
	if s.Handle == "" {
		at.Key("handle").Problemf("is missing; it wants the handle of the account, such as news.example.org")
	}
	if s.Password.IsZero() {
		at.Key("password").Problemf("is missing; it wants an app password of the account, or password_file a file that holds it")
	}
}
