package telegram

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"tidings.internal/pkg/event"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/send/sendtest"
)

const token = "123456789:planted-token-77c01fd2ab"

// chat is the number that the fake gives to every chat.
const chat = -1001234567890

// fake is the Bot API as far as deliver uses it, with the sentences of its errors.
type fake struct {
	server *sendtest.Server
	clock  *sendtest.Clock

	mu       sync.Mutex
	messages []fakeMessage
}

type fakeMessage struct {
	id      int
	text    string
	deleted bool
}

func newFake(t *testing.T, clock *sendtest.Clock) *fake {
	f := &fake{clock: clock}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /bot"+token+"/sendMessage", f.send)
	mux.HandleFunc("POST /bot"+token+"/editMessageText", f.edit)
	mux.HandleFunc("POST /bot"+token+"/deleteMessage", f.remove)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusUnauthorized, "Unauthorized") })
	mux.HandleFunc("POST /bot"+token+"/getMe", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"ok":true,"result":{"id":777,"is_bot":true,"username":"news_bot"}}`)
	})
	f.server = sendtest.NewServer(t, mux)
	f.server.Aside = func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/getMe") }
	return f
}

func refuse(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{"ok": false, "error_code": code, "description": text})
}

// fields are those of a request. A number for a message and any other field are held to the documented types.
type fakeFields struct {
	Chat      json.RawMessage `json:"chat_id"`
	MessageID int             `json:"message_id"`
	Thread    int             `json:"message_thread_id"`
	Text      string          `json:"text"`
	ParseMode string          `json:"parse_mode"`
	Preview   struct {
		URL      string `json:"url"`
		Disabled bool   `json:"is_disabled"`
	} `json:"link_preview_options"`
	Silent bool `json:"disable_notification"`
}

func read(w http.ResponseWriter, r *http.Request) (fakeFields, bool) {
	var in fakeFields
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil || len(in.Chat) == 0 {
		refuse(w, http.StatusBadRequest, "Bad Request: "+fmt.Sprint(err))
		return in, false
	}
	return in, true
}

func (f *fake) answer(w http.ResponseWriter, id int) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"ok": true, "result": map[string]any{
		"message_id": id, "date": f.clock.Now().Unix(), "chat": map[string]any{"id": chat, "type": "channel", "username": "example_news"},
	}})
}

func (f *fake) send(w http.ResponseWriter, r *http.Request) {
	in, ok := read(w, r)
	if !ok {
		return
	}
	if in.Text == "" || in.ParseMode != "HTML" || in.MessageID != 0 {
		refuse(w, http.StatusBadRequest, "Bad Request: message text is empty")
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.messages = append(f.messages, fakeMessage{id: 100 + len(f.messages), text: in.Text})
	f.answer(w, 99+len(f.messages))
}

// find is the message that a request names, -1 without one.
func (f *fake) find(in fakeFields) int {
	if string(in.Chat) != fmt.Sprint(chat) {
		return -1
	}
	return slices.IndexFunc(f.messages, func(m fakeMessage) bool { return m.id == in.MessageID && !m.deleted })
}

func (f *fake) edit(w http.ResponseWriter, r *http.Request) {
	in, ok := read(w, r)
	if !ok {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch i := f.find(in); {
	case i < 0:
		refuse(w, http.StatusBadRequest, "Bad Request: message to edit not found")
	case f.messages[i].text == in.Text:
		refuse(w, http.StatusBadRequest, "Bad Request: message is not modified: specified new message content and reply markup are exactly the same")
	default:
		f.messages[i].text = in.Text
		f.answer(w, in.MessageID)
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
		refuse(w, http.StatusBadRequest, "Bad Request: message to delete not found")
		return
	}
	f.messages[i].deleted = true
	_, _ = w.Write([]byte(`{"ok":true,"result":true}`))
}

func (f *fake) Server() *sendtest.Server { return f.server }

func (f *fake) Keys(base string) ([]string, []string) {
	return []string{"server: " + base, `token: "` + token + `"`, `chat: "@example_news"`}, []string{token, "planted-token-77c01fd2ab"}
}

func (f *fake) Post(story string, revision uint64, op ledger.Op, text string) event.Post {
	p := event.Post{
		Channel: "ch", Network: "telegram", Story: story, Article: story, Revision: revision, Action: string(op),
		FirstSeen: f.clock.Now(), Published: f.clock.Now(), Title: text, URL: "https://example.org/" + story,
	}
	if op == ledger.Delete {
		return p
	}
	p.Text = text + " https://example.org/" + story
	in := map[string]any{"chat_id": "@example_news", "text": p.Text, "parse_mode": "HTML", "link_preview_options": map[string]string{"url": p.URL}}
	if op == ledger.Edit {
		in["message_id"] = "{remote_id}"
	}
	body, _ := json.Marshal(in)
	p.Request = event.Request{Method: "POST", Path: "/sendMessage", Body: body}
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
