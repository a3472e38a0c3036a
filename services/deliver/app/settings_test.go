package app

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tidings.internal/pkg/config"
)

func TestConfigurationReportsEveryProblemAtItsPlace(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("testdata", "wrong.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	doc := config.New("wrong.yaml", data, nil)
	Check(doc)
	if doc.Err() == nil {
		t.Fatal("no problem was found")
	}
	golden(t, "wrong", fmt.Sprintln(doc.Err()))
}

func TestExampleIsTheTruthAboutTheSection(t *testing.T) {
	t.Parallel()
	doc := config.New("example.yaml", []byte(example), nil)
	s := Settings{}
	doc.Section("deliver", &s)
	if err := doc.Err(); err != nil {
		t.Fatal(err)
	}
	s.Readers = Readers{} // a key has no default, and an empty one is none
	if diff := cmp.Diff(DefaultSettings(), s, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the example does not state the defaults (-defaults +example):\n%s", diff)
	}
}

func TestChannelsThatOnlyEmitNeedNoCredentials(t *testing.T) {
	t.Parallel()
	doc := config.New("tidings.yaml", []byte("channels:\n  - {id: a, network: mastodon, emit: only}\n  - {id: b, network: webhook, url: \"https://example.org/\", content: summary}\n"), nil)
	s := read(doc)
	if err := doc.Err(); err != nil {
		t.Fatal(err)
	}
	if len(s.channels) != 1 || s.channels[0].ID != "b" {
		t.Errorf("channels %+v", s.channels)
	}
}

func TestNetworksAreNamedOnce(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, n := range networks() {
		if n.Name == "" || seen[n.Name] || n.Open == nil || n.Settings == nil || !strings.Contains(n.Example, "network: "+n.Name+"\n") {
			t.Errorf("network %q is not whole, or there twice", n.Name)
		}
		seen[n.Name] = true
	}
}
