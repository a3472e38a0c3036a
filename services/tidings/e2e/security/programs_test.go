package security_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/hosttest"
	"tidings.internal/pkg/natstest"
	"tidings.internal/pkg/origintest"
	"tidings.internal/pkg/run"
	deliver "tidings.internal/services/deliver/app"
	enrich "tidings.internal/services/enrich/app"
	ingest "tidings.internal/services/ingest/app"
	publish "tidings.internal/services/publish/app"
)

// The real programs, each with its own key and certificate, bring an article from a source to a feed and to a webhook,
// and the server denies them nothing.
func TestTheProgramsWorkUnderTheirPermissions(t *testing.T) {
	t.Parallel()
	ours, seeds := natstest.NewAuthority(t), natstest.Keys(t)
	broker := natstest.ConfigText(t, encrypted(t, ours), seeds)
	cert, key := ours.Issue(t, event.UserAdmin)
	broker.TLS = bus.TLS{CAFile: ours.File, CertFile: cert, KeyFile: key}
	admin := broker.Bus(t, event.UserAdmin)
	apply(t, admin)

	origin, sink := origintest.New(t), newSink(t)
	feed := origin.Feed("blog").Describe("Blog", "en")
	short := origintest.Sample(origin.URL(""), 1)
	long := origintest.Sample(origin.URL(""), 2)
	// Longer than a message may be, so that its body travels through the store of objects.
	long.Content = strings.Repeat("<p>"+strings.Repeat("A sentence about the weather in the north. ", 20)+"</p>\n", 700)
	old := origintest.Sample(origin.URL(""), 3)
	old.Published = time.Now().AddDate(0, 0, -20)
	feed.Add(old)

	address := hosttest.Address(t)
	w := &programs{t: t, broker: broker, seeds: seeds, authority: ours, text: fmt.Sprintf(`
site: {title: Secure, url: "http://%[1]s", language: en}
admin: {listen: "127.0.0.1:0"}
publish: {listen: "%[1]s"}
ingest: {allow_networks: [127.0.0.0/8], revision_gap: 0s, hosts: {%[2]q: {concurrency: 4, gap: 0s}}}
sources: [{id: blog, url: %[3]q, every: 1s}]
feeds: [{id: all, title: All}]
channels: [{id: sink, network: webhook, url: %[4]q, secret_file: %[5]q, allow_private: true}]
`, address, origin.Addr(), feed.URL(origintest.Atom), sink.server.URL, secret(t))}
	stop := w.start(ingest.Program(), enrich.Program(), publish.Program(), deliver.Program())
	within := func(what string, ok func() bool) {
		t.Helper()
		defer func() {
			if t.Failed() {
				t.Log(w.log.String())
			}
		}()
		eventually(t, what, ok)
	}
	// A channel posts what was published after it was set up; a feed names whole seconds.
	short.Published, long.Published = time.Now().Add(2*time.Second), time.Now().Add(2*time.Second)
	feed.Add(short, long)
	within("the articles in the feed", func() bool {
		body := get(t, "http://"+address+"/feeds/all.json")
		return strings.Contains(body, short.URL) && strings.Contains(body, long.URL) && strings.Contains(body, old.URL)
	})
	within("two posts at the webhook", func() bool { return sink.count() >= 2 })
	// An edit goes the same way once more.
	feed.Edit(short.ID, func(i *origintest.Item) {
		i.Title, i.Updated = "Another title altogether", time.Now().Add(3*time.Second)
	})
	within("the edit in the feed", func() bool {
		return strings.Contains(get(t, "http://"+address+"/feeds/all.json"), "Another title altogether")
	})
	within("the edit at the webhook", func() bool { return sink.count() >= 3 })
	if err := admin.Ask(t.Context(), event.UserIngest, "sources", nil, nil); err != nil {
		t.Errorf("the operator asks ingest: %v", err)
	}
	w.operate(admin)
	for program, figures := range map[string][]string{
		event.UserIngest:  {`tidings_stream_bytes{stream="RAW"} `, `tidings_consumer_pending{consumer="enrich"} 0`, `tidings_consumer_pending{consumer="backfill"} 0`},
		event.UserEnrich:  {`tidings_end_to_end_seconds_count{until="enriched"} `},
		event.UserPublish: {`tidings_stream_limit_bytes{stream="ARTICLES"} `, `tidings_stream_bytes{stream="POSTS"} `, `tidings_stream_bytes{stream="FEEDS"} `, `tidings_consumer_ack_pending{consumer="composer"} 0`, `tidings_end_to_end_seconds_count{until="served"} `},
	} {
		within("the figures of "+program, func() bool {
			metrics := get(t, "http://"+w.admin[program]+"/metrics")
			return !slices.ContainsFunc(figures, func(f string) bool { return !strings.Contains(metrics, "\n"+f) })
		})
	}
	within("what the channel missed at the webhook", func() bool { return sink.count() >= 4 })
	stop()
	w.deniedNothing()
	for user, subject := range map[string]string{event.UserIngest: "$O.blobs.M.", event.UserEnrich: "$JS.API.CONSUMER.CREATE.OBJ_blobs."} {
		if !slices.ContainsFunc(broker.Published(user), func(s string) bool { return strings.HasPrefix(s, subject) }) {
			t.Errorf("%s never published to %s: the long body went another way", user, subject)
		}
	}
	if letters, err := admin.DeadList(t.Context(), bus.DeadFilter{}); err != nil || len(letters) > 0 {
		t.Errorf("dead letters: %+v, %v", letters, err)
	}
}

// operate has the operator look at the channel, ask its network, and send what it missed, each under his own permissions
// and those of deliver.
func (w *programs) operate(admin *bus.Bus) {
	w.t.Helper()
	ctx := w.t.Context()
	if d, err := deliver.ShowChannel(ctx, admin, "sink"); err != nil || d.Policy == nil {
		w.t.Errorf("the operator looks at a channel: %+v, %v", d, err)
	}
	if _, err := deliver.TestChannel(ctx, admin, "sink"); err != nil {
		w.t.Errorf("the operator tries a channel: %v", err)
	}
	missed, err := publish.CatchUp(ctx, admin, config.New("tidings.yaml", []byte(w.text), nil), "sink", 10, false)
	if err != nil || len(missed) != 3 {
		w.t.Fatalf("the operator looks for what a channel missed: %+v, %v", missed, err)
	}
	var posts []event.Post
	for _, m := range missed {
		if m.Post == nil {
			w.t.Fatalf("no post: %s", m.Why)
		}
		posts = append(posts, *m.Post)
	}
	list, err := deliver.CatchUp(ctx, admin, config.New("tidings.yaml", []byte(w.text), nil), "sink", posts, 0, "anna", false)
	if err != nil || len(list) != 3 || list[0].Outcome != "planned" || list[1].Outcome != "sent" {
		w.t.Errorf("the operator sends what a channel missed: %+v, %v", list, err)
	}
}

// programs run in this process, each from its own configuration.
type programs struct {
	t         *testing.T
	broker    *natstest.Broker
	seeds     map[string][]byte
	authority *natstest.Authority
	text      string
	log       buffer
	admin     map[string]string // addresses of the admin ports, by program
}

// start runs the programs until all are ready, and returns what stops them.
func (w *programs) start(list ...run.Program) (stop func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	var group sync.WaitGroup
	ready := make(chan [2]string, len(list))
	stop = func() {
		cancel()
		group.Wait()
	}
	w.t.Cleanup(stop)
	for _, p := range list {
		doc := config.New(p.Name+".yaml", []byte(w.text+w.nats(p.Name)), nil)
		group.Go(func() {
			o := run.Options{Doc: doc, Data: w.t.TempDir(), Stdout: io.Discard, Stderr: &w.log, Ready: func(addr string) { ready <- [2]string{p.Name, addr} }}
			if err := run.Start(ctx, p, o); err != nil {
				w.t.Errorf("%s ended: %v", p.Name, err)
			}
		})
	}
	w.admin = map[string]string{}
	for range list {
		select {
		case r := <-ready:
			w.admin[r[0]] = r[1]
		case <-time.After(40 * time.Second):
			w.t.Fatalf("not all programs are ready\n%s", w.log.String())
		}
	}
	return stop
}

// nats is the section of a program, with a seed and a certificate of its own.
func (w *programs) nats(name string) string {
	w.t.Helper()
	seed := filepath.Join(w.t.TempDir(), name+".nk")
	if err := os.WriteFile(seed, w.seeds[name], 0o600); err != nil {
		w.t.Fatal(err)
	}
	cert, key := w.authority.Issue(w.t, name)
	return fmt.Sprintf("nats: {url: %q, credentials_file: %q, tls: {ca_file: %q, cert_file: %q, key_file: %q}}\n", w.broker.URL, seed, w.authority.File, cert, key)
}

// deniedNothing holds what the server saw, and what the programs logged, against the permissions.
func (w *programs) deniedNothing() {
	w.t.Helper()
	for line := range strings.Lines(w.log.String()) {
		if strings.Contains(strings.ToLower(line), "permissions violation") {
			w.t.Error(line)
		}
	}
	for _, user := range services {
		u, _ := event.FindUser(user)
		said := w.broker.Published(u.Role)
		if len(said) == 0 {
			w.t.Errorf("the server saw nothing of %s", user)
		}
		for _, subject := range said {
			answer := strings.HasPrefix(subject, "_INBOX_")
			if !answer && !slices.ContainsFunc(u.Publishes(), func(p string) bool { return matches(p, subject) }) {
				w.t.Errorf("%s published to %s, which it may not", user, subject)
			}
		}
	}
}

// sink is a webhook that counts what it gets.
type sink struct {
	server *httptest.Server
	mu     sync.Mutex
	calls  int
}

func newSink(t *testing.T) *sink {
	t.Helper()
	s := &sink{}
	s.server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.calls++
	}))
	t.Cleanup(s.server.Close)
	return s
}

func (s *sink) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// buffer takes the logs of several programs.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func secret(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func get(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return ""
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return ""
	}
	return string(body)
}
