// Package fetch asks for a source's document by package web and gives it as clean UTF-8, or says why not.
//
// It knows what makes an answer of a server no feed at all (an empty one, a page that keeps robots away), which
// validators may be sent back, and that a document which broke off is read as far as it came. It neither parses nor
// decides when to ask again.
package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/sync/semaphore"

	"tidings.internal/pkg/web"
	"tidings.internal/services/ingest/internal/cause"
	"tidings.internal/services/ingest/internal/decode"
)

// accept names what we read, best first.
const accept = "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, */*;q=0.1"

// maxWork bounds the decoded documents in work at once, since the parser needs a multiple of each: 64 MB.
const maxWork = 64 << 20

// Fetcher fetches documents. It is safe for concurrent use.
type Fetcher struct {
	client *web.Client
	work   *semaphore.Weighted
}

// New makes a fetcher.
func New(client *web.Client) *Fetcher {
	return &Fetcher{client: client, work: semaphore.NewWeighted(maxWork)}
}

// Request is what to ask for.
type Request struct {
	URL                string
	ETag, LastModified string
	Options            web.Options
	MaxBody            int64
	Enter              func(ctx context.Context, hostport string) (release func(), err error)
	// Received, when set, is called when the exchange with the host is over and before the document is worked on.
	Received func()
}

// Answer is what came back.
type Answer struct {
	// NotModified tells that the document is the one the validators belong to; only the fields up to Header are set.
	NotModified bool
	Status      int
	Header      http.Header
	Hops        []web.Hop
	Wire        int // bytes as they travelled

	Text     []byte // clean UTF-8
	Encoding string
	URL      string // that answered
	Cut      bool   // the document broke off
	Hash     string // SHA-256 of Text in hex
	// Done gives back the memory that the document was accounted for; it must be called once.
	Done func()
}

// Validators gives what to send back next time, "" for what must not be: too long, or not printable.
func (a *Answer) Validators() (etag, lastModified string) {
	if a.Cut {
		return "", ""
	}
	return sendable(a.Header.Get("ETag")), sendable(a.Header.Get("Last-Modified"))
}

// maxValidator is the longest validator that is kept, in bytes.
const maxValidator = 1 << 10

func sendable(v string) string {
	if len(v) > maxValidator || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r > '~' }) {
		return ""
	}
	return v
}

// Get fetches a document. The error is a *web.Error or a *cause.Error, unless ctx ended.
func (f *Fetcher) Get(ctx context.Context, r Request) (*Answer, error) {
	resp, err := f.client.Fetch(ctx, web.Request{
		URL: r.URL, Accept: accept, ETag: r.ETag, LastModified: r.LastModified, Options: r.Options, MaxBody: r.MaxBody, Enter: r.Enter,
	})
	if r.Received != nil {
		r.Received()
	}
	cut := false
	if e, ok := errors.AsType[*web.Error](err); ok && e.Reason == web.Truncated && resp != nil && len(resp.Body) > 0 {
		cut, err = true, nil
	}
	if err != nil {
		return nil, err
	}
	a := &Answer{Status: resp.Status, Header: resp.Header, Hops: resp.Hops, Wire: len(resp.Body), URL: resp.URL.String(), Cut: cut, Done: func() {}}
	if resp.NotModified() {
		a.NotModified = true // also when nobody asked: it can only mean that nothing is new
		return a, nil
	}
	if err := usable(resp); err != nil {
		return nil, err
	}
	// Accounted by the most it can become, before it becomes anything.
	weight := int64(min(max(8*len(resp.Body), 64<<10), 2*decode.MaxDecoded))
	if err := f.work.Acquire(ctx, weight); err != nil {
		return nil, err
	}
	a.Done = func() { f.work.Release(weight) }
	if err := a.decode(resp); err != nil {
		a.Done()
		return nil, err
	}
	return a, nil
}

// usable says why an answer with a good status is no document.
func usable(resp *web.Response) error {
	switch {
	case resp.Header.Get("Cf-Mitigated") != "":
		return cause.Errorf(cause.Blocked, "fetch document: the host shows a page for people instead")
	case resp.Status != http.StatusOK && resp.Status != http.StatusNonAuthoritativeInfo:
		return cause.Errorf(cause.NotAFeed, "fetch document: status %d carries none", resp.Status)
	case len(resp.Body) == 0:
		return cause.Errorf(cause.NotAFeed, "fetch document: the answer is empty")
	}
	return nil
}

func (a *Answer) decode(resp *web.Response) error {
	data, short, err := decode.Codings(resp.Body, resp.Codings)
	if err != nil {
		return err
	}
	a.Cut = a.Cut || short
	a.Text, a.Encoding, err = decode.Text(data, resp.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(a.Text)
	a.Hash = hex.EncodeToString(sum[:])
	return nil
}

// Asked gives a hash of everything about a request on which an answer may depend, so that validators learnt with other
// credentials are not sent back. It cannot be turned back into what it is made of.
func Asked(url string, o web.Options) string {
	parts := []string{url, o.UserAgent, o.Bearer, o.Cookie}
	if o.Basic != nil {
		parts = append(parts, o.Basic.User, o.Basic.Password)
	}
	for _, name := range slices.Sorted(maps.Keys(o.Header)) {
		parts = append(parts, name, strings.Join(o.Header[name], "\x01"))
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:8])
}
