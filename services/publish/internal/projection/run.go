package projection

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/services/publish/internal/item"
	"tidings.internal/services/publish/internal/render"
)

// Run renders feeds that changed until ctx ends: [debounce] after the first change, then at most once every [pause].
func (p *Projection) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.wake:
		case <-timer.C:
		}
		for {
			id, wait := p.due(time.Now())
			if id == "" {
				if wait > 0 {
					timer.Reset(wait)
				}
				break
			}
			p.render(ctx, id)
			if ctx.Err() != nil {
				return nil
			}
		}
	}
}

// due returns a feed that is to be rendered now, or how long the next one has to wait; both are zero when there is none.
func (p *Projection) due(now time.Time) (id string, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.Feeds { // in their order, so that equal histories render alike
		m := p.dirty[f.ID]
		if m == nil {
			continue
		}
		at := m.since.Add(debounce)
		if m.since.IsZero() {
			at = now
		}
		for _, t := range []time.Time{p.last[f.ID].Add(pause), m.waiting} {
			if t.After(at) {
				at = t
			}
		}
		left := at.Sub(now)
		if left <= 0 {
			return f.ID, 0
		}
		if wait == 0 || left < wait {
			wait = left
		}
	}
	if wait == 0 {
		p.forget()
	}
	return "", wait
}

// forget drops the items that no document shows. It is called when nothing waits to be rendered.
func (p *Projection) forget() {
	if p.live == nil {
		return
	}
	for _, r := range p.live.fresh {
		if r.uses == 0 {
			r.item = nil
		}
	}
	p.live.fresh = nil
}

// errSuperseded says that a newer message of an article is stored than the one in the index. It is about to be applied.
var errSuperseded = errors.New("a newer revision is on its way")

// maxItems is about how many bytes of items are kept for the next rendering of their feeds. Those of feeds that changed
// longest ago go, and are read again when they change.
const maxItems = 64 << 20

// cool keeps the items of all documents within their memory. now is the feed that was just rendered.
func (p *Projection) cool(now string) {
	total := 0
	for _, rows := range p.shown {
		for _, r := range rows {
			if r.item != nil {
				total += r.size + itemSize
			}
		}
	}
	if total <= maxItems {
		return
	}
	order := slices.SortedFunc(maps.Keys(p.shown), func(a, b string) int { return cmp.Or(p.last[a].Compare(p.last[b]), cmp.Compare(a, b)) })
	for _, id := range order {
		if total <= maxItems*3/4 || id == now {
			break
		}
		for _, r := range p.shown[id] {
			if r.item != nil && r.uses == 1 { // another feed may need it sooner
				r.item = nil
				total -= r.size + itemSize
			}
		}
	}
}

// itemSize is about what an item takes beside its texts.
const itemSize = 2 << 10

func (p *Projection) render(ctx context.Context, id string) {
	started := time.Now()
	m, x, s, applied, rows, older, entries := p.choose(id)
	err := p.load(ctx, x, rows, entries)
	var next *Published
	changed := false
	if err == nil {
		for i := range entries {
			entries[i].Item = s.feed.Show(entries[i].Item)
		}
		next, changed, err = publish(s.feed, older, s.feed.Complete(&s.feed.Head, entries), p.staged[id], m.stored, p.Codings...)
	}
	if err != nil {
		p.retry(id, m, err)
		return
	}
	next.Applied = applied
	p.keep(id, next, rows)
	p.Observe.Rendered(time.Since(started))
	if changed && m.news || m.start && !next.Feed.Private() {
		p.Changed(Change{next, applied, !m.news})
	}
}

// choose takes the mark off a feed and the rows of its current document from the index. entries have items only where
// the index has them. applied is the place that they show: what comes while they are rendered is not in them, and another
// change. older names the first page of the archive.
func (p *Projection) choose(id string) (m mark, x *index, s *shelf, applied event.Applied, rows []*row, older string, entries []render.Entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m, x = *p.dirty[id], p.live
	delete(p.dirty, id)
	for _, s = range x.shelves {
		if s.feed.ID == id {
			break
		}
	}
	rows, older = s.current()
	for _, r := range rows {
		entries = append(entries, render.Entry{Item: r.item, Also: s.also(r)})
	}
	return m, x, s, x.applied, rows, older, entries
}

// load reads the articles whose items the index does not have.
func (p *Projection) load(ctx context.Context, x *index, rows []*row, entries []render.Entry) error {
	for i, r := range rows {
		if entries[i].Item != nil {
			continue
		}
		record, err := p.Last(ctx, r.subject)
		if err != nil {
			return err
		}
		if record == nil || record.Sequence != r.sequence {
			return errSuperseded
		}
		_, a, err := event.DecodeEnriched(record.Message)
		if err != nil {
			return err
		}
		it, err := item.New(&a, p.Site)
		if err != nil {
			return err
		}
		entries[i].Item = it
		p.mu.Lock()
		r.item = it
		x.fresh = append(x.fresh, r) // so that it is dropped again if this rendering comes to nothing
		p.mu.Unlock()
	}
	return nil
}

// retry puts the mark back, to be tried again after the pause.
func (p *Projection) retry(id string, m mark, err error) {
	if !errors.Is(err, errSuperseded) && !errors.Is(err, context.Canceled) {
		p.Log.Warn("could not render a feed", "feed", id, "retry_in", pause, "err", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.dirty[id]; now != nil {
		if now.stored.After(m.stored) {
			m.stored = now.stored
		}
		m.news, m.start = m.news || now.news, m.start || now.start
	}
	m.waiting = time.Now().Add(pause)
	p.dirty[id] = &m
}

// keep publishes a feed, and the first time all of them together.
func (p *Projection) keep(id string, next *Published, rows []*row) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last[id] = time.Now()
	for _, r := range rows {
		r.uses++
	}
	for _, r := range p.shown[id] {
		if r.uses--; r.uses == 0 {
			r.item = nil
		}
	}
	p.shown[id] = rows
	p.staged[id] = next
	p.cool(id)
	if len(p.staged) < len(p.Feeds) {
		return // a reader must not take a missing feed for an unknown one
	}
	first := p.published.Load() == nil
	all := maps.Clone(p.staged)
	p.published.Store(&all)
	documents := 0
	for _, f := range all {
		documents += len(f.Documents)
	}
	p.Observe.Sizes(len(p.live.rows), documents)
	for _, r := range rows {
		if r.awaited {
			r.awaited = false
			p.Observe.Shown(time.Since(r.fetched))
		}
	}
	if first {
		p.Log.Info("built the feeds", "feeds", len(all), "articles", len(p.live.rows))
	}
}
