package webhook

import (
	_ "embed" // for example.yaml
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/web"
)

//go:embed example.yaml
var example string

// Settings are the keys of a webhook channel that say where and how it is sent; example.yaml is their manual.
type Settings struct {
	// URL is a secret: many receivers are protected by nothing but the secrecy of their address.
	URL config.Secret `yaml:"url"`
	// Secret holds one signing key, or several parted by white space.
	Secret config.Secret `yaml:"secret"`
	// Headers go with each request, by name. Their values may be credentials.
	Headers map[string]config.Secret `yaml:"headers"`
	// Concurrency is how many requests are in flight at once; 1 keeps the order of the stories.
	Concurrency int `yaml:"concurrency"`
}

// maxConcurrency bounds how many requests a receiver gets at once, and how many of them a crash may repeat.
const maxConcurrency = 32

// The bounds of a signing key (Standard Webhooks, "Signature scheme").
const (
	minKey, maxKey = 24, 64
	keyPrefix      = "whsec_"
	maxKeys        = 4
)

// Check reports what is wrong.
func (s *Settings) Check(at config.At) {
	switch u, err := url.Parse(s.URL.Reveal()); {
	case s.URL.IsZero():
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.Fragment != "":
		at.Key("url").Problemf("is not an http or https address without user, password and fragment")
	}
	if _, wrong := keys(s.Secret); wrong != "" {
		at.Key("secret").Problemf("%s", wrong)
	}
	if s.Concurrency < 1 || s.Concurrency > maxConcurrency {
		at.Key("concurrency").Problemf("%d is not within 1 and %d", s.Concurrency, maxConcurrency)
	}
	for name, value := range s.Headers {
		canonical := http.CanonicalHeaderKey(name)
		switch {
		case strings.HasPrefix(canonical, "Webhook-") || canonical == "Content-Type":
			at.Key("headers").Key(name).Problemf("is a header that deliver sets itself")
		case web.CheckHeader(http.Header{name: {value.Reveal()}}) != nil:
			at.Key("headers").Key(name).Problemf("is no header that can be set")
		}
	}
}

// Complete reports what a channel that sends cannot do without.
func (s *Settings) Complete(at config.At) {
	if s.URL.IsZero() {
		at.Key("url").Problemf("is missing; it wants the address of the receiver, or url_file a file that holds it")
	}
}

// keys reads the signing keys. The second result says what is wrong, without the key.
func keys(secret config.Secret) (list [][]byte, wrong string) {
	words := strings.Fields(secret.Reveal())
	if len(words) > maxKeys {
		return nil, "holds more than 4 keys"
	}
	for _, word := range words {
		text, ok := strings.CutPrefix(word, keyPrefix)
		if !ok {
			return nil, "holds a key that does not begin with whsec_"
		}
		key, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, "holds a key that is not base64 behind whsec_"
		}
		if len(key) < minKey || len(key) > maxKey {
			return nil, "holds a key that is not 24 to 64 bytes long"
		}
		list = append(list, key)
	}
	return list, ""
}
