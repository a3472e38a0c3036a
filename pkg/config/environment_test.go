package config_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/config"
)

func TestTheEnvironmentWinsOverTheFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	doc, s := load("tidings.yaml", `
ingest:
  word: file
  count: 2
  words: [file]
  token: file
  plain: file
  inner: {deep: 1}
`,
		"TIDINGS_INGEST__WORD=plain",
		"TIDINGS_INGEST__WORD_FILE="+file("word", "from a file\n\n"),
		"TIDINGS_INGEST__COUNT=3",
		"TIDINGS_INGEST__COUNT=4",
		"TIDINGS_INGEST__WORDS= a, b ,,c",
		"TIDINGS_INGEST__NETWORKS=[10.0.0.0/8, 192.168.0.0/16]",
		"TIDINGS_INGEST__TOKEN_FILE="+file("token", "hidden\n"),
		"TIDINGS_INGEST__INNER__DEEP=9",
		"TIDINGS_INGEST__INNER__QUIET=5s",
		"TIDINGS_INGEST__OTHER__QUIET=6s",
		"TIDINGS_INGEST__PLAIN=",
		"TIDINGS_INGEST__ON=true",
		"TIDINGS_INGEST__LABELS={a: b}",
		"TIDINGS_INGEST__FILE=relative/to/here",
		"TIDINGS_NATS__CREDENTIALS_FILE=keys/ingest.nk",
		"TIDINGS_VERSION=1.0.0",
	)
	if err := doc.Err(); err != nil {
		t.Fatal(err)
	}
	want := []any{"from a file\n", 4, []string{"a", "b", "c"}, 2, "hidden", inner{9, 5 * time.Second}, inner{7, 6 * time.Second},
		"", true, map[string]string{"a": "b"}, "relative/to/here"}
	got := []any{s.Word, s.Count, s.Words, len(s.Networks), s.Token.Reveal(), s.Inner, *s.Other,
		s.Plain, s.On, s.Labels, s.File}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	nats := config.DefaultNATS()
	doc.Section("nats", &nats)
	if nats.CredentialsFile != "keys/ingest.nk" {
		t.Errorf("a key that ends in _file is taken for a file to read: %q", nats.CredentialsFile)
	}
	origins := map[string]string{}
	for v := range doc.Values() {
		origins[v.Path] = v.Origin.String()
	}
	for path, origin := range map[string]string{
		"ingest.word": "env TIDINGS_INGEST__WORD_FILE", "ingest.count": "env TIDINGS_INGEST__COUNT",
		"ingest.token": "env TIDINGS_INGEST__TOKEN_FILE", "ingest.inner.deep": "env TIDINGS_INGEST__INNER__DEEP",
		"ingest.small": "default", "ingest.plain": "env TIDINGS_INGEST__PLAIN",
	} {
		if origins[path] != origin {
			t.Errorf("%s comes from %q, want %q", path, origins[path], origin)
		}
	}
}

// What the file says of a key counts for nothing once a variable sets it, so a check complains of the variable.
func TestACheckOfAVariableNamesTheVariable(t *testing.T) {
	t.Parallel()
	doc := config.New("tidings.yaml", []byte("nats: {ulr: x}\n"), []string{"TIDINGS_NATS__URL=x", "TIDINGS_NATS__RETENTION__POSTS=1h"})
	nats := config.DefaultNATS()
	doc.Section("nats", &nats)
	want := []string{
		`tidings.yaml:1:8: nats.ulr: unknown key; did you mean "url"?`,
		`env TIDINGS_NATS__RETENTION__POSTS: nats.retention.posts: 1h is not longer than 720h of articles; it must be raw < articles < posts < stories`,
		`env TIDINGS_NATS__URL: nats.url: "x" is not an address such as nats://example.org/`,
	}
	if diff := cmp.Diff(want, problems(doc)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}
