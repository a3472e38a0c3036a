package readers

import (
	"context"
	"fmt"
	"testing"
	"time"

	"tidings.internal/pkg/event"
)

// instant is a mail server without a wire.
type instant struct{}

func (instant) Send(ctx context.Context, _, _ string, _ []byte, commit func(context.Context) error) error {
	return commit(ctx)
}
func (instant) Close() {}

// A run of daily mails with a server that costs nothing, beside the three writes that each mail needs, made one after the other. Its
// unit ratio is mails a second by thirds of writes a second.
func BenchmarkRunOfDailyMails(b *testing.B) {
	const readers = 500
	w := newWorld(b)
	w.publish(1, 1, "story-one")
	store := NewStore(w.server.Bus(b, "deliver").Bucket(event.BucketSubscribers), w.keys)
	for i := range readers {
		r := &Reader{
			List: "letter", ID: fmt.Sprintf("%032x", i), Index: fmt.Sprint(i), Address: event.Hidden(fmt.Sprintf("r@d%d.example.org", i)), State: Confirmed, Wishes: daily(7), Language: "en", Since: w.now(),
		}
		if _, err := store.put(b.Context(), r, 0); err != nil {
			b.Fatal(err)
		}
	}
	w.list(func(l *List) {
		l.pace, l.hourly = 1e6, 1e9
		l.Mailers = nil
		for range Connections {
			l.Mailers = append(l.Mailers, instant{})
		}
	})
	story := 1
	for b.Loop() {
		began := time.Now()
		for i := range 3 * readers {
			row := &Reader{List: "other", ID: fmt.Sprintf("%032x", i%readers), State: Left}
			_, revision, err := store.Reader(b.Context(), "other", row.ID)
			if err == nil {
				_, err = store.put(b.Context(), row, revision)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		raw := time.Since(began)
		before := w.counted("daily " + Sent)
		story++
		w.publish(story, 1, fmt.Sprint("story-", story))
		w.pass(24 * time.Hour)
		began = time.Now()
		until(b, "all mails", func() bool { return w.counted("daily "+Sent) == before+readers })
		took := time.Since(began)
		b.ReportMetric(readers/took.Seconds(), "mails/s")
		b.ReportMetric(raw.Seconds()/took.Seconds(), "ratio")
	}
}
