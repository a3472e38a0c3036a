package discord

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"tidings.internal/pkg/event"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/send/sendtest"
)

const (
	number = "123456789012345678"
	token  = "planted-token-of-a-webhook-4e1b77aa"
)

// fake is a webhook as far as deliver uses it.
type fake struct {
	server *sendtest.Server
	clock  *sendtest.Clock

	mu       sync.Mutex
	messages []fakeMessage
}

type fakeMessage struct {
	id, content, thread string
	deleted             bool
}

func newFake(t *testing.T, clock *sendtest.Clock) *fake {
	f := &fake{clock: clock}
	mux := http.NewServeMux()
	base := "/api/webhooks/" + number + "/" + token
	mux.HandleFunc("POST "+base, f.create)
	mux.HandleFunc("GET "+base, func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"id": number, "name": "News", "token": token, "channel_id": "1"})
	})
	mux.HandleFunc("PATCH "+base+"/messages/{id}", f.edit)
	mux.HandleFunc("DELETE "+base+"/messages/{id}", f.remove)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusNotFound, 10015, "Unknown Webhook") })
	f.server = sendtest.NewServer(t, mux)
	return f
}

func refuse(w http.ResponseWriter, status, code int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"message": text, "code": code})
}

// content reads a request: nobody may be called, and a field that Discord does not know is refused here.
func content(w http.ResponseWriter, r *http.Request) (string, bool) {
	var in struct {
		Content  string `json:"content"`
		Username string `json:"username"`
		Flags    int    `json:"flags"`
		Mentions *struct {
			Parse []string `json:"parse"`
		} `json:"allowed_mentions"`
	}
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	bad := dec.Decode(&in) != nil || in.Content == "" || in.Mentions == nil || in.Mentions.Parse == nil || len(in.Mentions.Parse) > 0
	if bad || r.Method == http.MethodPatch && in.Username != "" {
		refuse(w, http.StatusBadRequest, 50035, "Invalid Form Body")
		return "", false
	}
	return in.Content, true
}

func (f *fake) create(w http.ResponseWriter, r *http.Request) {
	text, ok := content(w, r)
	if !ok {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	m := fakeMessage{id: strconv.Itoa(900_000_000_000 + len(f.messages)), content: text, thread: r.URL.Query().Get("thread_id")}
	f.messages = append(f.messages, m)
	if r.URL.Query().Get("wait") != "true" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"id": m.id, "content": m.content})
}

// find is the message that a request names, -1 without one: one of a thread is found in its thread only.
func (f *fake) find(r *http.Request) int {
	return slices.IndexFunc(f.messages, func(m fakeMessage) bool {
		return m.id == r.PathValue("id") && m.thread == r.URL.Query().Get("thread_id") && !m.deleted
	})
}

func (f *fake) edit(w http.ResponseWriter, r *http.Request) {
	text, ok := content(w, r)
	if !ok {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.find(r)
	if i < 0 {
		refuse(w, http.StatusNotFound, 10008, "Unknown Message")
		return
	}
	f.messages[i].content = text
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"id": f.messages[i].id})
}

func (f *fake) remove(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.find(r)
	if i < 0 {
		refuse(w, http.StatusNotFound, 10008, "Unknown Message")
		return
	}
	f.messages[i].deleted = true
	w.WriteHeader(http.StatusNoContent)
}

func (f *fake) Server() *sendtest.Server { return f.server }

func (f *fake) Keys(base string) ([]string, []string) {
	return []string{"url: " + base + "/api/webhooks/" + number + "/" + token}, []string{token}
}

func (f *fake) Post(story string, revision uint64, op ledger.Op, text string) event.Post {
	p := event.Post{
		Channel: "ch", Network: "discord", Story: story, Article: story, Revision: revision, Action: string(op),
		FirstSeen: f.clock.Now(), Published: f.clock.Now(), Title: text, URL: "https://example.org/" + story,
	}
	if op == ledger.Delete {
		return p
	}
	p.Text = text + " https://example.org/" + story
	body, _ := json.Marshal(map[string]any{"content": p.Text, "username": "News"})
	p.Request = event.Request{Method: "POST", Body: body}
	p.Hash = event.Hash(body)
	return p
}

// Made lists the words of each message before its link.
func (f *fake) Made() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := []string{}
	for _, m := range f.messages {
		if text, _, _ := strings.Cut(m.content, " https://"); !m.deleted {
			list = append(list, text)
		}
	}
	return list
}
