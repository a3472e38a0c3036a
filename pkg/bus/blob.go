package bus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// MaxBlob is the largest body that the object store takes, in bytes: a fetched page and everything smaller.
const MaxBlob = 10 << 20

var blobName = regexp.MustCompile(`^[0-9]{4}w[0-9]{2}-[0-9a-f]{64}$`)

func (b *Bus) store(ctx context.Context, name string) (jetstream.ObjectStore, error) {
	b.mu.Lock()
	s := b.stores[name]
	b.mu.Unlock()
	if s != nil {
		return s, nil
	}
	s, err := b.js.ObjectStore(ctx, name)
	if err != nil {
		return nil, classify(err, "open store %s", name)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stores[name] = s
	return s, nil
}

// PutBlob stores a body under its own hash and returns the reference that goes into a message. The same body in the
// same week is stored once. The week is part of the name because objects live for a fixed time: a body that is still
// used next week gets a new life.
func (b *Bus) PutBlob(ctx context.Context, data []byte, now time.Time) (article.Blob, error) {
	if len(data) > MaxBlob {
		return article.Blob{}, fault.Errorf(fault.TooLarge, "store a body of %d bytes: more than %d", len(data), MaxBlob)
	}
	sum := event.Hash(data)
	year, week := now.UTC().ISOWeek()
	ref := article.Blob{Name: fmt.Sprintf("%04dw%02d-%s", year, week, sum), Bytes: int64(len(data)), SHA256: sum}
	ctx, cancel := context.WithTimeout(ctx, 2*ackWait)
	defer cancel()
	s, err := b.store(ctx, event.StoreBlobs)
	if err != nil {
		return article.Blob{}, err
	}
	// Look first and never put twice: replacing an object needs the right to purge, which could empty the store. Two
	// writers at once store the same bytes under the same name, which is harmless.
	if info, err := s.GetInfo(ctx, ref.Name); err == nil && info.Size == uint64(ref.Bytes) {
		return ref, nil
	} else if err != nil && !errors.Is(err, jetstream.ErrObjectNotFound) {
		return article.Blob{}, classify(err, "look for body %s", ref.Name)
	}
	if _, err := s.Put(ctx, jetstream.ObjectMeta{Name: ref.Name}, bytes.NewReader(data)); err != nil {
		return article.Blob{}, classify(err, "store body %s", ref.Name)
	}
	return ref, nil
}

// ReadBlob returns a body and checks it against its reference. A body that is missing or not the one that was meant is
// gone: waiting would not bring it back.
func (b *Bus) ReadBlob(ctx context.Context, ref article.Blob) ([]byte, error) {
	if !blobName.MatchString(ref.Name) || ref.Bytes < 0 || ref.Bytes > MaxBlob {
		return nil, fault.Errorf(fault.Malformed, "read a body: %q of %d bytes is no reference", ref.Name, ref.Bytes)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*ackWait)
	defer cancel()
	s, err := b.store(ctx, event.StoreBlobs)
	if err != nil {
		return nil, err
	}
	object, err := s.Get(ctx, ref.Name)
	if errors.Is(err, jetstream.ErrObjectNotFound) {
		return nil, fault.Errorf(fault.Gone, "read body %s: it is not in the store", ref.Name)
	}
	if err != nil {
		return nil, classify(err, "read body %s", ref.Name)
	}
	defer func() { _ = object.Close() }() // nothing is written
	data, err := io.ReadAll(io.LimitReader(object, ref.Bytes+1))
	if errors.Is(err, jetstream.ErrDigestMismatch) || err == nil && (int64(len(data)) != ref.Bytes || event.Hash(data) != ref.SHA256) {
		return nil, fault.Errorf(fault.Gone, "read body %s: it is not the one that was stored", ref.Name)
	}
	if err != nil {
		return nil, classify(err, "read body %s", ref.Name)
	}
	return data, nil
}
