package rerank

import (
	"net/url"
	"strings"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/web"
)

// Config is the block `enrich.rerank`; the example of the section is the manual of its keys. Without a url no model is
// asked.
type Config struct {
	// URL is that of the interface, to which /chat/completions is added.
	URL      string        `yaml:"url"`
	Model    string        `yaml:"model"`
	Token    config.Secret `yaml:"token"`
	PerHour  int           `yaml:"per_hour"`
	FullText bool          `yaml:"full_text"`
}

const (
	// DefaultPerHour is how many questions an hour are asked where the configuration does not say.
	DefaultPerHour = 200
	// maxPerHour bounds the memory for the times of questions to some megabytes.
	maxPerHour = 100_000
)

// Check reports what is wrong. A name is looked up when it is connected to, and must lead inside then, too.
func (c *Config) Check(at config.At) {
	if c.PerHour < 1 || c.PerHour > maxPerHour {
		at.Key("per_hour").Problemf("%d is not within 1 and %d", c.PerHour, maxPerHour)
	}
	if c.URL == "" {
		if c.Model != "" || !c.Token.IsZero() {
			at.Key("url").Problemf("is missing; it wants the address of the model's interface, such as http://127.0.0.1:11434/v1")
		}
		return
	}
	if c.Model == "" {
		at.Key("model").Problemf("is missing; it wants the name under which the model is asked for")
	}
	if !at.Key("url").URL(c.URL, "http", "https") {
		return
	}
	client, err := web.New(web.Config{UserAgent: agent, Inside: true})
	if err == nil {
		_, err = client.CheckURL(c.URL)
	}
	if u, bad := url.Parse(c.URL); err == nil && bad == nil && (u.RawQuery != "" || u.Fragment != "") {
		at.Key("url").Problemf("has a query or a fragment; it wants the address alone, such as http://127.0.0.1:11434/v1")
	}
	if err != nil {
		at.Key("url").Problemf("must lead to this machine or a private network: %v", err)
	}
	if strings.ContainsAny(c.Token.Reveal(), "\r\n") {
		at.Key("token").Problemf("holds a line break")
	}
}
