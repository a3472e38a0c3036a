package app

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/natstest"
	"tidings.internal/pkg/run"
)

// sink is a webhook receiver that remembers every call.
type sink struct {
	*httptest.Server
	mu    sync.Mutex
	calls []call
	news  chan struct{}
}

type call struct {
	ID, Type string
	Body     []byte
}

func newSink(t *testing.T) *sink {
	s := &sink{news: make(chan struct{}, 1000)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.calls = append(s.calls, call{ID: r.Header.Get("Webhook-Id"), Type: r.Header.Get("Content-Type"), Body: body})
		s.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
		s.news <- struct{}{}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *sink) got() []call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]call(nil), s.calls...)
}

// await waits for n calls in all.
func (s *sink) await(t *testing.T, n int) []call {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for len(s.got()) < n {
		select {
		case <-s.news:
		case <-deadline:
			t.Fatalf("waited for %d calls, have %d", n, len(s.got()))
		}
	}
	return s.got()
}

// withdrawn builds the message that takes a post back.
func withdrawn(t *testing.T, channel, item string, revision uint64) event.Message {
	t.Helper()
	id := article.NewID("blog", item)
	subject, err := event.PostSubject(channel, id)
	if err != nil {
		t.Fatal(err)
	}
	m, err := event.Encode(subject, event.Envelope{
		Type: event.TypeWithdrawn, ID: event.PostID(channel, id, revision), Source: "publish", Time: time.Now(), Article: id,
		Version: event.Version{Revision: revision},
	}, event.Withdrawn{Channel: channel, Network: "webhook", Story: id, Article: id, Revision: revision, Reason: event.DeletedTakedown})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// post builds the message of a webhook post as publish composes it.
func post(t *testing.T, channel, item string, revision uint64, firstSeen time.Time) event.Message {
	t.Helper()
	id := article.NewID("blog", item)
	action := event.ActionCreate
	if revision > 1 {
		action = event.ActionEdit
	}
	body := fmt.Sprintf(`{"specversion":"1.0","id":"msg_%s%d","type":"article.published","source":"/tidings","data":{"title":"%s"}}`, id, revision, item)
	p := event.Post{
		Channel: channel, Network: "webhook", Story: id, Article: id, Revision: revision, Action: action, FirstSeen: firstSeen, Published: firstSeen,
		Title: item, URL: "https://example.org/" + item, Text: item,
		Request: event.Request{Method: "POST", Body: json.RawMessage(body)}, Hash: event.Hash([]byte(body)),
	}
	subject, err := event.PostSubject(channel, id)
	if err != nil {
		t.Fatal(err)
	}
	m, err := event.Encode(subject, event.Envelope{
		Type: event.TypePost, ID: event.PostID(channel, id, revision), Source: "publish", Time: time.Now(), Article: id,
		Version: event.Version{Revision: revision},
	}, p)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func document(s *sink, more string) []byte {
	return fmt.Appendf(nil, "channels:\n  - {id: hook, network: webhook, url: %q, allow_private: true%s}\n", s.URL+"/in", more)
}

// start runs the service and returns a function that stops it and waits.
func start(t *testing.T, b *bus.Bus, data []byte) (stop func()) {
	t.Helper()
	a, err := New(t.Context(), Deps{
		Config: config.New("tidings.yaml", data, nil), Bus: b, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Checks: &run.Checks{},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

// until polls a condition of the ledger.
func until(t *testing.T, what string, met func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !met() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func known(t *testing.T, b *bus.Bus) func() bool {
	return func() bool {
		list, err := Channels(t.Context(), b)
		return err == nil && len(list) == 1
	}
}

func inState(t *testing.T, b *bus.Bus, state string, n int) func() bool {
	return func() bool {
		list, err := Deliveries(t.Context(), b, DeliveryFilter{State: state})
		return err == nil && len(list) == n
	}
}

func emit(t *testing.T, b *bus.Bus, m event.Message) {
	t.Helper()
	if _, err := b.Emit(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

func TestPostIsSentOnceAcrossRestarts(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	b, publisher, hook := server.Bus(t, Name), server.Bus(t, "publish"), newSink(t)
	stop := start(t, b, document(hook, ""))
	until(t, "the channel has its row", known(t, b))

	emit(t, publisher, post(t, "hook", "one", 1, time.Now()))
	calls := hook.await(t, 1)
	until(t, "the row is sent", inState(t, b, "sent", 1))
	if !strings.HasPrefix(calls[0].Type, "application/cloudevents+json") || !strings.HasPrefix(calls[0].ID, "msg_") {
		t.Errorf("%s with id %q, want a CloudEvent with an id", calls[0].Type, calls[0].ID)
	}
	// A consumer that begins again hands out everything once more, as after a lost ack.
	stop()
	if err := b.DropConsumer(t.Context(), event.StreamPosts, event.ChannelConsumer("hook").Name); err != nil {
		t.Fatal(err)
	}
	start(t, b, document(hook, ""))
	emit(t, publisher, post(t, "hook", "two", 1, time.Now()))
	hook.await(t, 2)
	until(t, "both rows are sent", inState(t, b, "sent", 2))
	until(t, "nothing is pending", func() bool {
		l, err := Channels(t.Context(), b)
		return err == nil && l[0].Pending == 0
	})
	if n := len(hook.got()); n != 2 {
		t.Errorf("the sink got %d calls for two stories", n)
	}
}

func TestEditAndWithdrawalReachTheReceiver(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	b, publisher, hook := server.Bus(t, Name), server.Bus(t, "publish"), newSink(t)
	start(t, b, document(hook, ""))
	until(t, "the channel has its row", known(t, b))
	emit(t, publisher, post(t, "hook", "one", 1, time.Now()))
	hook.await(t, 1)
	emit(t, publisher, post(t, "hook", "one", 2, time.Now()))
	hook.await(t, 2)
	emit(t, publisher, withdrawn(t, "hook", "one", 3))
	calls := hook.await(t, 3)
	until(t, "the row is deleted", inState(t, b, "deleted", 1))
	ids := map[string]bool{}
	for _, c := range calls {
		ids[c.ID] = true
	}
	if len(ids) != 3 || !strings.Contains(string(calls[2].Body), `"type":"article.removed"`) {
		t.Errorf("three events, the last a removal: %s", calls[2].Body)
	}
}

func TestOutageOfTheBusLosesNothingAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	b, publisher, hook := server.Bus(t, Name), server.Bus(t, "publish"), newSink(t)
	start(t, b, document(hook, ""))
	until(t, "the channel has its row", known(t, b))
	for n := range 10 {
		emit(t, publisher, post(t, "hook", fmt.Sprint("before ", n), 1, time.Now()))
	}
	server.Stop() // somewhere in the middle of them
	server.Start(t)
	until(t, "the bus is back", func() bool { return publisher.Probe(t.Context()) == nil })
	for n := range 10 {
		emit(t, publisher, post(t, "hook", fmt.Sprint("after ", n), 1, time.Now()))
	}
	until(t, "all rows are sent", inState(t, b, "sent", 20))
	ids := map[string]int{}
	for _, c := range hook.got() {
		ids[c.ID]++
	}
	if len(ids) != 20 {
		t.Errorf("%d of 20 events arrived", len(ids))
	}
	for id, n := range ids {
		if n > 2 { // the one that flew when the bus went may come once more, with its id
			t.Errorf("event %s came %d times", id, n)
		}
	}
}

func TestTwoReplicasShareTheWorkWithoutRepeats(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	b, publisher, hook := server.Bus(t, Name), server.Bus(t, "publish"), newSink(t)
	stop := start(t, b, document(hook, ""))
	until(t, "the channel has its row", known(t, b))
	start(t, server.Bus(t, Name), document(hook, ""))
	for n := range 5 {
		emit(t, publisher, post(t, "hook", fmt.Sprint("one ", n), 1, time.Now()))
	}
	hook.await(t, 5)
	until(t, "all rows are sent", inState(t, b, "sent", 5))
	stop() // gives its lease back; the other takes over
	for n := range 5 {
		emit(t, publisher, post(t, "hook", fmt.Sprint("two ", n), 1, time.Now()))
	}
	hook.await(t, 10)
	until(t, "all rows are sent", inState(t, b, "sent", 10))
	if n := len(hook.got()); n != 10 {
		t.Errorf("%d calls for 10 stories", n)
	}
}

func TestSecretsAreInNoRowNoticeLetterLogOrMetric(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	b, publisher := server.Bus(t, Name), server.Bus(t, "publish")
	const path, value = "/planted-path-8842", "planted-value-1157"
	key := "whsec_" + base64.StdEncoding.EncodeToString([]byte("planted-key-planted-key-planted!"))
	statuses := []int{http.StatusUnprocessableEntity, http.StatusInternalServerError, http.StatusUnauthorized}
	var mu sync.Mutex
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		status := statuses[0]
		statuses = append(statuses[1:], status)
		w.WriteHeader(status)
		_, _ = fmt.Fprintln(w, r.URL, r.Header, key) // as careless servers do
	}))
	t.Cleanup(hook.Close)
	log := &buffer{}
	registry := prometheus.NewRegistry()
	data := fmt.Appendf(nil, "channels:\n  - {id: hook, network: webhook, url: %q, secret: %q, headers: {x-key: %s}, allow_private: true}\n", hook.URL+path, key, value)
	a, err := New(t.Context(), Deps{
		Config: config.New("tidings.yaml", data, nil), Bus: b, Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})), Metrics: registry, Checks: &run.Checks{},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	until(t, "the channel has its row", known(t, b))
	for n := range 3 {
		emit(t, publisher, post(t, "hook", fmt.Sprint(n), 1, time.Now()))
		until(t, "it was tried", func() bool {
			list, err := Deliveries(t.Context(), b, DeliveryFilter{})
			tried := 0
			for _, d := range list {
				if d.Text != "" {
					tried++
				}
			}
			return err == nil && tried == n+1
		})
	}
	until(t, "the channel is paused", func() bool {
		list, err := Channels(t.Context(), b)
		return err == nil && list[0].Paused == "refused"
	})
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	entries, err := b.Bucket(event.BucketDeliveries).Entries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		_, _ = log.Write(e.Value)
	}
	for _, stream := range []string{event.StreamEvents, event.StreamDead} {
		state, err := b.StreamState(t.Context(), stream)
		if err != nil || state.Messages == 0 {
			t.Fatalf("%s holds %d messages, %v", stream, state.Messages, err)
		}
		for s := state.First; s <= state.Last; s++ {
			m, err := b.At(t.Context(), stream, s)
			if err != nil || m == nil {
				t.Fatal(m, err)
			}
			_, _ = fmt.Fprintln(log, m.Header, string(m.Body))
		}
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	_, _ = fmt.Fprintln(log, families)
	for _, secret := range []string{path, value, key, strings.TrimPrefix(key, "whsec_")} {
		if text := log.String(); strings.Contains(text, secret) {
			i := strings.Index(text, secret)
			t.Errorf("%q came out: …%s…", secret, text[max(0, i-200):min(len(text), i+100)])
		}
	}
}

// buffer collects texts from any goroutine.
type buffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) { b.mu.Lock(); defer b.mu.Unlock(); return b.b.Write(p) }
func (b *buffer) String() string              { b.mu.Lock(); defer b.mu.Unlock(); return b.b.String() }

func TestAFailedStartLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, Name)
	registry := prometheus.NewRegistry()
	_, err := New(t.Context(), Deps{
		Config: config.New("tidings.yaml", []byte("deliver: {max_opn: 3}\n"), nil), Bus: b, Log: slog.New(slog.DiscardHandler), Metrics: registry, Checks: &run.Checks{},
	})
	if err == nil || !strings.Contains(err.Error(), `did you mean "max_open"?`) {
		t.Errorf("%v", err)
	}
	if families, err := registry.Gather(); err != nil || len(families) != 0 {
		t.Errorf("%d families are registered, %v", len(families), err)
	}
}
