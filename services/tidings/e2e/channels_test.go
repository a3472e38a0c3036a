package e2e

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/config"
	deliver "tidings.internal/services/deliver/app"
	publish "tidings.internal/services/publish/app"
	"tidings.internal/services/tidings/internal/ops"
)

func TestBothSidesKnowTheSameNetworks(t *testing.T) {
	t.Parallel()
	composed, sent := slices.Sorted(maps.Keys(publish.ChannelExamples())), slices.Sorted(maps.Keys(deliver.ChannelExamples()))
	if diff := cmp.Diff(composed, sent); diff != "" || len(composed) < 2 {
		t.Errorf("composed for (-), sent to (+): %q\n%s", composed, diff)
	}
}

func TestBothSidesTakeEveryKeyOfANetwork(t *testing.T) {
	t.Parallel()
	sides := map[string]func(*config.Doc){"publish": publish.Check, "deliver": deliver.Check}
	for _, network := range ops.Networks() {
		text := "site: {url: \"https://news.example.org\"}\ndeliver: {readers: {key: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}}\n" +
			"channels:\n" + strings.Replace(ops.ChannelExample(network), `title: ""`, "title: The Letter", 1) // a list that is sent has one
		for side, check := range sides {
			doc := config.New("example.yaml", []byte(text), nil)
			if check(doc); doc.Err() != nil {
				t.Errorf("%s does not take a %s channel with all keys of both sides:\n%v\n%s", side, network, doc.Err(), text)
			}
			doc = config.New("example.yaml", []byte(text+"    neither: 1\n"), nil)
			if check(doc); doc.Err() == nil || !strings.Contains(doc.Err().Error(), "neither: unknown key") {
				t.Errorf("%s takes a key of a %s channel that neither side has: %v", side, network, doc.Err())
			}
		}
	}
}
