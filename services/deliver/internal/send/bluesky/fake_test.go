package bluesky

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/send/sendtest"
)

const (
	password = "planted-pass-word-0a1b"
	did      = "did:plc:abcdefghijklmnopqrstuvwx"
)

// fake is a server of the AT Protocol as far as deliver uses it, with the names of its errors. Tokens expire when a test
// says so, and the server then answers 400.
type fake struct {
	server *sendtest.Server
	clock  *sendtest.Clock

	mu      sync.Mutex
	records map[string]map[string]json.RawMessage // by key
	order   []string
	token   int // number of the last token
	revoked int // tokens up to this number have expired
	logins  int
	fresh   int // how often a session was refreshed
	dead    bool
}

func newFake(t *testing.T, clock *sendtest.Clock) *fake {
	f := &fake{clock: clock, records: map[string]map[string]json.RawMessage{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /xrpc/com.atproto.server.createSession", f.login)
	mux.HandleFunc("POST /xrpc/com.atproto.server.refreshSession", f.refresh)
	mux.HandleFunc("GET /xrpc/com.atproto.repo.getRecord", f.get)
	mux.HandleFunc("POST /xrpc/com.atproto.repo.putRecord", f.put)
	mux.HandleFunc("POST /xrpc/com.atproto.repo.deleteRecord", f.remove)
	f.server = sendtest.NewServer(t, mux)
	f.server.Aside = func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/xrpc/com.atproto.server.") }
	return f
}

func refuse(w http.ResponseWriter, status int, name string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": name, "message": "because " + name})
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func (f *fake) session(w http.ResponseWriter) {
	f.token++
	answer(w, map[string]string{"did": did, "handle": "news.example.org", "accessJwt": fmt.Sprintf("planted-access-token-%04d", f.token), "refreshJwt": "planted-refresh-token"})
}

func (f *fake) login(w http.ResponseWriter, r *http.Request) {
	var in struct{ Identifier, Password string }
	f.mu.Lock()
	defer f.mu.Unlock()
	f.logins++
	if json.NewDecoder(r.Body).Decode(&in) != nil || in.Password != password {
		refuse(w, http.StatusUnauthorized, "AuthenticationRequired")
		return
	}
	f.session(w)
}

func (f *fake) refresh(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead || r.Header.Get("Authorization") != "Bearer planted-refresh-token" {
		refuse(w, http.StatusBadRequest, "ExpiredToken")
		return
	}
	f.fresh++
	f.session(w)
}

// admitted checks the token of a request. The caller holds the lock.
func (f *fake) admitted(w http.ResponseWriter, r *http.Request) bool {
	n := 0
	switch _, err := fmt.Sscanf(r.Header.Get("Authorization"), "Bearer planted-access-token-%d", &n); {
	case err != nil:
		refuse(w, http.StatusUnauthorized, "AuthMissing")
		return false
	case n <= f.revoked:
		refuse(w, http.StatusBadRequest, "ExpiredToken")
		return false
	}
	return true
}

func (f *fake) get(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.admitted(w, r) {
		return
	}
	q := r.URL.Query()
	rec, ok := f.records[q.Get("rkey")]
	if !ok || q.Get("repo") != did || q.Get("collection") != collection {
		refuse(w, http.StatusBadRequest, "RecordNotFound")
		return
	}
	answer(w, map[string]any{"uri": "at://" + did, "value": rec})
}

func (f *fake) put(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.admitted(w, r) {
		return
	}
	var in struct {
		Repo, Collection, RKey string
		Validate               bool
		Record                 map[string]json.RawMessage
	}
	if json.NewDecoder(r.Body).Decode(&in) != nil || in.Repo != did || in.Collection != collection || !in.Validate || len(in.RKey) != 13 || strings.Trim(in.RKey, sortable) != "" ||
		in.Record["text"] == nil || strings.Contains(string(in.Record["embed"]), "$media") {
		refuse(w, http.StatusBadRequest, "InvalidRequest")
		return
	}
	if f.records[in.RKey] == nil {
		f.order = append(f.order, in.RKey)
	}
	f.records[in.RKey] = in.Record // the same record again is no new post
	answer(w, map[string]string{"uri": "at://" + did + "/" + collection + "/" + in.RKey, "cid": "bafy"})
}

func (f *fake) remove(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.admitted(w, r) {
		return
	}
	var in struct{ Repo, Collection, RKey string }
	if json.NewDecoder(r.Body).Decode(&in) != nil || in.Repo != did {
		refuse(w, http.StatusBadRequest, "InvalidRequest")
		return
	}
	delete(f.records, in.RKey)
	f.order = slices.DeleteFunc(f.order, func(k string) bool { return k == in.RKey })
	answer(w, map[string]any{})
}

func (f *fake) Server() *sendtest.Server { return f.server }

func (f *fake) Keys(base string) ([]string, []string) {
	return []string{"server: " + base, "handle: news.example.org", "password: " + password}, []string{password, "planted-access-token", "planted-refresh-token"}
}

func (f *fake) Post(story string, revision uint64, op ledger.Op, text string) event.Post {
	p := event.Post{
		Channel: "ch", Network: "bluesky", Story: story, Article: story, Revision: revision, Action: string(op),
		FirstSeen: f.clock.Now(), Published: f.clock.Now(), Title: text, URL: "https://example.org/" + story,
	}
	if op == ledger.Delete {
		return p
	}
	p.Text = text + " example.org/" + story
	body, _ := json.Marshal(map[string]any{"repo": "{repo}", "collection": collection, "rkey": "{rkey}", "validate": true, "record": map[string]any{
		"$type": collection, "text": p.Text, "createdAt": time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC).Format(time.RFC3339Nano),
		"embed": map[string]any{"$type": "app.bsky.embed.external", "external": map[string]any{"uri": p.URL, "title": "t", "description": "d", "thumb": map[string]string{"$media": "card"}}},
	}})
	p.Request, p.Media = event.Request{Method: "POST", Path: "/xrpc/com.atproto.repo.putRecord", Body: body}, []event.Asset{{Name: "card", URL: "https://example.org/a.jpg"}}
	p.Hash = event.Hash(body)
	return p
}

// Made lists the words of each post before its link.
func (f *fake) Made() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := []string{}
	for _, k := range f.order {
		var text string
		_ = json.Unmarshal(f.records[k]["text"], &text)
		words, _, _ := strings.Cut(text, " example.org/")
		list = append(list, words)
	}
	return list
}
