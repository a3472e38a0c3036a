package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"tidings.internal/pkg/config/configtest"
)

// schema is what the binary prints, compiled, so that it holds to the draft that it names.
func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(verb(t, t.TempDir(), 0, "config", "schema")))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("tidings.schema.json", document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("tidings.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What the program takes the schema takes, in every form in which a value may be written.
func TestTheSchemaTakesWhatTheProgramTakes(t *testing.T) {
	t.Parallel()
	s := schema(t)
	shipped, err := os.ReadFile(filepath.Join(root(t), "deploy", "tidings.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"as shipped":      string(shipped),
		"the examples":    verb(t, t.TempDir(), 0, "config", "example"),
		"empty":           "# nothing\n",
		"empty sections":  "site:\nsources:\nfeeds:\nchannels:\n",
		"a source alone":  "sources: [{id: blog, url: https://blog.example.com/feed}]\n",
		"words":           "site: {title: 2024, language: no}\nnats: {sync: always}\nlog: {level: debug}\n",
		"numbers":         "deliver: {max_open: 10_000}\nnats: {max_file: 10GB}\ningest: {default_every: 0s, max_pending: 5}\n",
		"truths":          "publish: {automatic: {tags: yes, phrases: off, sources: true}}\nlog: {pprof: YES}\n",
		"truths, quoted":  "publish: {automatic: {tags: \"Yes\", phrases: \"ON\", sources: 'fALSE'}}\n",
		"quoted numbers":  "tracing: {sample: \"0.1\"}\ndeliver: {max_open: \"12\"}\n",
		"another float":   "tracing: {sample: \"+1e-1\"}\n",
		"sizes":           "nats: {max_file: \"+10  GiB \"}\n",
		"an odd float":    "tracing: {sample: \"0x1p-2\"}\n",
		"no addresses":    "site: {url: \"\", icon: ''}\nnats: {url: \"\", listen: \"\"}\ntracing: {otlp: \"\"}\npublish: {base_url: \"\"}\nenrich: {rerank: {url: \"\"}}\ningest: {proxy: \"\"}\nsources: [{id: a, url: http://example.org/, language: \"\", http: {proxy: \"\"}}]\n",
		"addresses":       "tracing: {otlp: \"HTTP://x:1\"}\nnats: {url: \" NATS://x:1, Tls://y:2\"}\npublish: {listen: \":00008080\"}\n",
		"a merged block":  "channels:\n  - &base {id: one, network: webhook, url: https://example.org/a, approve: hold 10m}\n  - {<<: *base, id: two, approve: manual}\n",
		"filters, nested": "sources: [{id: a, url: http://example.org/, filters: {drop: ['title ~ x']}, http: {basic: {user: u, password: p}}}]\n",
	} {
		if name != "the examples" && name != "empty" { // the examples name files that nobody made
			dir := t.TempDir()
			write(t, filepath.Join(dir, "tidings.yaml"), text)
			verb(t, dir, 0, "check", "tidings.yaml")
		}
		var value any
		if name != "empty" {
			value = configtest.Value(t, text)
		}
		if err := s.Validate(value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Each of these mistakes is found by both.
func TestTheSchemaFindsMistakes(t *testing.T) {
	t.Parallel()
	s := schema(t)
	for name, text := range map[string]string{
		"unknown section":        "frist: 1\n",
		"unknown key":            "sources: [{id: blog, url: https://blog.example.com/feed, evry: 5m}]\n",
		"no id":                  "feeds: [{title: News}]\n",
		"id of another form":     "sources: [{id: My Blog, url: https://blog.example.com/feed}]\n",
		"no duration":            "sources: [{id: blog, url: https://blog.example.com/feed, every: 5}]\n",
		"no word of the list":    "channels: [{id: hook, network: webhook, url: https://example.org/hook, on_update: ignroe}]\n",
		"no network":             "channels: [{id: hook, url: https://example.org/hook}]\n",
		"network that is none":   "channels: [{id: masto, network: mastdon}]\n",
		"key of another network": "channels: [{id: hook, network: webhook, url: https://example.org/hook, visibility: public}]\n",
		"list for a block":       "site: [title]\n",
		"no number":              "deliver: {max_open: many}\n",
		"neither true nor false": "publish: {automatic: {tags: maybe}}\n",
		"secret and its file":    "channels: [{id: m, network: mastodon, server: https://example.org, token: a, token_file: b}]\n",
		"no address":             "sources: [{id: blog, url: blog.example.com/feed}]\n",
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "tidings.yaml"), text)
		verb(t, dir, 1, "check", "tidings.yaml")
		if err := s.Validate(configtest.Value(t, text)); err == nil {
			t.Errorf("%s: the schema takes %s", name, text)
		}
	}
}
