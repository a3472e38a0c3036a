package faults

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
)

// sink is a webhook receiver that logs every call it accepts.
type sink struct {
	server *httptest.Server

	mu    sync.Mutex
	calls []Call
}

func newSink(t *testing.T) *sink {
	t.Helper()
	s := &sink{}
	s.server = httptest.NewServer(s)
	t.Cleanup(s.server.Close)
	return s
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender died in the middle: it was not accepted
	}
	var event struct {
		Type string `json:"type"`
		Data struct {
			URL   string `json:"url"`
			Title string `json:"title"`
		} `json:"data"`
		Subject string `json:"subject"`
	}
	if err := json.Unmarshal(body, &event); err != nil {
		http.Error(w, "no CloudEvent", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.calls = append(s.calls, Call{ID: r.Header.Get("webhook-id"), Type: event.Type, Key: keyOf(event.Subject), Title: event.Data.Title, Body: string(body)})
	s.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

func (s *sink) log() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}
