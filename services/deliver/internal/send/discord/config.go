package discord

import (
	_ "embed" // for example.yaml
	"net/url"
	"regexp"

	"tidings.internal/pkg/config"
)

//go:embed example.yaml
var example string

// Settings are the keys of a discord channel that say where it posts; example.yaml is their manual.
type Settings struct {
	// URL is a secret: whoever knows the address of a webhook may post through it.
	URL    config.Secret `yaml:"url"`
	Thread string        `yaml:"thread"`
}

// others are the keys of the composing side.
var others = []string{"username", "preview"}

var (
	// pathForm is the path of a webhook: its number and its token.
	pathForm   = regexp.MustCompile(`^/api(?:/v\d{1,2})?/webhooks/(\d{5,25})/([A-Za-z0-9_-]{20,200})$`)
	numberForm = regexp.MustCompile(`^\d{5,25}$`)
)

// Check reports what is wrong.
func (s *Settings) Check(at config.At) {
	u, err := url.Parse(s.URL.Reveal())
	if !s.URL.IsZero() && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !pathForm.MatchString(u.Path)) {
		at.Key("url").Problemf("is no address of a webhook; it wants what Discord's \"Copy Webhook URL\" gave, https://discord.com/api/webhooks/NUMBER/TOKEN")
	}
	if s.Thread != "" && !numberForm.MatchString(s.Thread) {
		at.Key("thread").Problemf("is no number of a thread")
	}
}

// Complete reports what a channel that sends cannot do without.
func (s *Settings) Complete(at config.At) {
	if s.URL.IsZero() {
		at.Key("url").Problemf("is missing; it wants the address of the webhook, or url_file a file that holds it")
	}
}
