package config_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/config"
)

// What `config show` prints: every key in the order of the sections, as it is written in a file, with its origin.
func TestValuesReadAsWritten(t *testing.T) {
	t.Parallel()
	doc, _ := load("tidings.yaml", `
channels: [{id: m, network: mastodon, server: "https://example.org/", token: planted}]
sources:
  - {id: a, url: https://example.org/feed, every: 90s, tags: [x, y], http: {headers: {B: "2", A: "1"}, max_body: 2048}}
ingest:
  hosts: {b: {gap: 1500ms}, a: {concurrency: 2}}
  day: 2026-11-23T08:00:00+01:00
  token: planted
  ratio: 0.25
`, "TIDINGS_NATS__RETENTION__RAW=71h", "TIDINGS_INGEST__WORDS=a,b")
	if err := doc.Err(); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for v := range doc.Values() {
		fmt.Fprintf(&b, "%s = %s (%s)\n", v.Path, v.Text, v.Origin)
	}
	const file = "testdata/values.golden"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	for range doc.Values() {
		break // a reader may stop
	}
}

func TestKeysListsWhatAStructMayHave(t *testing.T) {
	t.Parallel()
	want := []string{"word", "on", "count", "small", "natural", "ratio", "wait", "day", "size", "net", "networks", "words", "file", "token",
		"labels", "hosts", "hosts.concurrency", "hosts.gap", "inner", "inner.deep", "inner.quiet", "other", "other.deep", "other.quiet",
		"entries", "entries.id", "entries.need", "entries.token", "plain"}
	if diff := cmp.Diff(want, config.Keys(&sample{hidden: 1})); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"server", "token"}, config.Keys([]mastodon{})); diff != "" {
		t.Errorf("keys of a list (-want +got):\n%s", diff)
	}
}
