package mastodon

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/send/sendtest"
)

const token = "planted-token-5f3a91c0"

// flavour is how servers with the statuses API differ, as far as deliver notices.
type flavour struct {
	honours    bool // the Idempotency-Key
	goToSocial bool // ids are letters, a post says what its text is, no key is honoured
}

// fake is a server with the statuses API as far as deliver uses it.
type fake struct {
	flavour
	server *sendtest.Server
	clock  *sendtest.Clock

	mu       sync.Mutex
	next     int
	statuses []fakeStatus
	keys     map[string]int // status by Idempotency-Key
	account  string
	instance string // what it says of itself
}

type fakeStatus struct {
	ID      string    `json:"id"`
	URL     string    `json:"url"`
	Content string    `json:"content"`
	Created time.Time `json:"created_at"`
	Padding string    `json:"padding,omitempty"`
	text    string
}

func newFake(t *testing.T, clock *sendtest.Clock, of flavour) *fake {
	f := &fake{clock: clock, flavour: of, next: 100, keys: map[string]int{}, account: "42"}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/accounts/verify_credentials", func(w http.ResponseWriter, _ *http.Request) {
		f.answer(w, map[string]string{"id": f.account, "acct": "news"})
	})
	mux.HandleFunc("GET /api/v1/accounts/{account}/statuses", f.list)
	mux.HandleFunc("GET /api/v2/instance", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, f.instance) })
	mux.HandleFunc("POST /api/v1/statuses", f.create)
	mux.HandleFunc("PUT /api/v1/statuses/{id}", f.edit)
	mux.HandleFunc("DELETE /api/v1/statuses/{id}", f.remove)
	f.server = sendtest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			http.Error(w, `{"error":"The access token is invalid"}`, http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	return f
}

func (f *fake) answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// status reads the text of a request. Unknown fields and a visibility in an edit are refused, as a strict server would.
func (f *fake) status(w http.ResponseWriter, r *http.Request) (string, bool) {
	var in struct {
		Status      string `json:"status"`
		Visibility  string `json:"visibility"`
		Language    string `json:"language"`
		ContentType string `json:"content_type"`
	}
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil || in.Status == "" || (in.ContentType == "text/plain") != f.goToSocial || r.Method == http.MethodPut && in.Visibility != "" {
		http.Error(w, `{"error":"Validation failed"}`, http.StatusUnprocessableEntity)
		return "", false
	}
	return in.Status, true
}

func (f *fake) create(w http.ResponseWriter, r *http.Request) {
	text, ok := f.status(w, r)
	if !ok {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	key := r.Header.Get("Idempotency-Key")
	if i, seen := f.keys[key]; seen && f.honours {
		f.answer(w, f.statuses[i])
		return
	}
	f.next++
	id := strconv.Itoa(f.next)
	if f.goToSocial {
		id = fmt.Sprintf("01JDB%021d", f.next)
	}
	f.keys[key] = len(f.statuses)
	s := fakeStatus{ID: id, URL: f.server.URL + "/@news/" + id, Content: markup(text), Created: f.clock.Now(), text: text}
	f.statuses = append(f.statuses, s)
	f.answer(w, s)
}

// markup shows a text as Mastodon does: paragraphs, and links with their scheme hidden.
func markup(text string) string {
	words := strings.Split(text, " ")
	for i, w := range words {
		if rest, ok := strings.CutPrefix(w, "https://"); ok {
			words[i] = fmt.Sprintf(`<a href="%s"><span class="invisible">https://</span><span>%s</span></a>`, html.EscapeString(w), html.EscapeString(rest))
		} else {
			words[i] = html.EscapeString(w)
		}
	}
	return "<p>" + strings.Join(words, " ") + "</p>"
}

func (f *fake) find(id string) int {
	return slices.IndexFunc(f.statuses, func(s fakeStatus) bool { return s.ID == id })
}

func (f *fake) edit(w http.ResponseWriter, r *http.Request) {
	text, ok := f.status(w, r)
	if !ok {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.find(r.PathValue("id"))
	if i < 0 {
		http.Error(w, `{"error":"Record not found"}`, http.StatusNotFound)
		return
	}
	f.statuses[i].text, f.statuses[i].Content = text, markup(text)
	f.answer(w, f.statuses[i])
}

func (f *fake) remove(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.find(r.PathValue("id"))
	if i < 0 {
		http.Error(w, `{"error":"Record not found"}`, http.StatusNotFound)
		return
	}
	f.statuses = slices.Delete(f.statuses, i, i+1)
	f.answer(w, map[string]string{})
}

func (f *fake) list(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.PathValue("account") != f.account {
		f.answer(w, []fakeStatus{})
		return
	}
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	page := []fakeStatus{}
	for _, s := range slices.Backward(f.statuses) {
		if max := r.URL.Query().Get("max_id"); (max == "" || s.ID < max) && len(page) < limit {
			page = append(page, s)
		}
	}
	f.answer(w, page)
}

func (f *fake) Server() *sendtest.Server { return f.server }

func (f *fake) Keys(base string) ([]string, []string) {
	keys := []string{"server: " + base, "token: " + token, "visibility: public"}
	if f.goToSocial {
		keys = append(keys, "flavour: gotosocial")
	}
	return keys, []string{token}
}

func (f *fake) Post(story string, revision uint64, op ledger.Op, text string) event.Post {
	p := event.Post{
		Channel: "ch", Network: "mastodon", Story: story, Article: story, Revision: revision, Action: string(op),
		FirstSeen: f.clock.Now(), Published: f.clock.Now(), Title: text, URL: "https://example.org/a?b=1&c=" + story,
	}
	if op == ledger.Delete {
		return p
	}
	p.Text = text + " https://example.org/a?b=1&c=" + story
	fields := map[string]string{"status": p.Text, "visibility": "public", "language": "de"}
	if f.goToSocial {
		fields["content_type"] = "text/plain"
	}
	body, _ := json.Marshal(fields)
	p.Request = event.Request{Method: "POST", Path: statuses, Body: body}
	p.Hash = event.Hash(body)
	return p
}

// Made lists the first words of each status, without its link.
func (f *fake) Made() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := []string{}
	for _, s := range f.statuses {
		text, _, _ := strings.Cut(s.text, " https://")
		list = append(list, text)
	}
	return list
}
