package app

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/hosttest"
	"tidings.internal/pkg/origintest"
	"tidings.internal/services/ingest/internal/websub"
)

// hub is a hub as the specification describes one: it confirms what it is asked for, and signs what it pushes.
type hub struct {
	*httptest.Server
	mu     sync.Mutex
	inline bool // it confirms before it answers
	silent bool
	status int // of its answers, 202 when zero
	subs   map[string]url.Values
	asked  []string
}

func newHub(w *world) *hub {
	w.t.Helper()
	h := &hub{subs: map[string]url.Values{}}
	mux := http.NewServeMux()
	mux.Handle("/307", http.RedirectHandler("/hub", http.StatusTemporaryRedirect))
	mux.Handle("/308", http.RedirectHandler("/hub", http.StatusPermanentRedirect))
	mux.HandleFunc("POST /hub", h.subscribe)
	h.Server = httptest.NewServer(mux)
	w.t.Cleanup(h.Close)
	w.also = append(w.also, h.Listener.Addr().String())
	return h
}

func (h *hub) subscribe(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	form, inline, silent, status := r.PostForm, h.inline, h.silent, h.status
	h.asked = append(h.asked, form.Get("hub.topic"))
	h.mu.Unlock()
	confirm := func() {
		q := url.Values{"hub.mode": {"subscribe"}, "hub.topic": {form.Get("hub.topic")}, "hub.challenge": {"challenge-" + form.Get("hub.topic")}, "hub.lease_seconds": {form.Get("hub.lease_seconds")}}
		resp, err := h.Client().Get(form.Get("hub.callback") + "?" + q.Encode())
		if err != nil {
			return
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode/100 == 2 && string(body) == q.Get("hub.challenge") {
			h.mu.Lock()
			h.subs[form.Get("hub.topic")] = form
			h.mu.Unlock()
		}
	}
	switch {
	case status != 0:
		w.WriteHeader(status)
	case silent:
		w.WriteHeader(http.StatusAccepted)
	case inline:
		confirm()
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusAccepted)
		go confirm()
	}
}

func (h *hub) subscription(topic string) url.Values {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.subs[topic]
}

func (h *hub) set(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
}

// push delivers a document to a subscriber, signed with a secret, and gives the status.
func (h *hub) push(t *testing.T, topic, secret, body string) int {
	t.Helper()
	form := h.subscription(topic)
	req, err := http.NewRequest(http.MethodPost, form.Get("hub.callback"), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/atom+xml; charset=utf-8")
	if secret != "" {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(body))
		req.Header.Set("X-Hub-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	resp, err := h.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

// atom writes a document with the items given as "id title age".
func atom(self, hub string, items ...string) string {
	var b strings.Builder
	b.WriteString(`<feed xmlns="http://www.w3.org/2005/Atom"><id>urn:x</id><title>T</title>`)
	if self != "" {
		fmt.Fprintf(&b, `<link rel="self" href="%s"/>`, self)
	}
	if hub != "" {
		fmt.Fprintf(&b, `<link rel="hub" href="%s"/>`, hub)
	}
	for _, it := range items {
		parts := strings.SplitN(it, " ", 3)
		age, err := time.ParseDuration(parts[2])
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(&b, `<entry><id>urn:x:%s</id><title>%s</title><published>%s</published><content>Ein Text von %s, lang genug.</content></entry>`,
			parts[0], parts[1], time.Now().Add(-age).UTC().Format(time.RFC3339), parts[1])
	}
	return b.String() + "</feed>"
}

// answer scripts a document of the origin for good.
func (w *world) answer(path, body string, header ...string) {
	w.origin.Unscript(path)
	h := http.Header{"Content-Type": {"application/atom+xml"}}
	for i := 0; i < len(header); i += 2 {
		h.Add(header[i], header[i+1])
	}
	w.origin.Script(path, origintest.Step{Status: http.StatusOK, Header: h, Body: []byte(body)}.Always())
}

// listening gives the settings of a listener for hubs on a free port.
func listening(t *testing.T) string {
	t.Helper()
	address := hosttest.Address(t)
	return fmt.Sprintf(", websub: {public_url: \"http://%s\", listen: %q, key: %q}", address, address, strings.Repeat("k", websub.MinKey))
}

func (w *world) detail(id string) SourceDetail {
	w.t.Helper()
	d, err := ShowSource(w.t.Context(), w.bus, w.doc(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// confirmed waits until the subscription of a source is in force at both ends: ours knows it before the hub has read our
// answer.
func (w *world) confirmed(h *hub, id string) SourceDetail {
	w.t.Helper()
	d := w.subscribed(id, websub.Active)
	w.until("the hub to know of "+d.WebSub.Topic, func() (bool, string) {
		return h.subscription(d.WebSub.Topic) != nil, "it does not"
	})
	return d
}

// subscribed waits until the subscription of a source has a status.
func (w *world) subscribed(id string, want websub.Status) SourceDetail {
	w.t.Helper()
	var d SourceDetail
	w.until("the subscription of "+id+" to be "+string(want), func() (bool, string) {
		d = w.detail(id)
		return d.WebSub.Status == want, fmt.Sprintf("%+v", d.WebSub)
	})
	return d
}

// The ways in which a document names its hub and its topic, and in which hub and topic move.
func TestHubsAreFoundAndAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := newHub(w)
	at := func(path string) string { return w.origin.URL(path) }
	hubURL := h.URL + "/hub"
	w.answer("/header", atom("", "", "1 Eins 1h"), "Link", fmt.Sprintf(`<%s>; rel="hub", <%s>; rel="self"`, hubURL, at("/header")))
	w.answer("/atom", atom(at("/atom"), hubURL, "1 Eins 1h"))
	w.answer("/rss", fmt.Sprintf(`<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel><title>T</title><atom:link rel="hub" href="%s"/><atom:link rel="self" href="%s"/>
<item><guid>1</guid><title>Eins</title></item></channel></rss>`, hubURL, at("/rss")), "Content-Type", "application/rss+xml")
	w.answer("/json", fmt.Sprintf(`{"version":"https://jsonfeed.org/version/1.1","title":"T","feed_url":%q,"hubs":[{"type":"WebSub","url":%q}],"items":[{"id":"1","content_text":"Eins"}]}`, at("/json"), hubURL), "Content-Type", "application/feed+json")
	w.answer("/both", atom(at("/both"), h.URL+"/elsewhere", "1 Eins 1h"), "Link", fmt.Sprintf(`<%s>; rel="hub"`, hubURL))
	w.answer("/differs", atom(at("/canonical"), hubURL, "1 Eins 1h"))
	for status, path := range map[int]string{http.StatusFound: "/found", http.StatusMovedPermanently: "/moved"} {
		w.origin.Script(path, origintest.Redirect(status, at(path+"-to")).Always())
		w.answer(path+"-to", atom("", hubURL, "1 Eins 1h"))
	}
	w.answer("/307", atom(at("/307"), h.URL+"/307", "1 Eins 1h"))
	w.answer("/308", atom(at("/308"), h.URL+"/308", "1 Eins 1h"))
	topics := map[string]string{
		"header": "/header", "atom": "/atom", "rss": "/rss", "json": "/json", "both": "/both", "differs": "/canonical", "found": "/found-to", "moved": "/moved-to", "h307": "/307", "h308": "/308",
	}
	sources := []string{}
	for id := range topics {
		path := "/" + id
		if strings.HasPrefix(id, "h3") {
			path = "/" + id[1:]
		}
		sources = append(sources, fmt.Sprintf("id: %s, url: %q, every: 1s", id, at(path)))
	}
	sources = append(sources, fmt.Sprintf("id: off, url: %q, every: 1s, websub: off", at("/atom")))
	w.configure(listening(t), sources...)
	w.start(nil)
	for id, topic := range topics {
		d := w.confirmed(h, id)
		if d.WebSub.Topic != at(topic) {
			t.Errorf("%s: the topic is %q, want %q", id, d.WebSub.Topic, at(topic))
		}
		if left := time.Until(d.WebSub.Lease); left < 239*time.Hour || left > 241*time.Hour {
			t.Errorf("%s: the lease is %v", id, left)
		}
	}
	if d := w.detail("off"); d.WebSub != (websub.Subscription{}) {
		t.Errorf("a source whose hub nobody wants has %+v", d.WebSub)
	}
}

// What a hub pushes is news at once, whichever replica it comes to; what is forged or of somebody else is none.
func TestWhatIsPushedIsNews(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := newHub(w)
	h.inline = true
	topic := w.origin.URL("/f")
	w.answer("/f", atom(topic, h.URL+"/hub", "1 Eins 1h"), "Etag", `"1"`)
	w.configure(listening(t), fmt.Sprintf("id: f, url: %q, every: 1h", topic))
	a, stop := w.start(nil)
	d := w.confirmed(h, "f")
	w.messages(1)
	secret := h.subscription(topic).Get("hub.secret")
	if status := h.push(t, topic, secret, atom(topic, h.URL+"/hub", "2 Zwei 1m", "1 Eins 1h")); status != http.StatusAccepted {
		t.Errorf("a push is answered with %d", status)
	}
	list := w.messages(2) // RAW had it before the answer
	if list[1].raw.Title != "Zwei" || list[1].raw.Backfill || !strings.HasPrefix(list[1].subject, "article.raw.") {
		t.Errorf("pushed was %+v", list[1])
	}
	before := len(w.origin.Requests("/f"))
	for name, status := range map[string]int{
		"again":    h.push(t, topic, secret, atom(topic, h.URL+"/hub", "2 Zwei 1m")),
		"unsigned": h.push(t, topic, "", atom(topic, "", "3 Drei 1m")),
		"forged":   h.push(t, topic, "a guess", atom(topic, "", "3 Drei 1m")),
		"foreign":  h.push(t, topic, secret, atom(w.origin.URL("/other"), "", "3 Drei 1m")),
		"no feed":  h.push(t, topic, secret, "<html>"),
	} {
		if status != http.StatusAccepted {
			t.Errorf("%s: %d", name, status)
		}
	}
	w.until("a poll in place of what was of another topic or no feed", func() (bool, string) {
		n := len(w.origin.Requests("/f"))
		return n > before, fmt.Sprint(n)
	})
	w.messages(2)
	if got := w.detail("f").WebSub; got.Pushed.IsZero() || !got.Strong || got.Generation != d.WebSub.Generation {
		t.Errorf("the subscription is %+v", got)
	}
	// An edit comes as a revision, and what a push lacks is not deleted.
	if status := h.push(t, topic, secret, atom(topic, "", "2 Zwei,verbessert 1m")); status != http.StatusAccepted {
		t.Errorf("an edit is answered with %d", status)
	}
	if list := w.messages(3); list[2].raw.Revision != 2 || list[2].raw.ID != list[1].raw.ID {
		t.Errorf("the edit is %+v", list[2])
	}
	// A replica that does not own the source takes a push all the same.
	for shard := range 64 {
		a.engine.Lost(shard)
	}
	if status := h.push(t, topic, secret, atom(topic, "", "4 Vier 1m")); status != http.StatusAccepted {
		t.Errorf("a replica that is not the owner answers %d", status)
	}
	w.messages(4)
	stop()
}

// While RAW is away nothing pushed is lost: the hub is asked to push again, and does.
func TestAPushWhileTheBrokerIsAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := newHub(w)
	topic := w.origin.URL("/f")
	w.answer("/f", atom(topic, h.URL+"/hub", "1 Eins 1h"), "Etag", `"1"`)
	w.configure(listening(t), fmt.Sprintf("id: f, url: %q, every: 1h", topic))
	w.start(nil)
	w.confirmed(h, "f")
	secret, news := h.subscription(topic).Get("hub.secret"), atom(topic, "", "2 Zwei 1m")
	w.server.Stop()
	if status := h.push(t, topic, secret, news); status != http.StatusServiceUnavailable {
		t.Errorf("while the broker is away a push is answered with %d", status)
	}
	w.server.Start(t)
	w.until("the push to be taken", func() (bool, string) {
		status := h.push(t, topic, secret, news)
		return status == http.StatusAccepted, fmt.Sprint(status)
	})
	if err := w.bus.WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.messages(2)
}

// A hub that is down, refuses or is silent costs nothing: the source is polled as any other.
func TestHubsThatDoNotKeepTheirWord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := newHub(w)
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	w.answer("/down", atom(w.origin.URL("/down"), dead.URL, "1 Eins 1h"))
	w.answer("/missing", atom(w.origin.URL("/missing"), h.URL+"/nowhere", "1 Eins 1h"))
	w.answer("/silent", atom(w.origin.URL("/silent"), h.URL+"/hub", "1 Eins 1h"))
	w.answer("/private", atom(w.origin.URL("/private"), "http://10.1.2.3/hub", "1 Eins 1h"))
	h.set(func() { h.silent = true })
	w.configure(listening(t),
		fmt.Sprintf("id: down, url: %q, every: 200ms", w.origin.URL("/down")), fmt.Sprintf("id: missing, url: %q, every: 200ms", w.origin.URL("/missing")),
		fmt.Sprintf("id: silent, url: %q, every: 200ms", w.origin.URL("/silent")), fmt.Sprintf("id: private, url: %q, every: 200ms", w.origin.URL("/private")))
	w.start(nil)
	for id, reason := range map[string]string{"down": "connect", "missing": "404", "private": "refused_address"} {
		if d := w.subscribed(id, websub.Lost); !strings.Contains(d.WebSub.Reason, reason) || time.Until(d.WebSub.Next) < 23*time.Hour {
			t.Errorf("%s: %+v", id, d.WebSub)
		}
	}
	w.subscribed("silent", websub.Pending)
	for _, path := range []string{"/down", "/missing", "/silent", "/private"} {
		w.polled(path, 2)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.asked) != 1 {
		t.Errorf("the silent hub was asked %d times", len(h.asked))
	}
}

// A poll that finds news which the hub should have pushed ends the trust in it.
func TestAMissedPushReturnsASourceToPolling(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := newHub(w)
	topic := w.origin.URL("/f")
	w.answer("/f", atom(topic, h.URL+"/hub", "1 Eins 1h"))
	w.configure(listening(t), fmt.Sprintf("id: f, url: %q, every: 200ms", topic))
	w.start(nil)
	w.subscribed("f", websub.Active)
	// As if it had been confirmed a day ago.
	bucket := w.bus.Bucket(event.BucketSourceState)
	w.until("the subscription to be made older", func() (bool, string) {
		e, ok, err := bucket.Read(t.Context(), "f")
		if err != nil || !ok {
			return false, fmt.Sprint(err)
		}
		since := w.detail("f").WebSub.Since.Format(time.RFC3339Nano)
		old := strings.Replace(string(e.Value), `"since":"`+since, `"since":"`+time.Now().Add(-24*time.Hour).UTC().Format(time.RFC3339Nano), 1)
		_, err = bucket.Update(t.Context(), "f", []byte(old), e.Revision)
		return err == nil && old != string(e.Value), fmt.Sprint(err)
	})
	w.answer("/f", atom(topic, h.URL+"/hub", "2 Zwei 15m", "1 Eins 1h"))
	d := w.subscribed("f", websub.Lost)
	if !strings.Contains(d.WebSub.Reason, "not pushed") && !strings.Contains(d.WebSub.Reason, "had not pushed") {
		t.Errorf("the reason is %q", d.WebSub.Reason)
	}
	w.messages(2) // and the news are there
	subject, err := event.NoticeSubject("ingest", "websub_lost")
	if err != nil {
		t.Fatal(err)
	}
	w.until("somebody to be told", func() (bool, string) { // what the state says is told once it is written
		r, err := w.bus.Next(t.Context(), event.StreamEvents, subject, 1)
		return err == nil && r != nil, fmt.Sprint(err)
	})
}
