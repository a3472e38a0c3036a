package app

import (
	_ "embed" // for example.yaml
	"maps"
	"slices"
	"strings"
	"time"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/web"
	"tidings.internal/services/deliver/internal/readers"
	"tidings.internal/services/deliver/internal/send"
)

//go:embed example.yaml
var example string

// Example returns the example of a section that this service owns, which is also its manual.
func Example(section string) (text string, ok bool) { return example, section == Name }

// ChannelExamples gives for each network, by name, a channel with all keys of the sending side.
func ChannelExamples() map[string]string {
	all := map[string]string{}
	for _, n := range networks() {
		all[n.Name] = n.Example
	}
	for name := range payloadOnly {
		all[name] = payloadExample
	}
	return all
}

// Settings is the section `deliver`; example.yaml is the manual of its keys.
type Settings struct {
	// MaxOpen is how many posts of one channel may be open before no more are taken in.
	MaxOpen int     `yaml:"max_open"`
	Hub     Hub     `yaml:"hub"`
	Readers Readers `yaml:"readers"`
}

// Readers is what the readers of all newsletters are known by.
type Readers struct {
	// Key makes the tokens of their mails and the names of their addresses.
	Key config.Secret `yaml:"key"`
	// OldKeys are those that were before it, one a line: what they made is still accepted.
	OldKeys config.Secret `yaml:"old_keys"`
}

// Hub is what sites that subscribe to feeds are given.
type Hub struct {
	LeaseMin      time.Duration `yaml:"lease_min"`
	LeaseMax      time.Duration `yaml:"lease_max"`
	PerTopic      int           `yaml:"per_topic"`
	PerHost       int           `yaml:"per_host"`
	AllowNetworks []string      `yaml:"allow_networks"`
	AllowPorts    []int         `yaml:"allow_ports"`
}

// DefaultSettings returns the section as it is when the file has none.
func DefaultSettings() Settings {
	return Settings{MaxOpen: 10_000, Hub: Hub{LeaseMin: 5 * time.Minute, LeaseMax: 30 * 24 * time.Hour, PerTopic: 10_000, PerHost: 200}}
}

// Check reports what is wrong.
func (s *Settings) Check(at config.At) {
	if s.MaxOpen < 1 || s.MaxOpen > 100_000 {
		at.Key("max_open").Problemf("%d is not within 1 and 100000", s.MaxOpen)
	}
	s.Hub.check(at.Key("hub"))
	s.Readers.check(at.Key("readers"))
}

func (r *Readers) check(at config.At) {
	if n := len(r.Key.Reveal()); n > 0 && n < readers.MinKey {
		at.Key("key").Problemf("has %d characters; %d are needed: \"openssl rand -hex 32\" makes one", n, readers.MinKey)
	}
	for i, old := range r.old() {
		if len(old) < readers.MinKey {
			at.Key("old_keys").Problemf("line %d has %d characters; %d are needed", i+1, len(old), readers.MinKey)
		}
	}
}

func (r *Readers) old() [][]byte {
	var list [][]byte
	for line := range strings.Lines(r.OldKeys.Reveal()) {
		list = append(list, []byte(strings.TrimSpace(line)))
	}
	return list
}

func (h *Hub) check(at config.At) {
	at.Key("lease_min").Between(h.LeaseMin, time.Minute, 24*time.Hour)
	at.Key("lease_max").Between(h.LeaseMax, h.LeaseMin, 365*24*time.Hour)
	if h.PerTopic < 1 || h.PerTopic > 100_000 {
		at.Key("per_topic").Problemf("%d is not within 1 and 100000", h.PerTopic)
	}
	if h.PerHost < 1 || h.PerHost > 100_000 {
		at.Key("per_host").Problemf("%d is not within 1 and 100000", h.PerHost)
	}
	for i, text := range h.AllowNetworks {
		if _, err := web.ParseAllowed(text); err != nil {
			at.Key("allow_networks").Index(i).Problemf("%s", strings.TrimPrefix(err.Error(), "read allowed network "))
		}
	}
	for i, port := range h.AllowPorts {
		if port < 1 || port > 65535 {
			at.Key("allow_ports").Index(i).Problemf("%d is not a port; use 1 to 65535", port)
		}
	}
}

// settings is everything that deliver reads.
type settings struct {
	deliver  Settings
	site     config.Site
	channels []channel
	denied   []uint16 // ports of our own, which no callback may name
	base     string   // the address of our pages, without a slash at its end
}

// channel is a channel that is to be sent to.
type channel struct {
	config.Channel
	network send.Network
	at      config.At
}

// read decodes the sections. Problems are collected in doc.
func read(doc *config.Doc) settings {
	s := settings{deliver: DefaultSettings(), site: config.DefaultSite()}
	doc.Section("deliver", &s.deliver)
	doc.Section("site", &s.site)
	nats, admin := config.DefaultNATS(), config.DefaultAdmin()
	doc.Peek("nats", &nats)
	doc.Peek("admin", &admin)
	s.denied = config.OwnPorts(nats.URL, nats.Listen, admin.Listen)
	list := networks()
	find := func(name string) int {
		return slices.IndexFunc(list, func(n send.Network) bool { return n.Name == name })
	}
	names := make([]string, len(list))
	for i, n := range list {
		names[i] = n.Name
	}
	own := func(name string) (any, []string) {
		if i := find(name); i >= 0 {
			return list[i].Settings(), list[i].Others
		}
		return nil, payloadOnly[name]
	}
	for i, c := range doc.Channels(own, append(names, slices.Sorted(maps.Keys(payloadOnly))...)...) {
		at := doc.At("channels", i)
		if _, ok := payloadOnly[c.Network]; ok {
			mustStay(c, at)
		}
		n := find(c.Network)
		if n < 0 || c.Emit == emitOnly {
			continue
		}
		if whole, ok := c.Settings.(send.Completer); ok {
			whole.Complete(at)
		}
		unable(c, at)
		s.channels = append(s.channels, channel{Channel: c, network: list[n], at: at})
	}
	s.readNewsletters(doc)
	return s
}

// emitOnly is the value of emit for posts that others take from the bus.
const emitOnly = "only"

// unable reports what the common keys promise and no network here can do.
func unable(c config.Channel, at config.At) {
	if c.OnUpdate == "reply" {
		at.Key("on_update").Problemf("reply is not possible on %s; use edit or ignore", c.Network)
	}
	if c.Overflow == "digest" {
		at.Key("overflow").Problemf("digest is not possible on %s; use queue or drop_oldest", c.Network)
	}
	if len(c.Events) > 0 && !slices.Contains(c.Events, "article.published") {
		at.Key("events").Problemf("leaves out article.published, without which there is nothing to update or remove")
	}
	for i, e := range c.Events {
		if !strings.HasPrefix(e, "article.") {
			at.Key("events").Index(i).Problemf("%s is not sent to channels; they get article.published, article.updated and article.removed", e)
		}
	}
	if c.Budget.PerMonth != "" {
		at.Key("budget").Problemf("has no meaning on %s, which does not charge for posts", c.Network)
	}
}
