// Package telegram sends messages through the Bot API of Telegram (core.telegram.org/bots/api).
//
// The API has no key against repeats and cannot be asked what a chat holds, so a message whose answer was lost is left to
// a person: dispatch never sends it again unasked. The token is part of each address; errors never hold one.
package telegram

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/web"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/send"
)

// Network is the network of telegram channels.
var Network = send.Network{
	Name:     "telegram",
	Settings: func() any { return &Settings{Server: "https://api.telegram.org"} },
	Others:   others,
	Example:  example,
	Open:     open,
}

type sender struct {
	send.Server
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
	if !tokenForm.MatchString(s.Token.Reveal()) {
		return nil, fault.Errorf(fault.Invalid, "open channel %s: its token is none", o.Channel.ID)
	}
	return &sender{Server: server, token: s.Token.Reveal()}, nil
}

// Account is the bot on its server. Its number is no secret: it is part of each of its messages.
func (t *sender) Account() string {
	return "telegram " + web.HostPort(t.Address) + " " + tokenForm.FindStringSubmatch(t.token)[1]
}

// Credential changes with the token.
func (t *sender) Credential() string { return send.Digest(t.Channel, t.token) }

// Send creates a message.
func (t *sender) Send(ctx context.Context, j send.Job) (send.Receipt, error) {
	body, err := fields(j)
	if err != nil {
		return send.Receipt{}, err
	}
	delete(body, "message_id")
	answer, err := t.call(ctx, "sendMessage", body, false)
	if err != nil {
		return send.Receipt{}, fmt.Errorf("post to channel %s: %w", t.Channel, err)
	}
	return send.Accepted(answer, posted(answer)), nil
}

// Edit changes the text of a message. One that has the text already is as good.
func (t *sender) Edit(ctx context.Context, j send.Job) (send.Receipt, error) {
	body, err := fields(j)
	if err != nil {
		return send.Receipt{}, err
	}
	if err := address(body, j.Remote); err != nil {
		return send.Receipt{}, err
	}
	answer, err := t.call(ctx, "editMessageText", body, true)
	switch {
	case said(err, "message is not modified"):
		return send.Receipt{Remote: j.Remote}, nil
	case err != nil:
		return send.Receipt{}, fmt.Errorf("edit post of channel %s: %w", t.Channel, err)
	}
	return send.Accepted(answer, j.Remote), nil
}

// Delete removes a message. One that is gone already is as good; one that is too old stays, and the error says so.
func (t *sender) Delete(ctx context.Context, j send.Job) (send.Receipt, error) {
	body := map[string]json.RawMessage{}
	if err := address(body, j.Remote); err != nil {
		return send.Receipt{}, err
	}
	answer, err := t.call(ctx, "deleteMessage", body, true)
	switch {
	case said(err, "message to delete not found"):
		return send.Receipt{Remote: j.Remote}, nil
	case err != nil:
		return send.Receipt{}, fmt.Errorf("delete post of channel %s: %w", t.Channel, err)
	}
	return send.Accepted(answer, j.Remote), nil
}

// Probe asks which bot the token belongs to. Whether the bot may post to the chat only a post tells.
func (t *sender) Probe(ctx context.Context) (send.Identity, error) {
	answer, err := t.call(ctx, "getMe", map[string]json.RawMessage{}, true)
	if err != nil {
		return send.Identity{}, fmt.Errorf("ask for the account of channel %s: %w", t.Channel, err)
	}
	var got struct {
		Result struct {
			ID   int64  `json:"id"`
			Name string `json:"username"`
		} `json:"result"`
	}
	if err := json.Unmarshal(answer.Body, &got); err != nil || got.Result.ID <= 0 {
		return send.Identity{}, fault.Errorf(fault.Malformed, "ask for the account of channel %s: the answer names none", t.Channel)
	}
	return send.Identity{ID: fmt.Sprint(got.Result.ID), Name: send.Redact(got.Result.Name, t.token)}, nil
}

// said reports whether the API refused with a sentence. Its errors have no other code for these cases than 400.
func said(err error, sentence string) bool {
	return err != nil && send.Status(err) == http.StatusBadRequest && strings.Contains(err.Error(), sentence)
}

// fields are those of a composed message.
func fields(j send.Job) (map[string]json.RawMessage, error) {
	var in map[string]json.RawMessage
	if err := json.Unmarshal(j.Post.Request.Body, &in); err != nil || len(in["text"]) == 0 || len(in["chat_id"]) == 0 {
		return nil, fault.Errorf(fault.Invalid, "post to channel %s: its payload has no text or no chat", j.Channel)
	}
	return in, nil
}

// remoteForm is the id of a post: the chat and the number of the message in it, since a number alone says nothing.
var remoteForm = regexp.MustCompile(`^(-?\d{1,20})\.(\d{1,20})$`)

// address names the message that a request is about. The chat is the one that the message went to, whatever the
// configuration says today.
func address(body map[string]json.RawMessage, r ledger.Remote) error {
	m := remoteForm.FindStringSubmatch(r.ID)
	if m == nil {
		return fault.Errorf(fault.Invalid, "find post: the ledger holds no usable id of it")
	}
	body["chat_id"], body["message_id"] = json.RawMessage(m[1]), json.RawMessage(m[2])
	return nil
}

// posted reads a receipt. An answer that cannot be read leaves it empty: the status has said that it was posted.
func posted(a *web.Answer) ledger.Remote {
	var got struct {
		Result struct {
			ID   int64 `json:"message_id"`
			Chat struct {
				ID   int64  `json:"id"`
				Name string `json:"username"`
			} `json:"chat"`
		} `json:"result"`
	}
	if err := json.Unmarshal(a.Body, &got); err != nil || got.Result.ID <= 0 || got.Result.Chat.ID == 0 {
		return ledger.Remote{}
	}
	r := ledger.Remote{ID: fmt.Sprintf("%d.%d", got.Result.Chat.ID, got.Result.ID)}
	if name := got.Result.Chat.Name; nameForm.MatchString(name) {
		r.URL = fmt.Sprintf("https://t.me/%s/%d", name, got.Result.ID)
	}
	return r
}

var nameForm = regexp.MustCompile(`^[A-Za-z]\w{3,31}$`)

// call makes one request and returns its answer if it is a success. harmless says that a repeat does no harm.
func (t *sender) call(ctx context.Context, method string, fields map[string]json.RawMessage, harmless bool) (*web.Answer, error) {
	body, err := event.Marshal(fields)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "write the fields of %s: %w", method, err)
	}
	u := *t.Address
	u.Path = "/bot" + t.token + "/" + method
	req, err := http.NewRequest(http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fault.Errorf(fault.Internal, "make request %s", method) // the cause would hold the token
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	answer, err := t.Client.Do(ctx, req, t.Options)
	if err != nil {
		return nil, err
	}
	return answer, send.Refusal(answer, harmless, t.token)
}
