package bus

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// MaxSnapshot is the largest short cut that the store of snapshots takes, in bytes.
const MaxSnapshot = 64 << 20

// SnapshotTime says when a snapshot was stored, by the broker's clock; ok is false when there is none of that name.
func (b *Bus) SnapshotTime(ctx context.Context, name string) (stored time.Time, ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*ackWait)
	defer cancel()
	s, err := b.store(ctx, event.StoreSnapshots)
	if err != nil {
		return time.Time{}, false, err
	}
	info, err := s.GetInfo(ctx, name)
	if errors.Is(err, jetstream.ErrObjectNotFound) {
		return time.Time{}, false, nil
	}
	if err != nil {
		return time.Time{}, false, classify(err, "look for snapshot %s", name)
	}
	return info.ModTime, true, nil
}

// PutSnapshot stores a snapshot under a name that is not in use. It looks first: replacing an object needs the right to
// purge, which could empty the store. Of two writers at once the later one stands, whole. A crash in between leaves
// pieces that nothing names and that expire with the store's age.
func (b *Bus) PutSnapshot(ctx context.Context, name string, data []byte) error {
	if len(data) > MaxSnapshot {
		return fault.Errorf(fault.TooLarge, "store snapshot %s: %d bytes are more than %d", name, len(data), MaxSnapshot)
	}
	if _, ok, err := b.SnapshotTime(ctx, name); ok || err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*ackWait)
	defer cancel()
	s, err := b.store(ctx, event.StoreSnapshots)
	if err != nil {
		return err
	}
	_, err = s.Put(ctx, jetstream.ObjectMeta{Name: name}, bytes.NewReader(data))
	return classify(err, "store snapshot %s", name)
}

// ReadSnapshot returns a snapshot. One that is missing, or whose bytes are not those that were stored, is gone.
func (b *Bus) ReadSnapshot(ctx context.Context, name string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*ackWait)
	defer cancel()
	s, err := b.store(ctx, event.StoreSnapshots)
	if err != nil {
		return nil, err
	}
	object, err := s.Get(ctx, name)
	if errors.Is(err, jetstream.ErrObjectNotFound) {
		return nil, fault.Errorf(fault.Gone, "read snapshot %s: it is not in the store", name)
	}
	if err != nil {
		return nil, classify(err, "read snapshot %s", name)
	}
	defer func() { _ = object.Close() }() // nothing is written
	data, err := io.ReadAll(io.LimitReader(object, MaxSnapshot+1))
	if errors.Is(err, jetstream.ErrDigestMismatch) || err == nil && len(data) > MaxSnapshot {
		return nil, fault.Errorf(fault.Gone, "read snapshot %s: it is not the one that was stored", name)
	}
	return data, classify(err, "read snapshot %s", name)
}
