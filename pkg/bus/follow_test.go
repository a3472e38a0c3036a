package bus_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/natstest"
)

// table folds ARTICLES into the texts by article.
type table struct {
	mu      sync.Mutex
	resets  []string
	next    map[string]string
	now     map[string]string
	seqs    map[string]uint64
	refused int
}

func (f *table) Reset(reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.resets = append(f.resets, reason)
	f.next, f.seqs = map[string]string{}, map[string]uint64{}
}

func (f *table) Apply(r bus.Record) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, err := event.ParseSubject(r.Subject)
	if err != nil {
		return err
	}
	if r.Marker {
		delete(f.next, s.Article)
		return nil
	}
	_, a, err := event.DecodeEnriched(r.Message)
	if err != nil {
		f.refused++
		return err
	}
	f.next[a.ID], f.seqs[a.ID] = a.Text, r.Sequence
	return nil
}

func (f *table) CaughtUp(event.Applied) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.next
}

func (f *table) Evicted(first uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, seq := range f.seqs {
		if seq < first {
			delete(f.next, id)
			delete(f.seqs, id)
		}
	}
}

func (f *table) is(want map[string]string) func() bool {
	return func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.now != nil && cmp.Equal(want, f.now)
	}
}

func (f *table) reasons() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.resets)
}

func following(t *testing.T, b *bus.Bus, f bus.Fold) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = b.Follow(ctx, event.StreamArticles, event.All(event.SpaceEnriched), f) // nil by its contract
	}()
	t.Cleanup(func() { cancel(); <-done })
}

func id(key string) string { return article.NewID("blog", key) }

// store emits texts by key and returns what a fold of them holds.
func store(t *testing.T, b *bus.Bus, revision uint64, keys ...string) map[string]string {
	t.Helper()
	want := map[string]string{}
	for _, key := range keys {
		text := fmt.Sprint(key, " ", revision)
		if _, err := b.Emit(t.Context(), enriched(t, id(key), event.Version{Revision: revision}, text)); err != nil {
			t.Fatal(err)
		}
		want[id(key)] = text
	}
	return want
}

func TestAFoldBeginsWithWhatIsThere(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "publish")
	empty := &table{}
	following(t, b, empty)
	eventually(t, "an empty stream to be level", empty.is(map[string]string{}))
	want := store(t, b, 1, "1", "2", "3")
	full := &table{}
	following(t, b, full)
	eventually(t, "what was there", full.is(want))
	eventually(t, "what came", empty.is(want))
	// One bad record hides neither itself nor the rest.
	if _, err := b.JetStream().Publish(t.Context(), enriched(t, id("4"), event.Version{}, "").Subject, []byte("rubbish")); err != nil {
		t.Fatal(err)
	}
	want = store(t, b, 2, "1", "2", "3")
	eventually(t, "what came after rubbish", full.is(want))
	full.mu.Lock()
	defer full.mu.Unlock()
	if full.refused != 1 {
		t.Errorf("%d records were refused, want 1", full.refused)
	}
}

func TestAStreamMadeAgainIsFoldedAnew(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "publish")
	b.CheckEvery(20 * time.Millisecond)
	f := &table{}
	following(t, b, f)
	eventually(t, "the first state", f.is(store(t, b, 1, "1", "2")))
	if err := b.JetStream().DeleteStream(t.Context(), event.StreamArticles); err != nil {
		t.Fatal(err)
	}
	plan, err := b.Plan(t.Context(), topology(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Apply(t.Context(), plan, false); err != nil {
		t.Fatal(err)
	}
	// As many as before: by its numbers alone the stream looks the same.
	eventually(t, "the second state", f.is(store(t, b, 1, "3", "4")))
	if diff := cmp.Diff([]string{bus.ResetStart, bus.ResetRecreated}, f.reasons()); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
}

// rolledBack runs a fold, puts an older copy of the store back, and has others write before the fold is connected again.
func rolledBack(t *testing.T, meanwhile ...string) {
	s := natstest.Run(t)
	b := s.Bus(t, "publish")
	f := &table{}
	following(t, b, f)
	old := store(t, b, 1, "1", "2")
	eventually(t, "the older state", f.is(old))
	s.Stop()
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(s.Dir())); err != nil {
		t.Fatal(err)
	}
	s.Start(t)
	writer := s.Bus(t, "enrich")
	want := store(t, writer, 1, "3", "4")
	maps.Copy(want, old)
	eventually(t, "the newer state", f.is(want))
	s.Stop()
	if err := os.RemoveAll(s.Dir()); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(s.Dir(), os.DirFS(copied)); err != nil {
		t.Fatal(err)
	}
	s.Start(t)
	maps.Copy(old, store(t, s.Bus(t, "enrich"), 1, meanwhile...))
	eventually(t, "the state of the store that was put back", f.is(old))
	if diff := cmp.Diff([]string{bus.ResetStart, bus.ResetRewound}, f.reasons()); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
}

func TestAStoreRolledBackIsFoldedAnew(t *testing.T) {
	t.Parallel()
	rolledBack(t)
}

// The numbers of what was lost are used again: the stream ends beyond what the fold has applied.
func TestAStoreRolledBackAndRefilledIsFoldedAnew(t *testing.T) {
	t.Parallel()
	rolledBack(t, "5", "6", "7", "8")
}

func TestExpiryAndEvictionLeaveNoGhost(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "publish")
	b.CheckEvery(20 * time.Millisecond)
	f := &table{}
	following(t, b, f)
	want := store(t, b, 1, "1", "2", "3", "4")
	eventually(t, "all of them", f.is(want))
	brief := enriched(t, id("4"), event.Version{Revision: 2}, "for a second")
	msg := &nats.Msg{Subject: brief.Subject, Header: nats.Header(brief.Header), Data: brief.Body}
	if _, err := b.JetStream().PublishMsg(t.Context(), msg, jetstream.WithMsgTTL(time.Second)); err != nil {
		t.Fatal(err)
	}
	want[id("4")] = "for a second"
	eventually(t, "the one that will expire", f.is(want))
	delete(want, id("4"))
	eventually(t, "it to have expired", f.is(want)) // by its marker
	stream, err := b.JetStream().Stream(t.Context(), event.StreamArticles)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context(), jetstream.WithPurgeSequence(3)); err != nil {
		t.Fatal(err)
	}
	delete(want, id("1"))
	delete(want, id("2"))
	eventually(t, "what the stream dropped to go", f.is(want))
	if got := f.reasons(); len(got) != 1 {
		t.Errorf("the fold began anew: %v", got)
	}
}

// A subject that changes often replaces all records that the fold would recognise the stream by.
func TestABusySubjectIsNoRollback(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "publish")
	f := &table{}
	following(t, b, f)
	eventually(t, "the first state", f.is(store(t, b, 1, "1")))
	s.Stop()
	s.Start(t)
	eventually(t, "the second state", f.is(store(t, s.Bus(t, "enrich"), 2, "1")))
	if got := f.reasons(); len(got) != 1 {
		t.Errorf("the fold began anew: %v", got)
	}
}

// A checkpoint is valid only while everything the stream is recognised by agrees. What is done to the stream here leaves
// its name, its creation and its last sequence as they were, so that each sign has to be looked at by itself.
func TestEachInvalidCheckpointRebuilds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		// spoil changes the stream while the fold runs and returns what is left of it.
		spoil func(t *testing.T, b *bus.Bus, stored map[string]string) map[string]string
		want  []string
	}{
		{"another epoch", func(t *testing.T, b *bus.Bus, stored map[string]string) map[string]string {
			c := configOf(t, b, event.StreamArticles)
			c.Metadata[event.MetaEpoch] = "another"
			if _, err := b.JetStream().UpdateStream(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			return stored
		}, []string{bus.ResetStart, bus.ResetRecreated}},
		{"none of the last records stored", func(t *testing.T, b *bus.Bus, _ map[string]string) map[string]string {
			stream, err := b.JetStream().Stream(t.Context(), event.StreamArticles)
			if err != nil {
				t.Fatal(err)
			}
			if err := stream.Purge(t.Context()); err != nil {
				t.Fatal(err)
			}
			return map[string]string{}
		}, []string{bus.ResetStart, bus.ResetRewound}},
		{"all but the oldest of the last records gone", func(t *testing.T, b *bus.Bus, stored map[string]string) map[string]string {
			stream, err := b.JetStream().Stream(t.Context(), event.StreamArticles)
			if err != nil {
				t.Fatal(err)
			}
			// 20 are stored; of the 16 that are remembered number 5 is the oldest. Deleted by number they leave no marker,
			// and the fold, which still is in its own past, keeps their rows.
			for seq := uint64(6); seq <= 20; seq++ {
				if err := stream.DeleteMsg(t.Context(), seq); err != nil {
					t.Fatal(err)
				}
			}
			return stored
		}, []string{bus.ResetStart}},
		{"the oldest of the last records gone as well", func(t *testing.T, b *bus.Bus, stored map[string]string) map[string]string {
			stream, err := b.JetStream().Stream(t.Context(), event.StreamArticles)
			if err != nil {
				t.Fatal(err)
			}
			for seq := uint64(5); seq <= 20; seq++ {
				if err := stream.DeleteMsg(t.Context(), seq); err != nil {
					t.Fatal(err)
				}
			}
			left := map[string]string{}
			for _, key := range []string{"1", "2", "3", "4"} {
				left[id(key)] = stored[id(key)]
			}
			return left
		}, []string{bus.ResetStart, bus.ResetRewound}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := natstest.Run(t)
			b := s.Bus(t, "publish")
			f := &table{}
			following(t, b, f)
			var keys []string
			for n := range 20 {
				keys = append(keys, fmt.Sprint(n+1))
			}
			stored := store(t, b, 1, keys...)
			eventually(t, "what is stored", f.is(stored))
			left := c.spoil(t, b, stored)
			s.Stop() // a checkpoint is looked at when a connection is new
			s.Start(t)
			after := store(t, s.Bus(t, "enrich"), 1, "later")
			maps.Copy(after, left)
			eventually(t, "what is left and what came after", f.is(after))
			if diff := cmp.Diff(c.want, f.reasons()); diff != "" {
				t.Errorf("reasons (-want +got):\n%s", diff)
			}
			subject, err := event.NoticeSubject("publish", "projection_rebuilt")
			if err != nil {
				t.Fatal(err)
			}
			told, err := b.Next(t.Context(), event.StreamEvents, subject, 1)
			if err != nil || (told != nil) != (len(c.want) > 1) {
				t.Errorf("operators were told %v, %v", told, err)
			}
		})
	}
}
