package e2e

import (
	"encoding/json"
	"fmt"
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

// account is an account on a server with the statuses API, as far as a channel uses it.
type account struct {
	*httptest.Server
	mu      sync.Mutex
	token   string
	limit   int             // of characters
	texts   []string        // of all that was ever posted, in order
	deleted map[string]bool // by id, the place in texts
}

const accountToken = "planted-token-71c2"

func newAccount(t *testing.T) *account {
	a := &account{token: accountToken, limit: 500, deleted: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/accounts/verify_credentials", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `{"id":"42","acct":"news"}`)
	})
	mux.HandleFunc("GET /api/v2/instance", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"configuration":{"statuses":{"max_characters":%d,"characters_reserved_per_url":23}}}`, a.limit)
	})
	mux.HandleFunc("POST /api/v1/statuses", func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Status string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Status == "" {
			http.Error(w, `{"error":"Validation failed"}`, http.StatusUnprocessableEntity)
			return
		}
		a.texts = append(a.texts, in.Status)
		_, _ = fmt.Fprintf(w, `{"id":"%d","url":"https://social.example/@news/%[1]d"}`, len(a.texts)-1)
	})
	mux.HandleFunc("DELETE /api/v1/statuses/{id}", func(w http.ResponseWriter, r *http.Request) {
		a.deleted[r.PathValue("id")] = true
		_, _ = fmt.Fprint(w, `{}`)
	})
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if r.Header.Get("Authorization") != "Bearer "+a.token {
			http.Error(w, `{"error":"The access token is invalid"}`, http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(a.Close)
	return a
}

// posts lists what was posted, and how many of them were deleted.
func (a *account) posts() (texts []string, deleted int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append(texts, a.texts...), len(a.deleted)
}

// socialScene is an origin with one source and a channel to an account, configured in a directory.
func socialScene(t *testing.T, keys string) (dir string, f *origintest.Feed, a *account) {
	t.Helper()
	dir, a = t.TempDir(), newAccount(t)
	origin := origintest.New(t)
	f = origin.Feed("news").Describe("News", "en")
	write(t, filepath.Join(dir, "tidings.yaml"), fmt.Sprintf(`site: {title: Test, url: "http://127.0.0.1:1", language: en}
ingest: {allow_networks: [127.0.0.0/8], revision_gap: 0s, hosts: {%q: {concurrency: 4, gap: 0s}}}
sources: [{id: news, url: %q, every: 300ms}]
channels: [{id: masto, network: mastodon, server: %q, token: %s, allow_private: true%s}]
`, origin.Addr(), f.URL(origintest.RSS), a.URL, accountToken, keys))
	return dir, f, a
}

// A person stops a post, writes other words, sends it in spite of a spent day, and takes it back: each once, through kills
// in between.
func TestAPersonHoldsEditsSendsAndDeletes(t *testing.T) {
	t.Parallel()
	dir, f, a := socialScene(t, ", approve: hold 2h, max_per_day: 1")
	p := start(t, dir, anyPort(), "run")
	p.awaitReady(t)
	awaitChannel(t, dir)
	f.Add(item(1), item(2))
	ids := inState(t, dir, "held", 2)
	first, second := ids[0], ids[1]

	verb(t, dir, 0, "deliveries", "hold", first)
	verb(t, dir, 0, "deliveries", "hold", first) // once more is as good
	verb(t, dir, 1, "deliveries", "now", first)
	words := filepath.Join(dir, "words.txt")
	write(t, words, strings.Repeat("long ", 200))
	if out := both(t, dir, 1, "deliveries", "edit", first, "--file", words); !strings.Contains(out, "999 of 500") {
		t.Errorf("too long a text prints %q", out)
	}
	write(t, words, "Words of a person & <nobody>\n")
	var done struct {
		Outcome, Text string
		Count         struct{ Used, Limit int }
	}
	decode(t, []byte(verb(t, dir, 0, "deliveries", "edit", first, "--file", words, "--json")), &done)
	if done.Outcome != "edited" || done.Text != "Words of a person & <nobody>" || done.Count.Used != 28 || done.Count.Limit != 500 {
		t.Errorf("edit tells %+v", done)
	}
	p.kill()
	p = start(t, dir, anyPort(), "run")
	p.awaitReady(t)
	verb(t, dir, 0, "deliveries", "approve", second)
	inState(t, dir, "sent", 1)
	verb(t, dir, 0, "deliveries", "approve", first)
	if texts, _ := a.posts(); len(texts) != 1 {
		t.Errorf("posted %q although the day is spent", texts)
	}
	verb(t, dir, 0, "deliveries", "now", first)
	inState(t, dir, "sent", 2)
	if texts, _ := a.posts(); len(texts) != 2 || texts[1] != "Words of a person & <nobody>" {
		t.Errorf("posted %q", texts)
	}
	verb(t, dir, 1, "deliveries", "edit", first, "--file", words)
	verb(t, dir, 2, "deliveries", "delete", first)
	verb(t, dir, 0, "channels", "pause", "masto") // else the kill leaves a request in doubt, which is made again after its time
	verb(t, dir, 0, "deliveries", "delete", first, "--yes")
	p.kill()
	p = start(t, dir, anyPort(), "run")
	p.awaitReady(t)
	verb(t, dir, 0, "channels", "resume", "masto")
	inState(t, dir, "deleted", 1)
	verb(t, dir, 0, "deliveries", "delete", first, "--yes")
	if texts, deleted := a.posts(); len(texts) != 2 || deleted != 1 {
		t.Errorf("%d deleted of %q", deleted, texts)
	}
	if out := verb(t, dir, 0, "deliveries", "show", first); !strings.Contains(out, "edited by") || !strings.Contains(out, "deleted") {
		t.Errorf("show prints %s", out)
	}
}

// The credentials of a channel are tried without a post; a test post comes and goes when it is asked for.
func TestAChannelIsTried(t *testing.T) {
	t.Parallel()
	dir, _, a := socialScene(t, `, approve: manual, max_per_hour: 4, quiet: {from: "22:00", to: "07:00", zone: Europe/Berlin}`)
	verb(t, dir, 3, "channels", "test", "masto") // nothing runs
	p := start(t, dir, anyPort(), "run")
	p.awaitReady(t)
	awaitChannel(t, dir)
	if out := verb(t, dir, 0, "channels", "test", "masto"); out != "the network takes channel masto for news (42)\n" {
		t.Errorf("test prints %q", out)
	}
	if texts, _ := a.posts(); len(texts) != 0 {
		t.Errorf("a test without a post posted %q", texts)
	}
	var done struct {
		Asked bool
		Name  string
		Post  struct{ State, Text string }
	}
	decode(t, []byte(verb(t, dir, 0, "channels", "test", "masto", "--post", "--json")), &done)
	if !done.Asked || done.Name != "news" || done.Post.State != "deleted" {
		t.Errorf("test tells %+v", done)
	}
	if texts, deleted := a.posts(); len(texts) != 1 || deleted != 1 || !strings.Contains(texts[0], "Test of channel masto") {
		t.Errorf("%d deleted of %q", deleted, texts)
	}
	out := verb(t, dir, 0, "channels", "show", "masto")
	for _, want := range []string{"1 deleted", "22:00 to 07:00 Europe/Berlin", "max per hour 4", "approve manual", "account id 42", "state sending"} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("show prints no %q:\n%s", want, out)
		}
	}
	var shown struct {
		ID     string
		Policy struct{ Deletes bool }
	}
	decode(t, []byte(verb(t, dir, 0, "channels", "show", "masto", "--json")), &shown)
	if shown.ID != "masto" || !shown.Policy.Deletes {
		t.Errorf("show tells %+v", shown)
	}
	a.mu.Lock()
	a.limit = 1000
	a.mu.Unlock()
	if out := verb(t, dir, 0, "channels", "test", "masto"); !strings.HasSuffix(out, "write there:\n    limit: 1000\n") {
		t.Errorf("a server with other limits prints %q", out)
	}
	verb(t, dir, 1, "channels", "show", "other")
	verb(t, dir, 1, "channels", "test", "other")

	a.mu.Lock()
	a.token = "another"
	a.mu.Unlock()
	if out := both(t, dir, 1, "channels", "test", "masto"); !strings.Contains(out, "The access token is invalid") || strings.Contains(out, accountToken) {
		t.Errorf("wrong credentials print %q", out)
	}
	if out := verb(t, dir, 0, "channels", "show", "masto"); strings.Contains(out, "paused") {
		t.Errorf("a test pauses the channel:\n%s", out)
	}
}

// What a source had before the channel came is sent when a person asks for it: the newest, the oldest of them first, once.
// The article behind such a post can be taken down.
func TestAChannelCatchesUp(t *testing.T) {
	t.Parallel()
	dir, f, a := socialScene(t, "")
	for n := range 4 {
		i := item(n)
		i.Published = time.Now().Add(time.Duration(n-100) * time.Hour) // older than the channel's max_age
		f.Add(i)
	}
	p := start(t, dir, anyPort(), "run")
	p.awaitReady(t)
	awaitChannel(t, dir)
	type caught []struct{ Delivery, Title, Outcome string }
	var list caught
	within(t, 30*time.Second, "three stories", func() (bool, string) {
		out := verb(t, dir, 0, "channels", "catchup", "masto", "--last", "3", "--dry-run", "--json")
		decode(t, []byte(out), &list)
		return len(list) == 3, out
	})
	if texts, _ := a.posts(); len(texts) != 0 {
		t.Fatalf("a dry run, or the first poll, posted %q", texts)
	}
	verb(t, dir, 2, "channels", "catchup", "masto")
	verb(t, dir, 1, "channels", "catchup", "other", "--last", "3")
	verb(t, dir, 0, "channels", "pause", "masto") // else the kill leaves a request in doubt, which is looked for after its time
	if out := verb(t, dir, 0, "channels", "catchup", "masto", "--last", "3"); strings.Count(out, "planned") != 3 {
		t.Errorf("catchup prints\n%s", out)
	}
	p.kill()
	p = start(t, dir, anyPort(), "run")
	p.awaitReady(t)
	verb(t, dir, 0, "channels", "resume", "masto")
	ids := inState(t, dir, "sent", 3)
	decode(t, []byte(verb(t, dir, 0, "channels", "catchup", "masto", "--last", "3", "--json")), &list)
	for i, c := range list {
		if c.Outcome != "sent" {
			t.Errorf("caught up twice: %+v", list)
		}
		if texts, _ := a.posts(); !strings.HasPrefix(texts[i], item(i+1).Title) {
			t.Errorf("posted %q", texts)
		}
	}
	var d struct{ Article string }
	decode(t, []byte(verb(t, dir, 0, "deliveries", "show", ids[0], "--json")), &d)
	verb(t, dir, 0, "articles", "takedown", d.Article, "--reason", "a test")
	inState(t, dir, "deleted", 1)
	if texts, deleted := a.posts(); len(texts) != 3 || deleted != 1 {
		t.Errorf("%d deleted of %q", deleted, texts)
	}
	// Further back, one a day: the first goes now, and there is one that was not sent before.
	decode(t, []byte(verb(t, dir, 0, "channels", "catchup", "masto", "--last", "9", "--per-day", "1", "--json")), &list)
	inState(t, dir, "sent", 3)
	if texts, _ := a.posts(); len(texts) != 4 || len(list) < 3 {
		t.Errorf("posted %q of %+v", texts, list)
	}
}

// A channel does not start with another account before a person allows it, and leaves what it posted behind.
func TestAChannelIsRebound(t *testing.T) {
	t.Parallel()
	dir, f, a := socialScene(t, "")
	p := start(t, dir, anyPort(), "run")
	p.awaitReady(t)
	awaitChannel(t, dir)
	f.Add(item(1))
	ids := inState(t, dir, "sent", 1)
	if code := p.stop(t); code != 0 {
		t.Fatalf("stop: %d", code)
	}
	b := newAccount(t)
	file := filepath.Join(dir, "tidings.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, strings.ReplaceAll(string(text), a.URL, b.URL))
	p = start(t, dir, anyPort(), "run")
	if code := p.exit(t, 30*time.Second); code != 1 || !strings.Contains(p.errors(), "tidings channels rebind masto") {
		t.Fatalf("a start with another account ends with %d: %s", code, p.errors())
	}
	verb(t, dir, 2, "channels", "rebind", "masto")
	verb(t, dir, 1, "channels", "rebind", "other", "--yes")
	verb(t, dir, 0, "channels", "rebind", "masto", "--yes")
	p = start(t, dir, anyPort(), "run")
	p.awaitReady(t)
	f.Add(item(2))
	inState(t, dir, "sent", 2)
	if out := both(t, dir, 1, "deliveries", "delete", ids[0], "--yes"); !strings.Contains(out, "the channel has left") {
		t.Errorf("delete prints %q", out)
	}
	first, _ := a.posts()
	second, _ := b.posts()
	if len(first) != 1 || len(second) != 1 || !strings.HasPrefix(second[0], item(2).Title) {
		t.Errorf("posted %q, and to the new account %q", first, second)
	}
}
