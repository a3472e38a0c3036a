// Package webhook sends posts to an HTTP endpoint of the operator's own: the CloudEvents 1.0 document that publish
// composed, byte for byte, signed as Standard Webhooks asks.
//
// The promise is at least once. Every try of an event carries the same webhook-id, by which the receiver drops a
// repeat; a changed article is an event of its own with its own id.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/web"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/send"
)

// ContentType is the media type of a CloudEvent in structured mode.
const ContentType = "application/cloudevents+json; charset=utf-8"

// idForm is what an event's id may look like: it stands in a header and, without a dot, in the signed text.
var idForm = regexp.MustCompile(`^[A-Za-z0-9_:-]{1,128}$`)

// Network is the network of webhook channels.
var Network = send.Network{
	Name:     "webhook",
	Settings: func() any { return &Settings{Concurrency: 4} },
	Example:  example,
	Traits: send.Traits{
		Repeatable: true, AnyChange: true,
		// The schedule of Standard Webhooks, 75 h 35 min in all.
		Retries: []time.Duration{
			5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
		},
		GiveUp: 120 * time.Hour,
	},
	Open: open,
}

type sender struct {
	send.Server
	lanes   int
	now     func() time.Time
	keys    [][]byte
	secrets []string
}

func open(o send.Options) (send.Sender, error) {
	s, err := send.Own[Settings](o)
	if err != nil {
		return nil, err
	}
	target, err := send.At(o, "url", s.URL.Reveal())
	if err != nil {
		return nil, err
	}
	list, wrong := keys(s.Secret)
	if wrong != "" {
		return nil, fault.Errorf(fault.Invalid, "open channel %s: its secret %s", o.Channel.ID, wrong)
	}
	target.Options.Idempotent, target.Options.Header = true, http.Header{}
	w := &sender{Server: target, lanes: s.Concurrency, now: o.Now, keys: list, secrets: append(strings.Fields(s.Secret.Reveal()), s.URL.Reveal())}
	if path := target.Address.RequestURI(); path != "/" { // no secret, and every path has one
		w.secrets = append(w.secrets, path)
	}
	for name, value := range s.Headers {
		w.Options.Header.Set(name, value.Reveal())
		w.secrets = append(w.secrets, value.Reveal())
	}
	return w, nil
}

// Account is not the address, which is a secret and may be replaced: the receiver knows repeats by their ids.
func (w *sender) Account() string { return "webhook" }

// Credential changes with the address, the keys and the headers.
func (w *sender) Credential() string { return send.Digest(w.Channel, w.secrets...) }

// Concurrency is what the operator allows.
func (w *sender) Concurrency() int { return w.lanes }

// Send posts the event of a new article. An edit that overtook the post it changes is the first that the receiver
// hears of the story, and is told as such.
func (w *sender) Send(ctx context.Context, j send.Job) (send.Receipt, error) {
	body, err := first(j)
	if err != nil {
		return send.Receipt{}, err
	}
	p := *j.Post
	p.Request.Body = body
	j.Post = &p
	return w.post(ctx, j)
}

// Edit posts the event of a changed article.
func (w *sender) Edit(ctx context.Context, j send.Job) (send.Receipt, error) { return w.post(ctx, j) }

// Delete posts the event of a removed article.
func (w *sender) Delete(ctx context.Context, j send.Job) (send.Receipt, error) {
	if j.Post == nil || len(j.Post.Request.Body) == 0 {
		body, err := w.removed(j)
		if err != nil {
			return send.Receipt{}, err
		}
		p := event.Post{Request: event.Request{Body: body}}
		j.Post = &p
	}
	return w.post(ctx, j)
}

func (w *sender) post(ctx context.Context, j send.Job) (send.Receipt, error) {
	body := []byte(j.Post.Request.Body)
	var head struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(body, &head); err != nil || !idForm.MatchString(head.ID) {
		return send.Receipt{}, fault.Errorf(fault.Invalid, "send event to channel %s: its body has no usable id", j.Channel)
	}
	req, err := http.NewRequest(http.MethodPost, w.Address.String(), bytes.NewReader(body))
	if err != nil {
		return send.Receipt{}, fault.Errorf(fault.Invalid, "send event to channel %s: its address cannot be asked", j.Channel)
	}
	at := w.now().Unix()
	req.Header.Set("Content-Type", ContentType)
	req.Header.Set("Webhook-Id", head.ID)
	req.Header.Set("Webhook-Timestamp", strconv.FormatInt(at, 10))
	if len(w.keys) > 0 {
		req.Header.Set("Webhook-Signature", Sign(w.keys, head.ID, at, body))
	}
	answer, err := w.Client.Do(ctx, req, w.Options)
	if err != nil {
		return send.Receipt{}, fmt.Errorf("send event to channel %s: %w", j.Channel, err)
	}
	if err := w.verdict(answer); err != nil {
		return send.Receipt{}, fmt.Errorf("send event to channel %s: %w", j.Channel, err)
	}
	return send.Accepted(answer, ledger.Remote{ID: head.ID}), nil
}

// verdict says what a status means. Only 2xx is success. An endpoint that moved or is missing may come back, so it is
// a failed attempt; 410 alone says that it will not (Standard Webhooks, "Deliverability and reliability").
func (w *sender) verdict(a *web.Answer) error {
	err := send.Refusal(a, true, w.secrets...)
	if fault.KindOf(err) == fault.Gone && a.Status != http.StatusGone {
		return fault.Errorf(fault.Unreachable, "%w", err)
	}
	return err
}

// Sign returns the signatures of a body by each key, in the form of the header webhook-signature: "v1," and the base64
// of the HMAC-SHA256 of id, timestamp and body with dots between, parted by one space.
func Sign(keys [][]byte, id string, at int64, body []byte) string {
	signatures := make([]string, len(keys))
	for i, key := range keys {
		mac := hmac.New(sha256.New, key)
		_, _ = fmt.Fprintf(mac, "%s.%d.", id, at) // a hash takes every write
		_, _ = mac.Write(body)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(signatures, " ")
}

// composed is an event as publish writes it.
type composed struct {
	SpecVersion string          `json:"specversion"`
	ID          string          `json:"id"`
	Source      string          `json:"source"`
	Type        string          `json:"type"`
	Subject     string          `json:"subject"`
	Time        string          `json:"time"`
	ContentType string          `json:"datacontenttype"`
	Data        json.RawMessage `json:"data"`
}

// first returns the body of the event that tells of an article for the first time: the composed one, or the one of an
// edit under the type and the id that the create would have had. Same job, same bytes.
func first(j send.Job) ([]byte, error) {
	var e composed
	if err := json.Unmarshal(j.Post.Request.Body, &e); err != nil {
		return nil, fault.Errorf(fault.Invalid, "send event to channel %s: its body is no event: %w", j.Channel, err)
	}
	if e.Type != "article.updated" {
		return j.Post.Request.Body, nil
	}
	e.Type, e.ID = "article.published", "msg_"+article.Digest(article.IDLength, j.Channel, j.Story, event.ActionCreate)
	body, err := event.Marshal(e)
	if err != nil {
		return nil, fault.Errorf(fault.Internal, "send event to channel %s: %w", j.Channel, err)
	}
	return body, nil
}

// removal is the event of an article that was withdrawn without a composed one.
type removal struct {
	SpecVersion string      `json:"specversion"`
	ID          string      `json:"id"`
	Source      string      `json:"source"`
	Type        string      `json:"type"`
	Subject     string      `json:"subject,omitempty"`
	ContentType string      `json:"datacontenttype"`
	Data        removalData `json:"data"`
}

type removalData struct {
	ID       string `json:"id"`
	Story    string `json:"story"`
	Revision uint64 `json:"revision"`
	URL      string `json:"url,omitempty"`
}

// removed composes the event of a withdrawal, which comes without a payload. It has no time: nothing here knows when
// the article went, and a clock would give every try another body.
func (w *sender) removed(j send.Job) ([]byte, error) {
	id := "msg_" + article.Digest(article.IDLength, j.Channel, j.Story, event.ActionDelete, strconv.FormatUint(j.Revision, 10))
	e := removal{
		SpecVersion: "1.0", ID: id, Source: "/tidings/" + j.Channel, Type: "article.removed", Subject: j.URL,
		ContentType: "application/json", Data: removalData{Story: j.Story, Revision: j.Revision, URL: j.URL},
	}
	if j.Post != nil {
		e.Data.ID = j.Post.Article
	}
	body, err := event.Marshal(e)
	if err != nil {
		return nil, fault.Errorf(fault.Internal, "compose removal for channel %s: %w", j.Channel, err)
	}
	return body, nil
}
