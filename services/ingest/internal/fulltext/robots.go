package fulltext

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/temoto/robotstxt"

	"tidings.internal/pkg/web"
	"tidings.internal/services/ingest/internal/decode"
)

// agent is the name that we go by in robots.txt (RFC 9309 section 2.2.1).
const agent = "Tidings"

const (
	// rulesFor is how long rules hold, and silenceFor how long a host is taken to forbid everything that did not give any.
	rulesFor   = 24 * time.Hour
	silenceFor = time.Hour
	// maxRules is what of a file is read at most; RFC 9309 section 2.5 asks for 500 KiB at least.
	maxRules = 512 << 10
	// maxOrigins is how many files are remembered.
	maxOrigins = 10_000
)

// robots knows what hosts allow. It asks each one at most once a day, or an hour where it was silent.
type robots struct {
	client *web.Client
	now    func() time.Time

	mu      sync.Mutex
	origins map[string]*rules
}

// rules are those of one scheme, host and port.
type rules struct {
	mu    sync.Mutex       // held while they are fetched
	group *robotstxt.Group // nil where everything is forbidden
	until time.Time
}

func newRobots(client *web.Client, now func() time.Time) *robots {
	return &robots{client: client, now: now, origins: map[string]*rules{}}
}

// allow reports whether a page may be asked for. The error is that of a host which gave no rules just now.
func (r *robots) allow(ctx context.Context, u *url.URL, o web.Options, enter func(context.Context, string) (func(), error)) (allowed bool, silence error) {
	known := r.of(u.Scheme + "://" + web.HostPort(u))
	known.mu.Lock()
	defer known.mu.Unlock()
	if !r.now().Before(known.until) {
		file := url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/robots.txt"}
		group, hold, err := r.fetch(ctx, file.String(), o, enter)
		if ctx.Err() != nil {
			return false, ctx.Err() // not known, and not remembered
		}
		known.group, known.until = group, r.now().Add(hold)
		if group == nil && err != nil {
			return false, err
		}
	}
	return known.group != nil && known.group.Test(u.RequestURI()), nil
}

// open allows everything.
func open() *robotstxt.Group {
	// The rules of no text allow everything, so this cannot fail.
	data, _ := robotstxt.FromBytes(nil)
	return data.FindGroup(agent)
}

// fetch reads the rules of a host. None at all means that everything is forbidden.
func (r *robots) fetch(ctx context.Context, file string, o web.Options, enter func(context.Context, string) (func(), error)) (*robotstxt.Group, time.Duration, error) {
	resp, err := r.client.Fetch(ctx, web.Request{URL: file, Accept: "text/plain, */*;q=0.1", Options: o, MaxBody: maxRules, Enter: enter})
	if err != nil {
		group, hold := afterError(err)
		return group, hold, err
	}
	text, _, err := decode.Codings(resp.Body, resp.Codings)
	if err != nil || len(text) > maxRules {
		return nil, silenceFor, nil
	}
	data, err := robotstxt.FromBytes(text)
	if err != nil || resp.Status != http.StatusOK {
		return open(), rulesFor, nil // what is no rule forbids nothing (RFC 9309 section 2.2.4)
	}
	return data.FindGroup(agent), rulesFor, nil
}

// afterError follows RFC 9309 section 2.3.1: a host that has no file allows everything, one that is in trouble nothing.
func afterError(err error) (*robotstxt.Group, time.Duration) {
	e, ok := errors.AsType[*web.Error](err)
	switch {
	case !ok:
	case e.Reason == web.RedirectLimit, e.Reason == web.RedirectRefused:
		return open(), rulesFor
	case e.Reason == web.RefusedAddress, e.Reason == web.RefusedPort, e.Reason == web.RefusedScheme:
		return open(), rulesFor // nothing was sent, and the page's own refusal says why
	case e.Status >= 400 && e.Status < 500 && e.Status != http.StatusTooManyRequests:
		return open(), rulesFor
	}
	return nil, silenceFor
}

func (r *robots) of(origin string) *rules {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.origins[origin]
	if known != nil {
		return known
	}
	if len(r.origins) >= maxOrigins {
		for name := range r.origins {
			delete(r.origins, name) // any one: whoever still needs it asks again
			break
		}
	}
	known = &rules{}
	r.origins[origin] = known
	return known
}
