package bus

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tidings.internal/pkg/fault"
)

// Bucket is a table of keys and values with a revision for each, so that a change can be made on condition that
// nobody else made one.
type Bucket struct {
	bus  *Bus
	name string
}

// Bucket returns a bucket by its name. Nothing is asked of the broker yet.
func (b *Bus) Bucket(name string) *Bucket { return &Bucket{bus: b, name: name} }

// Entry is the value of a key.
type Entry struct {
	Key      string
	Value    []byte
	Revision uint64
	Created  time.Time // when the broker stored this value
	// Deleted: the key was removed or has expired. Only [Bucket.Watch] shows such entries.
	Deleted bool
}

func (k *Bucket) open(ctx context.Context) (jetstream.KeyValue, error) {
	k.bus.mu.Lock()
	kv := k.bus.buckets[k.name]
	k.bus.mu.Unlock()
	if kv != nil {
		return kv, nil
	}
	kv, err := k.bus.js.KeyValue(ctx, k.name)
	if err != nil {
		if errors.Is(err, jetstream.ErrBucketNotFound) {
			return nil, fault.Errorf(fault.Unreachable, "%w", &missingStream{"KV_" + k.name, err})
		}
		return nil, classify(err, "open bucket %s", k.name)
	}
	k.bus.mu.Lock()
	defer k.bus.mu.Unlock()
	k.bus.buckets[k.name] = kv
	return kv, nil
}

// run opens the bucket and does one thing with it under a time limit.
func (k *Bucket) run(ctx context.Context, verb, key string, do func(context.Context, jetstream.KeyValue) error) error {
	ctx, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	kv, err := k.open(ctx)
	if err != nil {
		return err
	}
	err = k.bus.await(ctx, ackWait, func(ctx context.Context) error { return do(ctx, kv) })
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jetstream.ErrKeyExists):
		return fault.Errorf(fault.Conflict, "%s %s in %s: it exists already", verb, key, k.name)
	case errors.Is(err, jetstream.ErrInvalidKey):
		return fault.Errorf(fault.Invalid, "%s %q in %s: it is no key", verb, key, k.name)
	default:
		return classify(err, "%s %s in %s", verb, key, k.name)
	}
}

// Read returns the value of a key, and false if there is none.
func (k *Bucket) Read(ctx context.Context, key string) (Entry, bool, error) {
	var e Entry
	err := k.run(ctx, "read", key, func(ctx context.Context, kv jetstream.KeyValue) error {
		v, err := kv.Get(ctx, key)
		if err == nil {
			e = entry(v)
		}
		return err
	})
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return Entry{}, false, nil
	}
	return e, err == nil, err
}

// Create sets a key that must not exist and returns its revision. The error is a conflict if it does.
func (k *Bucket) Create(ctx context.Context, key string, value []byte) (uint64, error) {
	var rev uint64
	err := k.run(ctx, "create", key, func(ctx context.Context, kv jetstream.KeyValue) (err error) {
		if unsafeForFaultRun {
			rev, err = kv.Put(ctx, key, value)
			return err
		}
		rev, err = kv.Create(ctx, key, value)
		return err
	})
	return rev, err
}

// Update sets a key whose revision must be the one named, and returns the new one. The error is a conflict if somebody
// else changed it. After any other error the caller does not know whether it was set and must read again.
func (k *Bucket) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	if revision == 0 {
		return k.Create(ctx, key, value)
	}
	var rev uint64
	err := k.run(ctx, "update", key, func(ctx context.Context, kv jetstream.KeyValue) (err error) {
		if unsafeForFaultRun {
			rev, err = kv.Put(ctx, key, value)
			return err
		}
		rev, err = kv.Update(ctx, key, value, revision)
		return err
	})
	return rev, err
}

// Put sets a key whatever it was, and returns its revision.
func (k *Bucket) Put(ctx context.Context, key string, value []byte) (uint64, error) {
	var rev uint64
	err := k.run(ctx, "set", key, func(ctx context.Context, kv jetstream.KeyValue) (err error) {
		rev, err = kv.Put(ctx, key, value)
		return err
	})
	return rev, err
}

// Leave sets a key that must not exist, without looking at anything of the bucket: it needs the right to write this key and
// no other. Nil means that the broker has it on disk. After an error it may be there or not.
func (k *Bucket) Leave(ctx context.Context, key string, value []byte) error {
	err := k.bus.await(ctx, ackWait, func(ctx context.Context) error {
		_, err := k.bus.js.Publish(ctx, "$KV."+k.name+"."+key, value, jetstream.WithExpectLastSequencePerSubject(0), jetstream.WithRetryAttempts(0))
		return err
	})
	return classify(err, "leave %s in %s", key, k.name)
}

// Delete removes a key and leaves a marker. A key that does not exist is no error.
func (k *Bucket) Delete(ctx context.Context, key string) error {
	return k.run(ctx, "delete", key, func(ctx context.Context, kv jetstream.KeyValue) error { return kv.Delete(ctx, key) })
}

// DeleteAt removes a key whose revision must be the one named.
func (k *Bucket) DeleteAt(ctx context.Context, key string, revision uint64) error {
	if revision == 0 { // the library would delete whatever is there
		return fault.Errorf(fault.Invalid, "delete %s in %s: no revision is named", key, k.name)
	}
	return k.run(ctx, "delete", key, func(ctx context.Context, kv jetstream.KeyValue) error {
		return kv.Delete(ctx, key, jetstream.LastRevision(revision))
	})
}

// Purge removes a key with its history.
func (k *Bucket) Purge(ctx context.Context, key string) error {
	return k.run(ctx, "purge", key, func(ctx context.Context, kv jetstream.KeyValue) error { return kv.Purge(ctx, key) })
}

// Entries returns what the bucket holds now, for the keys that match a filter such as "p.masto.>"; all without one.
func (k *Bucket) Entries(ctx context.Context, filters ...string) ([]Entry, error) {
	if len(filters) == 0 {
		filters = []string{">"}
	}
	kv, err := k.open(ctx)
	if err != nil {
		return nil, err
	}
	w, stop, err := k.watch(ctx, kv, slices.Clone(filters), jetstream.IgnoreDeletes())
	if err != nil {
		return nil, classify(err, "read bucket %s", k.name)
	}
	defer stop()
	idle := time.NewTimer(getWait)
	defer idle.Stop()
	var list []Entry
	for {
		select {
		case e, open := <-w.Updates():
			if !open {
				return nil, fault.Errorf(fault.Unreachable, "read bucket %s: the subscription ended", k.name)
			}
			if e == nil { // everything that was there has come
				return list, nil
			}
			list = append(list, entry(e))
			idle.Reset(getWait)
		case <-idle.C:
			return nil, fault.Errorf(fault.Unreachable, "read bucket %s: no answer within %v", k.name, getWait)
		case <-ctx.Done():
			return nil, classify(ctx.Err(), "read bucket %s", k.name)
		}
	}
}

// watch subscribes to keys. stop ends it and takes what is still on its way: the library's goroutine waits for ever with
// an update that nobody reads (nats.go v1.55.0, kv.go, WatchFiltered). keys is overwritten.
func (k *Bucket) watch(ctx context.Context, kv jetstream.KeyValue, keys []string, opts ...jetstream.WatchOpt) (jetstream.KeyWatcher, func(), error) {
	// The library ends the subscription with this context, so it lives as long as the watch, and must not end before
	// the library has heard of our interest in its end.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	slow := time.AfterFunc(ackWait, cancel)
	w, err := kv.WatchFiltered(ctx, keys, opts...)
	if !slow.Stop() {
		err = context.DeadlineExceeded
	}
	if err != nil {
		cancel()
		return nil, nil, err
	}
	return w, func() {
		defer cancel()
		_ = w.Stop() // it fails when the connection is closed, which ends the subscription, too
		for {
			select {
			case _, open := <-w.Updates():
				if !open {
					return
				}
			case <-k.bus.closed:
				return
			}
		}
	}, nil
}

// Watch shows every entry that matches a filter, those that are there first, then each change, until ctx ends. level
// is called each time the present state has been shown. After an outage the state is shown again, so each must bear to
// see an entry twice; revisions tell which is newer. A key that went meanwhile without leaving a marker is shown as
// deleted, with revision 0, before level is called.
func (k *Bucket) Watch(ctx context.Context, filter string, each func(Entry), level func()) error {
	w := &bucketWatch{Bucket: k, filter: filter, each: each, level: level}
	k.bus.again(ctx, "stopped watching for now", w.once, "stream", "KV_"+k.name)
	return nil
}

type bucketWatch struct {
	*Bucket
	filter string
	each   func(Entry)
	level  func()
	known  map[string]struct{} // live keys that were shown
}

func (w *bucketWatch) once(ctx context.Context) error {
	back, forget := w.bus.onReconnect()
	defer forget()
	kv, err := w.open(ctx)
	if err != nil {
		return err
	}
	begun, err := w.bus.StreamState(ctx, "KV_"+w.name)
	if err != nil {
		return err
	}
	updates, stop, err := w.watch(ctx, kv, []string{w.filter})
	if err != nil {
		return classify(err, "watch bucket %s", w.name)
	}
	defer stop()
	check := time.NewTicker(w.bus.followEvery)
	defer check.Stop()
	var seen uint64
	known, full := map[string]struct{}{}, false
	for {
		select {
		case <-ctx.Done():
			return nil
		case v, open := <-updates.Updates():
			switch {
			case !open:
				return fault.Errorf(fault.Unreachable, "watch bucket %s: the subscription ended", w.name)
			case v == nil:
				if err := w.forget(ctx, known); err != nil {
					return err
				}
				w.known, full = known, true
				w.level()
				continue
			}
			e := entry(v)
			seen = max(seen, e.Revision)
			if e.Deleted {
				delete(known, e.Key)
			} else {
				known[e.Key] = struct{}{}
			}
			if !full && w.known != nil {
				w.known[e.Key] = struct{}{} // if this attempt ends early, the next must know what it has shown
			}
			w.each(e)
		case <-back:
			// The library renews the subscription only when it misses heartbeats; a fresh one is quicker and sure.
			return fault.Errorf(fault.Unreachable, "watch bucket %s: the connection was renewed", w.name)
		case <-check.C:
			if s, err := w.bus.StreamState(ctx, "KV_"+w.name); err == nil && (!s.Created.Equal(begun.Created) || s.Last < seen) {
				return errNotTheSame
			}
		}
	}
}

// forget shows as deleted what was known and is not there any more. A key that is written while the present state is
// read can be missing in it and come right after, so each is looked at before it is given up.
func (w *bucketWatch) forget(ctx context.Context, now map[string]struct{}) error {
	for key := range w.known {
		if _, there := now[key]; there {
			continue
		}
		e, there, err := w.Read(ctx, key)
		if err != nil {
			return err
		}
		if there {
			now[key] = struct{}{}
		} else {
			e = Entry{Key: key, Deleted: true}
		}
		w.each(e)
	}
	return nil
}

func entry(v jetstream.KeyValueEntry) Entry {
	return Entry{Key: v.Key(), Value: v.Value(), Revision: v.Revision(), Created: v.Created(), Deleted: v.Operation() != jetstream.KeyValuePut}
}

// KeyEscape makes a text safe as one token of a key: everything but letters, digits, hyphen and underscore becomes
// "=XX". Two texts never give one token.
func KeyEscape(s string) string {
	const hex = "0123456789ABCDEF"
	var out strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
			out.WriteByte(c)
		default:
			out.WriteByte('=')
			out.WriteByte(hex[c>>4])
			out.WriteByte(hex[c&15])
		}
	}
	return out.String()
}
