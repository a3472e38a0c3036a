package linkedin

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
	token   = "planted-token-AQV9x01c7"
	author  = "urn:li:organization:4711"
	version = "202611"
)

// fake is the Posts API as far as deliver uses it.
type fake struct {
	server *sendtest.Server
	clock  *sendtest.Clock

	mu    sync.Mutex
	posts []fakePost
}

type fakePost struct {
	urn, text string
	deleted   bool
}

func newFake(t *testing.T, clock *sendtest.Clock) *fake {
	f := &fake{clock: clock}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /rest/posts", f.create)
	mux.HandleFunc("POST /rest/posts/{urn}", f.edit)
	mux.HandleFunc("DELETE /rest/posts/{urn}", f.remove)
	f.server = sendtest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer "+token:
			refuse(w, http.StatusUnauthorized, "Invalid access token")
		case r.Header.Get("LinkedIn-Version") != version:
			refuse(w, http.StatusUpgradeRequired, "Requested version is not active")
		case r.Header.Get("X-Restli-Protocol-Version") != "2.0.0":
			refuse(w, http.StatusBadRequest, "Invalid protocol version")
		case strings.Contains(r.URL.EscapedPath()[1:], ":"):
			refuse(w, http.StatusBadRequest, "Syntax exception in path variables")
		default:
			mux.ServeHTTP(w, r)
		}
	}))
	return f
}

func refuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"message": text, "status": status})
}

// plain reads the little format: what is not escaped and has to be ends the text without a word.
func plain(little string) string {
	var b strings.Builder
	escaped := false
	for _, r := range little {
		switch {
		case escaped:
			escaped = false
		case r == '\\':
			escaped = true
			continue
		case strings.ContainsRune("|{}@[]()<>*_~", r):
			return b.String()
		}
		b.WriteRune(r)
	}
	return b.String()
}

func (f *fake) create(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Author       string `json:"author"`
		Commentary   string `json:"commentary"`
		Visibility   string `json:"visibility"`
		Distribution struct {
			Feed    string      `json:"feedDistribution"`
			Targets *[]struct{} `json:"targetEntities"`
			Third   *[]struct{} `json:"thirdPartyDistributionChannels"`
		} `json:"distribution"`
		Content struct {
			Article struct {
				Source      string `json:"source"`
				Title       string `json:"title"`
				Description string `json:"description"`
			} `json:"article"`
		} `json:"content"`
		State     string `json:"lifecycleState"`
		NoReshare *bool  `json:"isReshareDisabledByAuthor"`
	}
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields() // a placeholder for a picture among them
	err := dec.Decode(&in)
	switch d := in.Distribution; {
	case err != nil || in.Commentary == "" || in.Visibility != "PUBLIC" || in.State != "PUBLISHED" || in.NoReshare == nil:
		refuse(w, http.StatusUnprocessableEntity, fmt.Sprint("ERROR :: /: ", err))
		return
	case d.Feed != "MAIN_FEED" || d.Targets == nil || d.Third == nil || in.Content.Article.Source == "" || in.Content.Article.Title == "":
		refuse(w, http.StatusUnprocessableEntity, "ERROR :: /distribution or /content :: field is required but not found")
		return
	case in.Author != author:
		refuse(w, http.StatusForbidden, "Organization permissions must be used when using organization as author")
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	urn := fmt.Sprintf("urn:li:share:%d", 7000000000000000000+len(f.posts))
	f.posts = append(f.posts, fakePost{urn: urn, text: plain(in.Commentary)})
	w.Header().Set("X-Restli-Id", urn)
	w.WriteHeader(http.StatusCreated)
}

func (f *fake) find(urn string) int {
	return slices.IndexFunc(f.posts, func(p fakePost) bool { return p.urn == urn && !p.deleted })
}

func (f *fake) edit(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Patch struct {
			Set struct {
				Commentary string `json:"commentary"`
			} `json:"$set"`
		} `json:"patch"`
	}
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil || in.Patch.Set.Commentary == "" || r.Header.Get("X-RestLi-Method") != "PARTIAL_UPDATE" {
		refuse(w, http.StatusBadRequest, "Invalid partial update")
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.find(r.PathValue("urn"))
	if i < 0 {
		refuse(w, http.StatusNotFound, "Not found")
		return
	}
	f.posts[i].text = plain(in.Patch.Set.Commentary)
	w.WriteHeader(http.StatusNoContent)
}

func (f *fake) remove(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.find(r.PathValue("urn"))
	if i < 0 {
		refuse(w, http.StatusNotFound, "Not found")
		return
	}
	f.posts[i].deleted = true
	w.WriteHeader(http.StatusNoContent)
}

func (f *fake) Server() *sendtest.Server { return f.server }

func (f *fake) Keys(base string) ([]string, []string) {
	return []string{"server: " + base, "token: " + token, `version: "` + version + `"`, "author: " + author, "media: image"}, []string{token}
}

func (f *fake) Post(story string, revision uint64, op ledger.Op, text string) event.Post {
	p := event.Post{
		Channel: "ch", Network: "linkedin", Story: story, Article: story, Revision: revision, Action: string(op),
		FirstSeen: f.clock.Now(), Published: f.clock.Now(), Title: text, URL: "https://example.org/" + story,
	}
	if op == ledger.Delete {
		return p
	}
	p.Text = text + " https://example.org/" + story
	var body []byte
	if op == ledger.Edit {
		body = fmt.Appendf(nil, `{"patch":{"$set":{"commentary":%q}}}`, p.Text)
	} else {
		body = fmt.Appendf(nil, `{"commentary":%q,"visibility":"PUBLIC","distribution":{"feedDistribution":"MAIN_FEED","targetEntities":[],"thirdPartyDistributionChannels":[]},`+
			`"content":{"article":{"source":%q,"title":%q,"thumbnail":{"$media":"thumbnail"}}},"lifecycleState":"PUBLISHED","isReshareDisabledByAuthor":false}`, p.Text, p.URL, p.Title)
		p.Media = []event.Asset{{Name: "thumbnail", URL: "https://example.org/1.jpg"}}
	}
	p.Request = event.Request{Method: "POST", Path: posts, Body: json.RawMessage(body)}
	p.Hash = event.Hash(body)
	return p
}

// Made lists the words of each post before its link.
func (f *fake) Made() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := []string{}
	for _, p := range f.posts {
		if text, _, _ := strings.Cut(p.text, " https://"); !p.deleted {
			list = append(list, text)
		}
	}
	return list
}
