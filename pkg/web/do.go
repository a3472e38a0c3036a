package web

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"tidings.internal/pkg/fault"
)

// Answer is what came back for a request of a sender, whatever its status.
type Answer struct {
	Status int
	Header http.Header
	// Body holds at most [Limits.Answer] bytes. Partial tells that there was more, or that it broke off: the status
	// counts all the same.
	Body    []byte
	Partial bool
	// Wait is how long the host wants to be left alone, zero when it does not say. See [Wait].
	Wait time.Duration
	Took time.Duration

	host string
}

// Do sends req once and reads the answer. Every answer, whatever its status, comes without an error; [Answer.Fault]
// turns one into it. Redirects are answers too. The error is always an *Error, also when ctx ends: its Wrote is false
// only if no byte of the request left this machine, and its kind is then not [fault.Uncertain]. The context of req is
// replaced by ctx, its body is closed.
//
// It speaks HTTP/1.1 so that Wrote is exact: an HTTP/2 connection is shared, and its transport repeats requests that
// the server says it did not process.
func (c *Client) Do(ctx context.Context, req *http.Request, o Options) (*Answer, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	out, host, err := c.prepare(req, &o)
	if err != nil {
		return nil, err
	}
	t, err := c.transport(&o, true)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	limit := o.Timeout
	or(&limit, c.limits.Total)
	own, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(limit, func() { cancel(errTotal) })
	defer timer.Stop()

	tr := &trace{guard: c.guard}
	resp, err := t.RoundTrip(out.WithContext(tr.context(own)))
	if err != nil {
		return nil, unanswered(own, tr, host, err, o.Idempotent || idempotent(out.Method))
	}
	defer resp.Body.Close()
	body := &idleReader{body: resp.Body, idle: c.limits.Idle, cancel: cancel}
	defer body.stop()
	data, err := io.ReadAll(io.LimitReader(body, c.limits.Answer+1))
	a := &Answer{Status: resp.StatusCode, Header: resp.Header, Body: data, Partial: err != nil, host: host}
	if int64(len(data)) > c.limits.Answer {
		a.Body, a.Partial = data[:c.limits.Answer], true
	}
	a.Wait = waitOf(a, c.now())
	a.Took = time.Since(began)
	return a, nil
}

// prepare copies req and takes from the copy all that would make net/http send it twice or to somebody else.
func (c *Client) prepare(req *http.Request, o *Options) (*http.Request, string, error) {
	if req.URL == nil {
		return nil, "", newError(BadURL, "", "request has no address")
	}
	u, bad := c.checkURL(req.URL.String(), *o)
	if bad != nil {
		return nil, "", bad
	}
	host := HostPort(u)
	if req.Host != "" && !strings.EqualFold(req.Host, req.URL.Host) {
		return nil, "", newError(BadURL, host, "request names another host in its Host header")
	}
	if err := CheckHeader(req.Header); err != nil {
		return nil, "", err
	}
	out := req.Clone(context.Background())
	out.URL, out.Host, out.Close = u, u.Host, false
	if out.Header == nil {
		out.Header = http.Header{}
	}
	if err := o.authorise(out.Header); err != nil {
		return nil, "", err
	}
	if o.UserAgent != "" || out.Header.Get("User-Agent") == "" {
		out.Header.Set("User-Agent", c.userAgent(o))
	}
	if out.Method == "" {
		out.Method = http.MethodGet
	}
	neverReplay(out)
	return out, host, nil
}

// neverReplay stops net/http (Go 1.26, golang/go#19943) from silently sending a request again when a kept connection
// dies after the request was read. It does so for any method with an Idempotency-Key whose body it can rewind, and a
// server that ignores the key then acts twice. Without GetBody it cannot rewind; for an empty body, which needs no
// rewinding, the key is kept under a spelling that the check in net/http does not see and that is the same to servers.
func neverReplay(r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return
	}
	r.GetBody = nil
	if r.Body != nil && r.Body != http.NoBody {
		return
	}
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		if values, ok := r.Header[name]; ok {
			delete(r.Header, name)
			r.Header[strings.ToLower(name)] = values
		}
	}
}

// idempotent follows RFC 9110 section 9.2.2.
func idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// unanswered makes the error of a request that brought no answer.
func unanswered(ctx context.Context, tr *trace, host string, err error, harmless bool) *Error {
	reason := tr.reason(ctx, err)
	wrote := tr.wrote()
	kind := fault.Unreachable
	switch {
	case wrote && !harmless:
		kind = fault.Uncertain
	case !wrote:
		if own, ok := errors.AsType[*Error](err); ok {
			kind = own.Kind // the guard: it will say no again
		}
	}
	e := withKind(reason, kind, host, because(ctx, err))
	e.Private, e.Wrote = tr.isPrivate(), wrote
	return e
}
