package readers

import (
	"slices"
	"testing"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/services/deliver/internal/ledger"
)

// Of a stream that was made anew the posts begin at 1 again. Readers are told what comes, and nothing of before once more.
func TestReadersFollowPostsThatWereMadeAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.desk()
	_, stop := w.list()
	r := w.reader("a@example.org", event.Wishes{Period: event.Immediate})
	stop()
	b := w.server.Bus(t, "deliver")
	book := ledger.New(b.Bucket(event.BucketDeliveries))
	store := NewStore(b.Bucket(event.BucketSubscribers), w.keys)
	// As if both were of a stream that was far longer.
	if _, _, _, err := store.change(t.Context(), "letter", r.ID, func(r *Reader) *Reader {
		n := r.clone()
		n.Cursor = 1000
		return n
	}); err != nil {
		t.Fatal(err)
	}
	w.publish(1, 1, "story-one")
	if _, _, err := book.Change(t.Context(), "letter", storyID(1), func(r *ledger.Row) (*ledger.Row, error) {
		n := *r
		n.Ordinal = 900
		return &n, nil
	}); err != nil {
		t.Fatal(err)
	}
	w.list()
	w.row("a@example.org", "the place in the new stream", func(r *Reader) bool { return r.Cursor < 900 })
	until(t, "the end of the former story", func() bool {
		row, _, err := book.Row(t.Context(), "letter", storyID(1))
		return err == nil && row.State == ledger.Listed && row.Payload == nil
	})
	w.publish(2, 1, "story-two")
	until(t, "the mail with what came", func() bool { return len(w.mails("a@example.org")) == 2 })
	if got := titles(w.mails("a@example.org")[1]); !slices.Equal(got, []string{"story-two"}) {
		t.Errorf("told %v", got)
	}
}

// A list of ten thousand readers writes one line about mails that are too long, and not ten thousand.
func TestHeavyMailsAreWarnedOfOnceAnHour(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	l := &List{ListOptions: ListOptions{Now: func() time.Time { return now }}}
	var said []bool
	for _, wait := range []time.Duration{0, time.Minute, heavyEvery} {
		now = now.Add(wait)
		said = append(said, l.warnsOfWeight())
	}
	if !slices.Equal(said, []bool{true, false, true}) {
		t.Errorf("said %v", said)
	}
}
