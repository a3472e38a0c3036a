package projection

import (
	"slices"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/publish/internal/feed"
	"tidings.internal/services/publish/internal/item"
)

// Apply implements [bus.Fold]. While an index is filled its records are read beside each other, and the error may be that
// of an earlier one.
func (p *Projection) Apply(r bus.Record) error {
	p.mu.Lock()
	filling := p.building != nil
	p.mu.Unlock()
	if !filling {
		fresh, err := p.read(r, false)
		return p.take(r, fresh, err)
	}
	p.ahead = append(p.ahead, p.begin(r))
	if len(p.ahead) < maxAhead {
		return nil
	}
	return p.first()
}

// maxAhead is how many records are read before the first of them is applied.
const maxAhead = 64

// reading is a record of an index that is being filled, on its way through [Projection.read].
type reading struct {
	record bus.Record
	done   chan struct{}
	fresh  *row
	err    error
}

func (p *Projection) begin(r bus.Record) *reading {
	n := &reading{record: r, done: make(chan struct{})}
	go func() {
		p.slots <- struct{}{}
		defer func() { <-p.slots; close(n.done) }()
		n.fresh, n.err = p.read(r, true) // most of what is read now is never shown
	}()
	return n
}

// first applies the first of the records that are being read.
func (p *Projection) first() error {
	n := p.ahead[0]
	p.ahead = p.ahead[1:]
	<-n.done
	return p.take(n.record, n.fresh, n.err)
}

// drain applies all records that are being read.
func (p *Projection) drain() {
	for len(p.ahead) > 0 {
		if err := p.first(); err != nil {
			p.Log.Warn("left a record out of the feeds", "kind", fault.KindOf(err), "err", err)
		}
	}
}

// read decodes a record. A tombstone and a marker give no row. So does an article that cannot be shown: the composer's
// consumer meets the same message and puts it aside as a dead letter, once for all replicas. Of a brief one the body is not
// even decoded where nothing looks into it.
func (p *Projection) read(r bus.Record, brief bool) (*row, error) {
	if r.Marker || r.Header.Value(event.HeaderType) == event.TypeDeleted {
		return nil, nil
	}
	shelved := p.shelved()
	whole := !brief || slices.ContainsFunc(shelved, (*feed.Feed).Searches)
	a, html, err := decode(r.Message, whole)
	if err != nil {
		return nil, err
	}
	var it *item.Item
	if brief {
		it, err = item.Brief(&a)
	} else {
		it, err = item.New(&a, p.Site)
	}
	if err != nil {
		return nil, err
	}
	fresh := newRow(&a, html, it, p.Language)
	fresh.subject, fresh.sequence, fresh.item = r.Subject, r.Sequence, it
	for i, f := range shelved {
		if f.Takes(&a) {
			fresh.takenBy = append(fresh.takenBy, i)
		}
	}
	fresh.automatic = p.Automatic.of(&a)
	return fresh, nil
}

// decode reads an article and the length of its HTML, with the bodies only if they are wanted or needed.
func decode(m event.Message, whole bool) (a article.Article, html int, err error) {
	if !whole {
		_, a, html, err = event.DecodeOutline(m)
		if err != nil || !item.Untitled(&a) {
			return a, html, err
		}
	}
	_, a, err = event.DecodeEnriched(m)
	return a, len(a.HTML), err
}
