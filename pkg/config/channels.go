package config

import (
	"reflect"
	"slices"
	"time"

	"go.yaml.in/yaml/v4"
)

// maxChannels is how many channels there may be: each has a consumer on one stream, of which the server allows 1,000,
// and a hundred are for others.
const maxChannels = 900

// Channels decodes the section `channels`, which two services read. For the network of each entry the caller's
// function returns a pointer to the settings that this program knows, filled with their defaults, and the names of the
// keys that belong to the other program, which are skipped; everything else is strict. A network without settings of
// its own gives a nil pointer and the other's keys, a list that is empty and not nil where there are none; "*" among these
// skips all keys that are not common. Two nils mean that the program does not know the network, which is a problem;
// networks, when given, are named in it.
//
// The settings are left in [Channel.Settings] and checked like the rest.
func (d *Doc) Channels(own func(network string) (settings any, others []string), networks ...string) []Channel {
	const name = "channels"
	dec := decoder{doc: d}
	at := path{name}
	var list []Channel
	if n := follow(d.section(name)); n != nil && n.Kind == yaml.SequenceNode {
		list = make([]Channel, len(n.Content))
		for i, entry := range n.Content {
			dec.channel(entry, &list[i], own, networks, at.index(i))
		}
		if len(list) > maxChannels {
			d.add(d.origin(n.Content[maxChannels]), at, "there are %d channels; %d are allowed", len(list), maxChannels)
		}
	} else if n != nil {
		dec.value(n, reflect.ValueOf(&list).Elem(), field{key: name}, at) // says what is wrong
	}
	dec.environment(name, reflect.ValueOf(&list).Elem())
	if len(list) > 0 {
		d.finish(at, reflect.ValueOf(&list).Elem())
	}
	for i := range list {
		if v := reflect.ValueOf(list[i].Settings); v.Kind() == reflect.Pointer && !v.IsNil() {
			d.finish(at.index(i), v.Elem())
		}
	}
	return list
}

// channel decodes one entry into the common keys and the network's own.
func (c *decoder) channel(entry *yaml.Node, into *Channel, own func(string) (any, []string), networks []string, at path) {
	into.SetDefaults()
	n := follow(entry)
	if n.Kind != yaml.MappingNode {
		c.problem(entry, at, "wants a block of keys, and here is %s", what(n))
		c.doc.wrong[at.String()] = true
		return
	}
	targets := []reflect.Value{reflect.ValueOf(into).Elem()}
	skip := []string{"*"}
	network := ""
	if _, v := lookup(n, "network"); v != nil && follow(v).Kind == yaml.ScalarNode {
		network = follow(v).Value
	}
	place := At{doc: c.doc, path: at.key("network")}
	if network == "" {
		c.noNetwork(n, at)
	} else {
		settings, others := own(network)
		switch {
		case settings == nil && others == nil:
			hint, _ := suggest(network, networks)
			place.Problemf("there is no network %s%s", quote(network), hint)
		default:
			skip = others
		}
		if v := reflect.ValueOf(settings); v.Kind() == reflect.Pointer && !v.IsNil() && v.Elem().Kind() == reflect.Struct {
			targets = append(targets, v.Elem())
			into.Settings = settings
		}
	}
	c.mapping(n, targets, skip, at)
	given := func(key string) bool { return At{doc: c.doc, path: at.key(key)}.Given() }
	// Some networks have other defaults than the rest.
	if slices.Contains([]string{"webhook", "list"}, network) && !given("max_age") {
		into.MaxAge = 0
	}
	if network == "webhook" && !given("timeout") {
		into.Timeout = 20 * time.Second
	}
}

// noNetwork reports an entry without a network: as the misspelt key, if there is one, else as the missing one.
func (c *decoder) noNetwork(n *yaml.Node, at path) {
	place := At{doc: c.doc, path: at.key("network")}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := follow(n.Content[i])
		if hint, name := suggest(key.Value, []string{"network"}); name != "" && key.Value != name {
			c.problem(key, at.key(key.Value), "unknown key%s", hint)
			return
		}
	}
	place.Problemf("is missing; it says where posts go")
}
