package web

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// Options are what one source or channel wants different. The zero value asks plainly.
type Options struct {
	// UserAgent replaces that of the client.
	UserAgent string
	// Header holds further headers. A Fetch sends them to the first host only, as it does the next three.
	Header http.Header
	// Basic is user and password of HTTP basic authentication; Bearer a token without the word Bearer. Only one may be
	// set.
	Basic  *Basic
	Bearer string
	// Cookie is the whole value of a Cookie header.
	Cookie string
	// Proxy is the address of an http, https or socks5 proxy, user and password included. Behind one only literal
	// addresses and ports are checked, names are its own policy.
	Proxy string
	// TLS changes how hosts are verified.
	TLS TLS
	// HTTP1 switches HTTP/2 off for a Fetch. A Do speaks HTTP/1.1 always.
	HTTP1 bool
	// Private is one exact host:port that may be a private address: the host that an operator gave to a channel.
	Private string
	// Timeout replaces [Limits.Total].
	Timeout time.Duration
	// Idempotent tells Do that repeating the request is harmless although its method does not say so.
	Idempotent bool
}

// Basic is user and password.
type Basic struct {
	User, Password string
}

// TLS changes how a host is verified. TLS 1.2 is the least in any case. The files are read when the first connection
// with them is prepared.
type TLS struct {
	// Insecure accepts any certificate.
	Insecure bool
	// CAFile holds certificates in PEM that are trusted in place of the system's.
	CAFile string
	// CertFile and KeyFile are our own certificate, both in PEM.
	CertFile, KeyFile string
}

// Secret tells whether a request with these options carries anything that another host must not see. Nobody can tell
// which custom header is a key, so each counts.
func (o *Options) Secret() bool {
	return len(o.Header) > 0 || o.Basic != nil || o.Bearer != "" || o.Cookie != "" || o.TLS.CertFile != ""
}

// Elsewhere are the options of a request to another host than the one that these were meant for: without anything that
// [Options.Secret] counts, and without what was said of that host's certificates.
func (o *Options) Elsewhere() Options {
	return Options{UserAgent: o.UserAgent, Proxy: o.Proxy, HTTP1: o.HTTP1}
}

// reserved are the headers that would change how the request is framed or to whom it speaks.
var reserved = []string{
	"Host", "Connection", "Content-Length", "Expect", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Accept-Encoding", "Http2-Settings",
}

// CheckHeader says whether headers may be given as options: valid names and values, none of those that frame the
// message, name another host or speak to a proxy.
func CheckHeader(h http.Header) error {
	for name, values := range h {
		canonical := http.CanonicalHeaderKey(name)
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			return newError(BadURL, "", "header name %q is not valid", cleanText(name, 80))
		case slices.Contains(reserved, canonical) || strings.HasPrefix(canonical, "Proxy-"):
			return newError(BadURL, "", "header %s cannot be set", canonical)
		case len(values) == 0:
			return newError(BadURL, "", "header %s has no value", canonical)
		case slices.ContainsFunc(values, func(v string) bool { return !validHeaderValue(v) }):
			return newError(BadURL, "", "header %s has a value with a line break or control character", canonical)
		}
	}
	return nil
}

// validHeaderValue follows RFC 9110 section 5.5, in the strict form of net/http.
func validHeaderValue(v string) bool { return httpguts.ValidHeaderFieldValue(v) }

// authorise puts the secrets of o into h.
func (o *Options) authorise(h http.Header) error {
	if err := CheckHeader(o.Header); err != nil {
		return err
	}
	if o.Basic != nil && o.Bearer != "" {
		return newError(BadURL, "", "basic and bearer authentication exclude each other")
	}
	if !validHeaderValue(o.Bearer) || !validHeaderValue(o.Cookie) || !validHeaderValue(o.UserAgent) {
		return newError(BadURL, "", "token, cookie or user agent has a line break or control character")
	}
	for name, values := range o.Header {
		h[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	switch {
	case o.Basic != nil:
		h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(o.Basic.User+":"+o.Basic.Password)))
	case o.Bearer != "":
		h.Set("Authorization", "Bearer "+o.Bearer)
	}
	if o.Cookie != "" {
		h.Set("Cookie", o.Cookie)
	}
	return nil
}

// userAgent gives the user agent of a request.
func (c *Client) userAgent(o *Options) string {
	if o.UserAgent != "" {
		return o.UserAgent
	}
	return c.agent
}

// proxyURL reads the proxy of o, nil when there is none. An error never shows the address: it may hold a password.
func (o *Options) proxyURL() (*url.URL, error) {
	if o.Proxy == "" {
		return nil, nil
	}
	u, err := url.Parse(o.Proxy)
	if err != nil || u.Hostname() == "" {
		return nil, newError(BadURL, "", "proxy is not an address")
	}
	switch u.Scheme {
	case "http", "https", "socks5", "socks5h":
		return u, nil
	}
	return nil, newError(BadURL, "", "proxy is not http, https or socks5")
}
