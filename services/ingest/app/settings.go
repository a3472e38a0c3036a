package app

import (
	_ "embed" // for example.yaml
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/web"
	"tidings.internal/services/ingest/internal/poll"
	"tidings.internal/services/ingest/internal/websub"
)

//go:embed example.yaml
var example string

// Example returns the example of a section that this service owns, which is also its manual.
func Example(section string) (text string, ok bool) { return example, section == Name }

// Settings is the section `ingest`; example.yaml is the manual of its keys.
type Settings struct {
	Workers       int             `yaml:"workers"`
	DefaultEvery  time.Duration   `yaml:"default_every"`
	AllowNetworks []string        `yaml:"allow_networks"`
	AllowPorts    []int           `yaml:"allow_ports"`
	BackfillAfter time.Duration   `yaml:"backfill_after"`
	RevisionGap   time.Duration   `yaml:"revision_gap"`
	MaxPending    int             `yaml:"max_pending"`
	BackfillPages int             `yaml:"backfill_pages"`
	Hosts         map[string]Host `yaml:"hosts"`
	Proxy         string          `yaml:"proxy"`
	Tracking      Tracking        `yaml:"tracking"`
	WebSub        WebSub          `yaml:"websub"`
}

// Tracking says which parameters of an address only track, beside the list that ships. A name may end in an asterisk.
type Tracking struct {
	Add  []string `yaml:"add"`
	Keep []string `yaml:"keep"`
}

// WebSub is how hubs reach this service. Without a public address no hub is asked for anything.
type WebSub struct {
	PublicURL string        `yaml:"public_url"`
	Listen    string        `yaml:"listen"`
	Key       config.Secret `yaml:"key"`
	AllowSHA1 bool          `yaml:"allow_sha1"`
}

// Host is how one host is asked.
type Host struct {
	Concurrency int           `yaml:"concurrency"`
	Gap         time.Duration `yaml:"gap"`
}

var (
	_ config.Checker   = (*Settings)(nil)
	_ config.Checker   = (*Host)(nil)
	_ config.Checker   = (*WebSub)(nil)
	_ config.Checker   = (*Tracking)(nil)
	_ config.Defaulter = (*Host)(nil)
)

// DefaultSettings returns the section as it is when the file has none.
func DefaultSettings() Settings {
	return Settings{Workers: 64, BackfillAfter: 24 * time.Hour, RevisionGap: 10 * time.Minute, MaxPending: 50_000, WebSub: WebSub{AllowSHA1: true}}
}

const longest = 31 * 24 * time.Hour

// Check reports what is wrong.
func (s *Settings) Check(at config.At) {
	if s.Workers < 1 || s.Workers > 1024 {
		at.Key("workers").Problemf("%d is not within 1 and 1024", s.Workers)
	}
	if s.DefaultEvery != 0 {
		at.Key("default_every").Between(s.DefaultEvery, time.Second, longest)
	}
	at.Key("backfill_after").Between(s.BackfillAfter, 0, longest)
	at.Key("revision_gap").Between(s.RevisionGap, 0, 24*time.Hour)
	if s.MaxPending < 1 || s.MaxPending > 1_000_000 {
		at.Key("max_pending").Problemf("%d is not within 1 and 1000000", s.MaxPending)
	}
	if s.BackfillPages < 0 || s.BackfillPages > 20 {
		at.Key("backfill_pages").Problemf("%d is not within 0 and 20", s.BackfillPages)
	}
	for i, text := range s.AllowNetworks {
		if _, err := web.ParseAllowed(text); err != nil {
			at.Key("allow_networks").Index(i).Problemf("%s", strings.TrimPrefix(err.Error(), "read allowed network "))
		}
	}
	for i, port := range s.AllowPorts {
		if port < 1 || port > 65535 {
			at.Key("allow_ports").Index(i).Problemf("%d is not a port; use 1 to 65535", port)
		}
	}
	for name := range s.Hosts {
		if host, port, err := net.SplitHostPort(name); err != nil || host == "" || port == "" {
			at.Key("hosts").Key(name).Problemf("%q is not a host with its port, such as example.org:443", name)
		}
	}
	if s.Proxy != "" {
		at.Key("proxy").URL(s.Proxy, "socks5", "https", "http")
	}
}

// Check reports what is wrong.
func (s *Tracking) Check(at config.At) {
	for key, list := range map[string][]string{"add": s.Add, "keep": s.Keep} {
		for i, name := range list {
			if stem := strings.TrimSuffix(name, "*"); stem == "" || strings.ContainsAny(stem, "*&=?# ") {
				at.Key(key).Index(i).Problemf("%q is no name of a parameter such as sid or abc_*", name)
			}
		}
	}
}

// Check reports what is wrong.
func (s *WebSub) Check(at config.At) {
	if s.PublicURL == "" {
		if s.Listen != "" {
			at.Key("public_url").Problemf("is missing: hubs must be told under which address they reach %s", s.Listen)
		}
		return
	}
	at.Key("public_url").URL(s.PublicURL)
	if _, port, err := net.SplitHostPort(s.Listen); err != nil || port == "" {
		at.Key("listen").Problemf("%q is not HOST:PORT, such as 127.0.0.1:8090", s.Listen)
	}
	if n := len(s.Key.Reveal()); n < websub.MinKey {
		at.Key("key").Problemf("has %d bytes, and %d at least are needed; name a file with key_file, which \"openssl rand -hex 32\" writes", n, websub.MinKey)
	}
}

// SetDefaults fills in what an entry need not say.
func (h *Host) SetDefaults() { *h = Host{Concurrency: 1, Gap: time.Second} }

// Check reports what is wrong.
func (h *Host) Check(at config.At) {
	if h.Concurrency < 1 || h.Concurrency > 256 {
		at.Key("concurrency").Problemf("%d is not within 1 and 256", h.Concurrency)
	}
	at.Key("gap").Between(h.Gap, 0, time.Hour)
}

// settings is everything that ingest reads.
type settings struct {
	ingest  Settings
	site    config.Site
	sources []*poll.Source
	raw     time.Duration // retention of RAW
	denied  []uint16      // ports of our own
}

// read decodes the sections. Problems are collected in doc.
func read(doc *config.Doc) settings {
	s := settings{ingest: DefaultSettings(), site: config.DefaultSite()}
	doc.Section("ingest", &s.ingest)
	doc.Section("site", &s.site)
	var list []config.Source
	doc.Section("sources", &list)
	for i, c := range list {
		at := doc.At("sources", i)
		src := &poll.Source{Source: c, Options: options(c.HTTP, s.ingest.Proxy, at), Filter: filters(c.Filters).Compile()}
		s.sources = append(s.sources, src)
	}
	nats := config.DefaultNATS()
	doc.Peek("nats", &nats)
	s.raw = nats.Retention.Raw
	admin := config.DefaultAdmin()
	doc.Peek("admin", &admin)
	s.denied = config.OwnPorts(nats.URL, nats.Listen, admin.Listen, s.ingest.WebSub.Listen)
	return s
}

// filters gives the rules of a source, nil when there are none.
func filters(f config.Filters) *article.Filters {
	if len(f.Drop)+len(f.Keep) == 0 {
		return nil
	}
	return &article.Filters{Drop: f.Drop, Keep: f.Keep}
}

// maxHeadersFile bounds a file of headers.
const maxHeadersFile = 64 << 10

// options turns the keys of a source into those of the web client.
func options(h config.SourceHTTP, proxy string, at config.At) web.Options {
	o := web.Options{
		UserAgent: h.UserAgent, Bearer: h.Bearer.Reveal(), Cookie: h.Cookie.Reveal(), Proxy: h.Proxy, HTTP1: !h.HTTP2,
		TLS: web.TLS{Insecure: h.InsecureTLS, CAFile: h.CAFile, CertFile: h.CertFile, KeyFile: h.KeyFile},
	}
	if o.Proxy == "" {
		o.Proxy = proxy
	}
	if h.Basic.User != "" {
		o.Basic = &web.Basic{User: h.Basic.User, Password: h.Basic.Password.Reveal()}
	}
	header := http.Header{}
	for name, value := range h.Headers {
		header.Set(name, value)
	}
	if h.HeadersFile != "" {
		readHeaders(h.HeadersFile, header, at.Key("http").Key("headers_file"))
	}
	if len(header) == 0 {
		return o
	}
	// Those of the key headers were checked with the section; here the file's are new.
	if err := web.CheckHeader(header); err != nil && h.HeadersFile != "" {
		at.Key("http").Key("headers_file").Problemf("%s", err)
	}
	o.Header = header
	return o
}

// readHeaders reads a file with one header a line, as "Name: value". Its text is secret: no problem quotes it.
func readHeaders(name string, into http.Header, at config.At) {
	data, err := os.ReadFile(name)
	if err != nil || len(data) > maxHeadersFile {
		at.Problemf("cannot read the file, or it is larger than %d KB", maxHeadersFile>>10)
		return
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, ok := strings.Cut(line, ":")
		if !ok || strings.TrimSpace(key) == "" {
			at.Problemf("line %d of the file is not a header such as X-Key: value", n)
			return
		}
		into.Add(strings.TrimSpace(key), strings.TrimSpace(value))
	}
}

// userAgent is how we present ourselves.
func userAgent(site config.Site, version string) string {
	agent := "Tidings/" + version
	if u, err := url.Parse(site.URL); err == nil && u.Host != "" {
		agent += " (+" + site.URL + ")"
	}
	return agent
}
