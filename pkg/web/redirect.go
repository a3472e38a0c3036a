package web

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"time"
)

// isRedirect tells which statuses name one address to go to. 300 leaves the choice to a person, 305 and 306 are dead.
func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// follow says where a redirect leads and whether we go there.
func (f *fetching) follow(from *url.URL, resp *http.Response) (*url.URL, *Error) {
	f.hops = append(f.hops, Hop{URL: from.String(), Status: resp.StatusCode})
	host := HostPort(from)
	if len(f.hops) > f.c.limits.Redirects {
		return nil, newError(RedirectLimit, host, "more than %d redirects", f.c.limits.Redirects)
	}
	location := resp.Header.Get("Location")
	if location == "" {
		return nil, newError(RedirectRefused, host, "redirect names no address")
	}
	if len(location) > maxURL {
		return nil, newError(RedirectRefused, host, "redirect to an address of more than %d bytes", maxURL)
	}
	to, err := from.Parse(location)
	if err != nil {
		return nil, newError(RedirectRefused, host, "redirect to an address that cannot be read")
	}
	next, bad := f.c.checkURL(to.String(), f.r.Options)
	if bad != nil {
		return nil, bad
	}
	if f.secrets && from.Scheme == "https" && next.Scheme == "http" {
		return nil, newError(RedirectRefused, host, "redirect from https to http, and the source has credentials")
	}
	// Once the chain has left the first host it stays without secrets, also when it is led back.
	f.withSecrets = f.withSecrets && sameHost(f.first, next)
	return next, nil
}

// sameHost tells whether b is the host that a's credentials belong to: the same host:port, or the https port of the
// same name where a is plain http.
func sameHost(a, b *url.URL) bool {
	if HostPort(a) == HostPort(b) && a.Scheme == b.Scheme {
		return true
	}
	return a.Hostname() == b.Hostname() && a.Scheme == "http" && b.Scheme == "https" &&
		(a.Port() == "" || a.Port() == "80") && (b.Port() == "" || b.Port() == "443")
}

// idleReader cancels an exchange whose body stands still. The deadline lives here and not on the connection, where it
// would also end connections that wait for their next request.
type idleReader struct {
	body   io.Reader
	idle   time.Duration
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

// Read reads with the clock running.
func (r *idleReader) Read(p []byte) (int, error) {
	if r.timer == nil {
		r.timer = time.AfterFunc(r.idle, func() { r.cancel(errIdle) })
	} else {
		r.timer.Reset(r.idle)
	}
	n, err := r.body.Read(p)
	r.timer.Stop()
	return n, err
}

func (r *idleReader) stop() {
	if r.timer != nil {
		r.timer.Stop()
	}
}
