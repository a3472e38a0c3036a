//go:build linux

package compose

import (
	"encoding/xml"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings.internal/services/tidings/e2e/history"
)

// world is the outside of a composition: a source and a receiver on this machine.
type world struct {
	source string // its address
	sink   history.Sink

	// configure writes the configuration, with so many further sources.
	configure func(many int)

	mu    sync.Mutex
	rng   *rand.Rand
	items []item
}

type item struct {
	Key, Title, Text string
	Published        time.Time
}

// newWorld starts source and receiver where containers reach them, with one item that is older than the channel, and
// writes the configuration that names both.
func newWorld(t *testing.T, s *stand) *world {
	t.Helper()
	w := &world{rng: rand.New(rand.NewPCG(1, 1))}
	w.add()
	w.source = serve(t, s.gateway, http.HandlerFunc(w.feed))
	hook := serve(t, s.gateway, &w.sink)
	_, port, err := net.SplitHostPort(w.source)
	if err != nil {
		t.Fatal(err)
	}
	w.configure = func(many int) {
		var b strings.Builder
		fmt.Fprintf(&b, `site: {title: Outside, language: en}
ingest: {allow_networks: [%s/32], allow_ports: [%s], revision_gap: 0s, hosts: {%q: {concurrency: 2, gap: 0s}}}
channels: [{id: hook, network: webhook, url: "http://%s/hook", allow_private: true}]
sources:
  - {id: outside, url: "http://%[3]s/feed", every: 1s}
`, s.gateway, port, w.source, hook)
		for n := range many {
			fmt.Fprintf(&b, "  - {id: many-%d, url: \"http://%s/old?%d\", every: 30m, fulltext: never}\n", n, w.source, n)
		}
		write(t, filepath.Join(s.dir, "tidings.yaml"), b.String())
	}
	w.configure(0)
	return w
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

// add publishes an item in the source, of words that no other has, so that no two tell one story, and returns its title.
func (w *world) add() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	words := make([]string, 60)
	for i := range words {
		words[i] = fmt.Sprintf("w%07x", w.rng.Uint32()>>4)
	}
	now := time.Now().UTC().Truncate(time.Second)
	if len(w.items) == 0 {
		now = now.Add(-72 * time.Hour)
	}
	key := fmt.Sprintf("item-%04d", len(w.items))
	i := item{Key: key, Title: "Report " + key + " " + strings.Join(words[:3], " "), Text: strings.Join(words, " "), Published: now}
	w.items = append(w.items, i)
	return i.Title
}

// old are the items of one of many sources, too old to be posted and older than all others, so that feeds show those.
func old(source string) (list []item) {
	for n := range 10 {
		key := fmt.Sprintf("old-%s-%d", source, n)
		list = append(list, item{Key: key, Title: "Report " + key, Text: strings.Repeat(key+" ", 50), Published: time.Now().Add(-20 * 24 * time.Hour).Truncate(time.Second)})
	}
	return list
}

func (w *world) feed(rw http.ResponseWriter, r *http.Request) {
	type entry struct {
		GUID        string `xml:"guid"`
		Link        string `xml:"link"`
		Title       string `xml:"title"`
		PubDate     string `xml:"pubDate"`
		Description string `xml:"description"`
	}
	var doc struct {
		XMLName  xml.Name `xml:"rss"`
		Version  string   `xml:"version,attr"`
		Title    string   `xml:"channel>title"`
		Language string   `xml:"channel>language"`
		Items    []entry  `xml:"channel>item"`
	}
	doc.Version, doc.Title, doc.Language = "2.0", "Outside", "en"
	items := w.offered()
	if r.URL.Path == "/old" {
		items = old(r.URL.RawQuery)
	}
	for _, i := range items {
		doc.Items = append(doc.Items, entry{i.Key, "https://outside.example/" + i.Key, i.Title, i.Published.Format(time.RFC1123Z), i.Text})
	}
	rw.Header().Set("Content-Type", "application/rss+xml")
	_ = xml.NewEncoder(rw).Encode(doc) // a reader that goes away comes again
}

func (w *world) offered() []item {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.items)
}

// get reads the public feed of everything at one container of publish.
func get(address string) (body, etag string, err error) {
	resp, err := (&http.Client{Timeout: 5 * time.Second}).Get(address + "/feeds/all.json")
	if err != nil {
		return "", "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("the feed is answered with %s", resp.Status)
	}
	return string(text), resp.Header.Get("ETag"), err
}

// served waits until a title is in the public feed, or one that came after it, since a feed shows the newest only. It
// returns how long that took.
func (w *world) served(t *testing.T, s *stand, title string) time.Duration {
	t.Helper()
	began := time.Now()
	// A connection to a server that is cut off is given up after 30 s only, and then the others have to agree.
	until(t, 3*time.Minute, title+" in the feed", func() (bool, string) {
		body, _, err := get(s.published(t)[0])
		items := w.offered()
		from := slices.IndexFunc(items, func(i item) bool { return i.Title == title })
		return slices.ContainsFunc(items[from:], func(i item) bool { return strings.Contains(body, i.Title) }), fmt.Sprint(err)
	})
	return time.Since(began)
}

// arrived waits until the newest items are in the feed of every container of publish and all but the first, which is older
// than the channel, were announced, each under one id.
func (w *world) arrived(t *testing.T, s *stand) (body string) {
	t.Helper()
	items := w.offered()
	until(t, time.Minute, "every item in the feed and at the receiver", func() (bool, string) {
		heard := map[string]bool{}
		for _, c := range w.sink.Log() {
			heard[c.Key] = true
		}
		for _, i := range items[1:] {
			if !heard[i.Key] {
				return false, i.Key + " was not announced"
			}
		}
		for _, address := range s.published(t) {
			var err error
			if body, _, err = get(address); err != nil {
				return false, err.Error()
			}
			for _, i := range items[max(0, len(items)-20):] {
				if !strings.Contains(body, i.Title) {
					return false, i.Key + " is not in the feed"
				}
			}
		}
		return true, ""
	})
	ids := map[string]string{}
	for _, c := range w.sink.Log() {
		if id, ok := ids[c.Key]; ok && c.Type == "article.published" && id != c.ID {
			t.Errorf("%s was announced as %s and as %s", c.Key, id, c.ID)
		}
		ids[c.Key] = c.ID
	}
	return body
}

// history is what the outside offered and heard.
func (w *world) history() history.History {
	h := history.History{Calls: w.sink.Log()}
	for n, i := range w.offered() {
		h.Offers = append(h.Offers, history.Offer{Key: i.Key, Texts: []string{i.Title}})
		if n == 0 {
			h.Baseline = append(h.Baseline, i.Key)
		}
	}
	return h
}
