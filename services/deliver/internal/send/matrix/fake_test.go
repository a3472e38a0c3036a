package matrix

import (
	"encoding/json"
	"fmt"
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
	token = "planted-token-9c1d40ee"
	room  = "!news/room:example.org" // to be escaped in a path
	user  = "@news:example.org"
)

// fake is a server of Matrix as far as deliver uses it. It knows transaction ids until it is told to forget them.
type fake struct {
	server *sendtest.Server
	clock  *sendtest.Clock

	mu     sync.Mutex
	events []fakeEvent
	txns   map[string]string
	large  bool // answers of lists are larger than is read
}

type fakeEvent struct {
	id, body string
	relates  bool
	redacted bool
	at       int64
}

func newFake(t *testing.T, clock *sendtest.Clock) *fake {
	f := &fake{clock: clock, txns: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_matrix/client/v3/account/whoami", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]string{"user_id": user, "device_id": "D"})
	})
	mux.HandleFunc("PUT /_matrix/client/v3/rooms/{room}/send/m.room.message/{txn}", f.send)
	mux.HandleFunc("PUT /_matrix/client/v3/rooms/{room}/redact/{event}/{txn}", f.redact)
	mux.HandleFunc("GET /_matrix/client/v3/rooms/{room}/messages", f.list)
	f.server = sendtest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			refuse(w, http.StatusUnauthorized, "M_UNKNOWN_TOKEN")
			return
		}
		mux.ServeHTTP(w, r)
	}))
	return f
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"errcode": code, "error": "no"})
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func (f *fake) send(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Type      string          `json:"msgtype"`
		Body      string          `json:"body"`
		NewBody   json.RawMessage `json:"m.new_content"`
		RelatesTo *struct {
			Type  string `json:"rel_type"`
			Event string `json:"event_id"`
		} `json:"m.relates_to"`
	}
	if r.PathValue("room") != room || json.NewDecoder(r.Body).Decode(&in) != nil || in.Body == "" || in.Type != "m.text" {
		refuse(w, http.StatusBadRequest, "M_BAD_JSON")
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if id, ok := f.txns[r.PathValue("txn")]; ok {
		answer(w, map[string]string{"event_id": id})
		return
	}
	e := fakeEvent{id: fmt.Sprintf("$event%d", len(f.events)), body: in.Body, relates: in.RelatesTo != nil, at: f.clock.Now().UnixMilli()}
	if e.relates {
		i := slices.IndexFunc(f.events, func(o fakeEvent) bool { return o.id == in.RelatesTo.Event })
		var content struct {
			Body string `json:"body"`
		}
		if i < 0 || in.RelatesTo.Type != "m.replace" || json.Unmarshal(in.NewBody, &content) != nil {
			refuse(w, http.StatusBadRequest, "M_BAD_JSON")
			return
		}
		f.events[i].body = content.Body
	}
	f.events = append(f.events, e)
	f.txns[r.PathValue("txn")] = e.id
	answer(w, map[string]string{"event_id": e.id})
}

func (f *fake) redact(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.events, func(o fakeEvent) bool { return o.id == r.PathValue("event") })
	if i < 0 || r.PathValue("room") != room {
		refuse(w, http.StatusNotFound, "M_NOT_FOUND")
		return
	}
	f.events[i].redacted = true
	answer(w, map[string]string{"event_id": "$redaction"})
}

func (f *fake) list(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	from := len(f.events)
	if text := r.URL.Query().Get("from"); text != "" {
		from, _ = strconv.Atoi(text)
	}
	padding := ""
	if f.large {
		padding = strings.Repeat("x", 4<<10)
	}
	chunk := []any{}
	for i := from - 1; i >= 0 && len(chunk) < limit; i-- {
		e := f.events[i]
		content := map[string]any{"body": e.body, "padding": padding}
		if e.relates {
			content["m.relates_to"] = map[string]string{"rel_type": "m.replace"}
		}
		if e.redacted {
			content = map[string]any{}
		}
		chunk = append(chunk, map[string]any{"event_id": e.id, "sender": user, "type": "m.room.message", "origin_server_ts": e.at, "content": content})
		from = i
	}
	out := map[string]any{"chunk": chunk, "start": "s"}
	if from > 0 {
		out["end"] = strconv.Itoa(from)
	}
	answer(w, out)
}

func (f *fake) Server() *sendtest.Server { return f.server }

func (f *fake) Keys(base string) ([]string, []string) {
	return []string{"server: " + base, "room: " + strconv.Quote(room), "token: " + token}, []string{token}
}

func (f *fake) Post(story string, revision uint64, op ledger.Op, text string) event.Post {
	p := event.Post{
		Channel: "ch", Network: "matrix", Story: story, Article: story, Revision: revision, Action: string(op),
		FirstSeen: f.clock.Now(), Published: f.clock.Now(), Title: text, URL: "https://example.org/" + story,
	}
	if op == ledger.Delete {
		return p
	}
	p.Text = text + " https://example.org/" + story
	in := map[string]any{"msgtype": "m.text", "body": p.Text, "format": "org.matrix.custom.html", "formatted_body": "<p>" + text + "</p>", "m.mentions": map[string]any{}}
	if op == ledger.Edit {
		in = map[string]any{"msgtype": "m.text", "body": "* " + p.Text, "m.new_content": in, "m.relates_to": map[string]string{"rel_type": "m.replace", "event_id": "{remote_id}"}}
	}
	body, _ := json.Marshal(in)
	p.Request = event.Request{Method: "PUT", Body: body}
	p.Hash = event.Hash(body)
	return p
}

// Made lists the words of each message before its link.
func (f *fake) Made() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := []string{}
	for _, e := range f.events {
		if text, _, _ := strings.Cut(e.body, " https://"); !e.relates && !e.redacted {
			list = append(list, text)
		}
	}
	return list
}
