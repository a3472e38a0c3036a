package app

import (
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/config/configtest"
	"tidings.internal/pkg/fault"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestConfigurationReportsEveryProblemAtItsPlace(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("testdata", "wrong.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	doc := config.New("wrong.yaml", data, nil)
	Check(doc)
	if fault.KindOf(doc.Err()) != fault.Invalid {
		t.Fatal("no problem was found")
	}
	golden(t, "wrong", fmt.Sprintln(doc.Err()))
}

func TestExampleIsTheManual(t *testing.T) {
	t.Parallel()
	configtest.Section(t, "publish", Examples()["publish"], new(DefaultSettings()))
}

func TestTheFeedThatIsAlwaysThereShiftsNoValueOfTheFile(t *testing.T) {
	t.Parallel()
	doc := config.New("tidings.yaml", []byte("feeds:\n  - {id: mine, title: Mine}\n"), nil)
	Check(doc)
	got := map[string]string{}
	for v := range doc.Values() {
		got[v.Path] = v.Text + " " + v.Origin.String()
	}
	if got["feeds[0].id"] != "mine tidings.yaml:2:10" || got["feeds[0].title"] != "Mine tidings.yaml:2:23" {
		t.Errorf("shown as %q and %q", got["feeds[0].id"], got["feeds[0].title"])
	}
}

func TestFeedAllAlwaysExists(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":                                 {"all"},
		"feeds: [{id: a}]":                 {"all", "a"},
		"feeds: [{id: a}, {id: all}]":      {"a", "all"},
		"feeds: [{id: all, title: Alles}]": {"all"},
	} {
		doc := config.New("tidings.yaml", []byte(text), nil)
		var got []string
		for _, f := range read(doc).feeds {
			got = append(got, f.ID)
		}
		if err := doc.Err(); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q gives %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestBaseAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ base, site, listening, want string }{
		{"https://feeds.example.org/x/", "https://example.org/", "127.0.0.1:8080", "https://feeds.example.org/x"},
		{"", "https://example.org/", "127.0.0.1:8080", "https://example.org"},
		{"", "", "127.0.0.1:8080", "http://127.0.0.1:8080"},
		{"", "", "[::]:81", "http://127.0.0.1:81"},
		{"", "", "[::1]:81", "http://[::1]:81"},
	} {
		addr, err := net.ResolveTCPAddr("tcp", c.listening)
		if err != nil {
			t.Fatal(err)
		}
		s := settings{publish: Settings{BaseURL: c.base}, site: config.Site{URL: c.site}}
		if got := s.base(addr); got != c.want {
			t.Errorf("base of %+v = %s", c, got)
		}
	}
}

func TestTheHubNeedsAnAddress(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"publish: {hub: true}\n": "tidings.yaml:1:16: publish.hub: needs base_url or site.url",
		"publish: {hub: true, base_url: \"https://news.example.org\"}\n":    "",
		"publish: {hub: true}\nsite: {url: \"https://news.example.org\"}\n": "",
	} {
		doc := config.New("tidings.yaml", []byte(text), nil)
		Check(doc)
		if err := doc.Err(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestNetworksAreNamedOnce(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, n := range networks() {
		if n.Name == "" || seen[n.Name] || n.Compose == nil || !strings.Contains(n.Example, "network: "+n.Name+"\n") {
			t.Errorf("network %q is not whole, or there twice", n.Name)
		}
		seen[n.Name] = true
	}
}
