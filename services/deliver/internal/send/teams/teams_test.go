package teams

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/send/sendtest"
)

var underTest = sendtest.Case{
	Network: Network,
	New:     func(t *testing.T, clock *sendtest.Clock) sendtest.Fake { return newFake(t, clock) },
}

func TestConform(t *testing.T) {
	t.Parallel()
	sendtest.Conform(t, underTest)
}

func TestWhatIsInDoubtIsLeftToAPerson(t *testing.T) {
	t.Parallel()
	sendtest.Doubt(t, underTest)
}

func TestAddressesThatAreNoWorkflow(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		"url: https://example.webhook.office.com/webhookb2/0000", "url: ftp://prod-00.logic.azure.com/workflows/0?sig=aaaaaaaaaaaaaaaaaaaaaaaa", "url: https://prod-00.logic.azure.com/workflows/0?sig=short",
	} {
		doc := config.New("x.yaml", []byte("channels:\n  - id: ch\n    network: teams\n    "+key+"\n"), nil)
		doc.Channels(func(string) (any, []string) { return Network.Settings(), Network.Others }, Network.Name)
		if err := doc.Err(); err == nil || strings.Contains(err.Error(), "aaaaaaaa") {
			t.Errorf("%q: %v", key, err)
		}
	}
}

const signature = "planted-signature-0c51f0aa93"

// fake is a workflow as far as deliver uses it.
type fake struct {
	server *sendtest.Server
	clock  *sendtest.Clock

	mu    sync.Mutex
	texts []string
}

func newFake(t *testing.T, clock *sendtest.Clock) *fake {
	f := &fake{clock: clock}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /workflows/0000/triggers/manual/paths/invoke", f.invoke)
	f.server = sendtest.NewServer(t, mux)
	return f
}

func (f *fake) invoke(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, code string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"code": code, "message": "refused"}})
	}
	if r.URL.Query().Get("sig") != signature {
		refuse(http.StatusUnauthorized, "DirectApiAuthorizationRequired")
		return
	}
	var in struct {
		Type        string `json:"type"`
		Attachments []struct {
			ContentType string          `json:"contentType"`
			ContentURL  json.RawMessage `json:"contentUrl"`
			Content     struct {
				Body []struct {
					Inlines []struct{ Text string }
				}
			}
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Type != "message" || len(in.Attachments) != 1 || string(in.Attachments[0].ContentURL) != "null" {
		refuse(http.StatusBadRequest, "TriggerInputSchemaMismatch")
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.texts = append(f.texts, in.Attachments[0].Content.Body[0].Inlines[0].Text)
	w.Header().Set("X-Ms-Workflow-Run-Id", fmt.Sprintf("08584%010dCU00", len(f.texts)))
	w.WriteHeader(http.StatusAccepted)
}

func (f *fake) Server() *sendtest.Server { return f.server }

func (f *fake) Keys(base string) ([]string, []string) {
	return []string{`url: "` + base + `/workflows/0000/triggers/manual/paths/invoke?api-version=2016-06-01&sig=` + signature + `"`}, []string{signature}
}

func (f *fake) Post(story string, revision uint64, op ledger.Op, text string) event.Post {
	p := event.Post{
		Channel: "ch", Network: "teams", Story: story, Article: story, Revision: revision, Action: string(op),
		FirstSeen: f.clock.Now(), Published: f.clock.Now(), Title: text, URL: "https://example.org/" + story,
	}
	if op == ledger.Delete {
		return p
	}
	p.Text = text + " https://example.org/" + story
	body, _ := json.Marshal(map[string]any{"type": "message", "attachments": []any{map[string]any{
		"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": nil,
		"content": map[string]any{"type": "AdaptiveCard", "version": "1.5", "body": []any{map[string]any{"type": "RichTextBlock", "inlines": []any{map[string]any{"type": "TextRun", "text": p.Text}}}}},
	}}})
	p.Request = event.Request{Method: "POST", Body: body}
	p.Hash = event.Hash(body)
	return p
}

// Made lists the words of each message before its link.
func (f *fake) Made() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := []string{}
	for _, s := range f.texts {
		text, _, _ := strings.Cut(s, " https://")
		list = append(list, text)
	}
	return list
}
