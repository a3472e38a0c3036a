package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"tidings.internal/pkg/hosttest"
	"tidings.internal/pkg/origintest"
	"tidings.internal/services/tidings/internal/embedded"
)

// check --online tries what the file names: every mistake at once with its place, no post, no secret in the words.
func TestCheckTriesWhatTheConfigurationNames(t *testing.T) {
	t.Parallel()
	dir, origin := t.TempDir(), origintest.New(t)
	feed := origin.Feed("news").Describe("News", "en").Add(item(0))
	origin.Serve("/home", "text/html", []byte(`<html><head><link rel="alternate" type="application/atom+xml" href="`+feed.URL(origintest.Atom)+`"></head></html>`))
	var posts atomic.Int64
	network := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			posts.Add(1)
		}
		if strings.HasSuffix(r.URL.Path, "verify_credentials") && r.Header.Get("Authorization") == "Bearer good" {
			_, _ = w.Write([]byte(`{"id":"1","acct":"us"}`)) // the client shows it
			return
		}
		w.WriteHeader(http.StatusUnauthorized) // of the others only the way counts
	}))
	t.Cleanup(network.Close)
	listen := hosttest.Address(t)
	seed := embedded.SeedFile(filepath.Join(dir, ".tidings"))
	file := func(nats, sources, token, away string) {
		write(t, filepath.Join(dir, "tidings.yaml"), fmt.Sprintf(`ingest: {allow_networks: [127.0.0.0/8], hosts: {%q: {concurrency: 4, gap: 0s}}}
nats: {url: "nats://%s", credentials_file: %q}
sources:
  - {id: news, url: %q}
%schannels:
  - {id: masto, network: mastodon, server: %q, token: %s, allow_private: true}
  - {id: hook, network: webhook, url: "%[6]s/in?key=planted", allow_private: true}
  - {id: away, network: webhook, url: "http://%[8]s/in?key=planted", allow_private: true}
`, origin.Addr(), nats, seed, feed.URL(origintest.RSS), sources, network.URL, token, away))
	}
	write(t, filepath.Join(dir, "run.yaml"), "site: {title: Example}\n")
	start(t, dir, append(anyPort(), "TIDINGS_NATS__LISTEN="+listen), "run", "--config", "run.yaml").awaitReady(t)

	file(listen, "", "good", strings.TrimPrefix(network.URL, "http://"))
	if out := verb(t, dir, 0, "check", "--online"); !strings.Contains(out, "no problem found\ntried: 1 sources, 3 channels, NATS\n") {
		t.Errorf("a good file: %s", out)
	}
	if out := verb(t, dir, 0, "check", "run.yaml", "--online"); !strings.Contains(out, "not checked: NATS, of which") {
		t.Errorf("without a server: %s", out)
	}
	file(hosttest.Address(t), fmt.Sprintf("  - {id: page, url: %q}\n  - {id: gone, url: %q}\n", origin.URL("/home"), origin.URL("/nothing")), "planted", hosttest.Address(t))
	out := both(t, dir, 1, "check", "--online")
	for _, want := range []string{
		"tidings.yaml:2:13: nats.url: connect to NATS", "tidings.yaml:5:21: sources[1].url: ", "it names the feeds " + feed.URL(origintest.Atom),
		"tidings.yaml:6:21: sources[2].url: ", "channels[0]: ask for the account of channel masto", "channels[2]: reach ",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("it lacks %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "channels[1]") || strings.Contains(out, "sources[0]") || strings.Contains(out, "planted") {
		t.Errorf("it says too much:\n%s", out)
	}
	write(t, filepath.Join(dir, "tidings.yaml"), "site: {titel: x}\nsources: [{id: a, url: http://127.0.0.1:1/}]\n")
	if out := both(t, dir, 1, "check", "--online"); strings.Contains(out, "sources") {
		t.Errorf("of a file with mistakes it tries the sources: %s", out)
	}
	if n := posts.Load(); n != 0 {
		t.Errorf("%d requests posted something", n)
	}
}
