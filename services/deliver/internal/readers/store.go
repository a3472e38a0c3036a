package readers

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// Bucket is what a store needs of the bus; *[bus.Bucket] is one.
type Bucket interface {
	Read(ctx context.Context, key string) (bus.Entry, bool, error)
	Create(ctx context.Context, key string, value []byte) (uint64, error)
	Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
	Purge(ctx context.Context, key string) error
	DeleteAt(ctx context.Context, key string, revision uint64) error
	Entries(ctx context.Context, filters ...string) ([]bus.Entry, error)
	Watch(ctx context.Context, filter string, each func(bus.Entry), level func()) error
}

// Store keeps the rows. Any number of processes may use one: every change is a compare-and-set.
type Store struct {
	bucket Bucket
	keys   Keys
}

// NewStore returns the readers in a bucket. Without keys nobody can be found by an address.
func NewStore(b Bucket, keys Keys) *Store { return &Store{bucket: b, keys: keys} }

// maxRounds is how often a lost compare-and-set is read again before the caller hears of it.
const maxRounds = 10

// Reader returns a row with its revision; nil and 0 when there is none.
func (s *Store) Reader(ctx context.Context, list, id string) (*Reader, uint64, error) {
	e, ok, err := s.bucket.Read(ctx, readerKey(list, id))
	if err != nil || !ok {
		return nil, 0, err
	}
	r, err := decode(e)
	return r, e.Revision, err
}

func decode(e bus.Entry) (*Reader, error) {
	var r Reader
	if err := json.Unmarshal(e.Value, &r); err != nil {
		return nil, fault.Errorf(fault.Malformed, "read reader %s: it is no row", e.Key) // the cause may hold an address
	}
	return &r, nil
}

// put writes a row on condition that it stands at a revision, 0 for a new one.
func (s *Store) put(ctx context.Context, r *Reader, revision uint64) (uint64, error) {
	value, err := event.Marshal(r)
	if err != nil {
		return 0, fault.Errorf(fault.Internal, "write %s: it has no form", r)
	}
	key := readerKey(r.List, r.ID)
	if revision == 0 {
		revision, err = s.bucket.Create(ctx, key, value)
	} else {
		revision, err = s.bucket.Update(ctx, key, value, revision)
	}
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", r, err)
	}
	return revision, nil
}

// change reads a row, lets change make a new one of it, and writes that; again when somebody else was quicker. The row is
// nil when there is none, and change returns nil when there is nothing to write. What stands at the end is returned, and
// whether it was written here.
func (s *Store) change(ctx context.Context, list, id string, change func(*Reader) *Reader) (row *Reader, revision uint64, changed bool, err error) {
	for round := 1; ; round++ {
		old, revision, err := s.Reader(ctx, list, id)
		if err != nil {
			return nil, 0, false, err
		}
		r := change(old)
		if r == nil {
			return old, revision, false, nil
		}
		next, err := s.put(ctx, r, revision)
		if err == nil {
			return r, next, true, nil
		}
		if fault.KindOf(err) != fault.Conflict || round == maxRounds {
			return nil, 0, false, err
		}
	}
}

// find returns the id of an address on a list, empty when it has none.
func (s *Store) find(ctx context.Context, list, address string) (string, error) {
	for _, hash := range s.keys.addresses(address) {
		e, ok, err := s.bucket.Read(ctx, indexKey(list, hash))
		if err != nil || ok {
			return string(e.Value), err
		}
	}
	return "", nil
}

// claim gives an address its id on a list: id, unless it has one. Of two who claim at once one wins, and both hear its id.
func (s *Store) claim(ctx context.Context, list, address, id string) (string, error) {
	got, err := s.find(ctx, list, address)
	if err != nil || got != "" {
		return got, err
	}
	_, err = s.bucket.Create(ctx, indexKey(list, s.keys.addresses(address)[0]), []byte(id))
	if fault.KindOf(err) == fault.Conflict {
		return s.find(ctx, list, address)
	}
	return id, err
}

// everywhere returns the rows of an address on all lists.
func (s *Store) everywhere(ctx context.Context, address string) ([]*Reader, error) {
	var entries []bus.Entry
	for _, hash := range s.keys.addresses(address) {
		some, err := s.bucket.Entries(ctx, everyIndexOf(hash)) // one filter at a time, as the broker grants it
		if err != nil {
			return nil, err
		}
		entries = append(entries, some...)
	}
	var list []*Reader
	for _, e := range entries {
		name := strings.Split(e.Key, ".")[1]
		r, _, err := s.Reader(ctx, name, string(e.Value))
		if err != nil {
			return nil, err
		}
		if r != nil {
			list = append(list, r)
		}
	}
	return list, nil
}

// Suppression is why an address must not be written to. It holds no address, and survives an erasure.
type Suppression struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason"` // hard, soft, complaint, refused or operator
}

// suppressed reports whether an address must not be written to.
func (s *Store) suppressed(ctx context.Context, address string) (reason string, yes bool, err error) {
	for _, hash := range s.keys.addresses(address) {
		e, ok, err := s.bucket.Read(ctx, suppressedKey(hash))
		if err != nil || !ok {
			if err != nil {
				return "", false, err
			}
			continue
		}
		var x Suppression
		if json.Unmarshal(e.Value, &x) != nil {
			x.Reason = "unreadable" // whatever it says, it is one
		}
		return x.Reason, true, nil
	}
	return "", false, nil
}

// bar has an address not written to any more, and tells how many rows that ended. The suppression comes first: a kill
// behind it leaves rows that are looked up there before every mail.
func (s *Store) bar(ctx context.Context, address, reason string, now time.Time) (ended []*Reader, err error) {
	value, err := event.Marshal(Suppression{At: now.UTC(), Reason: reason})
	if err != nil {
		return nil, fault.Errorf(fault.Internal, "write a suppression: %w", err)
	}
	if _, err := s.bucket.Create(ctx, suppressedKey(s.keys.addresses(address)[0]), value); err != nil && fault.KindOf(err) != fault.Conflict {
		return nil, err
	}
	rows, err := s.everywhere(ctx, address)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		r, _, changed, err := s.change(ctx, r.List, r.ID, func(r *Reader) *Reader { return suppress(r, reason, now) })
		if err != nil {
			return ended, err
		}
		if changed {
			ended = append(ended, r)
		}
	}
	return ended, nil
}

// lift has an address be written to again if its owner asks for it. A kill at any line leaves what a repeat does: rows that are
// suppressed get no mail without a suppression, either.
func (s *Store) lift(ctx context.Context, address string, now time.Time) error {
	for _, hash := range s.keys.addresses(address) {
		if err := s.bucket.Purge(ctx, suppressedKey(hash)); err != nil {
			return err
		}
	}
	rows, err := s.everywhere(ctx, address)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if _, _, _, err := s.change(ctx, r.List, r.ID, func(r *Reader) *Reader { return lift(r, now) }); err != nil {
			return err
		}
	}
	return nil
}

// erase removes a row and what leads to it. The index goes first: who asks meanwhile gets a row of their own, and a kill
// between the two leaves the row, by which a repeat finds it.
func (s *Store) erase(ctx context.Context, r *Reader) error {
	if err := s.bucket.Purge(ctx, indexKey(r.List, r.Index)); err != nil {
		return err
	}
	return s.bucket.Purge(ctx, readerKey(r.List, r.ID))
}
