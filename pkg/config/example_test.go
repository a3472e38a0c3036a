package config_test

import (
	"testing"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/config/configtest"
)

func TestExamplesLoadNameEveryKeyAndStateTheDefaults(t *testing.T) {
	t.Parallel()
	site, nats, log, tracing, admin := config.DefaultSite(), config.DefaultNATS(), config.DefaultLog(), config.DefaultTracing(), config.DefaultAdmin()
	for section, into := range map[string]any{
		"site": &site, "nats": &nats, "log": &log, "tracing": &tracing, "admin": &admin, "sources": &[]config.Source{},
	} {
		t.Run(section, func(t *testing.T) {
			t.Parallel()
			text, ok := config.Example(section)
			if !ok {
				t.Fatal("there is no example")
			}
			configtest.Section(t, section, text, into)
		})
	}
	t.Run("channels", func(t *testing.T) {
		t.Parallel()
		text, _ := config.Example("channels")
		configtest.Check(t, text, "channels", config.Keys(config.Channel{}), func(doc *config.Doc) {
			doc.Channels(func(string) (any, []string) { return nil, []string{"none"} })
		})
	})
	if text, ok := config.Example("ingest"); ok || text != "" {
		t.Error("the example of a service's section is not kept here")
	}
}
