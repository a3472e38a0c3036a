package bus_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
)

// members are the streams of a backup by the names of the broker.
func members(t *testing.T) []string {
	t.Helper()
	var list []string
	for _, s := range topology(t).Streams {
		if s.Name != event.BucketLeases {
			list = append(list, s.StreamName())
		}
	}
	return list
}

// contents lists every record of the streams by its place.
func contents(t *testing.T, b *bus.Bus, streams ...string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, stream := range streams {
		err := b.Scan(t.Context(), stream, func(r bus.Record) error {
			var head []string
			for name, values := range r.Header {
				head = append(head, name+"="+strings.Join(values, ","))
			}
			slices.Sort(head)
			all[fmt.Sprintf("%s %d", stream, r.Sequence)] = fmt.Sprintf("%s %v %v %s", r.Subject, r.Time.UnixNano(), head, event.Hash(r.Body))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// furnish puts something into every stream, and a large body into the object store.
func furnish(t *testing.T, b *bus.Bus) {
	t.Helper()
	var messages []event.Message
	for n := range 40 {
		messages = append(messages, raw(t, article.NewID("blog", fmt.Sprint(n)), 1, strings.Repeat("x", 1000*n)), other(t, n))
	}
	if err := b.Append(t.Context(), messages); err != nil {
		t.Fatal(err)
	}
	for n := range 20 {
		id := article.NewID("blog", fmt.Sprint(n))
		for rev := range uint64(2) {
			for _, m := range []event.Message{enriched(t, id, event.Version{Revision: rev + 1}, "x"), post(t, id, rev+1)} {
				if _, err := b.Emit(t.Context(), m); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	feed, err := event.FeedSubject("all")
	if err != nil {
		t.Fatal(err)
	}
	m, err := event.Encode(feed, event.Envelope{Type: event.TypeFeedChanged, ID: "1", Source: "publish", Time: time.Unix(1, 0)}, event.FeedChanged{Feed: "all"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Emit(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if _, err := b.PutBlob(t.Context(), bytes.Repeat([]byte("0123456789abcdef and random "), 100_000), time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{event.BucketSourceConfig, event.BucketSourceState, event.BucketStories, event.BucketTaxonomy, event.BucketDeliveries, event.BucketSubscribers, event.BucketRequests, event.BucketSubscriptions} {
		for n := range 3 {
			for range 2 {
				if _, err := b.Bucket(name).Put(t.Context(), fmt.Sprint("k.", n), fmt.Append(nil, name, n)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := b.Bucket(name).Delete(t.Context(), "k.0"); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Bury(t.Context(), &bus.Delivery{Message: messages[0], Stream: event.StreamRaw, Sequence: 1}, "invalid", fault.Errorf(fault.Invalid, "x")); err != nil {
		t.Fatal(err)
	}
	b.Notice(t.Context(), event.Notice{Type: "source_failing", Source: "blog"})
}

func post(t *testing.T, story string, rev uint64) event.Message {
	t.Helper()
	subject, err := event.PostSubject("hook", story)
	if err != nil {
		t.Fatal(err)
	}
	m, err := event.Encode(subject, event.Envelope{Type: event.TypePost, ID: event.PostID("hook", story, rev), Source: "publish", Time: time.Unix(1, 0), Article: story, Version: event.Version{Revision: rev}},
		event.Post{Channel: "hook", Story: story, Article: story, Revision: rev, Action: event.ActionCreate})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func backUp(t *testing.T, b *bus.Bus) (string, bus.Manifest) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tidings.tar")
	m, err := b.Backup(t.Context(), file, "1.2.3", nil)
	if err != nil {
		t.Fatalf("back up: %v", err)
	}
	return file, m
}

func TestRestoreGivesTheSameStreams(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "tidings")
	furnish(t, b)
	// The consumer of new articles has handled half of them.
	ctx, cancel := context.WithCancel(t.Context())
	half := make(chan struct{})
	var once sync.Once
	done := make(chan error, 1)
	go func() {
		done <- b.Consume(ctx, bus.Consume{Stream: event.StreamRaw, Consumer: event.ConsumerEnrich, Handle: func(_ context.Context, d *bus.Delivery) error {
			if d.Sequence > 40 {
				once.Do(func() { close(half) })
				return fault.Errorf(fault.Unreachable, "later")
			}
			return nil
		}})
	}()
	<-half
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	lease, err := b.Acquire(t.Context(), "ingest.1")
	if err != nil {
		t.Fatal(err)
	}
	if err := lease.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	before, err := b.Backlog(t.Context(), event.StreamRaw, event.ConsumerEnrich)
	if err != nil {
		t.Fatal(err)
	}
	file, written := backUp(t, b)
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("the file is %v, %v; want mode 0600", info.Mode(), err)
	}
	if read, err := bus.ReadManifest(file); err != nil || read.Version != "1.2.3" || len(read.Members) != len(members(t)) || read.Fence != written.Fence {
		t.Errorf("the manifest is %+v, %v", read, err)
	}
	want := contents(t, b, members(t)...)

	for name, s := range map[string]*natstest.Server{"bare": natstest.Bare(t), "set up": natstest.Run(t)} {
		r := s.Bus(t, "tidings")
		reconciled := false
		_, err := r.Restore(t.Context(), file, topology(t), func(ctx context.Context) error {
			reconciled = true
			if err := r.ProbeTopology(ctx, event.StreamRaw); err == nil {
				t.Error("a service takes the instance for ready before it is reconciled")
			}
			return nil
		}, nil)
		if err != nil || !reconciled {
			t.Fatalf("restore on a %s instance: %v", name, err)
		}
		if diff := cmp.Diff(want, contents(t, r, members(t)...)); diff != "" {
			t.Errorf("on a %s instance (-want +got):\n%s", name, diff)
		}
		after, err := r.Backlog(t.Context(), event.StreamRaw, event.ConsumerEnrich)
		if err != nil || after.Lag() != before.Lag() {
			t.Errorf("on a %s instance enrich has %d to do, want %d: %v", name, after.Lag(), before.Lag(), err)
		}
		for _, stream := range members(t) {
			was, err := b.StreamState(t.Context(), stream)
			if err != nil {
				t.Fatal(err)
			}
			is, err := r.StreamState(t.Context(), stream)
			if err != nil || is.Epoch == "" || is.Epoch == was.Epoch || is.Topology != was.Topology || is.Last != was.Last {
				t.Errorf("%s is %+v, was %+v: %v; want a new epoch and the rest as it was", stream, is, was, err)
			}
		}
		plan, err := r.Plan(t.Context(), topology(t))
		if err != nil || len(plan.Changes) > 0 {
			t.Errorf("after a restore the topology differs: %+v, %v", plan.Changes, err)
		}
		again, err := r.Acquire(t.Context(), "ingest.1")
		if err != nil || again.Fence() <= lease.Fence() {
			t.Fatalf("the next fence is not above %d: %v", lease.Fence(), err)
		}
		if err := again.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// A snapshot ends where the stream ended when it began. A key that is written while it is taken would be missing.
func TestBackupUnderLoadMissesNoKey(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "tidings")
	const keys = 300
	deliveries, state := b.Bucket(event.BucketDeliveries), b.Bucket(event.BucketSourceState)
	put := func(ctx context.Context, n int, value []byte) error {
		id := article.NewID("blog", fmt.Sprint(n))
		_, err := b.Emit(ctx, enriched(t, id, event.Version{Revision: uint64(time.Now().UnixNano())}, string(value)))
		if err == nil {
			_, err = state.Put(ctx, fmt.Sprint("s", n), value)
		}
		if err == nil {
			_, err = deliveries.Put(ctx, fmt.Sprint("p.hook.", n), value)
		}
		return err
	}
	// It does not compress, so that the snapshot takes its time and the writers come in between.
	noise := make([]byte, 12<<10)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	value := []byte(hex.EncodeToString(noise))
	for n := range keys {
		if err := put(t.Context(), n, value); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	written := make(chan struct{}, 1)
	for w := range 4 {
		group.Go(func() {
			for ctx.Err() == nil {
				// Any key, and so any place in the streams, also one that the snapshot has not reached yet.
				if err := put(ctx, w+4*mathrand.IntN(keys/4), value); err != nil && ctx.Err() == nil {
					t.Errorf("write under load: %v", err)
					return
				}
				select {
				case written <- struct{}{}:
				default:
				}
			}
		})
	}
	<-written
	file, m := backUp(t, s.Bus(t, "tidings"))
	cancel()
	group.Wait()
	tails := 0
	for _, member := range m.Members {
		if member.Tail != nil {
			tails += member.Tail.Messages
		}
	}
	if tails == 0 {
		t.Error("nothing was written while the backup was taken: the test shows nothing")
	}

	r := natstest.Bare(t).Bus(t, "tidings")
	if _, err := r.Restore(t.Context(), file, topology(t), nil, nil); err != nil {
		t.Fatal(err)
	}
	for name, bucket := range map[string]string{event.BucketDeliveries: "p.hook.>", event.BucketSourceState: ">"} {
		list, err := r.Bucket(name).Entries(t.Context(), bucket)
		if err != nil || len(list) != keys {
			t.Errorf("%s holds %d keys of %d, %v", name, len(list), keys, err)
		}
	}
	if state, err := r.StreamState(t.Context(), event.StreamArticles); err != nil || state.Messages != keys {
		t.Errorf("ARTICLES holds %d articles of %d, %v", state.Messages, keys, err)
	}
}

func TestBackupThatIsKilledLeavesNoFile(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "tidings")
	furnish(t, b)
	dir := t.TempDir()
	whole, file := filepath.Join(dir, "whole.tar"), filepath.Join(dir, "tidings.tar")
	if _, err := b.Backup(t.Context(), whole, "1", nil); err != nil {
		t.Fatal(err)
	}
	former := []byte("the backup of yesterday")
	if err := os.WriteFile(file, former, 0o600); err != nil {
		t.Fatal(err)
	}
	kills := 0
	for n := 0; ; n += 3 {
		died := killed(t, s, "tidings", n, func(ctx context.Context, b *bus.Bus) error {
			_, err := b.Backup(ctx, file, "1", nil)
			return err
		})
		if !died {
			break
		}
		kills++
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, former) {
			t.Fatalf("killed at write %d: the former file is %d bytes, %v", n, len(got), err)
		}
		if _, err := os.Stat(file + ".part"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("killed at write %d: the part is still there: %v", n, err)
		}
	}
	if kills < 5 {
		t.Errorf("the backup was killed %d times only", kills)
	}
	if _, err := bus.ReadManifest(file); err != nil {
		t.Errorf("the backup that was left alone: %v", err)
	}
}
