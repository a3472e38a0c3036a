// Package discord sends messages through webhooks of Discord (docs.discord.com, "Webhook Resource").
//
// A webhook knows no key against repeats and cannot list what it posted, so a message whose answer was lost is left to a
// person. The address holds the token; errors never hold the address.
package discord

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/web"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/send"
)

// Network is the network of discord channels.
var Network = send.Network{
	Name:     "discord",
	Settings: func() any { return &Settings{} },
	Others:   others,
	Example:  example,
	Open:     open,
}

type sender struct {
	send.Server
	number string
	token  string
	thread string
}

func open(o send.Options) (send.Sender, error) {
	s, err := send.Own[Settings](o)
	if err != nil {
		return nil, err
	}
	hook, err := send.At(o, "url", s.URL.Reveal())
	if err != nil {
		return nil, err
	}
	parts := pathForm.FindStringSubmatch(hook.Address.Path)
	if parts == nil {
		return nil, fault.Errorf(fault.Invalid, "open channel %s: its url is no address of a webhook", o.Channel.ID)
	}
	return &sender{Server: hook, number: parts[1], token: parts[2], thread: s.Thread}, nil
}

// Account is the webhook on its server; its number alone lets nobody post.
func (d *sender) Account() string { return "discord " + web.HostPort(d.Address) + " " + d.number }

// Credential changes with the token.
func (d *sender) Credential() string { return send.Digest(d.Channel, d.token) }

// Send creates a message.
func (d *sender) Send(ctx context.Context, j send.Job) (send.Receipt, error) {
	body, err := fields(j)
	if err != nil {
		return send.Receipt{}, err
	}
	answer, err := d.call(ctx, http.MethodPost, "", url.Values{"wait": {"true"}}, body) // without wait there is no receipt
	if err != nil {
		return send.Receipt{}, fmt.Errorf("post to channel %s: %w", d.Channel, err)
	}
	return send.Accepted(answer, posted(answer)), nil
}

// Edit changes a message.
func (d *sender) Edit(ctx context.Context, j send.Job) (send.Receipt, error) {
	body, err := fields(j)
	if err != nil {
		return send.Receipt{}, err
	}
	delete(body, "username") // that of a message cannot be changed
	path, err := pathOf(j.Remote)
	if err != nil {
		return send.Receipt{}, err
	}
	answer, err := d.call(ctx, http.MethodPatch, path, nil, body)
	if err != nil {
		return send.Receipt{}, fmt.Errorf("edit post of channel %s: %w", d.Channel, err)
	}
	return send.Accepted(answer, j.Remote), nil
}

// Delete removes a message. One that is gone already is as good.
func (d *sender) Delete(ctx context.Context, j send.Job) (send.Receipt, error) {
	path, err := pathOf(j.Remote)
	if err != nil {
		return send.Receipt{}, err
	}
	answer, err := d.call(ctx, http.MethodDelete, path, nil, nil)
	switch {
	case err != nil && send.Status(err) == http.StatusNotFound:
		return send.Receipt{Remote: j.Remote}, nil
	case err != nil:
		return send.Receipt{}, fmt.Errorf("delete post of channel %s: %w", d.Channel, err)
	}
	return send.Accepted(answer, j.Remote), nil
}

// Probe asks what the webhook is called, which is all that it says of itself.
func (d *sender) Probe(ctx context.Context) (send.Identity, error) {
	answer, err := d.call(ctx, http.MethodGet, "", nil, nil)
	if err != nil {
		return send.Identity{}, fmt.Errorf("ask for the webhook of channel %s: %w", d.Channel, err)
	}
	var got struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	if err := json.Unmarshal(answer.Body, &got); err != nil || !numberForm.MatchString(got.ID) {
		return send.Identity{}, fault.Errorf(fault.Malformed, "ask for the webhook of channel %s: the answer names none", d.Channel)
	}
	return send.Identity{ID: got.ID, Name: send.Redact(got.Name, d.token)}, nil
}

// fields are those of a composed message. That nobody is called is said again here, whoever wrote the payload.
func fields(j send.Job) (map[string]json.RawMessage, error) {
	var in map[string]json.RawMessage
	if err := json.Unmarshal(j.Post.Request.Body, &in); err != nil || len(in["content"]) == 0 {
		return nil, fault.Errorf(fault.Invalid, "post to channel %s: its payload has no content", j.Channel)
	}
	in["allowed_mentions"] = json.RawMessage(`{"parse":[]}`)
	return in, nil
}

// pathOf names a message of the webhook. The id came from the server and becomes part of a path.
func pathOf(r ledger.Remote) (string, error) {
	if !numberForm.MatchString(r.ID) {
		return "", fault.Errorf(fault.Invalid, "find post: the ledger holds no usable id of it")
	}
	return "/messages/" + r.ID, nil
}

// posted reads a receipt. An answer that cannot be read leaves it empty: the status has said that it was posted.
func posted(a *web.Answer) ledger.Remote {
	var got struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(a.Body, &got); err != nil || !numberForm.MatchString(got.ID) {
		return ledger.Remote{}
	}
	return ledger.Remote{ID: got.ID}
}

// call makes one request and returns its answer if it is a success.
func (d *sender) call(ctx context.Context, method, path string, query url.Values, fields map[string]json.RawMessage) (*web.Answer, error) {
	u := *d.Address
	u.Path += path
	if d.thread != "" {
		if query == nil {
			query = url.Values{}
		}
		query.Set("thread_id", d.thread)
	}
	u.RawQuery = query.Encode()
	body, err := event.Marshal(fields)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "write the fields of a message: %w", err)
	}
	if fields == nil {
		body = nil
	}
	req, err := http.NewRequest(method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fault.Errorf(fault.Internal, "make request %s", method) // the cause would hold the token
	}
	if fields != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	answer, err := d.Client.Do(ctx, req, d.Options)
	if err != nil {
		return nil, err
	}
	// A create is the one request that must not be repeated blindly.
	return answer, send.Refusal(answer, method != http.MethodPost, d.token)
}
