package webhook

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/event"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/send/sendtest"
)

var (
	keyOne = bytes.Repeat([]byte{1}, 32)
	keyTwo = bytes.Repeat([]byte{2}, 24)
)

func secretOf(key []byte) string { return "whsec_" + base64.StdEncoding.EncodeToString(key) }

const (
	plantedPath  = "/in/planted-path-77b1"
	plantedValue = "planted-value-d41d8c"
)

// fake is a receiver that keeps a copy of the articles: it checks signatures with the second key, as one who is about
// to replace the first, and drops an event that it knows.
type fake struct {
	server *sendtest.Server
	clock  *sendtest.Clock

	mu    sync.Mutex
	seen  map[string]bool
	texts map[string]string
	order []string
}

func newFake(t *testing.T, clock *sendtest.Clock) *fake {
	f := &fake{clock: clock, seen: map[string]bool{}, texts: map[string]string{}}
	f.server = sendtest.NewServer(t, http.HandlerFunc(f.receive))
	return f
}

func (f *fake) receive(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if r.URL.Path != plantedPath || r.Header.Get("X-Api-Key") != plantedValue || r.Header.Get("Content-Type") != ContentType || !f.signed(r.Header, body) {
		http.Error(w, "who are you", http.StatusForbidden)
		return
	}
	var e struct {
		SpecVersion string `json:"specversion"`
		ID          string `json:"id"`
		Source      string `json:"source"`
		Type        string `json:"type"`
		Data        struct {
			Story string `json:"story"`
			Text  string `json:"text"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &e); err != nil || e.SpecVersion != "1.0" || e.ID != r.Header.Get("Webhook-Id") || e.Source == "" || e.Data.Story == "" {
		http.Error(w, "not an event", http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen[e.ID] {
		return
	}
	f.seen[e.ID] = true
	switch e.Type {
	case "article.removed":
		delete(f.texts, e.Data.Story)
	default:
		if _, known := f.texts[e.Data.Story]; !known {
			f.order = append(f.order, e.Data.Story)
		}
		f.texts[e.Data.Story] = e.Data.Text
	}
	w.WriteHeader(http.StatusAccepted)
}

// signed verifies as the specification of Standard Webhooks describes, by its own words and not by ours.
func (f *fake) signed(h http.Header, body []byte) bool {
	mac := hmac.New(sha256.New, keyTwo)
	_, _ = io.WriteString(mac, h.Get("webhook-id")+"."+h.Get("webhook-timestamp")+"."+string(body))
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for s := range strings.SplitSeq(h.Get("webhook-signature"), " ") {
		if hmac.Equal([]byte(s), []byte(want)) {
			return h.Get("webhook-timestamp") == fmt.Sprint(f.clock.Now().Unix())
		}
	}
	return false
}

func (f *fake) Server() *sendtest.Server { return f.server }

func (f *fake) Keys(base string) ([]string, []string) {
	return []string{
		"url: " + base + plantedPath, fmt.Sprintf("secret: %q", secretOf(keyOne)+"\n"+secretOf(keyTwo)), "headers: {x-api-key: " + plantedValue + "}",
	}, []string{plantedPath, plantedValue, secretOf(keyOne), secretOf(keyTwo), string(keyOne)}
}

func (f *fake) Post(story string, revision uint64, op ledger.Op, text string) event.Post {
	p := event.Post{
		Channel: "ch", Network: "webhook", Story: story, Article: story, Revision: revision, Action: string(op),
		FirstSeen: f.clock.Now(), Published: f.clock.Now(), Title: text, URL: "https://example.org/" + story,
	}
	if op == ledger.Delete {
		return p
	}
	typ := map[ledger.Op]string{ledger.Create: "article.published", ledger.Edit: "article.updated"}[op]
	body, _ := event.Marshal(map[string]any{
		"specversion": "1.0", "id": "msg_" + article.Digest(26, "ch", story, string(op), fmt.Sprint(revision)), "source": "/tidings", "type": typ,
		"data": map[string]string{"story": story, "text": text},
	})
	p.Text, p.Request, p.Hash = text, event.Request{Method: "POST", Body: body}, event.Hash(body)
	return p
}

func (f *fake) Made() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := []string{}
	for _, story := range f.order {
		if text, ok := f.texts[story]; ok {
			list = append(list, text)
		}
	}
	return list
}
