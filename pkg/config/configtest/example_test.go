package configtest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/config"
)

type settings struct {
	Server string        `yaml:"server"`
	Token  config.Secret `yaml:"token"`
	Wait   time.Duration `yaml:"wait"`
	Inner  struct {
		Deep int `yaml:"deep"`
	} `yaml:"inner"`
}

func decode(doc *config.Doc) {
	doc.Channels(func(string) (any, []string) { return &settings{Wait: time.Minute}, []string{"visibility"} })
}

const good = `channels:
  - id: a
    network: mastodon
    # The address. Required. Default: none.
    server: https://social.example.org
    # The token. Default: none.
    token_file: secrets/token
    # How long to wait.
    # Default: 1m.
    wait: 1m
    # More.
    inner:
      # How deep. Default: 0.
      deep: 0
`

func TestAGoodExamplePasses(t *testing.T) {
	t.Parallel()
	Network(t, "mastodon", good, func() any { return &settings{Wait: time.Minute} }, []string{"visibility"})
}

func TestABadExampleIsSeen(t *testing.T) {
	t.Parallel()
	bad := `channels:
  - id: a
    network: mastodon
    server: https://social.example.org
    # How long to wait. Default: 2m.
    wait: 1m
    # Not a key of ours.
    sever: x
    # More.
    inner: {}
`
	keys := config.Keys(settings{})
	want := []string{
		"server: no paragraph stands before the key",
		"token: the example does not name the key",
		`wait: the paragraph does not state "Default: 1m."`,
		"inner.deep: the example does not name the key",
	}
	got := problems(t, bad, "channels", keys, decode)
	if len(got) == 0 {
		t.Fatal("nothing was found")
	}
	if diff := cmp.Diff(want, got[1:]); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if list := problems(t, good, "channels", keys, decode); len(list) > 0 {
		t.Errorf("the good example has problems: %q", list)
	}
}
