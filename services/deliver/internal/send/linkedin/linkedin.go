// Package linkedin posts for members and organisations by the Posts API of LinkedIn (learn.microsoft.com/linkedin, "Posts
// API").
//
// LinkedIn knows no key by which a repeat could be dropped, and a post whose answer was lost cannot be looked for without
// rights that few applications have. So what is in doubt is left to a person. The text of a post comes escaped from publish.
package linkedin

import (
	"bytes"
	"context"
	"encoding/json"
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

// Network is the network of linkedin channels.
var Network = send.Network{
	Name:     "linkedin",
	Settings: func() any { return &Settings{Server: "https://api.linkedin.com"} },
	Others:   others,
	Example:  example,
	Open:     open,
}

const posts = "/rest/posts"

type sender struct {
	send.Server
	author  string
	version string
	token   string
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
	if !authorForm.MatchString(s.Author) || !versionForm.MatchString(s.Version) {
		return nil, fault.Errorf(fault.Invalid, "open channel %s: its author or version is none", o.Channel.ID)
	}
	server.Options.Bearer = s.Token.Reveal()
	return &sender{Server: server, author: s.Author, version: s.Version, token: s.Token.Reveal()}, nil
}

// Account is the author on the server.
func (l *sender) Account() string { return "linkedin " + web.HostPort(l.Address) + " " + l.author }

// Credential changes with the token, and with the version, since another one ends the pause that an old one caused.
func (l *sender) Credential() string { return send.Digest(l.Channel, l.token, l.version) }

// Age is how long ago the month of the version began.
func (l *sender) Age(now time.Time) time.Duration {
	month, err := time.Parse("200601", l.version)
	if err != nil {
		return 0 // it was checked when the channel was opened
	}
	return max(now.Sub(month), 0)
}

// Send creates a post.
func (l *sender) Send(ctx context.Context, j send.Job) (send.Receipt, error) {
	body, dropped, err := l.whole(j)
	if err != nil {
		return send.Receipt{}, err
	}
	answer, err := l.call(ctx, http.MethodPost, ledger.Remote{}, body, false)
	if err != nil {
		return send.Receipt{}, fmt.Errorf("post to channel %s: %w", l.Channel, err)
	}
	got := send.Accepted(answer, posted(answer))
	got.Dropped = dropped
	return got, nil
}

// Edit changes the text of a post, the one thing that can be changed.
func (l *sender) Edit(ctx context.Context, j send.Job) (send.Receipt, error) {
	text, err := commentary(j)
	if err != nil {
		return send.Receipt{}, err
	}
	var p patch
	p.Patch.Set.Commentary = text
	body, err := event.Marshal(p)
	if err != nil {
		return send.Receipt{}, fault.Errorf(fault.Invalid, "edit post of channel %s: %w", l.Channel, err)
	}
	answer, err := l.call(ctx, http.MethodPost, j.Remote, body, true)
	if err != nil {
		return send.Receipt{}, fmt.Errorf("edit post of channel %s: %w", l.Channel, err)
	}
	return send.Accepted(answer, j.Remote), nil
}

// Delete removes a post. One that is gone already is as good.
func (l *sender) Delete(ctx context.Context, j send.Job) (send.Receipt, error) {
	if !urnForm.MatchString(j.Remote.ID) {
		return send.Receipt{}, errNoID()
	}
	answer, err := l.call(ctx, http.MethodDelete, j.Remote, nil, true)
	switch {
	case err != nil && (send.Status(err) == http.StatusNotFound || send.Status(err) == http.StatusGone):
		return send.Receipt{Remote: j.Remote}, nil
	case err != nil:
		return send.Receipt{}, fmt.Errorf("delete post of channel %s: %w", l.Channel, err)
	}
	return send.Accepted(answer, j.Remote), nil
}

// patch is the body of a partial update.
type patch struct {
	Patch struct {
		Set struct {
			Commentary string `json:"commentary"`
		} `json:"$set"`
	} `json:"patch"`
}

// post is the body of a create, as publish composes it.
type post struct {
	Author         string          `json:"author"`
	Commentary     string          `json:"commentary"`
	Visibility     string          `json:"visibility"`
	Distribution   json.RawMessage `json:"distribution"`
	Content        *content        `json:"content,omitempty"`
	LifecycleState string          `json:"lifecycleState"`
	NoReshare      bool            `json:"isReshareDisabledByAuthor"`
}

type content struct {
	Article card `json:"article"`
}

type card struct {
	Source      string `json:"source"`
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
}

// whole is the body of a create. The picture of the card is left out and named, since this sender uploads none. An edit
// that overtook the post that it changes brings its text alone, and becomes that post.
func (l *sender) whole(j send.Job) (body []byte, dropped []string, err error) {
	text, err := commentary(j)
	if err != nil {
		return nil, nil, err
	}
	var p post
	if err := json.Unmarshal(j.Post.Request.Body, &p); err != nil {
		return nil, nil, fault.Errorf(fault.Invalid, "post to channel %s: its payload is no post: %w", l.Channel, err)
	}
	if p.Commentary == "" {
		p = post{
			Visibility: "PUBLIC", LifecycleState: "PUBLISHED", Content: &content{card{Source: j.Post.URL, Title: j.Post.Title}},
			Distribution: json.RawMessage(`{"feedDistribution":"MAIN_FEED","targetEntities":[],"thirdPartyDistributionChannels":[]}`),
		}
	}
	p.Author, p.Commentary = l.author, text
	for _, m := range j.Post.Media {
		dropped = append(dropped, m.Name)
	}
	if body, err = event.Marshal(p); err != nil {
		return nil, nil, fault.Errorf(fault.Invalid, "post to channel %s: its payload cannot be written: %w", l.Channel, err)
	}
	return body, dropped, nil
}

// commentary is the text of a payload, that of a post or that of an edit.
func commentary(j send.Job) (string, error) {
	var in struct {
		Commentary string `json:"commentary"`
		patch
	}
	if err := json.Unmarshal(j.Post.Request.Body, &in); err != nil || in.Commentary == "" && in.Patch.Set.Commentary == "" {
		return "", fault.Errorf(fault.Invalid, "post to channel %s: its payload has no text", j.Channel)
	}
	if in.Commentary != "" {
		return in.Commentary, nil
	}
	return in.Patch.Set.Commentary, nil
}

// urnForm is the id of a post. It becomes part of a path.
var urnForm = regexp.MustCompile(`^urn:li:(share|ugcPost):\d{1,25}$`)

func errNoID() error {
	return fault.Errorf(fault.Invalid, "find post: the ledger holds no usable id of it")
}

// posted reads a receipt, which is a header. Without one that can be used it is empty: the status has said that it was
// posted.
func posted(a *web.Answer) ledger.Remote {
	id := a.Header.Get("X-Restli-Id")
	if !urnForm.MatchString(id) {
		return ledger.Remote{}
	}
	return ledger.Remote{ID: id, URL: "https://www.linkedin.com/feed/update/" + id}
}

// call makes one request about a post, or about none yet, and returns its answer if it is a success. harmless says that a
// repeat does no harm.
func (l *sender) call(ctx context.Context, method string, of ledger.Remote, body []byte, harmless bool) (*web.Answer, error) {
	u := *l.Address
	u.Path = posts
	if harmless {
		if !urnForm.MatchString(of.ID) {
			return nil, errNoID()
		}
		// The colons of an id in a path are escaped ("Posts API", "Update Posts").
		u.Path, u.RawPath = posts+"/"+of.ID, posts+"/"+url.QueryEscape(of.ID)
	}
	req, err := http.NewRequest(method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fault.Errorf(fault.Internal, "make request: %s %s", method, u.Path)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("LinkedIn-Version", l.version)
	req.Header.Set("X-Restli-Protocol-Version", "2.0.0")
	if harmless && method == http.MethodPost {
		req.Header.Set("X-RestLi-Method", "PARTIAL_UPDATE")
	}
	o := l.Options
	o.Idempotent = harmless
	answer, err := l.Client.Do(ctx, req, o)
	if err != nil {
		return nil, err
	}
	err = send.Refusal(answer, harmless, l.token)
	if answer.Status == http.StatusUpgradeRequired {
		// Not this post is wrong but every one of this configuration: the channel waits for another version.
		err = fault.Errorf(fault.Refused, "version %s of the API is not in force any more; set a newer one in the channel's key version: %w", l.version, err)
	}
	return answer, err
}
