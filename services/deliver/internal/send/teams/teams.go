// Package teams sends messages through workflows of Microsoft Teams.
//
// A workflow takes a message and says no more than that it did. It knows no key against repeats, names nothing that could
// be edited or deleted, and cannot be asked, so a message whose answer was lost is left to a person. The address holds the
// signature that lets somebody post; errors never hold the address.
package teams

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"

	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/web"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/send"
)

// Network is the network of teams channels.
var Network = send.Network{
	Name:     "teams",
	Settings: func() any { return &Settings{} },
	Others:   others,
	Example:  example,
	Open:     open,
}

type sender struct{ send.Server }

func open(o send.Options) (send.Sender, error) {
	s, err := send.Own[Settings](o)
	if err != nil {
		return nil, err
	}
	flow, err := send.At(o, "url", s.URL.Reveal())
	if err != nil {
		return nil, err
	}
	if !workflow(s.URL.Reveal()) {
		return nil, fault.Errorf(fault.Invalid, "open channel %s: its url is no address of a workflow", o.Channel.ID)
	}
	return &sender{Server: flow}, nil
}

// Account is the workflow on its server, by a digest of its path; without the signature that lets nobody post.
func (t *sender) Account() string {
	return "teams " + web.HostPort(t.Address) + " " + send.Digest("workflow", t.Address.Path)
}

// Credential changes with the signature.
func (t *sender) Credential() string { return send.Digest(t.Channel, t.signature()) }

func (t *sender) signature() string { return t.Address.Query().Get("sig") }

// Send posts a message.
func (t *sender) Send(ctx context.Context, j send.Job) (send.Receipt, error) {
	var in struct {
		Attachments []json.RawMessage `json:"attachments"`
	}
	if err := json.Unmarshal(j.Post.Request.Body, &in); err != nil || len(in.Attachments) == 0 {
		return send.Receipt{}, fault.Errorf(fault.Invalid, "post to channel %s: its payload has no card", j.Channel)
	}
	req, err := http.NewRequest(http.MethodPost, t.Address.String(), bytes.NewReader(j.Post.Request.Body))
	if err != nil {
		return send.Receipt{}, fault.Errorf(fault.Internal, "make request") // the cause would hold the signature
	}
	req.Header.Set("Content-Type", "application/json")
	answer, err := t.Client.Do(ctx, req, t.Options)
	if err != nil {
		return send.Receipt{}, fmt.Errorf("post to channel %s: %w", t.Channel, err)
	}
	if err := send.Refusal(answer, false, t.signature(), url.QueryEscape(t.signature())); err != nil {
		return send.Receipt{}, fmt.Errorf("post to channel %s: %w", t.Channel, err)
	}
	// The run of the workflow is all that can be looked up later, by a person.
	remote := ledger.Remote{}
	if run := answer.Header.Get("X-Ms-Workflow-Run-Id"); runForm.MatchString(run) {
		remote.ID = run
	}
	return send.Accepted(answer, remote), nil
}

// runForm is the id of a run, as Azure Logic Apps gives it in the header x-ms-workflow-run-id.
var runForm = regexp.MustCompile(`^[A-Za-z0-9_-]{8,80}$`)
