package compose

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// everything is what runs for good.
func everything() []string { return []string{"nats", "ingest", "enrich", "publish", "deliver"} }

// world is the outside of a composition: a source and a receiver on this machine.
type world struct {
	mu    sync.Mutex
	items []string
	calls map[string][]string // article to the ids it was announced with
}

func serve(t *testing.T, host string, h http.Handler) string {
	t.Helper()
	l, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatalf("listen where containers can reach this machine: %v", err)
	}
	s := httptest.NewUnstartedServer(h)
	_ = s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	return l.Addr().String()
}

func (w *world) feed(rw http.ResponseWriter, _ *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rw.Header().Set("Content-Type", "application/rss+xml")
	_, _ = io.WriteString(rw, `<rss version="2.0"><channel><title>Outside</title><language>en</language>`)
	for i, text := range w.items {
		_, _ = fmt.Fprintf(rw, `<item><guid>%d</guid><link>https://outside.example/%d</link><title>Report %s</title><pubDate>%s</pubDate><description>%s</description></item>`,
			i, i, text, time.Now().Add(-time.Minute).Format(time.RFC1123Z), strings.Repeat("The "+text+" was seen again. ", 10))
	}
	_, _ = io.WriteString(rw, `</channel></rss>`)
}

func (w *world) hook(rw http.ResponseWriter, r *http.Request) {
	var e struct{ Type, Subject string }
	if json.NewDecoder(r.Body).Decode(&e) == nil && e.Type == "article.published" {
		w.mu.Lock()
		defer w.mu.Unlock()
		if id := r.Header.Get("webhook-id"); !slices.Contains(w.calls[e.Subject], id) {
			w.calls[e.Subject] = append(w.calls[e.Subject], id)
		}
	}
	rw.WriteHeader(http.StatusNoContent)
}

// add publishes an item in the source that tells of something no other tells of.
func (w *world) add(word string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.items = append(w.items, word)
}

// arrived waits until all items are in the public feed and, but for those that were there before the channel, were
// announced, each under one id.
func (w *world) arrived(t *testing.T, s *stand) []byte {
	t.Helper()
	var body []byte
	until(t, 2*time.Minute, "every item in the feed and at the receiver", func() (bool, string) {
		resp, err := (&http.Client{Timeout: 5 * time.Second}).Get(s.published(t) + "/feeds/all.json")
		if err != nil {
			return false, err.Error()
		}
		defer resp.Body.Close()
		body, _ = io.ReadAll(resp.Body)
		w.mu.Lock()
		defer w.mu.Unlock()
		for i, word := range w.items {
			if !strings.Contains(string(body), "Report "+word) {
				return false, word + " is not in the feed: " + resp.Status
			}
			if i > 0 && len(w.calls[fmt.Sprintf("https://outside.example/%d", i)]) == 0 {
				return false, word + " was not announced"
			}
		}
		return true, ""
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	for subject, ids := range w.calls {
		if len(ids) != 1 {
			t.Errorf("%s was announced as %q", subject, ids)
		}
	}
	return body
}

func TestTheShippedCompositionRuns(t *testing.T) {
	s := newStand(t)
	w := &world{items: []string{"harbour"}, calls: map[string][]string{}}
	source, hook := serve(t, s.gateway, http.HandlerFunc(w.feed)), serve(t, s.gateway, http.HandlerFunc(w.hook))
	_, sourcePort, _ := net.SplitHostPort(source)
	write(t, filepath.Join(s.dir, "tidings.yaml"), fmt.Sprintf(`site: {title: Outside, language: en}
ingest: {allow_networks: [%s/32], allow_ports: [%s], revision_gap: 0s, backfill_after: 0s, hosts: {%q: {concurrency: 2, gap: 0s}}}
sources: [{id: outside, url: "http://%s/feed", every: 1s}]
channels: [{id: hook, network: webhook, url: "http://%s/hook", allow_private: true}]
`, s.gateway, sourcePort, source, source, hook))
	began := time.Now()
	s.compose(t, "up", "-d", "--no-build")
	s.healthy(t, everything()...)
	t.Logf("all healthy after %v", time.Since(began).Round(100*time.Millisecond))
	until(t, time.Minute, "the first item", func() (bool, string) {
		resp, err := (&http.Client{Timeout: 5 * time.Second}).Get(s.published(t) + "/feeds/all.json")
		if err != nil {
			return false, err.Error()
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return strings.Contains(string(body), "Report harbour"), resp.Status
	})
	t.Logf("first article served after %v", time.Since(began).Round(100*time.Millisecond))
	w.add("glacier")
	w.arrived(t, s)

	t.Run("containers are closed", func(t *testing.T) { closed(t, s) })
	t.Run("networks keep apart", func(t *testing.T) { apart(t, s, source) })
	for i, name := range everything() {
		w.add(fmt.Sprintf("comet%d", i))
		s.compose(t, "kill", "-s", "KILL", name)
		w.add(fmt.Sprintf("orchard%d", i))
		s.compose(t, "up", "-d", "--no-build")
		s.healthy(t, everything()...)
		w.arrived(t, s)
	}
	s.compose(t, "up", "-d", "--no-build", "--scale", "enrich=2", "--scale", "publish=2")
	s.healthy(t, everything()...)
	w.add("lighthouse")
	before := w.arrived(t, s)
	if n, m := len(s.ids(t, "enrich")), len(s.ids(t, "publish")); n != 2 || m != 2 {
		t.Errorf("%d containers of enrich, %d of publish", n, m)
	}
	s.compose(t, "down")
	s.compose(t, "up", "-d", "--no-build")
	s.healthy(t, everything()...)
	if after := w.arrived(t, s); string(after) != string(before) {
		t.Errorf("after down and up the feed is another one:\n%s\n%s", before, after)
	}
	for _, name := range everything() {
		t.Logf("memory of %s: %s", name, docker(t, "stats", "--no-stream", "--format", "{{.MemUsage}}", s.ids(t, name)[0]))
	}
}

// closed holds each container to the hardening of the file.
func closed(t *testing.T, s *stand) {
	for _, name := range everything() {
		var c struct {
			ReadonlyRootfs bool
			CapDrop        []string
			SecurityOpt    []string
			PidsLimit      int64
			Memory         int64
			PortBindings   map[string]any
		}
		id := s.ids(t, name)[0]
		inspect(t, id, &c)
		if !c.ReadonlyRootfs || !slices.Equal(c.CapDrop, []string{"ALL"}) || !slices.Contains(c.SecurityOpt, "no-new-privileges:true") || c.PidsLimit != 256 || c.Memory == 0 {
			t.Errorf("%s: %+v", name, c)
		}
		if user := docker(t, "inspect", "-f", "{{.Config.User}}", id); user != "65532:65532" {
			t.Errorf("%s runs as %s", name, user)
		}
		if open := len(c.PortBindings) > 0; open != (name == "publish") {
			t.Errorf("%s publishes %v", name, c.PortBindings)
		}
	}
}

// apart dials from inside of the containers.
func apart(t *testing.T, s *stand, outside string) {
	probe := s.probe(t)
	dial := func(from, address string) string {
		return docker(t, "run", "--rm", "--network", "container:"+s.ids(t, from)[0], probe, address)
	}
	addressOf := func(name string) []string {
		return strings.Fields(docker(t, "inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}", s.ids(t, name)[0]))
	}
	for _, c := range []struct {
		from, to string
		open     bool
	}{
		{"ingest", "nats:4222", true}, {"enrich", "nats:4222", true}, {"publish", "nats:4222", true}, {"deliver", "nats:4222", true},
		{"ingest", outside, true}, {"deliver", outside, true},
	} {
		if got := dial(c.from, c.to); (got == "yes") != c.open {
			t.Errorf("%s reaches %s: %s; want open %v", c.from, c.to, got, c.open)
		}
	}
	// This machine itself answers containers of any network through its bridges (deploy/README.md, "Networks"), so the way
	// further out is judged by what the engine was told.
	for network, want := range map[string]string{
		"bus-ingest": "true", "bus-enrich": "true", "bus-publish": "true", "bus-deliver": "true", "bus-admin": "true",
		"out-ingest": "false", "out-deliver": "false", "front-publish": "false map[com.docker.network.bridge.enable_ip_masquerade:false]",
	} {
		format := "{{.Internal}}"
		if strings.Contains(want, " ") {
			format += " {{.Options}}"
		}
		if got := docker(t, "network", "inspect", "-f", format, s.project+"_"+network); got != want {
			t.Errorf("network %s is %s, want %s", network, got, want)
		}
	}
	networks := func(name string) string {
		return docker(t, "inspect", "-f", "{{range $n, $x := .NetworkSettings.Networks}}{{$n}} {{end}}", s.ids(t, name)[0])
	}
	if got := networks("enrich"); got != s.project+"_bus-enrich" {
		t.Errorf("enrich is on %s, want NATS's network alone", got)
	}
	if got := networks("nats"); strings.Contains(got, "_out-") || strings.Contains(got, "_front-") {
		t.Errorf("nats is on %s", got)
	}
	for _, ip := range addressOf("publish") {
		for _, from := range []string{"ingest", "enrich", "deliver"} {
			if got := dial(from, ip+":8080"); got == "yes" {
				t.Errorf("%s reaches publish at %s", from, ip)
			}
		}
	}
}
