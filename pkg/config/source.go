package config

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// Source is an entry of the section `sources`: an input feed that is polled or that pushes.
type Source struct {
	ID    string   `yaml:"id"`
	URL   string   `yaml:"url"`
	Title string   `yaml:"title"`
	Tags  []string `yaml:"tags"`
	// Syndicate is what may be passed on: full, excerpt or headline.
	Syndicate string `yaml:"syndicate"`
	Rights    string `yaml:"rights"`
	Language  string `yaml:"language"`
	Fulltext  string `yaml:"fulltext"`
	// Every is a fixed interval between polls; zero lets the source's own rhythm decide.
	Every     time.Duration `yaml:"every"`
	WebSub    string        `yaml:"websub"`
	Deletions string        `yaml:"deletions"`
	Filters   Filters       `yaml:"filters"`
	HTTP      SourceHTTP    `yaml:"http"`
}

// Filters choose among the items of a source. A rule is a field, a tilde and a regular expression:
// "title ~ (?i)advert".
type Filters struct {
	Drop []string `yaml:"drop"`
	Keep []string `yaml:"keep"`
}

// SourceHTTP is how a source is fetched when it wants more than an address.
type SourceHTTP struct {
	UserAgent   string            `yaml:"user_agent"`
	Headers     map[string]string `yaml:"headers"`
	HeadersFile string            `yaml:"headers_file,path"`
	Cookie      Secret            `yaml:"cookie"`
	Basic       Basic             `yaml:"basic"`
	Bearer      Secret            `yaml:"bearer"`
	Proxy       string            `yaml:"proxy"`
	HTTP2       bool              `yaml:"http2"`
	MaxBody     Size              `yaml:"max_body"`
	InsecureTLS bool              `yaml:"insecure_tls"`
	CAFile      string            `yaml:"ca_file,path"`
	CertFile    string            `yaml:"cert_file,path"`
	KeyFile     string            `yaml:"key_file,path"`
}

// Basic is a user and a password of HTTP.
type Basic struct {
	User     string `yaml:"user"`
	Password Secret `yaml:"password"`
}

var (
	_ Checker   = (*Source)(nil)
	_ Defaulter = (*Source)(nil)
	_ Checker   = (*Filters)(nil)
	_ Checker   = (*SourceHTTP)(nil)
	_ Checker   = (*Basic)(nil)
)

// SetDefaults fills in what an entry need not say.
func (s *Source) SetDefaults() {
	*s = Source{
		Syndicate: "full", Fulltext: "auto", WebSub: "auto", Deletions: "honour",
		HTTP: SourceHTTP{HTTP2: true, MaxBody: 10 * MB},
	}
}

// Check reports what is wrong.
func (s *Source) Check(at At) {
	at.Key("id").Name(s.ID)
	at.Key("url").URL(s.URL)
	each(at.Key("tags"), s.Tags, filled)
	at.Key("syndicate").OneOf(s.Syndicate, "full", "excerpt", "headline")
	at.Key("fulltext").OneOf(s.Fulltext, "auto", "always", "never")
	at.Key("websub").OneOf(s.WebSub, "auto", "off")
	at.Key("deletions").OneOf(s.Deletions, "honour", "vanished", "ignore")
	if s.Language != "" {
		at.Key("language").Language(s.Language)
	}
	if s.Every != 0 {
		at.Key("every").Between(s.Every, 100*time.Millisecond, 31*24*time.Hour)
	}
}

// Rule is a filter taken apart.
type Rule struct {
	Field   string // title, url, author, tag or content
	Pattern *regexp.Regexp
}

// ParseRule reads a filter. The error is a sentence for an operator.
func ParseRule(text string) (Rule, error) {
	name, pattern, ok := strings.Cut(text, "~")
	if !ok {
		return Rule{}, sentence("%s is not a filter such as %q", quote(text), "title ~ (?i)advert")
	}
	name = strings.TrimSpace(name)
	fields := []string{"title", "url", "author", "tag", "content"}
	if hint, _ := suggest(name, fields); !slices.Contains(fields, name) {
		return Rule{}, sentence("%s is not one of %s%s", quote(name), strings.Join(fields, ", "), hint)
	}
	re, err := regexp.Compile(strings.TrimSpace(pattern))
	if err != nil {
		return Rule{}, sentence("%s is no regular expression: %s", quote(strings.TrimSpace(pattern)), strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return Rule{Field: name, Pattern: re}, nil
}

// Check reports what is wrong.
func (f *Filters) Check(at At) {
	rule := func(a At, text string) bool {
		if _, err := ParseRule(text); err != nil {
			a.Problemf("%s", err)
			return false
		}
		return true
	}
	each(at.Key("drop"), f.Drop, rule)
	each(at.Key("keep"), f.Keep, rule)
}

// headerForm is a field name of RFC 9110 section 5.1.
var headerForm = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// Check reports what is wrong.
func (h *SourceHTTP) Check(at At) {
	for name, value := range h.Headers {
		place := at.Key("headers").Key(name)
		switch lower := strings.ToLower(name); {
		case !headerForm.MatchString(name):
			place.Problemf("%s is no name of a header", quote(name))
		case lower == "host" || lower == "content-length" || lower == "transfer-encoding" || lower == "connection":
			place.Problemf("this header is set by the connection and cannot be changed")
		case lower == "authorization" || lower == "cookie":
			place.Problemf("a secret has no place here; use basic, bearer_file or cookie_file")
		case strings.ContainsAny(value, "\r\n\x00"):
			place.Problemf("the value holds a line break")
		}
	}
	if strings.ContainsAny(h.UserAgent, "\r\n\x00") {
		at.Key("user_agent").Problemf("the value holds a line break")
	}
	if h.Proxy != "" {
		at.Key("proxy").URL(h.Proxy, "http", "https", "socks5")
	}
	if h.MaxBody < KB || h.MaxBody > 100*MB {
		at.Key("max_body").Problemf("%s is not within 1KB and 100MB", h.MaxBody)
	}
	if !h.Bearer.IsZero() && h.Basic.User != "" {
		at.Key("bearer").Problemf("bearer and basic are both given; keep one")
	}
	if (h.CertFile == "") != (h.KeyFile == "") {
		at.Problemf("cert_file and key_file belong together; give both or none")
	}
}

// Check reports what is wrong.
func (b *Basic) Check(at At) {
	switch {
	case b.User == "" && !b.Password.IsZero():
		at.Key("user").Problemf("is missing beside the password")
	case b.User != "" && b.Password.IsZero():
		at.Key("password").Problemf("is missing beside the user; name a file with password_file")
	case strings.Contains(b.User, ":"):
		at.Key("user").Problemf("holds a colon, which HTTP cannot carry in a user's name")
	}
}
