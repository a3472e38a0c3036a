package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tidings.internal/pkg/fault"
)

// Request is a document to be read.
type Request struct {
	URL string
	// Accept is the Accept header, empty for any type.
	Accept string
	// ETag and LastModified are validators, sent back byte for byte. One that is longer than 1 KB or not printable is
	// left out.
	ETag, LastModified string
	Options            Options
	// MaxBody replaces [Limits.Body], in bytes as they travel.
	MaxBody int64
	// Enter, when set, is asked before each hop with its host:port, and its release called when that hop is over and
	// before the next is entered, so that two chains can never wait for each other. [Gate.Enter] has this form.
	Enter func(ctx context.Context, hostport string) (release func(), err error)
}

// Hop is a redirect that was followed: the address asked, and the status it gave.
type Hop struct {
	URL    string
	Status int
}

// Response is a document as it came.
type Response struct {
	// Status is 2xx or 304.
	Status int
	Header http.Header
	// Body holds the bytes as they travelled; Codings say how they are encoded, in the order they were applied.
	Body    []byte
	Codings []string
	// URL is the address that answered, after the redirects in Hops.
	URL  *url.URL
	Hops []Hop
	// Private tells that the host was reached through the allow-list.
	Private bool
	// Took is the time of the exchange without the waits at a gate.
	Took time.Duration
}

// NotModified tells that the document is the one the validators belong to.
func (r *Response) NotModified() bool { return r.Status == http.StatusNotModified }

// maxValidator is the longest validator sent back.
const maxValidator = 1 << 10

// drain is how much of a body nobody wants is read so that its connection can be kept.
const drain = 4 << 10

// Fetch reads a document. It follows redirects, repeats nothing and decodes nothing. The error is an *Error unless ctx
// was cancelled. With the reason [Truncated] the response is given too and holds what arrived before the end.
func (c *Client) Fetch(ctx context.Context, r Request) (*Response, error) {
	f := &fetching{c: c, r: &r, left: c.limits.Total, secrets: r.Options.Secret(), withSecrets: true}
	if r.Options.Timeout > 0 {
		f.left = r.Options.Timeout
	}
	or(&r.MaxBody, c.limits.Body)
	u, bad := c.checkURL(r.URL, r.Options)
	if bad != nil {
		return nil, bad
	}
	t, err := c.transport(&r.Options, false)
	if err != nil {
		return nil, err
	}
	f.transport, f.first, f.total = t, u, f.left
	for {
		resp, next, err := f.hop(ctx, u)
		if err != nil {
			if e, ok := errors.AsType[*Error](err); ok {
				e.Hops = f.hops
			}
			return resp, err
		}
		if next == nil {
			return resp, nil
		}
		u = next
	}
}

// fetching is one Fetch on its way through the redirects.
type fetching struct {
	c           *Client
	r           *Request
	transport   *http.Transport
	first       *url.URL
	total, left time.Duration
	hops        []Hop
	secrets     bool // the options hold some
	withSecrets bool // the chain has not left the first host yet
}

// hop asks one address: a response, or where to go next, or an error.
func (f *fetching) hop(ctx context.Context, u *url.URL) (*Response, *url.URL, error) {
	host := HostPort(u)
	if f.r.Enter != nil {
		release, err := f.r.Enter(ctx, host)
		if err != nil {
			return nil, nil, fmt.Errorf("wait for %s: %w", host, err)
		}
		defer release()
	}
	began := time.Now()
	defer func() { f.left -= time.Since(began) }()
	own, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(max(f.left, 0), func() { cancel(errTotal) })
	defer timer.Stop()

	header, err := f.header()
	if err != nil {
		return nil, nil, err
	}
	tr := &trace{guard: f.c.guard}
	req := (&http.Request{
		Method: http.MethodGet, URL: u, Host: u.Host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(tr.context(own))
	resp, err := f.transport.RoundTrip(req)
	if err != nil {
		return nil, nil, f.failed(ctx, own, tr, host, err)
	}
	defer resp.Body.Close()
	body := &idleReader{body: resp.Body, idle: f.c.limits.Idle, cancel: cancel}
	defer body.stop()

	switch {
	case isRedirect(resp.StatusCode):
		next, err := f.follow(u, resp)
		if err == nil {
			_, _ = io.CopyN(io.Discard, body, drain) // an error ends the connection, not the chain
			return nil, next, nil
		}
		return nil, nil, err.answered(resp, tr)
	case resp.StatusCode/100 == 2, resp.StatusCode == http.StatusNotModified:
		out := &Response{
			Status: resp.StatusCode, Header: resp.Header, Codings: codings(resp.Header), URL: u, Hops: f.hops,
			Private: tr.isPrivate(),
		}
		err := f.read(ctx, own, tr, host, resp, body, out)
		out.Took = f.total - f.left + time.Since(began)
		if err != nil && out.Body == nil {
			return nil, nil, err
		}
		return out, nil, err
	}
	_, _ = io.CopyN(io.Discard, body, drain)
	return nil, nil, f.c.statusFailed(resp, host, tr)
}

// answered notes the answer that an error is about.
func (e *Error) answered(resp *http.Response, tr *trace) *Error {
	e.Status, e.Private, e.Wrote = resp.StatusCode, tr.isPrivate(), true
	return e
}

// statusFailed makes the error of an answer that is not a document.
func (c *Client) statusFailed(resp *http.Response, host string, tr *trace) error {
	e := newError(reasonOfStatus(resp.StatusCode, resp.Header), host, "%w", statusError(resp.StatusCode))
	e.answered(resp, tr)
	if KindOfStatus(resp.StatusCode, true) == fault.Throttled {
		if wait, ok := RetryAfter(resp.Header, c.now()); ok && wait > 0 {
			e.err = fault.Later(e.err, wait)
		}
	}
	return e
}

// header makes the headers of a hop. Secrets travel to the first host alone.
func (f *fetching) header() (http.Header, error) {
	h := http.Header{}
	if f.withSecrets {
		if err := f.r.Options.authorise(h); err != nil {
			return nil, err
		}
	}
	h.Set("User-Agent", f.c.userAgent(&f.r.Options))
	if f.r.Accept != "" {
		h.Set("Accept", f.r.Accept)
	} else if h.Get("Accept") == "" {
		h.Set("Accept", "*/*")
	}
	h.Set("Accept-Encoding", "zstd, br, gzip, deflate")
	if validator(f.r.ETag) {
		h.Set("If-None-Match", f.r.ETag)
	}
	if validator(f.r.LastModified) {
		h.Set("If-Modified-Since", f.r.LastModified)
	}
	return h, nil
}

func validator(v string) bool {
	return v != "" && len(v) <= maxValidator && validHeaderValue(v) && strings.Trim(v, " \t") == v
}

// read takes the body within its limits.
func (f *fetching) read(ctx, own context.Context, tr *trace, host string, resp *http.Response, body io.Reader, out *Response) error {
	limit := f.r.MaxBody
	if resp.ContentLength > limit {
		e := newError(TooLarge, host, "body of %d bytes announced, the limit is %d", resp.ContentLength, limit)
		return e.answered(resp, tr)
	}
	var buf bytes.Buffer
	if resp.ContentLength > 0 {
		buf.Grow(int(min(resp.ContentLength, 1<<20)) + bytes.MinRead) // a false length costs 1 MB at most
	}
	_, err := buf.ReadFrom(io.LimitReader(body, limit+1))
	if int64(buf.Len()) > limit {
		return newError(TooLarge, host, "body has more than %d bytes", limit).answered(resp, tr)
	}
	if err == nil {
		out.Body = buf.Bytes()
		return nil
	}
	if own.Err() != nil {
		return f.failed(ctx, own, tr, host, err)
	}
	out.Body = append([]byte{}, buf.Bytes()...) // never nil: it is what tells a truncated body from none
	return newError(Truncated, host, "body broke off after %d bytes: %w", buf.Len(), err).answered(resp, tr)
}

// failed names an exchange that ended without an answer. The end of the caller's own context is no fault.
func (f *fetching) failed(ctx, own context.Context, tr *trace, host string, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("reach %s: %w", host, context.Cause(ctx))
	}
	e := newError(tr.reason(own, err), host, "%w", because(own, err))
	e.Private, e.Wrote = tr.isPrivate(), tr.wrote()
	return e
}

// because prefers our own cause to the bare "context canceled" that it makes of a RoundTrip.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && ctx.Err() != nil {
		return cause
	}
	return err
}

// codings lists the encodings of a body in the order they were applied (RFC 9110 section 8.4), identity left out.
func codings(h http.Header) []string {
	var list []string
	for _, line := range h.Values("Content-Encoding") {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.ToLower(strings.TrimSpace(name)); name != "" && name != "identity" {
				list = append(list, name)
			}
		}
	}
	return list
}
