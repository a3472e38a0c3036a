package slack

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"tidings.internal/pkg/event"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/send/sendtest"
)

const (
	token = "xoxb-planted-token-51aa90cc17"
	room  = "C0123456789"
)

// fake is the Web API as far as deliver uses it, with the words of its errors.
type fake struct {
	server *sendtest.Server
	clock  *sendtest.Clock

	mu       sync.Mutex
	messages []fakeMessage
}

type fakeMessage struct {
	ts, text string
	deleted  bool
}

func newFake(t *testing.T, clock *sendtest.Clock) *fake {
	f := &fake{clock: clock}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/chat.postMessage", f.post)
	mux.HandleFunc("POST /api/chat.update", f.update)
	mux.HandleFunc("POST /api/chat.delete", f.remove)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { refuse(w, "unknown_method") })
	mux.HandleFunc("POST /api/auth.test", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			refuse(w, "invalid_auth")
			return
		}
		answer(w, map[string]any{"ok": true, "team": "Kundennah", "team_id": "T0000001", "user": "news", "user_id": "U0000042"})
	})
	f.server = sendtest.NewServer(t, mux)
	f.server.Aside = func(r *http.Request) bool { return r.URL.Path == "/api/auth.test" }
	return f
}

func answer(w http.ResponseWriter, v map[string]any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, word string) {
	answer(w, map[string]any{"ok": false, "error": word})
}

type fakeFields struct {
	Channel string            `json:"channel"`
	TS      string            `json:"ts"`
	Text    string            `json:"text"`
	Blocks  []json.RawMessage `json:"blocks"`
	Links   *bool             `json:"unfurl_links"`
	Media   *bool             `json:"unfurl_media"`
}

func read(w http.ResponseWriter, r *http.Request) (fakeFields, bool) {
	var in fakeFields
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	switch {
	case r.Header.Get("Authorization") != "Bearer "+token:
		refuse(w, "invalid_auth")
	case dec.Decode(&in) != nil:
		refuse(w, "invalid_arguments")
	case in.Channel != room:
		refuse(w, "channel_not_found")
	default:
		return in, true
	}
	return in, false
}

func (f *fake) post(w http.ResponseWriter, r *http.Request) {
	in, ok := read(w, r)
	if !ok {
		return
	}
	if in.Text == "" || in.TS != "" {
		refuse(w, "no_text")
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	m := fakeMessage{ts: fmt.Sprintf("1503435956.%06d", len(f.messages)), text: in.Text}
	f.messages = append(f.messages, m)
	answer(w, map[string]any{"ok": true, "channel": room, "ts": m.ts, "message": map[string]any{"text": in.Text}})
}

func (f *fake) find(in fakeFields) int {
	return slices.IndexFunc(f.messages, func(m fakeMessage) bool { return m.ts == in.TS && !m.deleted })
}

func (f *fake) update(w http.ResponseWriter, r *http.Request) {
	in, ok := read(w, r)
	if !ok {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch i := f.find(in); {
	case i < 0:
		refuse(w, "message_not_found")
	case in.Links != nil || in.Media != nil:
		refuse(w, "invalid_arguments")
	default:
		f.messages[i].text = in.Text
		answer(w, map[string]any{"ok": true, "channel": room, "ts": in.TS, "text": in.Text})
	}
}

func (f *fake) remove(w http.ResponseWriter, r *http.Request) {
	in, ok := read(w, r)
	if !ok {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.find(in)
	if i < 0 {
		refuse(w, "message_not_found")
		return
	}
	f.messages[i].deleted = true
	answer(w, map[string]any{"ok": true, "channel": room, "ts": in.TS})
}

func (f *fake) Server() *sendtest.Server { return f.server }

func (f *fake) Keys(base string) ([]string, []string) {
	return []string{"server: " + base, "room: " + room, "token: " + token}, []string{token}
}

func (f *fake) Post(story string, revision uint64, op ledger.Op, text string) event.Post {
	p := event.Post{
		Channel: "ch", Network: "slack", Story: story, Article: story, Revision: revision, Action: string(op),
		FirstSeen: f.clock.Now(), Published: f.clock.Now(), Title: text, URL: "https://example.org/" + story,
	}
	if op == ledger.Delete {
		return p
	}
	p.Text = text + " https://example.org/" + story
	body, _ := json.Marshal(map[string]any{"text": p.Text, "blocks": []any{}, "unfurl_links": false, "unfurl_media": false})
	p.Request = event.Request{Method: "POST", Path: "/api/chat.postMessage", Body: body}
	p.Hash = event.Hash(body)
	return p
}

// Made lists the words of each message before its link.
func (f *fake) Made() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := []string{}
	for _, m := range f.messages {
		if text, _, _ := strings.Cut(m.text, " https://"); !m.deleted {
			list = append(list, text)
		}
	}
	return list
}
