package ops

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	deliver "tidings.internal/services/deliver/app"
	enrich "tidings.internal/services/enrich/app"
	ingest "tidings.internal/services/ingest/app"
	publish "tidings.internal/services/publish/app"
)

// Check decodes every section of every service, so that all problems of a configuration come together. It dials
// nothing.
func Check(doc *config.Doc) {
	log, tracing, admin := config.DefaultLog(), config.DefaultTracing(), config.DefaultAdmin()
	doc.Section("log", &log)
	doc.Section("tracing", &tracing)
	doc.Section("admin", &admin)
	n := ReadNATS(doc)
	if doc.Err() == nil {
		if _, err := Topology(n); err != nil {
			doc.At("nats").Problemf("%s", err)
		}
	}
	ingest.Check(doc)
	enrich.Check(doc)
	publish.Check(doc)
	deliver.Check(doc)
}

// ReadNATS reads the section nats. Problems stay with the document.
func ReadNATS(doc *config.Doc) config.NATS {
	n := config.DefaultNATS()
	doc.Section("nats", &n)
	return n
}

// Topology is what must exist on the broker by the operator's settings.
func Topology(n config.NATS) (event.Topology, error) {
	return event.NewTopology(event.Settings{
		Replicas: n.Replicas, MaxFile: int64(n.MaxFile), DedupeWindow: n.DedupeWindow,
		Retention: event.Retention{Raw: n.Retention.Raw, Articles: n.Retention.Articles, Posts: n.Retention.Posts, Stories: n.Retention.Stories},
	})
}

// Setting is one value in force and where it came from.
type Setting struct {
	Path   string `json:"path"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
}

// Settings lists the values in force of the sections that begin with a prefix. Secrets are ***.
func Settings(doc *config.Doc, prefix string) []Setting {
	Check(doc)
	list := []Setting{}
	for v := range doc.Values() {
		if prefix == "" || v.Path == prefix || strings.HasPrefix(v.Path, prefix+".") || strings.HasPrefix(v.Path, prefix+"[") {
			list = append(list, Setting{v.Path, v.Text, v.Origin.String()})
		}
	}
	return list
}

// Example returns the manual of a section, or of all.
func Example(section string) (string, error) {
	var all []string
	for _, name := range config.Sections() {
		if section != "" && section != name {
			continue
		}
		if text := manual(name); text != "" {
			all = append(all, strings.TrimSpace(text)+"\n")
		}
	}
	if len(all) == 0 {
		return "", fault.Errorf(fault.Invalid, "there is no example of section %q; sections are %s", section, strings.Join(config.Sections(), ", "))
	}
	return strings.Join(all, "\n"), nil
}

// manual finds the example of a section with whoever owns it. Behind the keys that all channels have come those of each
// network.
func manual(section string) string {
	if text, ok := config.Example(section); ok {
		if section == "channels" {
			for _, network := range Networks() {
				text += "\n" + ChannelExample(network)
			}
		}
		return text
	}
	for _, example := range []func(string) (string, bool){ingest.Example, enrich.Example, deliver.Example} {
		if text, ok := example(section); ok {
			return text
		}
	}
	return publish.Examples()[section]
}

// Networks names what channels can post to.
func Networks() []string { return slices.Sorted(maps.Keys(publish.ChannelExamples())) }

// ChannelExample returns an entry of the section channels with all keys that are a network's own: those of publish,
// which say what a post looks like, and those of deliver, which say where and as whom it is sent. A key of both stands as
// deliver has it.
func ChannelExample(network string) string {
	var b strings.Builder
	add := func(line string) {
		switch {
		case strings.HasPrefix(line, "id: "):
			b.WriteString("  - " + line)
		case strings.TrimSpace(line) != "":
			b.WriteString("    " + line)
		default:
			b.WriteString(line)
		}
	}
	sent := deliver.ChannelExamples()[network]
	var about []string // what is said of the key that follows
	for line := range strings.Lines(publish.ChannelExamples()[network]) {
		about = append(about, line)
		key := keyForm.FindString(line)
		switch {
		case key == "":
			continue
		case key == "id:" || key == "network:" || !strings.Contains("\n"+sent, "\n"+key):
			for _, l := range about {
				add(l)
			}
		}
		about = nil
	}
	for _, l := range about {
		add(l)
	}
	add("\n")
	for line := range strings.Lines(sent) {
		if !strings.HasPrefix(line, "id: ") && !strings.HasPrefix(line, "network: ") {
			add(line)
		}
	}
	return b.String()
}

// Schema describes the configuration, or one section of it, as JSON Schema, for editors and for checks elsewhere. It is made
// of the commented examples, as the manual's reference is, and of what every service asks of them.
func Schema(section string) (map[string]any, error) {
	text, err := Example("")
	if err != nil {
		return nil, err
	}
	// Whatever is wrong with an example, such as a file that it names and nobody made, says nothing about its keys.
	doc := config.New("example.yaml", []byte(text), nil)
	doc.Learn()
	Check(doc)
	common := config.Paragraphs(text)
	own := map[string]map[string]string{}
	for _, network := range Networks() {
		own[network] = config.Paragraphs("channels:\n" + ChannelExample(network))
	}
	whole := doc.Schema(func(network, path string) string {
		if network == "" {
			return common[path]
		}
		return own[network][path]
	})
	if section == "" {
		return whole, nil
	}
	parts, _ := whole["properties"].(map[string]any)
	part, ok := parts[section].(map[string]any)
	if !ok {
		return nil, fault.Errorf(fault.Invalid, "there is no section %q; sections are %s", section, strings.Join(config.Sections(), ", "))
	}
	part["$schema"] = whole["$schema"]
	return part, nil
}

// keyForm is the key of a line of an example.
var keyForm = regexp.MustCompile(`^[a-z_]+:`)
