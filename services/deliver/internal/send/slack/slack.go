// Package slack sends messages by the Web API of Slack (docs.slack.dev, "chat.postMessage").
//
// Every answer has the status 200 and says itself whether it is one: "ok" false is a refusal with a word, which is turned
// into the status that it means. A message whose answer was lost is left to a person. Errors never hold the token.
package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/web"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/send"
)

// Network is the network of slack channels.
var Network = send.Network{
	Name:     "slack",
	Settings: func() any { return &Settings{Server: "https://slack.com"} },
	Others:   others,
	Example:  example,
	Open:     open,
}

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
	if !roomForm.MatchString(s.Room) || !tokenForm.MatchString(s.Token.Reveal()) {
		return nil, fault.Errorf(fault.Invalid, "open channel %s: its room or token is none", o.Channel.ID)
	}
	server.Options.Bearer = s.Token.Reveal()
	return &sender{Server: server, room: s.Room, token: s.Token.Reveal()}, nil
}

// Account is the room on its server.
func (s *sender) Account() string { return "slack " + web.HostPort(s.Address) + " " + s.room }

// Credential changes with the token.
func (s *sender) Credential() string { return send.Digest(s.Channel, s.token) }

// Send creates a message.
func (s *sender) Send(ctx context.Context, j send.Job) (send.Receipt, error) {
	body, err := fields(j)
	if err != nil {
		return send.Receipt{}, err
	}
	if body["channel"], err = json.Marshal(s.room); err != nil {
		return send.Receipt{}, fault.Errorf(fault.Internal, "name the room of channel %s: %w", s.Channel, err)
	}
	answer, err := s.call(ctx, "chat.postMessage", body, false)
	if err != nil {
		return send.Receipt{}, fmt.Errorf("post to channel %s: %w", s.Channel, err)
	}
	return send.Accepted(answer, posted(answer)), nil
}

// Edit changes a message.
func (s *sender) Edit(ctx context.Context, j send.Job) (send.Receipt, error) {
	body, err := fields(j)
	if err != nil {
		return send.Receipt{}, err
	}
	delete(body, "unfurl_links") // what was shown below a message cannot be changed
	delete(body, "unfurl_media")
	if err := address(body, j.Remote); err != nil {
		return send.Receipt{}, err
	}
	answer, err := s.call(ctx, "chat.update", body, true)
	if err != nil {
		return send.Receipt{}, fmt.Errorf("edit post of channel %s: %w", s.Channel, err)
	}
	return send.Accepted(answer, j.Remote), nil
}

// Delete removes a message. One that is gone already is as good.
func (s *sender) Delete(ctx context.Context, j send.Job) (send.Receipt, error) {
	body := map[string]json.RawMessage{}
	if err := address(body, j.Remote); err != nil {
		return send.Receipt{}, err
	}
	answer, err := s.call(ctx, "chat.delete", body, true)
	switch {
	case err != nil && send.Status(err) == http.StatusNotFound:
		return send.Receipt{Remote: j.Remote}, nil
	case err != nil:
		return send.Receipt{}, fmt.Errorf("delete post of channel %s: %w", s.Channel, err)
	}
	return send.Accepted(answer, j.Remote), nil
}

// Probe asks whose token it is. Whether he may post to the room only a post tells.
func (s *sender) Probe(ctx context.Context) (send.Identity, error) {
	answer, err := s.call(ctx, "auth.test", map[string]json.RawMessage{}, true)
	if err != nil {
		return send.Identity{}, fmt.Errorf("ask for the account of channel %s: %w", s.Channel, err)
	}
	var got struct {
		Team string `json:"team_id"`
		User string `json:"user_id"`
		Name string `json:"user"`
		Of   string `json:"team"`
	}
	if err := json.Unmarshal(answer.Body, &got); err != nil || !memberForm.MatchString(got.Team) || !memberForm.MatchString(got.User) {
		return send.Identity{}, fault.Errorf(fault.Malformed, "ask for the account of channel %s: the answer names none", s.Channel)
	}
	return send.Identity{ID: got.Team + ":" + got.User, Name: send.Redact(got.Name+" of "+got.Of, s.token)}, nil
}

// memberForm is the id of a team or of somebody in it.
var memberForm = regexp.MustCompile(`^[A-Z0-9]{5,21}$`)

// fields are those of a composed message.
func fields(j send.Job) (map[string]json.RawMessage, error) {
	var in map[string]json.RawMessage
	if err := json.Unmarshal(j.Post.Request.Body, &in); err != nil || len(in["text"]) == 0 {
		return nil, fault.Errorf(fault.Invalid, "post to channel %s: its payload has no text", j.Channel)
	}
	return in, nil
}

// remoteForm is the id of a post: the room, and the time that names the message in it.
var remoteForm = regexp.MustCompile(`^([A-Z0-9]{5,21}):(\d{5,20}\.\d{1,10})$`)

// address names the message that a request is about. The room is the one that the message went to, whatever the
// configuration says today.
func address(body map[string]json.RawMessage, r ledger.Remote) error {
	m := remoteForm.FindStringSubmatch(r.ID)
	if m == nil {
		return fault.Errorf(fault.Invalid, "find post: the ledger holds no usable id of it")
	}
	body["channel"], body["ts"] = json.RawMessage(`"`+m[1]+`"`), json.RawMessage(`"`+m[2]+`"`)
	return nil
}

// posted reads a receipt. An answer that cannot be read leaves it empty: it has said that it was posted.
func posted(a *web.Answer) ledger.Remote {
	var got struct {
		Room string `json:"channel"`
		TS   string `json:"ts"`
	}
	id := ""
	if json.Unmarshal(a.Body, &got) == nil {
		id = got.Room + ":" + got.TS
	}
	if !remoteForm.MatchString(id) {
		return ledger.Remote{}
	}
	return ledger.Remote{ID: id}
}

// statuses are what the words of refusals mean (docs.slack.dev, "Errors" of the three methods). Any other word is about
// the message, which would be refused again.
var statuses = map[string]int{
	"not_authed": 401, "invalid_auth": 401, "account_inactive": 401, "token_expired": 401, "token_revoked": 401,
	"no_permission": 403, "missing_scope": 403, "not_in_channel": 403, "channel_not_found": 403, "is_archived": 403, "restricted_action": 403,
	"restricted_action_read_only_channel": 403, "org_login_required": 403, "ekm_access_denied": 403, "access_denied": 403, "not_allowed_token_type": 403,
	"message_not_found": 404,
	"ratelimited":       429, "rate_limited": 429, "message_limit_exceeded": 429,
	"internal_error": 500, "fatal_error": 500, "service_unavailable": 503, "request_timeout": 500, "team_added_to_org": 503,
}

// call makes one request and returns its answer if it is a success. harmless says that a repeat does no harm.
func (s *sender) call(ctx context.Context, method string, fields map[string]json.RawMessage, harmless bool) (*web.Answer, error) {
	body, err := event.Marshal(fields)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "write the fields of %s: %w", method, err)
	}
	u := *s.Address
	u.Path = "/api/" + method
	req, err := http.NewRequest(http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fault.Errorf(fault.Internal, "make request %s: %w", method, err)
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("Accept", "application/json")
	o := s.Options
	o.Idempotent = harmless
	answer, err := s.Client.Do(ctx, req, o)
	if err != nil {
		return nil, err
	}
	var said struct {
		OK    *bool  `json:"ok"`
		Error string `json:"error"`
	}
	if answer.Status == http.StatusOK && json.Unmarshal(answer.Body, &said) == nil && said.OK != nil && !*said.OK {
		answer.Status = http.StatusBadRequest
		if status, ok := statuses[said.Error]; ok {
			answer.Status = status
		}
	}
	return answer, send.Refusal(answer, harmless, s.token)
}
