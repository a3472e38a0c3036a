package app

import (
	"fmt"
	"testing"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/origintest"
	"tidings.internal/services/ingest/internal/state"
)

// The streams of a backup are of different instants: the state of a source is older than the articles.
func TestAfterARestoreTheNextEditIsNewerThanEverything(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	f := w.origin.Feed("news").Add(news("1", "Eins"), news("2", "Zwei"))
	w.configure("", fmt.Sprintf("id: rss, url: %q, every: 200ms", f.URL(origintest.RSS)))
	edit := func(id, title string) { f.Edit(id, func(it *origintest.Item) { it.Title = title }) }
	_, stop := w.start(nil)
	w.messages(2)
	w.status("rss", "is active", func(s SourceStatus) bool { return s.Published == 2 })
	stop()
	bucket := w.bus.Bucket(event.BucketSourceState)
	backup, _, err := bucket.Read(ctx, "rss")
	if err != nil {
		t.Fatal(err)
	}
	_, stop = w.start(nil)
	edit("1", "Eins, berichtigt")
	w.messages(3)
	edit("1", "Eins, noch einmal berichtigt")
	list := w.messages(4)
	stop()

	// ARTICLES may be ahead of RAW in turn. A takedown is ahead of everything, and no edit may ever follow it.
	var edited, other article.Raw
	for _, m := range list {
		if m.env.Version.Revision == 3 {
			edited = m.raw
		} else if m.raw.GUID == "2" {
			other = m.raw
		}
	}
	if edited.ID == "" || other.ID == "" {
		t.Fatalf("RAW holds %+v", list)
	}
	enriched := func(r article.Raw, typ string, revision uint64, body any) {
		t.Helper()
		subject, err := event.EnrichedSubject(r.Source.Partition, "rss", r.ID)
		if err != nil {
			t.Fatal(err)
		}
		v := event.Version{Revision: revision}
		m, err := event.Encode(subject, event.Envelope{Type: typ, ID: event.EnrichedID(r.ID, v), Source: "enrich", Time: time.Now(), Article: r.ID, Version: v}, body)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.bus.Emit(ctx, m); err != nil {
			t.Fatal(err)
		}
	}
	enriched(edited, event.TypeEnriched, 5, article.Article{ID: edited.ID, Revision: 5, Source: edited.Source})
	enriched(other, event.TypeDeleted, event.TakedownRevision, event.Deleted{ID: other.ID, Source: "rss", Revision: event.TakedownRevision, Reason: event.DeletedTakedown})
	if _, err := bucket.Put(ctx, "rss", backup.Value); err != nil {
		t.Fatal(err)
	}

	for i, want := range []int{1, 0} { // it may be repeated
		if n, err := Reconcile(ctx, w.bus); err != nil || n != want {
			t.Errorf("reconciled for the %d. time: %d raised, %v; want %d", i+1, n, err, want)
		}
	}
	s, _, err := state.Load(ctx, bucket, "rss")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range s.Memory.Rows {
		want := uint64(1)
		if r.ID == edited.ID {
			want = 5
		}
		if r.Revision != want {
			t.Errorf("article %s is remembered at revision %d, want %d", r.ID, r.Revision, want)
		}
	}
	_, stop = w.start(nil)
	defer stop()
	last := w.messages(5)[4]
	if last.raw.ID != edited.ID || last.env.Version.Revision != 6 || last.raw.Title != "Eins, noch einmal berichtigt" {
		t.Errorf("what the source offers now came as %+v, %q; want revision 6", last.env.Version, last.raw.Title)
	}
}
