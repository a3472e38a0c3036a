package history

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"sync"
)

// Sink is a webhook receiver that logs every call it accepts.
type Sink struct {
	mu    sync.Mutex
	calls []Call
}

// ServeHTTP implements [http.Handler].
func (s *Sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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
	s.calls = append(s.calls, Call{ID: r.Header.Get("webhook-id"), Type: event.Type, Key: KeyOf(event.Subject), Title: event.Data.Title, Body: string(body)})
	s.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

// Log lists the calls so far, in their order.
func (s *Sink) Log() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}
