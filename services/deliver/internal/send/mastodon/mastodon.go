// Package mastodon posts to servers with the statuses API of Mastodon.
//
// The Idempotency-Key that each create carries is a courtesy: servers keep it for an hour at most, and some ignore it
// (GoToSocial 0.20) or answer 500 to a repeat (mastodon#40399). What keeps a story from being posted twice is that a
// create whose answer was lost is looked for among the account's own posts before anything is sent again.
package mastodon

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"sync"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/web"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/send"
)

// idForm is what a server's ids look like: digits on Mastodon, letters too elsewhere. They become part of a path.
var idForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

const statuses = "/api/v1/statuses"

// Network is the network of mastodon channels.
var Network = send.Network{
	Name:     "mastodon",
	Settings: func() any { return &Settings{} },
	Others:   others,
	Example:  example,
	Open:     open,
}

type sender struct {
	send.Server
	token string

	mu sync.Mutex
	id string // of our account, once asked
}

func open(o send.Options) (send.Sender, error) {
	s, err := send.Own[Settings](o)
	if err != nil {
		return nil, err
	}
	server, err := send.At(o, "server", s.Server)
	if err != nil {
		return nil, err
	}
	server.Options.Bearer = s.Token.Reveal()
	return &sender{Server: server, token: s.Token.Reveal()}, nil
}

// Account is the server; who we are there is asked by [sender.Probe].
func (m *sender) Account() string { return "mastodon " + web.HostPort(m.Address) }

// Credential changes with the token.
func (m *sender) Credential() string { return send.Digest(m.Channel, m.token) }

// status is what is read of a status, of an account and of a list of either.
type status struct {
	ID      string    `json:"id"`
	URL     string    `json:"url"`
	URI     string    `json:"uri"`
	Content string    `json:"content"`
	Created time.Time `json:"created_at"`
}

// remote is the receipt; empty when the server named no usable id.
func (s status) remote() ledger.Remote {
	if !idForm.MatchString(s.ID) {
		return ledger.Remote{}
	}
	link := s.URL
	if u, err := url.Parse(link); err != nil || u.Scheme != "https" && u.Scheme != "http" {
		link = ""
	}
	return ledger.Remote{ID: s.ID, URL: link}
}

// Send creates a status.
func (m *sender) Send(ctx context.Context, j send.Job) (send.Receipt, error) {
	body, dropped, err := fields(j, true)
	if err != nil {
		return send.Receipt{}, err
	}
	answer, err := m.call(ctx, http.MethodPost, statuses, nil, body, j.Key)
	if err != nil {
		return send.Receipt{}, fmt.Errorf("post to channel %s: %w", m.Channel, err)
	}
	got := m.posted(answer)
	got.Dropped = dropped
	return got, nil
}

// Edit changes a status.
func (m *sender) Edit(ctx context.Context, j send.Job) (send.Receipt, error) {
	body, dropped, err := fields(j, false)
	if err != nil {
		return send.Receipt{}, err
	}
	path, err := pathOf(j.Remote)
	if err != nil {
		return send.Receipt{}, err
	}
	answer, err := m.call(ctx, http.MethodPut, path, nil, body, "")
	if err != nil {
		return send.Receipt{}, fmt.Errorf("edit post of channel %s: %w", m.Channel, err)
	}
	got := m.posted(answer)
	got.Dropped = dropped
	if got.Remote.IsZero() {
		got.Remote = j.Remote
	}
	return got, nil
}

// Delete removes a status. One that is gone already is as good.
func (m *sender) Delete(ctx context.Context, j send.Job) (send.Receipt, error) {
	path, err := pathOf(j.Remote)
	if err != nil {
		return send.Receipt{}, err
	}
	answer, err := m.call(ctx, http.MethodDelete, path, nil, nil, "")
	switch {
	case err != nil && (send.Status(err) == http.StatusNotFound || send.Status(err) == http.StatusGone):
		return send.Receipt{Remote: j.Remote}, nil
	case err != nil:
		return send.Receipt{}, fmt.Errorf("delete post of channel %s: %w", m.Channel, err)
	}
	return send.Accepted(answer, j.Remote), nil
}

// Probe asks who the token belongs to.
func (m *sender) Probe(ctx context.Context) (send.Identity, error) {
	answer, err := m.call(ctx, http.MethodGet, "/api/v1/accounts/verify_credentials", nil, nil, "")
	if err != nil {
		return send.Identity{}, fmt.Errorf("ask for the account of channel %s: %w", m.Channel, err)
	}
	var a struct {
		ID   string `json:"id"`
		Name string `json:"acct"`
	}
	if err := json.Unmarshal(answer.Body, &a); err != nil || !idForm.MatchString(a.ID) {
		return send.Identity{}, fault.Errorf(fault.Malformed, "ask for the account of channel %s: the answer names none", m.Channel)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.id = a.ID
	return send.Identity{ID: a.ID, Name: send.Redact(a.Name, m.token)}, nil
}

// Limits asks the server how long a post may be and what an address counts (docs.joinmastodon.org, "Instance").
func (m *sender) Limits(ctx context.Context) (map[string]int, error) {
	answer, err := m.call(ctx, http.MethodGet, "/api/v2/instance", nil, nil, "")
	if err != nil {
		return nil, fmt.Errorf("ask for the limits of channel %s: %w", m.Channel, err)
	}
	var said struct {
		Configuration struct {
			Statuses struct {
				Characters int `json:"max_characters"`
				URL        int `json:"characters_reserved_per_url"`
			} `json:"statuses"`
		} `json:"configuration"`
	}
	if err := json.Unmarshal(answer.Body, &said); err != nil || said.Configuration.Statuses.Characters <= 0 {
		return nil, fault.Errorf(fault.Malformed, "ask for the limits of channel %s: the answer names none", m.Channel)
	}
	limits := map[string]int{"limit": said.Configuration.Statuses.Characters}
	if n := said.Configuration.Statuses.URL; n > 0 {
		limits["url_length"] = n
	}
	return limits, nil
}

// posted reads a receipt. An answer that cannot be read leaves it empty: the status code has said that it was posted.
func (m *sender) posted(a *web.Answer) send.Receipt {
	var s status
	if err := json.Unmarshal(a.Body, &s); err != nil {
		s = status{}
	}
	return send.Accepted(a, s.remote())
}

// call makes one request and returns its answer if it is a success.
func (m *sender) call(ctx context.Context, method, path string, query url.Values, body []byte, key string) (*web.Answer, error) {
	u := *m.Address
	u.Path, u.RawQuery = path, query.Encode()
	req, err := http.NewRequest(method, u.String(), nil)
	if err != nil {
		return nil, fault.Errorf(fault.Internal, "make request: %s %s", method, path)
	}
	if body != nil {
		if req, err = http.NewRequest(method, u.String(), bytes.NewReader(body)); err != nil {
			return nil, fault.Errorf(fault.Internal, "make request: %s %s", method, path)
		}
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	answer, err := m.Client.Do(ctx, req, m.Options)
	if err != nil {
		return nil, err
	}
	// A create is the one request that must not be repeated blindly.
	return answer, send.Refusal(answer, method != http.MethodPost, m.token)
}

// pathOf names a status. The id came from the server and was checked when it was stored; it is checked again here,
// where it becomes part of a path.
func pathOf(r ledger.Remote) (string, error) {
	if !idForm.MatchString(r.ID) {
		return "", fault.Errorf(fault.Invalid, "find post: the ledger holds no usable id of it")
	}
	return statuses + "/" + r.ID, nil
}

// fields are the fields of a request (docs.joinmastodon.org, "statuses API methods"). An edit cannot change the
// visibility. scheduled_at is none of ours: with it servers ignore the key (mastodon#30039). Pictures are left out and
// named, since this sender uploads none: a post without its picture is better than no post.
func fields(j send.Job, create bool) (body []byte, dropped []string, err error) {
	var in map[string]json.RawMessage
	if err := json.Unmarshal(j.Post.Request.Body, &in); err != nil || len(in["status"]) == 0 {
		return nil, nil, fault.Errorf(fault.Invalid, "post to channel %s: its payload has no status", j.Channel)
	}
	for _, m := range j.Post.Media {
		dropped = append(dropped, m.Name)
	}
	delete(in, "media_ids")
	delete(in, "scheduled_at")
	if !create {
		delete(in, "visibility")
	}
	if body, err = event.Marshal(in); err != nil {
		return nil, nil, fault.Errorf(fault.Invalid, "post to channel %s: its payload cannot be written: %w", j.Channel, err)
	}
	return body, dropped, nil
}
