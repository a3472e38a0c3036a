package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
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
	if calls[0].Type != "application/cloudevents+json" || calls[0].ID == "" {
		t.Errorf("call = %+v, want a CloudEvent with an id", calls[0])
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
