// Package matrix sends messages to rooms of Matrix (spec.matrix.org, client-server API).
//
// A server takes a PUT with a transaction id that it has seen from the same device for a repeat and answers with the event
// that it made then. Servers forget transaction ids after a while, so a message whose answer was lost is looked for in
// the room before it is sent again, under the same id.
package matrix

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/web"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/send"
)

// Network is the network of matrix channels.
var Network = send.Network{
	Name:     "matrix",
	Settings: func() any { return &Settings{} },
	Others:   others,
	Example:  example,
	Open:     open,
}

const (
	// pages bound a search; where 50 events are more than an answer may hold it goes on with few. findBefore is how much the server's clock may be behind ours.
	findLimit, findFew = "50", "5"
	pages              = 20
	findBefore         = 2 * time.Minute
)

// eventForm is the id of an event: with the server that made it in old rooms, a hash in newer ones.
var eventForm = regexp.MustCompile(`^\$[A-Za-z0-9._~+/=:-]{1,254}$`)

type sender struct {
	send.Server
	room  string
	token string
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
	if !roomForm.MatchString(s.Room) {
		return nil, fault.Errorf(fault.Invalid, "open channel %s: its room is none", o.Channel.ID)
	}
	server.Options.Bearer = s.Token.Reveal()
	return &sender{Server: server, room: s.Room, token: s.Token.Reveal()}, nil
}

// Account is the room; who we are there is asked by [sender.Probe].
func (m *sender) Account() string { return "matrix " + web.HostPort(m.Address) + " " + m.room }

// Credential changes with the token.
func (m *sender) Credential() string { return send.Digest(m.Channel, m.token) }

// Probe asks who the token belongs to.
func (m *sender) Probe(ctx context.Context) (send.Identity, error) {
	answer, err := m.call(ctx, http.MethodGet, nil, nil, true, "account", "whoami")
	if err != nil {
		return send.Identity{}, fmt.Errorf("ask for the account of channel %s: %w", m.Channel, err)
	}
	var who struct {
		User string `json:"user_id"`
	}
	if err := json.Unmarshal(answer.Body, &who); err != nil || who.User == "" {
		return send.Identity{}, fault.Errorf(fault.Malformed, "ask for the account of channel %s: the answer names none", m.Channel)
	}
	return send.Identity{ID: who.User, Name: send.Redact(who.User, m.token)}, nil
}

// Send creates a message.
func (m *sender) Send(ctx context.Context, j send.Job) (send.Receipt, error) {
	content, err := contentOf(j)
	if err != nil {
		return send.Receipt{}, err
	}
	if whole := content["m.new_content"]; len(whole) > 0 {
		content = nil // an edit that overtook its post goes out as the post
		if err := json.Unmarshal(whole, &content); err != nil {
			return send.Receipt{}, fault.Errorf(fault.Invalid, "post to channel %s: its payload has no content", m.Channel)
		}
	}
	answer, err := m.call(ctx, http.MethodPut, nil, content, false, "rooms", m.room, "send", "m.room.message", j.Key)
	if err != nil {
		return send.Receipt{}, fmt.Errorf("post to channel %s: %w", m.Channel, doubted(err))
	}
	return send.Accepted(answer, m.posted(answer)), nil
}

// doubted makes a failure uncertain when bytes of the request had left. A PUT counts as harmless to repeat, but a server
// forgets a transaction id after a while.
func doubted(err error) error {
	if e, ok := errors.AsType[*web.Error](err); ok && e.Wrote && fault.KindOf(err) == fault.Unreachable {
		return fault.Errorf(fault.Uncertain, "%w", err)
	}
	return err
}

// Edit replaces a message. The event of the edit is another one; the post stays known by its first.
func (m *sender) Edit(ctx context.Context, j send.Job) (send.Receipt, error) {
	content, err := contentOf(j)
	if err != nil {
		return send.Receipt{}, err
	}
	if !eventForm.MatchString(j.Remote.ID) || len(content["m.new_content"]) == 0 {
		return send.Receipt{}, fault.Errorf(fault.Invalid, "edit post of channel %s: the ledger holds no usable id of it, or the payload nothing new", m.Channel)
	}
	if content["m.relates_to"], err = event.Marshal(map[string]string{"rel_type": "m.replace", "event_id": j.Remote.ID}); err != nil {
		return send.Receipt{}, fault.Errorf(fault.Invalid, "edit post of channel %s: %w", m.Channel, err)
	}
	answer, err := m.call(ctx, http.MethodPut, nil, content, true, "rooms", m.room, "send", "m.room.message", j.Key)
	if err != nil {
		return send.Receipt{}, fmt.Errorf("edit post of channel %s: %w", m.Channel, err)
	}
	return send.Accepted(answer, j.Remote), nil
}

// Delete redacts a message. Redacting it again is harmless.
func (m *sender) Delete(ctx context.Context, j send.Job) (send.Receipt, error) {
	if !eventForm.MatchString(j.Remote.ID) {
		return send.Receipt{}, fault.Errorf(fault.Invalid, "delete post of channel %s: the ledger holds no usable id of it", m.Channel)
	}
	answer, err := m.call(ctx, http.MethodPut, nil, map[string]json.RawMessage{}, true, "rooms", m.room, "redact", j.Remote.ID, j.Key)
	switch {
	case err != nil && send.Status(err) == http.StatusNotFound:
		return send.Receipt{Remote: j.Remote}, nil
	case err != nil:
		return send.Receipt{}, fmt.Errorf("delete post of channel %s: %w", m.Channel, err)
	}
	return send.Accepted(answer, j.Remote), nil
}

// Find looks for the post of a job among the newest messages of the room, back to just before its request began. Its text
// holds the article's link, and nobody else posts as this account.
func (m *sender) Find(ctx context.Context, j send.Job) (ledger.Remote, bool, error) {
	who, err := m.Probe(ctx)
	if err != nil {
		return ledger.Remote{}, false, err
	}
	query := url.Values{"dir": {"b"}, "limit": {findLimit}}
	for range pages {
		answer, err := m.call(ctx, http.MethodGet, query, nil, true, "rooms", m.room, "messages")
		if err == nil && answer.Partial { // what was cut off might be the very post
			query.Set("limit", findFew)
			answer, err = m.call(ctx, http.MethodGet, query, nil, true, "rooms", m.room, "messages")
		}
		if err != nil {
			return ledger.Remote{}, false, fmt.Errorf("look for post of channel %s: %w", m.Channel, err)
		}
		var page struct {
			End   string `json:"end"`
			Chunk []struct {
				ID      string `json:"event_id"`
				Sender  string `json:"sender"`
				Type    string `json:"type"`
				At      int64  `json:"origin_server_ts"`
				Content struct {
					Body      string          `json:"body"`
					RelatesTo json.RawMessage `json:"m.relates_to"`
				} `json:"content"`
			} `json:"chunk"`
		}
		if answer.Partial || json.Unmarshal(answer.Body, &page) != nil {
			return ledger.Remote{}, false, fault.Errorf(fault.Malformed, "look for post of channel %s: the answer is no list of messages", m.Channel)
		}
		for _, e := range page.Chunk {
			if time.UnixMilli(e.At).Before(j.Started.Add(-findBefore)) {
				return ledger.Remote{}, false, nil
			}
			if e.Sender == who.ID && e.Type == "m.room.message" && len(e.Content.RelatesTo) == 0 && e.Content.Body == j.Post.Text && eventForm.MatchString(e.ID) {
				return m.remote(e.ID), true, nil
			}
		}
		if page.End == "" || len(page.Chunk) == 0 {
			break
		}
		query.Set("from", page.End)
	}
	return ledger.Remote{}, false, nil
}

func (m *sender) remote(id string) ledger.Remote {
	return ledger.Remote{ID: id, URL: "https://matrix.to/#/" + url.PathEscape(m.room) + "/" + url.PathEscape(id)}
}

// posted reads a receipt. An answer that cannot be read leaves it empty: the status has said that it was posted.
func (m *sender) posted(a *web.Answer) ledger.Remote {
	var got struct {
		ID string `json:"event_id"`
	}
	if err := json.Unmarshal(a.Body, &got); err != nil || !eventForm.MatchString(got.ID) {
		return ledger.Remote{}
	}
	return m.remote(got.ID)
}

func contentOf(j send.Job) (map[string]json.RawMessage, error) {
	var in map[string]json.RawMessage
	if err := json.Unmarshal(j.Post.Request.Body, &in); err != nil || len(in["body"]) == 0 {
		return nil, fault.Errorf(fault.Invalid, "post to channel %s: its payload has no body", j.Channel)
	}
	return in, nil
}

// call makes one request and returns its answer if it is a success. harmless says that a repeat does no harm: a create that
// may have been accepted is looked for first, since servers know its transaction id for a while only. Each element of the
// path is escaped.
func (m *sender) call(ctx context.Context, method string, query url.Values, content map[string]json.RawMessage, harmless bool, path ...string) (*web.Answer, error) {
	parts := []string{"_matrix", "client", "v3"}
	for _, p := range path {
		parts = append(parts, url.PathEscape(p))
	}
	u := m.Address.JoinPath(parts...)
	u.RawQuery = query.Encode()
	var body []byte
	if content != nil {
		var err error
		if body, err = event.Marshal(content); err != nil {
			return nil, fault.Errorf(fault.Invalid, "write the content of an event: %w", err)
		}
	}
	req, err := http.NewRequest(method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fault.Errorf(fault.Internal, "make request %s", method)
	}
	if content != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	answer, err := m.Client.Do(ctx, req, m.Options)
	if err != nil {
		return nil, err
	}
	return answer, send.Refusal(answer, harmless, m.token)
}
