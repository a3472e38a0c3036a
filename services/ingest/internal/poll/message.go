package poll

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/ingest/internal/identity"
	"tidings.internal/services/ingest/internal/parse"
)

// maxBody is the size from which texts of an article leave its message for the object store; the broker takes 512 KB.
const maxBody = 400 << 10

// service is what the messages name as their source.
const service = "ingest"

// message builds what is published for a change.
func (p *Poller) message(ctx context.Context, t *turn, c identity.Change, page fetched) (event.Message, error) {
	version := event.Version{Revision: c.Row.Revision, Fence: t.fence}
	env := event.Envelope{
		Type: event.TypeRaw, ID: event.RawID(c.Row.ID, c.Row.Revision, c.Row.Digest()), Source: service, Time: t.now,
		Article: c.Row.ID, Version: version, Subject: c.URL, Traceparent: t.span.Traceparent(),
	}
	if c.Kind == identity.Removed {
		subject, err := event.RawSubject(t.state.Partition, t.source.ID, false)
		if err != nil {
			return event.Message{}, err
		}
		env.Type, env.Subject = event.TypeDeleted, c.Row.ID
		// A tombstone and an edit may have the same revision when a crash lies between them: they are two messages.
		env.ID = event.RawID(c.Row.ID, c.Row.Revision, "deleted")
		return event.Encode(subject, env, event.Deleted{
			ID: c.Row.ID, Source: t.source.ID, Revision: c.Row.Revision, Reason: event.DeletedBySource, Time: t.now,
		})
	}
	// An edit of what was old goes with the news, since somebody may be waiting for it; its mark keeps it from being
	// posted as if it were new.
	subject, err := event.RawSubject(t.state.Partition, t.source.ID, c.Row.Old && c.Kind == identity.New)
	if err != nil {
		return event.Message{}, err
	}
	raw := t.raw(c)
	raw.Page = page.page
	body, err := p.fit(ctx, &raw, page.body, t.now)
	if err != nil {
		return event.Message{}, err
	}
	return event.EncodeBody(subject, env, body), nil
}

// raw completes an item with what only the source and its memory know.
func (t *turn) raw(c identity.Change) article.Raw {
	raw := c.Item.Raw
	raw.ID, raw.Revision = c.Row.ID, c.Row.Revision
	raw.URL = c.URL
	raw.Backfill, raw.Partial = c.Row.Old, t.partial
	raw.Fetched, raw.FirstSeen = t.now, time.Unix(c.Row.First, 0).UTC()
	s := t.source
	raw.Source = article.Source{
		ID: s.ID, Partition: t.state.Partition, Title: first(s.Title, t.state.Title), FeedURL: t.state.Address(), SiteURL: t.state.SiteURL,
		Language: first(s.Language, t.state.Language), Tags: s.Tags, Syndicate: article.Syndicate(s.Syndicate), Rights: first(s.Rights, t.state.Rights),
	}
	if f := s.Filters; len(f.Drop)+len(f.Keep) > 0 {
		raw.Source.Filters = &article.Filters{Drop: f.Drop, Keep: f.Keep}
	}
	if raw.Language == "" {
		raw.Language = raw.Source.Language
	}
	return raw
}

// fit encodes an article so that its message is small enough: texts that are too long go to the object store first, and
// lists beyond any reason are halved and named in Truncated.
//
// The blob is stored before the message that points to it, so a crash in between leaves a blob that nobody wants, which
// expires, and never a message whose body is missing. Storing the same bytes again is no change.
func (p *Poller) fit(ctx context.Context, raw *article.Raw, page []byte, now time.Time) ([]byte, error) {
	if err := p.embed(ctx, raw, page, article.MaxInline, now); err != nil {
		return nil, err
	}
	for _, t := range []*article.Text{raw.Content, raw.Summary} {
		if t != nil && len(t.Value) > article.MaxInline {
			if err := p.blob(ctx, t, now); err != nil {
				return nil, err
			}
		}
	}
	for {
		body, err := event.Marshal(raw)
		if err != nil || len(body) <= maxBody {
			return body, err
		}
		switch {
		case raw.Page != nil && raw.Page.Blob == nil && len(page) > 0:
			err = p.embed(ctx, raw, page, 0, now)
		case raw.Content != nil && raw.Content.Blob == nil:
			err = p.blob(ctx, raw.Content, now)
		case raw.Summary != nil && raw.Summary.Blob == nil:
			err = p.blob(ctx, raw.Summary, now)
		case len(raw.Media) > 1:
			raw.Media, raw.Truncated = raw.Media[:len(raw.Media)/2], listed(raw.Truncated, "media")
		case len(raw.Enclosures) > 1:
			raw.Enclosures, raw.Truncated = raw.Enclosures[:len(raw.Enclosures)/2], listed(raw.Truncated, "enclosures")
		case len(raw.Categories) > 1:
			raw.Categories, raw.Truncated = raw.Categories[:len(raw.Categories)/2], listed(raw.Truncated, "categories")
		case len(raw.Authors) > 1:
			raw.Authors, raw.Truncated = raw.Authors[:len(raw.Authors)/2], listed(raw.Truncated, "authors")
		default:
			return nil, fault.Errorf(fault.TooLarge, "encode article %s: %d bytes without its texts", raw.ID, len(body))
		}
		if err != nil {
			return nil, err
		}
	}
}

// embed puts the bytes of a page into its article as they are: as text where they are UTF-8, and into the object store
// where they are more than most.
func (p *Poller) embed(ctx context.Context, raw *article.Raw, page []byte, most int, now time.Time) error {
	if len(page) == 0 {
		return nil
	}
	own := *raw.Page // another message of the item must not change with this one
	own.Body, own.BodyB64, own.Blob = "", nil, nil
	switch {
	case len(page) > most:
		ref, err := p.bus.PutBlob(ctx, page, now)
		if err != nil {
			return err
		}
		own.Blob = &ref
	case utf8.Valid(page):
		own.Body = string(page)
	default:
		own.BodyB64 = page
	}
	raw.Page = &own
	return nil
}

func (p *Poller) blob(ctx context.Context, t *article.Text, now time.Time) error {
	ref, err := p.bus.PutBlob(ctx, []byte(t.Value), now)
	if err != nil {
		return err
	}
	t.Value, t.Blob = "", &ref
	return nil
}

func listed(list []string, field string) []string {
	if slices.Contains(list, field) {
		return list
	}
	return append(list, field)
}

// oldAfter is the age at which an item that is first seen is no news any more, whenever its source was added.
const oldAfter = 30 * 24 * time.Hour

// old tells which new items of a document fill feeds without being news: those of the first poll of a source that are
// older than the operator allows, or have no date, and later ones that were dated long ago.
func (p *Poller) old(firstPoll bool, now time.Time) func(*parse.Item) bool {
	return func(it *parse.Item) bool {
		if it.Published == nil {
			return firstPoll
		}
		age := now.Sub(*it.Published)
		if firstPoll {
			return age >= p.config.BackfillAfter
		}
		return age > oldAfter
	}
}

func first(texts ...string) string {
	for _, s := range texts {
		if s = strings.TrimSpace(s); s != "" {
			return s
		}
	}
	return ""
}
