package poll

import (
	"context"
	"slices"
	"strconv"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/trace"
	"tidings.internal/services/ingest/internal/fetch"
	"tidings.internal/services/ingest/internal/identity"
	"tidings.internal/services/ingest/internal/parse"
	"tidings.internal/services/ingest/internal/schedule"
	"tidings.internal/services/ingest/internal/state"
)

// document reads what was fetched, publishes what is new in it and commits.
func (p *Poller) document(ctx context.Context, t *turn, lease Lease, a *fetch.Answer, hostport string) Result {
	doc, err := parse.Read(a.Text, parse.Options{
		URL: a.URL, ContentLocation: a.Header.Get("Content-Location"), ContentLanguage: a.Header.Get("Content-Language"), Now: t.now,
	})
	if err != nil {
		t.state.Status = a.Status
		return p.failed(ctx, t, hostport, named(a, err))
	}
	if t.state.First() {
		p.older(ctx, t, doc)
	}
	doc.Partial = doc.Partial || a.Cut
	t.partial = doc.Partial
	t.describe(doc)
	memory := t.state.Memory.Clone()
	if t.climbing() {
		memory.Rung, t.state.Climbed = identity.ByID, t.source.Climb
	}
	report := memory.Judge(doc, identity.Policy{
		Source: t.source.ID, Deletions: t.source.Deletions, EditGap: p.config.RevisionGap, Old: p.old(t.state.First(), t.now), Tracking: p.config.Tracking,
	}, t.now)
	t.state.Memory = *memory
	p.sight(t, a, doc.Feed.NewURL, report.Met())
	p.discover(t, a, doc, report.Changes)
	if doc.Partial {
		// A document that broke off is no proof of anything next time.
		t.state.ETag, t.state.LastModified, t.state.Body = "", "", ""
		t.state.Status = a.Status
		t.warning = "the document was only partly readable; its whole items were taken"
	} else {
		t.validators(a)
		t.state.Body = a.Hash
	}
	for reason, n := range doc.Skipped {
		p.observe.Skipped(reason, n)
	}
	p.observe.Skipped("doubled", report.Doubled)
	p.observe.Skipped("held", report.Held)
	if err := p.publish(ctx, t, lease, report.Changes); err != nil {
		// Nothing was committed: the memory that was judged is dropped, and the next poll publishes all of it again.
		// What RAW has already it drops by its message id.
		return p.ours(t.source, err)
	}
	outcome := "ok"
	switch {
	case doc.Partial:
		outcome = "partial"
	case len(report.Changes) == 0:
		outcome = "unchanged"
	}
	return p.succeeded(ctx, t, outcome, &report)
}

// describe takes over what the feed says of itself.
func (t *turn) describe(doc *parse.Document) {
	f := doc.Feed
	t.state.Title, t.state.SiteURL, t.state.Language, t.state.Rights = f.Title, f.SiteURL, f.Language, f.Rights
	t.state.Format = string(doc.Format)
	t.state.Hints = schedule.Hints{TTL: f.TTL, Fresh: t.state.Hints.Fresh, SkipHours: f.SkipHours, SkipDays: f.SkipDays}
	t.state.Phase = state.Active
	if f.Ended {
		t.state.Phase = state.Ended
	}
}

// publish appends the changes to RAW and waits for every ack.
func (p *Poller) publish(ctx context.Context, t *turn, lease Lease, changes []identity.Change) (err error) {
	if len(changes) == 0 {
		return nil // a poll that brought nothing is no trace: there would be many, and nothing in them
	}
	t.span = p.trace.BeginAt(t.begun, "", "fetch", trace.Attribute{Key: "source", Value: t.source.ID})
	defer func() {
		t.span.Set("articles", strconv.Itoa(t.published))
		t.span.End(err)
		if err == nil {
			p.log.Debug("published articles of a source", "source", t.source.ID, "n", t.published, "trace", trace.ID(t.span.Traceparent()))
		}
	}()
	if p.fulltext != nil && slices.ContainsFunc(changes, func(c identity.Change) bool { return wantsPage(&t.source.Source, c) }) {
		t.done()
		return p.withPages(ctx, t, lease, changes)
	}
	return p.batch(ctx, t, lease, changes, make([]fetched, len(changes)))
}

// batch appends changes to RAW, each with its page if it has one, and waits for every ack.
func (p *Poller) batch(ctx context.Context, t *turn, lease Lease, changes []identity.Change, pages []fetched) error {
	// A kill before or within this loop leaves the state as it was: the poll is repeated.
	messages := make([]event.Message, 0, len(changes))
	lanes := map[[2]string]int{}
	for i, c := range changes {
		if !t.source.passes(c) {
			p.observe.Skipped("filtered", 1)
			continue
		}
		m, err := p.message(ctx, t, c, pages[i])
		if err != nil {
			return err
		}
		messages = append(messages, m)
		lane := "live"
		if c.Row.Old && c.Kind == identity.New {
			lane = "backfill"
		}
		lanes[[2]string{lane, string(c.Kind)}]++
	}
	if len(messages) == 0 {
		return nil
	}
	// What was old when its source was first seen waits for nobody: it travels together, which is a write to the disk of the
	// broker each 64 articles. The rest of a batch that a crash repeats with one more is known downstream by its versions.
	count := len(messages)
	messages, err := event.Batches(messages)
	if err != nil {
		return err
	}
	if !lease.Valid() {
		return fault.Errorf(fault.Conflict, "publish for source %s: the lease was lost", t.source.ID)
	}
	ctx, cancel := context.WithTimeout(ctx, appendLimit)
	defer cancel()
	if err := p.bus.Append(ctx, messages); err != nil {
		return err
	}
	// A kill here: RAW has all, the state nothing. The next owner polls again and publishes the same message ids, which
	// the broker drops. What the publisher changed meanwhile has another id under the same revision; it carries a later
	// fence and a later sequence, so it wins downstream.
	for lane, n := range lanes {
		p.observe.Published(lane[0], lane[1], n)
	}
	t.published += count
	t.state.Published += uint64(count)
	t.state.LastNew = t.now
	return nil
}

// appendLimit bounds the wait for the acks of one document: 2,000 of them at 100 a second.
const appendLimit = time.Minute
