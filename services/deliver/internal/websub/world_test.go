package websub

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/natstest"
	"tidings.internal/pkg/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	base  = "https://news.example.org"
	front = base + "/hub"
)

func topicOf(feed string) string { return base + "/feeds/" + feed + ".rss" }

// world is a broker with a publish that answers for documents, and a clock.
type world struct {
	t      testing.TB
	server *natstest.Server
	bus    *bus.Bus // of publish
	hasty  bool     // requests have little time

	mu     sync.Mutex
	ahead  time.Duration // of the clock
	bodies map[string][]byte
	places map[string]event.Applied
	asked  int           // for documents
	looks  int           // and whether there are any
	hang   chan struct{} // looks wait for it, and find nothing yet
	gone   map[string]bool
	counts map[string]int // by outcome
	serial uint64
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, server: natstest.Run(t), bodies: map[string][]byte{}, places: map[string]event.Applied{}, gone: map[string]bool{}, counts: map[string]int{}}
	w.bus = w.server.Bus(t, "publish")
	stop, err := w.bus.Serve(t.Context(), "1.0.0", event.VerbDocument, w.document)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return w
}

// document is what publish answers.
func (w *world) document(_ context.Context, request []byte) (any, error) {
	var r event.DocumentRequest
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	body, ok := w.bodies[r.Feed]
	switch {
	case w.gone[r.Feed]:
		w.looks++
		return event.DocumentReply{State: event.DocumentGone}, nil
	case r.Look && w.hang != nil:
		w.looks++
		w.mu.Unlock()
		<-w.hang
		w.mu.Lock()
		return event.DocumentReply{State: event.DocumentNotYet}, nil
	case r.Look && r.Format == "rss":
		w.looks++
		return event.DocumentReply{State: event.DocumentHere}, nil
	case !ok || event.Hash(body) != r.SHA256 && r.Applied.After(w.places[r.Feed]):
		return event.DocumentReply{State: event.DocumentNotYet}, nil
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(body)
	_ = z.Close()
	return event.DocumentReply{State: event.DocumentHere, SHA256: event.Hash(body), Gzip: packed.Bytes()}, nil
}

// looked is how often publish was asked for a feed that is given up, or only whether there is one.
func (w *world) looked() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.looks
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.ahead)
}

// passed is how far the clock was set ahead.
func (w *world) passed() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ahead
}

// pass lets time go by.
func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead += d
}

func (w *world) count(outcome string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[outcome]++
}

func (w *world) counted(outcome string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counts[outcome]
}

// Asked, Pushed and FannedOut make the world an [Observer].
func (w *world) Asked(outcome string)    { w.count(outcome) }
func (w *world) Pushed(outcome string)   { w.count(outcome) }
func (w *world) FannedOut(time.Duration) { w.count("fanned out") }

// hub runs a hub until stop is called or the test ends.
func (w *world) hub(change ...func(*Options)) (h *Hub, stop func()) {
	w.t.Helper()
	client, err := web.New(web.Config{UserAgent: "Tidings/test", AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	if err != nil {
		w.t.Fatal(err)
	}
	o := Options{
		Bus: w.server.Bus(w.t, "deliver"), Client: client, Log: slog.New(slog.DiscardHandler), LeaseMin: 5 * time.Minute, LeaseMax: 30 * 24 * time.Hour,
		PerTopic: 10_000, PerHost: 200, Observe: w, Now: w.now, Random: func() float64 { return 0.5 },
	}
	for _, c := range change {
		c(&o)
	}
	h = New(o)
	h.beat = 50 * time.Millisecond
	if w.hasty {
		h.askLimit, h.pushLimit, h.slowAfter = 3*time.Second, 3*time.Second, 2*time.Second // a slow machine is no slow site
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				w.t.Error(err)
			}
			client.Close()
		})
	}
	w.t.Cleanup(stop)
	return h, stop
}

// leave stores a request as publish does.
func (w *world) leave(mode, feed, callback string, change ...func(*event.HubRequest)) {
	w.t.Helper()
	w.mu.Lock()
	w.serial++
	r := event.HubRequest{ID: fmt.Sprintf("R%03d", w.serial), Time: time.Now(), Mode: mode, Feed: feed, Topic: topicOf(feed), Callback: callback}
	w.mu.Unlock()
	for _, c := range change {
		c(&r)
	}
	value, err := json.Marshal(r)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.bus.Bucket(event.BucketRequests).Leave(w.t.Context(), event.RequestsOfSites+r.ID, value); err != nil {
		w.t.Fatal(err)
	}
}

func secret(s string) func(*event.HubRequest) {
	return func(r *event.HubRequest) { r.Secret = event.Hidden(s) }
}
func lease(n int64) func(*event.HubRequest) { return func(r *event.HubRequest) { r.Lease = n } }

// publish makes a new document of a feed and announces it.
func (w *world) publish(feed, body string, hubs ...string) {
	w.t.Helper()
	w.mu.Lock()
	at := event.Applied{Created: time.Unix(1, 0).UTC(), Sequence: w.places[feed].Sequence + 1}
	w.bodies[feed], w.places[feed] = []byte(body), at
	w.mu.Unlock()
	w.announce(feed, body, at, hubs...)
}

func (w *world) announce(feed, body string, at event.Applied, hubs ...string) {
	w.t.Helper()
	subject, err := event.FeedSubject(feed)
	if err != nil {
		w.t.Fatal(err)
	}
	version := event.Version{Revision: uint64(at.Created.UnixNano()), Fence: at.Sequence}
	m, err := event.Encode(subject, event.Envelope{Type: event.TypeFeedChanged, ID: event.EnrichedID(feed, version), Source: "publish", Time: time.Now(), Version: version},
		event.FeedChanged{Feed: feed, Applied: at, Hubs: hubs, Documents: []event.Document{{
			Format: "rss", Topic: topicOf(feed), Hub: front, ContentType: "application/rss+xml; charset=utf-8", SHA256: event.Hash([]byte(body)), Bytes: len(body),
		}}})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.bus.Emit(w.t.Context(), m); err != nil {
		w.t.Fatal(err)
	}
}

// rows reads the subscriptions as they are stored. One that is being written may be missing for a moment.
func (w *world) rows() map[string]*Subscription {
	w.t.Helper()
	list, err := w.bus.Bucket(event.BucketSubscriptions).Entries(w.t.Context(), subscriptionKeys+">")
	if err != nil {
		w.t.Fatal(err)
	}
	rows := map[string]*Subscription{}
	for _, e := range list {
		var s Subscription
		if err := json.Unmarshal(e.Value, &s); err != nil {
			w.t.Fatal(err)
		}
		rows[s.Callback] = &s
	}
	return rows
}

// retry is how the last push to a callback is tried again, nil when it is not.
func (w *world) retry(callback string) *Retry {
	if row := w.rows()[callback]; row != nil {
		return row.Retry
	}
	return nil
}

// waiting counts the requests that were not dealt with.
func (w *world) waiting() int {
	w.t.Helper()
	list, err := w.bus.Bucket(event.BucketRequests).Entries(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return len(list)
}

// until polls a condition.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute) // a lease that an outage cost comes back after half of it
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("waited in vain for: %s", what)
		case <-tick.C:
		}
	}
}

// call is a request that a site got.
type call struct {
	method, uri string
	header      http.Header
	body        string
}

// site is a subscriber as the specification describes one, unless it is told otherwise.
type site struct {
	*httptest.Server
	mu     sync.Mutex
	calls  []call
	answer func(w http.ResponseWriter, r *http.Request) bool // true when it has answered
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP confirms everything and takes everything.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.calls = append(s.calls, call{r.Method, r.RequestURI, r.Header, string(body)})
	answer := s.answer
	s.mu.Unlock()
	if answer != nil && answer(w, r) {
		return
	}
	if challenge := r.URL.Query().Get("hub.challenge"); r.Method == http.MethodGet && challenge != "" {
		_, _ = io.WriteString(w, challenge)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *site) answers(answer func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// status answers pushes with a status.
func (s *site) status(n int) {
	s.answers(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		if n/100 == 3 {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(n)
		return true
	})
}

func (s *site) got(method string) (list []call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		if c.method == method {
			list = append(list, c)
		}
	}
	return list
}

// pushed lists the bodies that were pushed.
func (s *site) pushed() (list []string) {
	for _, c := range s.got(http.MethodPost) {
		list = append(list, c.body)
	}
	return list
}

// subscribed has sites subscribe to a feed, and waits until they are.
func (w *world) subscribed(feed string, callbacks ...string) {
	w.t.Helper()
	for _, c := range callbacks {
		w.leave(event.ModeSubscribe, feed, c)
	}
	until(w.t, "the subscriptions", func() bool {
		rows := w.rows()
		return !slices.ContainsFunc(callbacks, func(c string) bool { return rows[c] == nil }) && w.waiting() == 0
	})
}

// settled waits until a distribution is written down as finished.
func (w *world) settled(feed, body string) {
	w.t.Helper()
	b := w.bus.Bucket(event.BucketSubscriptions)
	until(w.t, "the end of the distribution of "+body, func() bool {
		e, ok, err := b.Read(w.t.Context(), topicKey(topicOf(feed)))
		var row Topic
		return err == nil && ok && json.Unmarshal(e.Value, &row) == nil && row.Done == event.Hash([]byte(body))
	})
}
