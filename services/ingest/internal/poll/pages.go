package poll

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/web"
	"tidings.internal/services/ingest/internal/fulltext"
	"tidings.internal/services/ingest/internal/identity"
)

const (
	// shortText is the number of characters below which a text is taken for a beginning.
	shortText = 500
	// pageBatch is how many articles with pages are published and committed at a time.
	pageBatch = 16
)

// endings are how a text ends that goes on elsewhere.
var endings = []string{"…", "...", "[…]", "[...]", "(…)", "(...)", "read more", "continue reading", "weiterlesen", "mehr lesen", "lire la suite", "leer más"}

// beginning reports whether a feed gives no more of an item than how it begins.
func beginning(raw *article.Raw) bool {
	text := strings.ToLower(strings.Join(strings.Fields(identity.Plain(raw.Content)), " "))
	if utf8.RuneCountInString(text) < shortText {
		return true
	}
	text = strings.TrimRight(text, " »›>→")
	return slices.ContainsFunc(endings, func(end string) bool { return strings.HasSuffix(text, end) || strings.HasSuffix(text, end+".") })
}

// wantsPage reports whether the page of a changed item is to be fetched. Items that were old when they were first seen
// fill feeds; their pages are fetched only where the operator asked for every page.
func wantsPage(s *config.Source, c identity.Change) bool {
	if c.Kind == identity.Removed || !strings.HasPrefix(c.URL, "http") {
		return false
	}
	switch s.Fulltext {
	case "always":
		return true
	case "auto":
		return !c.Row.Old && beginning(&c.Item.Raw)
	}
	return false
}

// fetched is the page of an article, with its bytes.
type fetched struct {
	page *article.Page
	body []byte
}

// pages fetches the pages of changed items at the same time, each in the turns of its host. Those of items that want
// none, or are filtered out, are nil.
func (p *Poller) pages(ctx context.Context, t *turn, changes []identity.Change) ([]fetched, error) {
	out := make([]fetched, len(changes))
	own := ""
	if u, err := url.Parse(t.state.Address()); err == nil {
		own = web.HostPort(u)
	}
	var group errgroup.Group
	for i, c := range changes {
		if !wantsPage(&t.source.Source, c) || !t.source.passes(c) {
			continue
		}
		group.Go(func() error {
			out[i].page, out[i].body = p.fulltext.Get(ctx, fulltext.Request{URL: c.URL, Options: t.source.Options, Host: own})
			return nil
		})
	}
	_ = group.Wait() // no page is an error: the reason goes with the article
	// Whoever was told to stop knows nothing of the pages that did not come: the items are left to the next poll.
	return out, ctx.Err()
}

// passes reports whether an item gets past the filters of its source.
func (s *Source) passes(c identity.Change) bool {
	return c.Item == nil || s.Filter.Pass(c.Item.Field)
}

// withPages publishes changes whose pages must be fetched first, which takes long: on the lane of such polls, a few
// articles at a time, and each time the state says what has been published. A kill in between costs the pages of one
// batch, which are fetched again; RAW drops what it has already.
func (p *Poller) withPages(ctx context.Context, t *turn, lease Lease, changes []identity.Change) error {
	if t.source.Slow != nil {
		leave, err := t.source.Slow(ctx)
		if err != nil {
			return err
		}
		defer leave()
	}
	done := 0
	for batch := range slices.Chunk(changes, pageBatch) {
		pages, err := p.pages(ctx, t, batch)
		if err != nil {
			return err
		}
		if err := p.batch(ctx, t, lease, batch, pages); err != nil {
			return err
		}
		if done += len(batch); done == len(changes) {
			return nil
		}
		part := &turn{source: t.source, state: t.source.state.Clone(), now: t.now}
		memory := part.state.Memory.Clone()
		for _, c := range changes[:done] {
			memory.Adopt(c.Row)
		}
		// All else is as it was: the next poll asks for the whole document again.
		part.state.Memory, part.state.Published, part.state.LastNew = *memory, t.state.Published, t.state.LastNew
		if err := p.commit(ctx, part); err != nil {
			return err
		}
	}
	return nil
}
