// Package bluesky posts records to servers of the AT Protocol (docs.bsky.app, com.atproto.repo.putRecord).
//
// The record key follows from the article's time and story, so a create that is sent twice is one post: a server answers
// a put of the same record with the one that is there. createRecord is not used, since it refuses a key that exists with
// a status that says nothing.
package bluesky

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/web"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/send"
)

const (
	collection = "app.bsky.feed.post"
	// neighbours is how many keys of one instant are tried when other posts have them.
	neighbours = 8
)

// Network is the network of bluesky channels.
var Network = send.Network{
	Name:     "bluesky",
	Settings: func() any { return &Settings{Server: "https://bsky.social"} },
	Others:   others,
	Example:  example,
	Open:     open,
}

type sender struct {
	send.Server
	handle   string
	password string
	now      func() time.Time
	door     door
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
	return &sender{Server: server, handle: s.Handle, password: s.Password.Reveal(), now: o.Now}, nil
}

// Account is the handle on its server; who that is there is asked by [sender.Probe].
func (b *sender) Account() string {
	return "bluesky " + web.HostPort(b.Address) + " " + strings.ToLower(b.handle)
}

// Credential changes with the password.
func (b *sender) Credential() string { return send.Digest(b.Channel, b.handle, b.password) }

// Probe asks who the handle is.
func (b *sender) Probe(ctx context.Context) (send.Identity, error) {
	s, err := b.enter(ctx, "")
	if err != nil {
		return send.Identity{}, err
	}
	return send.Identity{ID: s.DID, Name: send.Redact(s.Handle, b.secrets(s.Access)...)}, nil
}

// Send puts the record, unless it is there already.
func (b *sender) Send(ctx context.Context, j send.Job) (send.Receipt, error) {
	p, err := payload(j)
	if err != nil {
		return send.Receipt{}, err
	}
	key, there, err := b.place(ctx, j, p)
	if err != nil {
		return send.Receipt{}, fmt.Errorf("post to channel %s: %w", b.Channel, err)
	}
	if there != nil {
		return send.Receipt{Remote: *there}, nil
	}
	answer, did, err := b.call(ctx, http.MethodPost, "/xrpc/com.atproto.repo.putRecord", nil, func(did string) any {
		return map[string]any{"repo": did, "collection": collection, "rkey": key, "validate": true, "record": p.record}
	})
	if err != nil {
		return send.Receipt{}, fmt.Errorf("post to channel %s: %w", b.Channel, err)
	}
	got := send.Accepted(answer, remote(did, key)) // the key is ours: the receipt needs nothing of the answer
	got.Dropped = p.dropped
	return got, nil
}

// Delete removes the record. A server takes one that is gone already for done.
func (b *sender) Delete(ctx context.Context, j send.Job) (send.Receipt, error) {
	if len(j.Remote.ID) != 13 || strings.Trim(j.Remote.ID, sortable) != "" {
		return send.Receipt{}, fault.Errorf(fault.Invalid, "delete post of channel %s: the ledger holds no usable id of it", b.Channel)
	}
	answer, _, err := b.call(ctx, http.MethodPost, "/xrpc/com.atproto.repo.deleteRecord", nil, func(did string) any {
		return map[string]any{"repo": did, "collection": collection, "rkey": j.Remote.ID}
	})
	if err != nil {
		return send.Receipt{}, fmt.Errorf("delete post of channel %s: %w", b.Channel, err)
	}
	return send.Accepted(answer, j.Remote), nil
}

// Find looks for the record of a job under its own key.
func (b *sender) Find(ctx context.Context, j send.Job) (ledger.Remote, bool, error) {
	p, err := payload(j)
	if err != nil {
		return ledger.Remote{}, false, err
	}
	_, there, err := b.place(ctx, j, p)
	if err != nil {
		return ledger.Remote{}, false, fmt.Errorf("look for post of channel %s: %w", b.Channel, err)
	}
	if there == nil {
		return ledger.Remote{}, false, nil
	}
	return *there, true, nil
}

// place finds the key of a post: the first that is free, or that has this very post. Another post may have the first one
// when two articles are of the same microsecond.
func (b *sender) place(ctx context.Context, j send.Job, p composed) (key string, there *ledger.Remote, err error) {
	clock := clockOf(j.Channel, j.Story)
	for n := range neighbours {
		key = tid(p.created, clock+n)
		var found struct {
			Value struct {
				Text      string `json:"text"`
				CreatedAt string `json:"createdAt"`
			} `json:"value"`
		}
		answer, did, err := b.call(ctx, http.MethodGet, "/xrpc/com.atproto.repo.getRecord", func(did string) url.Values {
			return url.Values{"repo": {did}, "collection": {collection}, "rkey": {key}}
		}, nil)
		switch {
		case absent(err):
			return key, nil, nil
		case err != nil:
			return "", nil, err
		case json.Unmarshal(answer.Body, &found) != nil:
			return "", nil, fault.Errorf(fault.Unreachable, "the answer is no record")
		case found.Value.Text == p.text:
			r := remote(did, key)
			return key, &r, nil
		}
	}
	return "", nil, fault.Errorf(fault.Invalid, "%d other posts have the keys of this instant", neighbours)
}

// absent reports whether a server said that there is no such record: it says so with 400.
func absent(err error) bool {
	return err != nil && (send.Status(err) == http.StatusBadRequest || send.Status(err) == http.StatusNotFound) && strings.Contains(err.Error(), "RecordNotFound")
}

func remote(did, key string) ledger.Remote {
	return ledger.Remote{ID: key, URL: "https://bsky.app/profile/" + url.PathEscape(did) + "/post/" + key}
}

// composed is what is sent of a payload.
type composed struct {
	record  json.RawMessage
	text    string
	created time.Time
	dropped []string
}

// payload reads the record of a job. Its picture is left out and named, since this sender uploads none.
func payload(j send.Job) (composed, error) {
	var in struct {
		Record map[string]json.RawMessage `json:"record"`
	}
	var p composed
	wrong := func() (composed, error) {
		return composed{}, fault.Errorf(fault.Invalid, "post to channel %s: its payload has no record with a text and a time", j.Channel)
	}
	if err := json.Unmarshal(j.Post.Request.Body, &in); err != nil || json.Unmarshal(in.Record["text"], &p.text) != nil || json.Unmarshal(in.Record["createdAt"], &p.created) != nil {
		return wrong()
	}
	if raw := in.Record["embed"]; len(raw) > 0 && len(j.Post.Media) > 0 {
		var e map[string]json.RawMessage
		var card map[string]json.RawMessage
		if json.Unmarshal(raw, &e) != nil || json.Unmarshal(e["external"], &card) != nil {
			return wrong()
		}
		delete(card, "thumb")
		for _, m := range j.Post.Media {
			p.dropped = append(p.dropped, m.Name)
		}
		var err error
		if e["external"], err = event.Marshal(card); err != nil {
			return wrong()
		}
		if in.Record["embed"], err = event.Marshal(e); err != nil {
			return wrong()
		}
	}
	var err error
	if p.record, err = event.Marshal(in.Record); err != nil {
		return wrong()
	}
	return p, nil
}

// call makes one request under the session and returns its answer if it is a success, with the account it was made for. A
// token that has expired is replaced once: the server refused the request, so nothing was posted.
func (b *sender) call(ctx context.Context, method, path string, query func(did string) url.Values, body func(did string) any) (*web.Answer, string, error) {
	stale := ""
	for {
		s, err := b.enter(ctx, stale)
		if err != nil {
			return nil, "", err
		}
		var in any
		if body != nil {
			in = body(s.DID)
		}
		var q url.Values
		if query != nil {
			q = query(s.DID)
		}
		answer, err := b.exchange(ctx, method, path, q, in, s.Access)
		if err != nil {
			return nil, "", err
		}
		if expired(answer) {
			if stale == "" {
				stale = s.Access
				continue
			}
			return nil, "", fault.Errorf(fault.Refused, "the server refuses each token: %s", send.Redact(string(answer.Body), b.secrets(s.Access)...))
		}
		return answer, s.DID, send.Refusal(answer, method == http.MethodGet, b.secrets(s.Access)...)
	}
}

func (b *sender) exchange(ctx context.Context, method, path string, query url.Values, body any, bearer string) (*web.Answer, error) {
	u := *b.Address
	u.Path, u.RawQuery = path, query.Encode()
	var data []byte
	if body != nil {
		var err error
		if data, err = event.Marshal(body); err != nil {
			return nil, fault.Errorf(fault.Invalid, "write the fields of a request: %w", err)
		}
	}
	req, err := http.NewRequest(method, u.String(), bytes.NewReader(data))
	if err != nil {
		return nil, fault.Errorf(fault.Internal, "make request %s %s", method, path)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	o := b.Options
	o.Bearer = bearer
	return b.Client.Do(ctx, req, o)
}

func (b *sender) secrets(token string) []string { return []string{b.password, token} }
