package app

import (
	"context"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/trace"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/story"
)

// The service's own reasons of dead letters. Anything else is its kind.
const (
	deadEnvelope = "bad_envelope"
	deadBlob     = "blob_missing"
)

// handle takes one message of RAW: an article, a batch of them, or a tombstone. Every way through it may be repeated.
func (a *App) handle(ctx context.Context, d *bus.Delivery) error {
	err := a.dispatch(ctx, d)
	if err != nil && ctx.Err() == nil {
		a.metrics.articles.WithLabelValues(outcomeFailed).Inc()
	}
	return err
}

func (a *App) dispatch(ctx context.Context, d *bus.Delivery) error {
	switch d.Header.Value(event.HeaderType) {
	case event.TypeDeleted:
		return a.bury(ctx, d)
	case event.TypeBatch:
		return a.batch(ctx, d)
	default:
		return a.one(ctx, d, d.Message)
	}
}

// refused files a message that is not what it should be under a reason of its own.
func refused(err error) error {
	if fault.KindOf(err) == fault.Malformed {
		return bus.Dead(deadEnvelope, err)
	}
	return err
}

// batch handles each article as if it had come alone. A bad member becomes a dead letter by itself; any other fault
// brings the whole message again, and what is stored already is skipped then.
func (a *App) batch(ctx context.Context, d *bus.Delivery) error {
	members, err := event.DecodeBatch(d.Message)
	if err != nil {
		return refused(err)
	}
	for _, m := range members {
		if err := a.one(ctx, d, m); err != nil {
			if fault.KindOf(err).Row().Verdict != fault.DeadLetter {
				return err
			}
			part := *d
			part.Message = m
			reason := string(fault.KindOf(err))
			switch fault.KindOf(err) {
			case fault.Malformed:
				reason = deadEnvelope
			case fault.Gone:
				reason = deadBlob
			}
			if err := a.bus.Bury(ctx, &part, reason, err); err != nil {
				return err
			}
			a.metrics.articles.WithLabelValues(outcomeFailed).Inc()
		}
	}
	return nil
}

// one enriches an article and makes it the newest version of itself.
func (a *App) one(ctx context.Context, d *bus.Delivery, m event.Message) (err error) {
	env, raw, err := event.DecodeRaw(m)
	if err != nil {
		return refused(err)
	}
	span := a.trace.Begin(env.Traceparent, "enrich", trace.Attribute{Key: "article", Value: raw.ID}, trace.Attribute{Key: "source", Value: raw.Source.ID})
	defer func() { span.End(err) }()
	env.Traceparent = span.Traceparent()
	page, err := a.resolve(ctx, d, &raw)
	if err != nil {
		return err
	}
	now := a.current.Load() // once: an article sees one vocabulary
	draft := pipeline.NewDraft(&raw, page)
	draft.Article.Versions = now.versions
	if err := a.compute(ctx, now.runner, draft); err != nil {
		return fault.Errorf(fault.Unreachable, "enrich %s: %w", raw.ID, err) // only a stop or the handler's deadline ends a run
	}
	if !raw.Source.Filters.Compile().Pass(draft.Article.Field) {
		// The page said what the feed had not. It is left out as ingest would have left it out; a version of before stays.
		a.metrics.articles.WithLabelValues(outcomeFiltered).Inc()
		return nil
	}
	version := env.Version
	version.RawSequence, version.Generation = d.Sequence, now.versions.Generation()
	if err := a.rank(ctx, version, draft); err != nil {
		return err
	}
	// The story comes before the article is stored, and is the same whenever it is asked for. A kill between the two
	// leaves a story with an article that comes again.
	told, err := a.stories.Place(ctx, document(&draft.Article))
	if err != nil {
		return err
	}
	draft.Article.Story = told
	gone, err := a.takenDown(ctx, &draft.Article)
	switch {
	case err != nil:
		return err
	case gone:
		return a.stories.Forget(ctx, raw.ID)
	}
	out, err := a.encode(ctx, env, version, &draft.Article)
	if err != nil {
		return err
	}
	outcome, err := a.bus.Emit(ctx, out)
	if err != nil {
		return err
	}
	if outcome == bus.Stored {
		a.metrics.articles.WithLabelValues(outcomeEnriched).Inc()
		a.metrics.rungs.WithLabelValues(draft.Article.Extract).Inc()
		a.metrics.languages.WithLabelValues(draft.Article.Language.Code).Inc()
		a.metrics.relations.WithLabelValues(told.Relation).Inc()
		if d.Consumer == event.ConsumerEnrich { // old articles wait for news, and a replay is about those that were enriched before
			a.metrics.end.Observe(time.Since(raw.Fetched).Seconds())
		}
	} else {
		a.metrics.articles.WithLabelValues(outcomeSkipped).Inc()
	}
	a.log.Debug("enriched an article", "article", raw.ID, "source", raw.Source.ID, "status", outcome, "trace", trace.ID(env.Traceparent))
	// Only now, with the article stored, may the claims of older revisions go. A kill before leaves them for the next.
	return a.stories.Forget(ctx, raw.ID)
}

// compute runs the steps once there is a core for them.
func (a *App) compute(ctx context.Context, r *pipeline.Runner, d *pipeline.Draft) error {
	select {
	case a.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-a.slots }()
	return r.Run(ctx, d)
}

// rank has the model put the tags into order, if there is one. It waits without a place among those that compute. What
// the model said of the article before stands in ARTICLES, so a redelivery and a replay ask nothing: of two replicas with
// one message, or after a kill, the answer that is stored first is the only one that anybody sees.
func (a *App) rank(ctx context.Context, v event.Version, d *pipeline.Draft) error {
	if a.ranker == nil {
		return nil
	}
	subject, err := event.EnrichedSubject(d.Article.Source.Partition, d.Article.Source.ID, d.Article.ID)
	if err != nil {
		return err
	}
	last, err := a.bus.Last(ctx, subject)
	if err != nil {
		return err
	}
	if last != nil {
		env, err := event.Decode(last.Message)
		if err == nil && env.Version.Compare(v) >= 0 {
			return nil // as new or newer is there: what this one becomes is skipped
		}
		if _, was, err := event.DecodeEnriched(last.Message); err == nil {
			d.Answered = was.Reranked
		}
	}
	if err := a.asking.Run(ctx, d); err != nil {
		return fault.Errorf(fault.Unreachable, "enrich %s: %w", d.Article.ID, err)
	}
	return nil
}

func document(x *article.Article) story.Document {
	return story.Document{
		Article: x.ID, Revision: x.Revision, Source: x.Source.ID, URL: x.URL, GUID: x.GUID, Title: x.Title, Text: x.Text,
		FirstSeen: x.FirstSeen.UnixMilli(), Terms: about(x),
	}
}

// about lists the names and phrases of an article.
func about(x *article.Article) []story.Term {
	var list []story.Term
	for _, e := range x.Entities {
		list = append(list, story.Term{Text: e.Name(x.Language.Code), Weight: e.Score})
	}
	for _, p := range x.Keyphrases {
		list = append(list, story.Term{Text: p.Text, Weight: p.Score})
	}
	return list
}

// resolve fetches what travels in the object store into the article, and returns the bytes of its page, nil without one.
func (a *App) resolve(ctx context.Context, d *bus.Delivery, raw *article.Raw) ([]byte, error) {
	for _, t := range []*article.Text{raw.Content, raw.Summary} {
		if t == nil || t.Blob == nil {
			continue
		}
		data, err := a.blob(ctx, d, *t.Blob)
		if err != nil {
			return nil, err
		}
		t.Value, t.Blob = string(data), nil
	}
	p := raw.Page
	switch {
	case p == nil || p.Error != "":
		return nil, nil
	case p.Blob != nil:
		return a.blob(ctx, d, *p.Blob)
	case len(p.BodyB64) > 0:
		return p.BodyB64, nil
	default:
		return []byte(p.Body), nil
	}
}

// blobTries is how often a message is handed out whose blob is not there before it is lost: the replica of the broker that
// was asked may lag behind.
const blobTries = 6

func (a *App) blob(ctx context.Context, d *bus.Delivery, ref article.Blob) ([]byte, error) {
	data, err := a.bus.ReadBlob(ctx, ref)
	switch {
	case fault.KindOf(err) != fault.Gone:
		return data, err
	case d.Deliveries < blobTries:
		return nil, fault.Errorf(fault.Unreachable, "read a blob that is not there yet: %w", err)
	}
	return nil, bus.Dead(deadBlob, err)
}

// maxBody is the size of an encoded article above which its texts travel in the object store although each is short
// enough: the message must stay below the 512 KB of its stream, with room for headers.
const maxBody = 400 << 10

// encode builds the message of an enriched article. Long texts go into the object store first.
func (a *App) encode(ctx context.Context, env event.Envelope, v event.Version, x *article.Article) (event.Message, error) {
	subject, err := event.EnrichedSubject(x.Source.Partition, x.Source.ID, x.ID)
	if err != nil {
		return event.Message{}, err
	}
	out := event.Envelope{
		Type: event.TypeEnriched, ID: event.EnrichedID(x.ID, v), Source: Name, Time: env.Time, Subject: x.URL, Article: x.ID, Version: v,
		Traceparent: env.Traceparent, Tracestate: env.Tracestate,
	}
	if err := a.outline(ctx, x, article.MaxInline); err != nil {
		return event.Message{}, err
	}
	m, err := event.Encode(subject, out, x)
	if err != nil || len(m.Body) <= maxBody {
		return m, err
	}
	if err := a.outline(ctx, x, 0); err != nil {
		return event.Message{}, err
	}
	return event.Encode(subject, out, x)
}

// takenDown reports whether an article with long texts was taken down. Its tombstone would refuse the message anyhow, but
// the texts go into the object store before: nothing would point to them, and nothing would take them away. A takedown
// that begins now waits for this message to be settled and then looks for its blobs.
func (a *App) takenDown(ctx context.Context, x *article.Article) (bool, error) {
	if len(x.HTML)+len(x.Text) <= article.MaxInline {
		return false, nil
	}
	subject, err := event.EnrichedSubject(x.Source.Partition, x.Source.ID, x.ID)
	if err != nil {
		return false, err
	}
	last, err := a.bus.Last(ctx, subject)
	if err != nil || last == nil || last.Header.Value(event.HeaderType) != event.TypeDeleted {
		return false, err
	}
	env, err := event.Decode(last.Message)
	gone := err == nil && env.Version.Revision >= event.TakedownRevision
	if gone {
		a.metrics.articles.WithLabelValues(outcomeSkipped).Inc()
	}
	return gone, nil
}

// outline moves texts of more than limit bytes into the object store. The week in a blob's name is that in which the
// article was fetched, so that the same article gives the same bytes whenever it is handled. RAW keeps an article for
// days and the store keeps a blob for weeks longer than ARTICLES keeps what points to it, so the earlier week does not
// end the blob too soon.
func (a *App) outline(ctx context.Context, x *article.Article, limit int) error {
	for _, t := range []struct {
		text *string
		blob **article.Blob
	}{{&x.HTML, &x.HTMLBlob}, {&x.Text, &x.TextBlob}} {
		if len(*t.text) <= limit || *t.text == "" {
			continue
		}
		ref, err := a.bus.PutBlob(ctx, []byte(*t.text), x.Fetched)
		if err != nil {
			return err
		}
		*t.text, *t.blob = "", &ref
	}
	return nil
}

// bury passes a tombstone on. The story keeps the article's names, so that the same report is not posted again.
func (a *App) bury(ctx context.Context, d *bus.Delivery) error {
	env, gone, err := event.DecodeDeleted(d.Message)
	if err != nil {
		return refused(err)
	}
	from, err := event.ParseSubject(d.Subject)
	if err != nil {
		return refused(err)
	}
	if gone.Story == "" {
		if gone.Story, err = a.stories.Bury(ctx, gone.ID, gone.Revision); err != nil {
			return err
		}
	}
	subject, err := event.EnrichedSubject(from.Partition, from.Source, gone.ID)
	if err != nil {
		return refused(err)
	}
	v := env.Version
	v.RawSequence, v.Generation = d.Sequence, a.current.Load().versions.Generation()
	m, err := event.Encode(subject, event.Envelope{
		Type: event.TypeDeleted, ID: event.EnrichedID(gone.ID, v), Source: Name, Time: env.Time, Subject: env.Subject, Article: gone.ID, Version: v,
		Traceparent: env.Traceparent, Tracestate: env.Tracestate,
	}, gone)
	if err != nil {
		return err
	}
	if _, err := a.bus.Emit(ctx, m); err != nil {
		return err
	}
	a.metrics.articles.WithLabelValues(outcomeDeleted).Inc()
	return a.stories.Forget(ctx, gone.ID)
}
