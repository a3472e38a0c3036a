package e2e

import (
	"archive/zip"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings.internal/pkg/origintest"
)

// Planted secrets. Each is wrong for its server, so that errors about it come up, or right, so that it is used.
const (
	goodToken  = "planted-token-right-51c2"
	badToken   = "planted-token-wrong-9e07"
	hookKey    = "cGxhbnRlZC1zaWduaW5nLWtleS1vZi0zMi1ieXRlcy4="
	hookPath   = "planted-path-77d1"
	hookHeader = "planted-header-20ab"
	modelToken = "planted-token-model-41d8"
	// feedKey is in the address of a source, which an operator may see and a bundle for others does not show.
	feedKey = "planted-query-3b90"
)

// mastodon is a server that takes statuses with one token, and repeats the token it refuses, as no server should.
type mastodon struct {
	*httptest.Server
	mu       sync.Mutex
	statuses []string
}

func newMastodon(t *testing.T) *mastodon {
	m := &mastodon{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/accounts/verify_credentials", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `{"id":"42","acct":"news"}`) // the client says when it got nothing
	})
	mux.HandleFunc("POST /api/v1/statuses", func(w http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.statuses = append(m.statuses, r.Header.Get("Idempotency-Key"))
		_, _ = fmt.Fprintf(w, `{"id":"%d","url":"https://social.example.org/@news/%d"}`, len(m.statuses), len(m.statuses))
	})
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if got := r.Header.Get("Authorization"); got != "Bearer "+goodToken {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = fmt.Fprintf(w, `{"error":"%s is no token of ours"}`, got)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(m.Close)
	return m
}

func (m *mastodon) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.statuses)
}

// unzip reads a bundle that nobody but its owner may read.
func unzip(t *testing.T, file string) map[string]string {
	t.Helper()
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info, err)
	}
	z, err := zip.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close() // it was only read
	out := map[string]string{}
	for _, f := range z.File {
		text, err := fs.ReadFile(z, f.Name)
		if err != nil {
			t.Fatal(err)
		}
		out[f.Name] = string(text)
	}
	return out
}

func TestPlantedSecretsComeUpNowhere(t *testing.T) {
	t.Parallel()
	dir, origin, social := t.TempDir(), origintest.New(t), newMastodon(t)
	failing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, "%s %s %s", r.URL, r.Header.Get("X-Key"), r.Header.Get("webhook-signature"))
	}))
	t.Cleanup(failing.Close)
	f := origin.Feed("news").Describe("News", "en")
	config := fmt.Sprintf(`site: {title: Test, url: "http://127.0.0.1:1", language: en}
log: {level: debug}
ingest: {allow_networks: [127.0.0.0/8], hosts: {%q: {concurrency: 4, gap: 0s}}}
sources: [{id: news, url: %q, every: 300ms}, {id: keyed, url: "http://127.0.0.1:1/feed?key=%s"}]
enrich: {rerank: {url: %q, model: m, token: %s}}
channels:
  - {id: social, network: mastodon, server: %q, token: %s, allow_private: true}
  - {id: wrong, network: mastodon, server: %q, token: %s, allow_private: true}
  - {id: hook, network: webhook, url: "%s/%s", secret: whsec_%s, headers: {X-Key: %s}, allow_private: true}
  - {id: away, network: webhook, url: "http://127.0.0.1:1/%s", secret: whsec_%s, allow_private: true}
`, origin.Addr(), f.URL(origintest.RSS), feedKey, social.URL, modelToken, social.URL, goodToken, social.URL, badToken, failing.URL, hookPath, hookKey, hookHeader, hookPath, hookKey)
	if err := os.WriteFile(filepath.Join(dir, "tidings.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, dir, anyPort(), "run")
	p.awaitReady(t)
	within(t, 30*time.Second, "every channel", func() (bool, string) {
		out := verb(t, dir, 0, "channels", "list")
		return strings.Count(out, "\n") == 5, out
	})
	f.Add(item(1))
	shown := map[string]string{}
	within(t, 30*time.Second, "a post, a pause and two failures", func() (bool, string) {
		out := verb(t, dir, 0, "channels", "list", "--json")
		log := p.errors()
		shown["channels list"] = out
		return social.count() == 1 && strings.Contains(out, `"paused": "refused"`) && strings.Contains(log, `"channel":"hook"`) && strings.Contains(log, `"channel":"away"`) && strings.Contains(log, "no answer of the model"), out + log
	})
	for _, args := range [][]string{
		{"status"}, {"status", "--json"}, {"config", "show"}, {"config", "show", "--json"}, {"sources", "list", "--json"}, {"dead", "list", "--json"}, {"check"},
	} {
		shown[strings.Join(args, " ")] = verb(t, dir, 0, args...)
	}
	for _, path := range []string{"/readyz", "/metrics", "/version"} {
		_, body, _ := get(p.address(t, "admin") + path)
		shown[path] = string(body)
	}
	if out := verb(t, dir, 0, "sources", "list", "--json"); !strings.Contains(out, feedKey) {
		t.Errorf("the operator does not see the address of his source: %s", out)
	}
	verb(t, dir, 0, "support", "help.zip", "--process", p.address(t, "admin"))
	for name, text := range unzip(t, filepath.Join(dir, "help.zip")) {
		shown["support "+name] = text
		if strings.Contains(text, feedKey) {
			t.Errorf("%s of a bundle shows a query", name)
		}
	}
	for part, holds := range map[string]string{
		"configuration.txt": "http://127.0.0.1:1/feed?***", "status.json": `"streams"`, "process-2/log.txt": `"channel":"away"`, "process-2/readyz.json": "channel wrong is paused",
		"process-2/metrics.txt": "tidings_build_info", "process-2/version.json": "go1.", "dead.json": "[", "about.json": "go1.",
	} {
		if !strings.Contains(shown["support "+part], holds) {
			t.Errorf("%s of a bundle lacks %s:\n%s", part, holds, shown["support "+part])
		}
	}
	tail := start(t, dir, nil, "tail", ">", "--since", "1h", "--json", "--body")
	within(t, 30*time.Second, "the events about the channels", func() (bool, string) {
		shown["tail"] = strings.Join(tail.lines(), "\n")
		return strings.Contains(shown["tail"], "post.social.") && strings.Contains(shown["tail"], "event.deliver.channel_paused"), shown["tail"]
	})
	tail.kill()
	if code := p.stop(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	shown["log"], shown["stdout"] = p.errors(), strings.Join(p.lines(), "\n")
	for what, text := range shown {
		if len(text) < 2 {
			t.Errorf("%s shows nothing, so nothing was looked into", what)
		}
		for _, secret := range []string{goodToken, badToken, hookKey, hookPath, hookHeader, modelToken} {
			if at := strings.Index(text, secret); at >= 0 {
				t.Errorf("%s shows the secret %s: ...%s...", what, secret, text[max(0, at-200):min(len(text), at+60)])
			}
		}
	}
}
