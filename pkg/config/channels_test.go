package config_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/config"
)

// composing is what publish knows of mastodon, where the fake of the other tests is what deliver knows.
type composing struct {
	Visibility string `yaml:"visibility"`
	Spoiler    string `yaml:"spoiler"`
}

func composer(name string) (settings any, others []string) {
	switch name {
	case "mastodon":
		return &composing{Visibility: "public"}, []string{"server", "token", "token_file"}
	case "webhook":
		return nil, []string{"*"}
	}
	return nil, nil
}

const twoSided = `channels:
  - id: masto
    network: mastodon
    server: https://social.example.org
    token_file: /run/secrets/that/only/deliver/has
    spoiler: News
    select: {tags: [crm], exclude_sources: [press]}
    approve: hold 10m
    max_per_hour: 4
    quiet: {from: "22:00", to: "07:00", zone: Europe/Berlin}
  - id: hook
    network: webhook
    url: https://example.org/hook
`

// publish has no secrets and no way to read them: the other side's keys must not even be looked at.
func TestEachSideReadsItsOwnKeysOfAChannel(t *testing.T) {
	t.Parallel()
	doc := config.New("tidings.yaml", []byte(twoSided), nil)
	list := doc.Channels(composer)
	if err := doc.Err(); err != nil {
		t.Fatal(err)
	}
	want := &composing{Visibility: "public", Spoiler: "News"}
	if diff := cmp.Diff(any(want), list[0].Settings); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	m, h := list[0], list[1]
	if m.Approve != (config.Approve{Mode: config.ApproveHold, Hold: 10 * time.Minute}) || m.MaxPerHour != 4 ||
		m.Select.Tags[0] != "crm" || m.Select.ExcludeSources[0] != "press" || m.Emit != "send" {
		t.Errorf("common keys: %+v", m)
	}
	if from, to, ok := m.Quiet.Minutes(); !ok || from != 22*60 || to != 7*60 || m.Quiet.Location().String() != "Europe/Berlin" {
		t.Errorf("quiet hours %d to %d, %v, in %v", from, to, ok, m.Quiet.Location())
	}
	if h.Settings != nil || h.MaxAge != 0 || h.Timeout != 20*time.Second {
		t.Errorf("webhook: settings %v, max_age %v, timeout %v", h.Settings, h.MaxAge, h.Timeout)
	}
	if m.MaxAge != 48*time.Hour || m.Timeout != 30*time.Second {
		t.Errorf("mastodon: max_age %v, timeout %v", m.MaxAge, m.Timeout)
	}

	doc.Channels(network)
	if got := problems(doc); len(got) != 1 || !strings.Contains(got[0], "tidings.yaml:5:17: channels[0].token_file: cannot read the file") {
		t.Errorf("the side that owns the secret: %q", got)
	}
	shown := map[string]string{}
	for v := range doc.Values() {
		shown[v.Path] = v.Text + " " + v.Origin.String()
	}
	for path, text := range map[string]string{
		"channels[0].spoiler":    "News tidings.yaml:6:14",
		"channels[0].visibility": "public default",
		"channels[0].server":     "https://social.example.org tidings.yaml:4:13",
		"channels[0].approve":    "hold 10m tidings.yaml:8:14",
		"channels[1].max_age":    "0s default",
	} {
		if shown[path] != text {
			t.Errorf("%s is shown as %q, want %q", path, shown[path], text)
		}
	}
}

func TestAWebhookMaySetWhatItsNetworkHasAnotherDefaultFor(t *testing.T) {
	t.Parallel()
	doc := config.New("tidings.yaml", []byte("channels: [{id: a, network: webhook, max_age: 48h, timeout: 30s}]"), nil)
	c := doc.Channels(network)[0]
	if doc.Err() != nil || c.MaxAge != 48*time.Hour || c.Timeout != 30*time.Second {
		t.Errorf("%v, max_age %v, timeout %v", doc.Err(), c.MaxAge, c.Timeout)
	}
}

func TestTheServerHasNoConsumerForMoreThan900Channels(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString("channels:\n")
	for i := range 901 {
		fmt.Fprintf(&text, "  - {id: c%d, network: webhook}\n", i)
	}
	doc := config.New("tidings.yaml", []byte(text.String()), nil)
	doc.Channels(network)
	want := []string{"tidings.yaml:902:5: channels: there are 901 channels; 900 are allowed"}
	if diff := cmp.Diff(want, problems(doc)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}
