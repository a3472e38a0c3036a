package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings.internal/pkg/hosttest"
	"tidings.internal/pkg/origintest"
)

// publisher is a Tidings with a hub, and a source that the test adds to.
type publisher struct {
	dir, address string
	source       *origintest.Feed
}

func newPublisher(t *testing.T) *publisher {
	t.Helper()
	origin := origintest.New(t)
	p := &publisher{dir: t.TempDir(), address: hosttest.Address(t), source: origin.Feed("one").Describe("One", "en").Add(item(0))}
	write(t, filepath.Join(p.dir, "tidings.yaml"), fmt.Sprintf(`site: {title: Test, url: "http://%[1]s", language: en}
publish: {listen: %[1]q, hub: true}
deliver: {hub: {allow_networks: [127.0.0.0/8]}}
ingest: {allow_networks: [127.0.0.0/8], revision_gap: 0s, hosts: {%[2]q: {concurrency: 4, gap: 0s}}}
sources: [{id: one, url: %[3]q, every: 300ms}]
`, p.address, origin.Addr(), p.source.URL(origintest.RSS)))
	return p
}

// start runs it until the articles of the source are in its feed.
func (p *publisher) start(t *testing.T) *process {
	t.Helper()
	proc := start(t, p.dir, []string{"TIDINGS_ADMIN__LISTEN=127.0.0.1:0"}, "run")
	proc.awaitReady(t)
	var want []string
	for _, it := range p.source.Items() {
		want = append(want, it.Title)
	}
	titles(t, proc, want...)
	return proc
}

func (p *publisher) topic() string { return "http://" + p.address + "/feeds/all.json" }

// subscribe asks the hub, as anybody could, and gives the status.
func (p *publisher) subscribe(t *testing.T, callback string) int {
	t.Helper()
	form := url.Values{"hub.mode": {"subscribe"}, "hub.topic": {p.topic()}, "hub.callback": {callback}, "hub.secret": {"planted-secret"}}
	c := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := c.PostForm("http://"+p.address+"/hub", form)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode
}

// subscriber is a site that confirms, and takes pushes unless it is told to hang.
type subscriber struct {
	*httptest.Server
	mu     sync.Mutex
	hang   chan struct{} // pushes wait until it is closed, if set
	asked  int
	pushes []string
}

func newSubscriber(t *testing.T) *subscriber {
	t.Helper()
	s := &subscriber{}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP is a callback.
func (s *subscriber) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		s.mu.Lock()
		s.asked++
		s.mu.Unlock()
		_, _ = io.WriteString(w, r.URL.Query().Get("hub.challenge"))
		return
	}
	body, err := io.ReadAll(r.Body)
	s.mu.Lock()
	if err == nil {
		s.pushes = append(s.pushes, string(body))
	}
	hang := s.hang
	s.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}
}

func (s *subscriber) got() (asked int, pushes []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked, append([]string(nil), s.pushes...)
}

// A request that was answered with 202, a subscription, and a document of which nobody knows whether it was pushed: each
// outlives a kill of everything.
func TestTheHubKeepsItsWordThroughKills(t *testing.T) {
	t.Parallel()
	p, s := newPublisher(t), newSubscriber(t)
	proc := p.start(t)
	if status := p.subscribe(t, s.URL+"/cb"); status != http.StatusAccepted {
		t.Fatalf("the hub answers %d", status)
	}
	proc.kill()
	proc = p.start(t)
	within(t, 20*time.Second, "the subscription to be in force", func() (bool, string) {
		out := verb(t, p.dir, 0, "subscriptions", "list")
		asked, _ := s.got()
		return strings.Contains(out, "live") && asked > 0, fmt.Sprint(asked, out)
	})
	proc.kill()

	s.mu.Lock()
	s.hang = make(chan struct{})
	s.mu.Unlock()
	proc = p.start(t)
	p.source.Add(item(1))
	within(t, 20*time.Second, "a push that hangs", func() (bool, string) {
		_, pushes := s.got()
		return len(pushes) == 1, proc.errors()
	})
	proc.kill()
	s.mu.Lock()
	close(s.hang)
	s.hang = nil
	s.mu.Unlock()
	proc = p.start(t)
	within(t, 20*time.Second, "the same document again", func() (bool, string) {
		_, pushes := s.got()
		return len(pushes) == 2 && pushes[0] == pushes[1] && strings.Contains(pushes[0], item(1).Title), fmt.Sprint(len(pushes), proc.errors())
	})
	proc.kill()
	p.source.Add(item(2)) // polled and pushed after the next start
	proc = p.start(t)
	within(t, 20*time.Second, "the next document", func() (bool, string) {
		_, pushes := s.got()
		// How far a document went is written down each second: the one before may come once more.
		last := len(pushes) - 1
		again := last == 3 && pushes[2] == pushes[1]
		return (last == 2 || again) && strings.Contains(pushes[last], item(2).Title), fmt.Sprint(len(pushes), proc.errors())
	})
	if strings.Contains(proc.errors(), "planted-secret") || strings.Contains(verb(t, p.dir, 0, "subscriptions", "list", "--json"), "planted-secret") {
		t.Error("a secret is shown")
	}
	out := verb(t, p.dir, 0, "subscriptions", "list")
	id := strings.Fields(out[strings.Index(out, "\n"):])[0]
	if out := verb(t, p.dir, 0, "subscriptions", "end", id); !strings.Contains(out, "ended") {
		t.Errorf("end prints %q", out)
	}
	within(t, 20*time.Second, "the end to be told", func() (bool, string) {
		asked, _ := s.got()
		return asked >= 2 && !strings.Contains(verb(t, p.dir, 0, "subscriptions", "list"), id), fmt.Sprint(asked)
	})
}

// One Tidings subscribes to the feed of another: the whole way of an article, with our own subscriber as the peer of our
// own hub.
func TestOneTidingsPushesToAnother(t *testing.T) {
	t.Parallel()
	p := newPublisher(t)
	first := p.start(t)
	dir, hooks := t.TempDir(), hosttest.Address(t)
	write(t, filepath.Join(dir, "tidings.yaml"), fmt.Sprintf(`site: {title: Second, url: "http://127.0.0.1:1", language: en}
ingest:
  allow_networks: [127.0.0.0/8]
  revision_gap: 0s
  hosts: {%q: {concurrency: 4, gap: 0s}}
  websub: {public_url: "http://%s", listen: %q, key: %q}
sources: [{id: peer, url: "http://%s/feeds/all.atom", every: 6h}]
`, p.address, hooks, hooks, strings.Repeat("k", 40), p.address))
	second := start(t, dir, anyPort(), "run")
	second.awaitReady(t)
	titles(t, second, item(0).Title)
	within(t, 30*time.Second, "the hub to have confirmed", func() (bool, string) {
		out := verb(t, dir, 0, "sources", "show", "peer")
		return strings.Contains(out, "http://"+p.address+"/hub") && strings.Contains(out, "active"), out + first.errors()
	})
	p.source.Add(item(1), item(2))
	titles(t, second, item(0).Title, item(1).Title, item(2).Title) // it polls every six hours
	if out := verb(t, dir, 0, "sources", "show", "peer"); !regexp.MustCompile(`(?m)^last push +\d`).MatchString(out) {
		t.Errorf("show prints no push:\n%s", out)
	}
}
