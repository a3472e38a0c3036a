package ledger

import (
	"context"
	"encoding/json"
	"fmt"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// Bucket is what the ledger needs of the bus; *[bus.Bucket] is one.
type Bucket interface {
	Read(ctx context.Context, key string) (bus.Entry, bool, error)
	Create(ctx context.Context, key string, value []byte) (uint64, error)
	Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
	Entries(ctx context.Context, filters ...string) ([]bus.Entry, error)
	Watch(ctx context.Context, filter string, each func(bus.Entry), level func()) error
}

// Ledger keeps the rows. Any number of processes may use one: every change is a compare-and-set.
type Ledger struct{ bucket Bucket }

// New returns the ledger in a bucket.
func New(b Bucket) *Ledger { return &Ledger{bucket: b} }

// maxRounds is how often a lost compare-and-set is read again before the caller hears of it.
const maxRounds = 10

// Row returns the row of a story in a channel with its revision in the bucket; nil and 0 when there is none.
func (l *Ledger) Row(ctx context.Context, channel, story string) (*Row, uint64, error) {
	e, ok, err := l.bucket.Read(ctx, Key(channel, story))
	if err != nil || !ok {
		return nil, 0, err
	}
	r, err := decodeRow(e)
	return r, e.Revision, err
}

// Put writes a row on condition that it stands at a revision in the bucket, 0 for a new one, and returns the next.
// The error is a conflict when somebody else was first. After any other error the caller does not know whether the
// row was written, and reads it again.
func (l *Ledger) Put(ctx context.Context, r *Row, revision uint64) (uint64, error) {
	value, err := event.Marshal(r)
	if err != nil {
		return 0, fault.Errorf(fault.Internal, "write delivery %s: %w", r.ID(), err)
	}
	next, err := l.put(ctx, Key(r.Channel, r.Story), value, revision)
	if err != nil {
		return 0, fmt.Errorf("write delivery %s: %w", r.ID(), err)
	}
	return next, nil
}

func (l *Ledger) put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	if revision == 0 {
		return l.bucket.Create(ctx, key, value)
	}
	return l.bucket.Update(ctx, key, value, revision)
}

// Change reads a row, lets change make a new one of it, and writes that; again when somebody else was quicker. The
// row is nil when there is none, and change returns nil when there is nothing to write. Change returns the row as it
// stands at the end, with its revision.
func (l *Ledger) Change(ctx context.Context, channel, story string, change func(*Row) (*Row, error)) (*Row, uint64, error) {
	old, revision, err := l.Row(ctx, channel, story)
	if err != nil {
		return nil, 0, err
	}
	return l.ChangeFrom(ctx, channel, story, old, revision, change)
}

// ChangeFrom is [Ledger.Change] for a caller that knows the row at a revision: it is read only when somebody else has
// written it since.
func (l *Ledger) ChangeFrom(ctx context.Context, channel, story string, old *Row, revision uint64, change func(*Row) (*Row, error)) (*Row, uint64, error) {
	for round := 1; ; round++ {
		r, err := change(old)
		if err != nil || r == nil {
			return old, revision, err
		}
		next, err := l.Put(ctx, r, revision)
		if err == nil {
			return r, next, nil
		}
		if fault.KindOf(err) != fault.Conflict || round == maxRounds {
			return nil, 0, err
		}
		if old, revision, err = l.Row(ctx, channel, story); err != nil {
			return nil, 0, err
		}
	}
}

// Rows returns every row of a channel, or of all channels for "".
func (l *Ledger) Rows(ctx context.Context, channel string) ([]*Row, error) {
	filter := AllKeys
	if channel != "" {
		filter = Keys(channel)
	}
	entries, err := l.bucket.Entries(ctx, filter)
	if err != nil {
		return nil, err
	}
	rows := make([]*Row, 0, len(entries))
	for _, e := range entries {
		r, err := decodeRow(e)
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// Watch shows every row of a channel, those that are there first and then each change, until ctx ends. level is called
// when the present state has been shown. A row that cannot be read is shown to broken by its story.
func (l *Ledger) Watch(ctx context.Context, channel string, each func(*Row, uint64), broken func(story string, err error), level func()) error {
	return l.bucket.Watch(ctx, Keys(channel), func(e bus.Entry) {
		if e.Deleted {
			return
		}
		r, err := decodeRow(e)
		if err != nil {
			broken(StoryOf(e.Key), err)
			return
		}
		each(r, e.Revision)
	}, level)
}

func decodeRow(e bus.Entry) (*Row, error) {
	var r Row
	if err := json.Unmarshal(e.Value, &r); err != nil {
		return nil, fault.Errorf(fault.Malformed, "read delivery %s: %w", e.Key, err)
	}
	return &r, nil
}

// Channel returns the row of a channel with its revision; nil and 0 when there is none.
func (l *Ledger) Channel(ctx context.Context, id string) (*Channel, uint64, error) {
	e, ok, err := l.bucket.Read(ctx, ChannelKey(id))
	if err != nil || !ok {
		return nil, 0, err
	}
	c, err := decodeChannel(e)
	return c, e.Revision, err
}

// Channels returns the rows of all channels that were ever seen.
func (l *Ledger) Channels(ctx context.Context) ([]*Channel, error) {
	entries, err := l.bucket.Entries(ctx, ChannelKeys)
	if err != nil {
		return nil, err
	}
	list := make([]*Channel, 0, len(entries))
	for _, e := range entries {
		c, err := decodeChannel(e)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

// ChangeChannel is [Ledger.Change] for the row of a channel. change gets a copy that it may alter.
func (l *Ledger) ChangeChannel(ctx context.Context, id string, change func(*Channel) (*Channel, error)) (*Channel, error) {
	for round := 1; ; round++ {
		old, revision, err := l.Channel(ctx, id)
		if err != nil {
			return nil, err
		}
		var work *Channel
		if old != nil {
			work = new(*old)
		}
		c, err := change(work)
		if err != nil || c == nil {
			return old, err
		}
		value, err := event.Marshal(c)
		if err != nil {
			return nil, fault.Errorf(fault.Internal, "write channel %s: %w", id, err)
		}
		_, err = l.put(ctx, ChannelKey(id), value, revision)
		if err == nil {
			return c, nil
		}
		if fault.KindOf(err) != fault.Conflict || round == maxRounds {
			return nil, fmt.Errorf("write channel %s: %w", id, err)
		}
	}
}

func decodeChannel(e bus.Entry) (*Channel, error) {
	var c Channel
	if err := json.Unmarshal(e.Value, &c); err != nil {
		return nil, fault.Errorf(fault.Malformed, "read channel row %s: %w", e.Key, err)
	}
	return &c, nil
}
