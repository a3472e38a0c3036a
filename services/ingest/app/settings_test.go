package app

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/web"
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
	var s Settings
	doc.Section("ingest", &s)
	if err := doc.Err(); err != nil {
		t.Fatal(err)
	}
	want := DefaultSettings()
	want.AllowNetworks, want.AllowPorts, want.Hosts, want.Tracking = []string{}, []int{}, map[string]Host{}, Tracking{Add: []string{}, Keep: []string{}}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("the example does not state the defaults:\n%s", diff)
	}
	for _, key := range config.Keys(s) {
		path := []any{"ingest"}
		for part := range strings.SplitSeq(key, ".") {
			path = append(path, part)
		}
		// A key that everybody knows would be worse than none.
		if at := doc.At(path...); !slices.Contains([]string{"hosts.concurrency", "hosts.gap", "websub.key"}, key) && !at.Given() {
			t.Errorf("the example does not name %s", key)
		}
	}
}

func TestSourceOptionsReachTheClient(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("headers", "# a comment\nX-Key: geheim\n\nX-Other: b\n")
	write("password", "pw\n")
	write("cookie", "a=b")
	doc := config.New(filepath.Join(dir, "tidings.yaml"), []byte(`
ingest: {proxy: "http://proxy.example:3128"}
sources:
  - id: a
    url: https://example.org/feed
    http:
      user_agent: Mine/1
      headers: {Accept-Language: de}
      headers_file: headers
      cookie_file: cookie
      basic: {user: u, password_file: password}
      http2: false
      insecure_tls: true
`), nil)
	s := read(doc)
	if err := doc.Err(); err != nil {
		t.Fatal(err)
	}
	want := web.Options{
		UserAgent: "Mine/1", Header: http.Header{"Accept-Language": {"de"}, "X-Key": {"geheim"}, "X-Other": {"b"}}, Basic: &web.Basic{User: "u", Password: "pw"},
		Cookie: "a=b", Proxy: "http://proxy.example:3128", TLS: web.TLS{Insecure: true}, HTTP1: true,
	}
	if diff := cmp.Diff(want, s.sources[0].Options); diff != "" {
		t.Error(diff)
	}
}

func TestOwnPortsStayClosed(t *testing.T) {
	t.Parallel()
	doc := config.New("t.yaml", []byte("nats: {url: \"nats://a:4333,nats://b:4444\"}\nadmin: {listen: \"127.0.0.1:9191\"}\n"), nil)
	s := read(doc)
	if err := doc.Err(); err != nil {
		t.Fatal(err)
	}
	if want := []uint16{4222, 4333, 4444, 9191}; !slices.Equal(s.denied, want) {
		t.Errorf("closed ports %v, want %v", s.denied, want)
	}
}
