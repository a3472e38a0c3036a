package teams

import (
	_ "embed" // for example.yaml
	"net/url"

	"tidings.internal/pkg/config"
)

//go:embed example.yaml
var example string

// Settings are the keys of a teams channel that say where it posts; example.yaml is their manual.
type Settings struct {
	// URL is a secret: whoever knows the address of a workflow may post through it.
	URL config.Secret `yaml:"url"`
}

// others are the keys of the composing side.
var others = []string{"button"}

// workflow reports whether an address is that of a workflow; its parameter sig is what lets somebody post.
func workflow(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") && u.User == nil && u.Fragment == "" && len(u.Query().Get("sig")) >= 20
}

// Check reports what is wrong.
func (s *Settings) Check(at config.At) {
	if !s.URL.IsZero() && !workflow(s.URL.Reveal()) {
		at.Key("url").Problemf("is no address of a workflow; it wants the whole of what Teams gave for \"When a Teams webhook request is received\", with its parameter sig")
	}
}

// Complete reports what a channel that sends cannot do without.
func (s *Settings) Complete(at config.At) {
	if s.URL.IsZero() {
		at.Key("url").Problemf("is missing; it wants the address of the workflow, or url_file a file that holds it")
	}
}
