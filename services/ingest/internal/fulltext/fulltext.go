// Package fulltext fetches the web page of an article, where its feed gives a beginning only.
//
// A page is asked for as its owner allows (robots.txt), in the turns of its host, and within a minute. One that does not
// come costs its article nothing but the page: the reason goes with it instead. The bytes stay as they came; enrich
// decodes them and finds the article in them. The package decides neither which articles want a page nor when.
package fulltext

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"sync"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/web"
	"tidings.internal/services/ingest/internal/cause"
	"tidings.internal/services/ingest/internal/decode"
)

// The reasons for which there is no page, beside those of packages web and cause.
const (
	Disallowed = "robots"     // robots.txt of the host forbids it
	QueueFull  = "queue_full" // too many pages of the host wait already
	HostDown   = "host_down"  // the host could not be reached a short while ago
	NotHTML    = "not_html"
	NoAddress  = "bad_url"
)

const (
	// maxPage is the size of a page, as it travels and unpacked.
	maxPage = 5 << 20
	// perHost is how many pages of a host may be asked for or waited for.
	perHost = 200
	// limit is how long a page may take from its first turn at the host, robots.txt and redirects included.
	limit = time.Minute
	// downFor is how long a host is left alone that could not be reached.
	downFor = 10 * time.Minute
	// limitedGap is how long a host is left alone at least that answered 429.
	limitedGap = 30 * time.Second
	accept     = "text/html, application/xhtml+xml;q=0.9"
)

// Fetcher fetches pages. It is safe for concurrent use.
type Fetcher struct {
	client  *web.Client
	gate    *web.Gate
	now     func() time.Time
	observe func(outcome string)
	robots  *robots

	mu    sync.Mutex
	hosts map[string]*host
}

// host is what is known of a host while pages of it are wanted, or until it is worth trying again.
type host struct {
	waiting int
	down    time.Time // until when
}

// New makes a fetcher. observe is told what came of each page: ok, or the reason why there is none.
func New(client *web.Client, gate *web.Gate, now func() time.Time, observe func(outcome string)) *Fetcher {
	return &Fetcher{client: client, gate: gate, now: now, observe: observe, robots: newRobots(client, now), hosts: map[string]*host{}}
}

// Request is a page to be fetched.
type Request struct {
	URL string
	// Options are those of the article's source, and Host is the source's own host:port. Elsewhere only what is no secret
	// of theirs is used.
	Options web.Options
	Host    string
}

var errLate = errors.New("the page took longer than a minute")

// Get fetches a page, with its bytes where it came. It returns nil when ctx ended: then nothing is known about it.
func (f *Fetcher) Get(ctx context.Context, r Request) (*article.Page, []byte) {
	p := &article.Page{URL: r.URL, Fetched: f.now().UTC()}
	body, reason := f.get(ctx, r, p)
	if ctx.Err() != nil {
		return nil, nil
	}
	if reason != "" {
		p.Error, body = reason, nil
	}
	outcome := p.Error
	if outcome == "" {
		outcome = "ok"
	}
	f.observe(outcome)
	return p, body
}

func (f *Fetcher) get(ctx context.Context, r Request, p *article.Page) (body []byte, reason string) {
	u, err := url.Parse(r.URL)
	if err != nil || u.Host == "" {
		return nil, NoAddress
	}
	name := web.HostPort(u)
	if reason := f.enter(name); reason != "" {
		return nil, reason
	}
	defer f.leave(name)
	own, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var begin sync.Once
	enter := func(ctx context.Context, hostport string) (func(), error) {
		release, err := f.gate.Enter(ctx, hostport)
		begin.Do(func() {
			timer := time.AfterFunc(limit, func() { cancel(errLate) })
			context.AfterFunc(own, func() { timer.Stop() })
		})
		return release, err
	}
	o := r.Options
	if name != r.Host {
		o = o.Elsewhere()
	}
	switch allowed, silence := f.robots.allow(own, u, o, enter); {
	case silence != nil:
		return nil, f.failed(own, p, name, silence)
	case !allowed:
		return nil, Disallowed
	}
	resp, err := f.client.Fetch(own, web.Request{URL: r.URL, Accept: accept, Options: o, MaxBody: maxPage, Enter: enter})
	if err != nil {
		return nil, f.failed(own, p, name, err)
	}
	p.Status, p.ContentType = resp.Status, resp.Header.Get("Content-Type")
	if to := resp.URL.String(); to != r.URL {
		p.FinalURL = to
	}
	return read(resp)
}

// read takes a page out of an answer.
func read(resp *web.Response) (body []byte, reason string) {
	if resp.Header.Get("Cf-Mitigated") != "" {
		return nil, string(web.Blocked)
	}
	if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); resp.Status != http.StatusOK || err != nil || kind != "text/html" && kind != "application/xhtml+xml" {
		return nil, NotHTML
	}
	body, _, err := decode.Codings(resp.Body, resp.Codings)
	switch {
	case err != nil:
		return nil, string(cause.Of(err))
	case len(body) > maxPage:
		return nil, string(web.TooLarge)
	case len(body) == 0:
		return nil, NotHTML
	}
	return body, ""
}

// failed names why a page did not come, and draws the consequences for its host.
func (f *Fetcher) failed(ctx context.Context, p *article.Page, name string, err error) string {
	if errors.Is(context.Cause(ctx), errLate) {
		return string(web.Timeout)
	}
	e, ok := errors.AsType[*web.Error](err)
	if !ok {
		return string(web.Timeout) // the gate is full
	}
	p.Status = e.Status
	switch e.Reason {
	case web.Connect, web.DNSTemporary, web.DNSUnknown:
		f.mu.Lock()
		f.host(name).down = f.now().Add(downFor)
		f.mu.Unlock()
	case web.RateLimited:
		if e.Private {
			f.gate.Slow(name)
		} else {
			f.gate.Block(name, time.Now().Add(max(limitedGap, fault.After(err))))
		}
	}
	return string(e.Reason)
}

// enter takes a place among the pages of a host, or says why there is none.
func (f *Fetcher) enter(name string) (reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.host(name)
	switch {
	case f.now().Before(h.down):
		return HostDown
	case h.waiting >= perHost:
		return QueueFull
	}
	h.waiting++
	return ""
}

func (f *Fetcher) leave(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.hosts[name]
	if h.waiting--; h.waiting == 0 && !f.now().Before(h.down) {
		delete(f.hosts, name)
	}
}

// keep is how many hosts are remembered before those are looked for that need not be.
const keep = 10_000

func (f *Fetcher) host(name string) *host {
	h := f.hosts[name]
	if h != nil {
		return h
	}
	if len(f.hosts) >= keep {
		for n, o := range f.hosts {
			if o.waiting == 0 && !f.now().Before(o.down) {
				delete(f.hosts, n)
			}
		}
	}
	h = &host{}
	f.hosts[name] = h
	return h
}
