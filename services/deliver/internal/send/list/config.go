package list

import (
	_ "embed" // for example.yaml
	"net"
	netmail "net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/services/deliver/internal/mail"
)

//go:embed example.yaml
var example string

// Settings are the keys of a list channel that say from whom its mails come and by which server they go; example.yaml is
// their manual.
type Settings struct {
	// Title and Language are keys of both sides: what the pages of the list say, its mails say too. So are those that readers
	// have who do not choose for themselves: the first of Periods, Hour and Zone.
	Title    string   `yaml:"title"`
	Language string   `yaml:"language"`
	Periods  []string `yaml:"periods"`
	Hour     int      `yaml:"hour"`
	Zone     string   `yaml:"zone"`

	From    string  `yaml:"from"`
	ReplyTo string  `yaml:"reply_to"`
	Imprint string  `yaml:"imprint"`
	SMTP    SMTP    `yaml:"smtp"`
	DKIM    DKIM    `yaml:"dkim"`
	Bounces Bounces `yaml:"bounces"`
}

// SMTP is the server that takes the mails.
type SMTP struct {
	Host     string        `yaml:"host"`
	Port     int           `yaml:"port"`
	TLS      string        `yaml:"tls"`
	Username string        `yaml:"username"`
	Password config.Secret `yaml:"password"`
}

// DKIM are the keys that sign them, none without a domain.
type DKIM struct {
	Domain          string        `yaml:"domain"`
	Selector        string        `yaml:"selector"`
	Key             config.Secret `yaml:"key"`
	Ed25519Selector string        `yaml:"ed25519_selector"`
	Ed25519Key      config.Secret `yaml:"ed25519_key"`
}

// Bounces is the mailbox of what comes back, none without a domain.
type Bounces struct {
	Domain   string        `yaml:"domain"`
	Host     string        `yaml:"host"`
	Port     int           `yaml:"port"`
	Username string        `yaml:"username"`
	Password config.Secret `yaml:"password"`
}

// Same reports whether two lists share a mailbox.
func (b Bounces) Same(other Bounces) bool {
	return b.Host != "" && strings.EqualFold(b.Host, other.Host) && b.Port == other.Port && b.Username == other.Username
}

// others are the keys of the composing side alone.
var others = []string{"description", "tags", "sources", "consent"}

// Defaults are the settings as they are without keys.
func Defaults() *Settings {
	return &Settings{
		Periods: []string{event.Daily, event.Weekly, event.Immediate}, Hour: 7, Zone: "UTC",
		SMTP: SMTP{Port: 587, TLS: mail.TLSRequired}, Bounces: Bounces{Port: 995},
	}
}

// Preset is what a reader wants who does not choose; the composing side checks its keys. Weekly mails come on Mondays.
func (s *Settings) Preset() event.Wishes {
	w := event.Wishes{Period: event.Daily, Hour: s.Hour, Zone: s.Zone}
	if len(s.Periods) > 0 {
		w.Period = s.Periods[0]
	}
	if w.Period == event.Weekly {
		w.Weekday = 1
	}
	return w
}

// maxImprint is how many characters stand below each mail at most.
const maxImprint = 2000

// Check reports what is wrong with what is given.
func (s *Settings) Check(at config.At) {
	for _, m := range []struct{ key, text string }{{"from", s.From}, {"reply_to", s.ReplyTo}} {
		if m.text != "" && mailbox(m.text) == "" {
			at.Key(m.key).Problemf("is no mailbox; write it as News <news@example.org>")
		}
	}
	if s.Address() != "" && s.Host() == "" {
		at.Key("from").Problemf("has a domain that is no name")
	}
	switch {
	case utf8.RuneCountInString(s.Imprint) > maxImprint:
		at.Key("imprint").Problemf("has more than %d characters", maxImprint)
	case strings.ContainsFunc(s.Imprint, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }):
		at.Key("imprint").Problemf("holds characters that cannot be shown")
	}
	s.SMTP.check(at.Key("smtp"))
	s.DKIM.check(at.Key("dkim"))
	s.Bounces.check(at.Key("bounces"))
}

func (s *SMTP) check(at config.At) {
	checkPort(at.Key("port"), s.Port)
	at.Key("tls").OneOf(s.TLS, mail.TLSRequired, mail.TLSImplicit, mail.TLSNone)
	switch {
	case s.TLS == mail.TLSNone && s.Host != "" && !local(s.Host):
		at.Key("tls").Problemf("none is for a server on this machine alone; %s is to have required or implicit", s.Host)
	case s.TLS == mail.TLSNone && s.Username != "":
		at.Key("username").Problemf("needs tls: a login is not sent in the clear")
	case s.Username != "" && s.Password.IsZero():
		at.Key("password").Problemf("is missing for %s; password_file names a file that holds it", s.Username)
	case s.Username == "" && !s.Password.IsZero():
		at.Key("username").Problemf("is missing; without it the password has no use")
	}
}

func checkPort(at config.At, port int) {
	if port < 1 || port > 65535 {
		at.Problemf("%d is not a port; use 1 to 65535", port)
	}
}

func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (d *DKIM) check(at config.At) {
	if d.Domain == "" && (d.Selector != "" || d.Ed25519Selector != "" || !d.Key.IsZero() || !d.Ed25519Key.IsZero()) {
		at.Key("domain").Problemf("is missing; it is the one whose DNS holds the public key")
	}
	if d.Domain == "" {
		return
	}
	if d.Selector == "" && d.Ed25519Selector == "" {
		at.Key("selector").Problemf("is missing; it is the name of the key in the DNS of %s", d.Domain)
	}
	for _, k := range d.named() {
		if k.selector == "" && k.key.IsZero() {
			continue
		}
		if k.key.IsZero() {
			at.Key(k.at).Problemf("is missing for the selector; %s_file names a file that holds it", k.at)
		} else if _, err := mail.ParseKey(d.Domain, k.selector, k.key.Reveal()); err != nil {
			at.Key(k.at).Problemf("%s", strings.TrimPrefix(err.Error(), "read "))
		}
	}
}

type named struct {
	at, selector string
	key          config.Secret
}

func (d *DKIM) named() []named {
	return []named{{"key", d.Selector, d.Key}, {"ed25519_key", d.Ed25519Selector, d.Ed25519Key}}
}

func (b *Bounces) check(at config.At) {
	checkPort(at.Key("port"), b.Port)
	if *b == (Bounces{Port: b.Port}) {
		return
	}
	for _, k := range []struct {
		key     string
		missing bool
	}{{"domain", b.Domain == ""}, {"host", b.Host == ""}, {"username", b.Username == ""}, {"password", b.Password.IsZero()}} {
		if k.missing {
			at.Key(k.key).Problemf("is missing; bounces are read from a mailbox that takes everything for bounce+...@domain")
		}
	}
}

// Complete reports what a list that is sent cannot do without.
func (s *Settings) Complete(at config.At) {
	if s.From == "" {
		at.Key("from").Problemf("is missing; it is from whom the mails come, such as News <news@example.org>. A list that others send has emit: only")
	}
	if s.SMTP.Host == "" {
		at.Key("smtp").Key("host").Problemf("is missing; it is the server that takes the mails")
	}
}

// mailbox gives the address of a mailbox, empty for none.
func mailbox(text string) string {
	a, err := netmail.ParseAddress(text)
	if err != nil || event.CheckAddress(a.Address) != nil || strings.ContainsAny(text, "\r\n") {
		return ""
	}
	return a.Address
}

// Address is that of the sender, without a name.
func (s *Settings) Address() string { return mailbox(s.From) }

// Host is the domain of the sender, in ASCII as it stands in ids and is said to servers.
func (s *Settings) Host() string {
	address := s.Address()
	host, err := idna.Lookup.ToASCII(address[strings.LastIndexByte(address, '@')+1:])
	if err != nil {
		return "" // found wrong before
	}
	return host
}

// Keys are those that sign the mails. They were found good before.
func (s *Settings) Keys() []mail.Key {
	var list []mail.Key
	for _, k := range s.DKIM.named() {
		if key, err := mail.ParseKey(s.DKIM.Domain, k.selector, k.key.Reveal()); err == nil && s.DKIM.Domain != "" && k.selector != "" {
			list = append(list, key)
		}
	}
	return list
}
