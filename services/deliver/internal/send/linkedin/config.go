package linkedin

import (
	_ "embed" // for example.yaml
	"net/url"
	"regexp"
	"strings"

	"tidings.internal/pkg/config"
)

//go:embed example.yaml
var example string

// Settings are the keys of a linkedin channel that say where and as whom it posts; example.yaml is their manual.
type Settings struct {
	Server  string        `yaml:"server"`
	Token   config.Secret `yaml:"token"`
	Version string        `yaml:"version"`
	// Author is known to the composing side, too, which puts it into what is left on the bus.
	Author string `yaml:"author"`
}

// others are the keys of the composing side.
var others = []string{"media"}

var (
	// versionForm is a year and a month (learn.microsoft.com/linkedin, "Versioning").
	versionForm = regexp.MustCompile(`^20\d{2}(0[1-9]|1[0-2])$`)
	authorForm  = regexp.MustCompile(`^urn:li:(person|organization):[A-Za-z0-9_-]+$`)
)

// Check reports what is wrong.
func (s *Settings) Check(at config.At) {
	if s.Version != "" && !versionForm.MatchString(s.Version) {
		at.Key("version").Problemf("%q is no version such as 202611, a year and a month", s.Version)
	}
	if !at.Key("server").URL(s.Server) {
		return
	}
	if u, err := url.Parse(s.Server); err == nil && (strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "") {
		at.Key("server").Problemf("has a path; it wants the address of the server alone, such as https://api.linkedin.com")
	}
}

// Complete reports what a channel that sends cannot do without.
func (s *Settings) Complete(at config.At) {
	if s.Token.IsZero() {
		at.Key("token").Problemf("is missing; it wants an access token with the scope w_organization_social or w_member_social, or token_file a file that holds it")
	}
	if s.Version == "" {
		at.Key("version").Problemf("is missing; it wants the month of a version of the API that is in force, such as 202611")
	}
	if !authorForm.MatchString(s.Author) {
		at.Key("author").Problemf("is missing; it wants whose posts they are, urn:li:organization:ID or urn:li:person:ID")
	}
}
