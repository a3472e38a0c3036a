package poll

import (
	"context"
	"net/url"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/web"
	"tidings.internal/services/ingest/internal/cause"
	"tidings.internal/services/ingest/internal/discover"
	"tidings.internal/services/ingest/internal/fetch"
	"tidings.internal/services/ingest/internal/parse"
)

const (
	// olderItems is how many items a first poll may come to with its older documents.
	olderItems = 2000
	// olderWait bounds the wait for one of them, its turn at the host included.
	olderWait = 2 * time.Minute
)

// older reads the older documents that a source names (RFC 5005, JSON Feed next_url) when it is read for the first time,
// as many as the operator wants. One that does not come ends the list; what came stays.
func (p *Poller) older(ctx context.Context, t *turn, doc *parse.Document) {
	next, seen := doc.Feed.NextURL, map[string]bool{t.state.Address(): true}
	for range p.config.BackfillPages {
		if next == "" || seen[next] || len(doc.Items) >= olderItems {
			return
		}
		seen[next] = true
		more, err := p.page(ctx, t, next)
		if err != nil {
			p.log.Debug("an older document of a source did not come", "source", t.source.ID, "err", err)
			return
		}
		doc.Items = append(doc.Items, more.Items[:min(len(more.Items), olderItems-len(doc.Items))]...)
		next = more.Feed.NextURL
	}
}

func (p *Poller) page(ctx context.Context, t *turn, address string) (*parse.Document, error) {
	ctx, cancel := context.WithTimeout(ctx, olderWait)
	defer cancel()
	o := t.source.Options
	if here, err := url.Parse(t.state.Address()); err != nil || !sameHost(here, address) {
		o = o.Elsewhere() // what is entrusted to one host goes to no other
	}
	a, err := p.fetcher.Get(ctx, fetch.Request{URL: address, Options: o, MaxBody: int64(t.source.HTTP.MaxBody), Enter: p.gate.Enter})
	if err != nil {
		return nil, err
	}
	defer a.Done()
	if a.NotModified {
		return nil, cause.Errorf(cause.NotAFeed, "read an older document: the host says that nothing changed")
	}
	return parse.Read(a.Text, parse.Options{
		URL: a.URL, ContentLocation: a.Header.Get("Content-Location"), ContentLanguage: a.Header.Get("Content-Language"), Now: t.now,
	})
}

func sameHost(a *url.URL, address string) bool {
	b, err := url.Parse(address)
	return err == nil && web.HostPort(a) == web.HostPort(b)
}

// named says of an address that answers with a page which feed that page names.
func named(a *fetch.Answer, err error) error {
	if cause.Of(err) != cause.NotAFeed {
		return err
	}
	feeds := discover.Feeds(a.Text, a.URL)
	if len(feeds) == 0 {
		return err
	}
	address, _ := article.Cut(feeds[0].URL, maxDetail/2)
	return cause.Errorf(cause.NotAFeed, "it is a page, which names the feed %s: %w", address, err)
}
