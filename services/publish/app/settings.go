package app

import (
	"cmp"
	_ "embed" // for example.yaml
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"tidings.internal/pkg/config"
	"tidings.internal/services/publish/internal/compose"
	"tidings.internal/services/publish/internal/document"
	"tidings.internal/services/publish/internal/feed"
)

//go:embed example.yaml
var example string

// Settings is the section `publish`; example.yaml is its manual.
type Settings struct {
	Listen    string    `yaml:"listen"`
	BaseURL   string    `yaml:"base_url"`
	Automatic Automatic `yaml:"automatic"`
	// RateLimit is how many points a client network has in ten minutes; 0 limits nobody.
	RateLimit      int      `yaml:"rate_limit"`
	TrustedProxies []string `yaml:"trusted_proxies"`
	// Codings are those that documents are packed in beside gzip.
	Codings []document.Coding `yaml:"codings"`
	// SitemapHosts are the hosts whose articles stand in the sitemap for news; without any, that of the site.
	SitemapHosts []string `yaml:"sitemap_hosts"`
	// Hub tells of the public feeds by WebSub.
	Hub bool `yaml:"hub"`
}

// Automatic says which feeds come into being by themselves.
type Automatic struct {
	Tags      bool `yaml:"tags"`
	Phrases   bool `yaml:"phrases"`
	Sources   bool `yaml:"sources"`
	Languages bool `yaml:"languages"`
	MinItems  int  `yaml:"min_items"`
}

// DefaultSettings returns the section as it is when the file has none.
func DefaultSettings() Settings {
	return Settings{Listen: "127.0.0.1:8080", Automatic: Automatic{Tags: true, Sources: true, Languages: true, MinItems: 3}, RateLimit: 600}
}

// Check reports what is wrong.
func (s *Settings) Check(at config.At) {
	at.Key("listen").Listen(s.Listen)
	if s.BaseURL != "" && at.Key("base_url").URL(s.BaseURL) && strings.ContainsAny(s.BaseURL, "?#") {
		at.Key("base_url").Problemf("holds a query or a fragment, and paths are appended to it")
	}
	if s.RateLimit < 0 || s.RateLimit > 1_000_000 {
		at.Key("rate_limit").Problemf("%d is not within 0 and 1000000", s.RateLimit)
	}
	for i, c := range s.Codings {
		at.Key("codings").Index(i).OneOf(string(c), string(document.Zstd), string(document.Brotli))
	}
	for i, host := range s.SitemapHosts {
		if u, err := url.Parse("https://" + host); err != nil || u.Hostname() != host || host == "" {
			at.Key("sitemap_hosts").Index(i).Problemf("%q is no name of a host", host)
		}
	}
	for i, text := range s.TrustedProxies {
		if _, err := prefix(text); err != nil {
			at.Key("trusted_proxies").Index(i).Problemf("%q is neither an address nor a network such as 172.18.0.0/16", text)
		}
	}
	if n := s.Automatic.MinItems; n < 1 || n > 100 {
		at.Key("automatic").Key("min_items").Problemf("%d is not within 1 and 100", n)
	}
}

// prefix reads a network or a single address.
func prefix(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return a.Prefix(a.BitLen())
	}
	return netip.ParsePrefix(text)
}

// proxies are the networks whose word for the address of a client is taken.
func (s *Settings) proxies() []netip.Prefix {
	var list []netip.Prefix
	for _, text := range s.TrustedProxies {
		if p, err := prefix(text); err == nil { // checked before
			list = append(list, p)
		}
	}
	return list
}

// sitemapHosts are the hosts whose articles stand in the sitemap for news.
func (s *settings) sitemapHosts(base string) []string {
	if len(s.publish.SitemapHosts) > 0 {
		return s.publish.SitemapHosts
	}
	u, err := url.Parse(cmp.Or(s.site.URL, base))
	if err != nil {
		return nil
	}
	return []string{u.Hostname()}
}

// Examples gives the manuals of the sections that publish owns, by the name of the section.
func Examples() map[string]string {
	return map[string]string{"publish": example, "feeds": feed.Example}
}

// ChannelExamples gives for each network, by name, a channel with all keys of the composing side.
func ChannelExamples() map[string]string {
	all := map[string]string{}
	for _, n := range networks() {
		all[n.Name] = n.Example
	}
	return all
}

// settings is everything that publish reads of the configuration.
type settings struct {
	publish  Settings
	site     config.Site
	feeds    []feed.Config
	channels []*compose.Channel
	sources  []source
}

// source is what publish reads of a source of the file. Those that were added at run time it does not know.
type source struct {
	ID    string `yaml:"id"`
	Title string `yaml:"title"`
}

// read decodes what publish reads and collects the problems of it.
func read(doc *config.Doc) settings {
	s := settings{publish: DefaultSettings(), site: config.DefaultSite()}
	doc.Section("publish", &s.publish)
	doc.Section("site", &s.site)
	var feeds []feed.Config // as the file has them: the document shows them later, without the feed that is added below
	doc.Section("feeds", &feeds)
	s.feeds = feeds
	doc.Peek("sources", &s.sources)
	var sources []string
	for _, one := range s.sources {
		sources = append(sources, one.ID)
	}
	for i, f := range s.feeds {
		at := doc.At("feeds", i)
		checkSources(at.Key("select").Key("sources"), f.Select.Sources, sources)
		checkSources(at.Key("select").Key("exclude_sources"), f.Select.ExcludeSources, sources)
		checkSources(at.Key("prefer"), f.Prefer, sources)
	}
	checkWas(doc, s.feeds)
	if s.publish.Hub && s.publish.BaseURL == "" && s.site.URL == "" {
		doc.At("publish").Key("hub").Problemf("needs base_url or site.url, the address under which sites reach it")
	}
	if !slices.ContainsFunc(s.feeds, func(f feed.Config) bool { return f.ID == feed.All }) {
		var all feed.Config
		all.SetDefaults()
		all.ID = feed.All
		s.feeds = append([]feed.Config{all}, s.feeds...)
	}
	s.channels = readChannels(doc, s.site, s.publish.BaseURL != "" || s.site.URL != "", sources)
	return s
}

// checkWas reports old ids that lead nowhere in particular: those of feeds that are there, and those that two feeds had.
func checkWas(doc *config.Doc, feeds []feed.Config) {
	owner := map[string]string{}
	for _, f := range feeds {
		owner[f.ID] = f.ID
	}
	for i, f := range feeds {
		for n, id := range f.Was {
			at := doc.At("feeds", i).Key("was").Index(n)
			switch other, taken := owner[id]; {
			case taken && other == id:
				at.Problemf("%q is a feed of its own", id)
			case taken:
				at.Problemf("%q leads to %q already", id, other)
			}
			owner[id] = f.ID
		}
	}
}

// readChannels makes the channels ready. home tells whether the public port has an address that others can know.
func readChannels(doc *config.Doc, site config.Site, home bool, sources []string) []*compose.Channel {
	list := networks()
	names := make([]string, len(list))
	for i, n := range list {
		names[i] = n.Name
	}
	configured := doc.Channels(func(name string) (any, []string) {
		i := slices.Index(names, name)
		if i < 0 {
			return nil, nil
		}
		if list[i].Settings == nil {
			return nil, list[i].Others
		}
		return list[i].Settings(), list[i].Others
	}, names...)
	var channels []*compose.Channel
	for i, c := range configured {
		n := slices.Index(names, c.Network)
		if n < 0 {
			continue // reported already
		}
		at := doc.At("channels", i)
		checkSources(at.Key("select").Key("sources"), c.Select.Sources, sources)
		checkSources(at.Key("select").Key("exclude_sources"), c.Select.ExcludeSources, sources)
		checkList(c, at, home, sources)
		ch, err := compose.New(c, list[n], site)
		if err == nil {
			channels = append(channels, ch)
			continue
		}
		key, text, _ := strings.Cut(err.Error(), ": ")
		for part := range strings.SplitSeq(key, ".") {
			at = at.Key(part)
		}
		at.Problemf("%s", text)
	}
	return channels
}

// checkSources reports sources that the file does not have. A file without any leaves them to those that were added at
// run time.
func checkSources(at config.At, ids, known []string) {
	for i, id := range ids {
		if len(known) > 0 && !slices.Contains(known, id) {
			at.Index(i).Problemf("there is no source %q", id)
		}
	}
}

// base is the address that stands in feeds: base_url, else the site's, else the one that is listened on.
func (s *settings) base(listening net.Addr) string {
	for _, address := range []string{s.publish.BaseURL, s.site.URL} {
		if address != "" {
			return strings.TrimRight(address, "/")
		}
	}
	host, port, err := net.SplitHostPort(listening.String())
	if err != nil {
		return "http://" + listening.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1" // every address is listened on, and this one works at least here
	}
	return "http://" + net.JoinHostPort(host, port)
}
