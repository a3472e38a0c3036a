package bus_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
)

// operator is a connection past the bus, to look at what the broker really holds and to break it.
func operator(t *testing.T, s *natstest.Server) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// holds lists the streams that still hold a text in a body.
func holds(t *testing.T, b *bus.Bus, text string) []string {
	t.Helper()
	var found []string
	for _, stream := range []string{event.StreamRaw, event.StreamArticles, event.StreamPosts, event.StreamDead, "OBJ_" + event.StoreBlobs, "OBJ_" + event.StoreSnapshots} {
		err := b.Scan(t.Context(), stream, func(r bus.Record) error {
			if bytes.Contains(r.Body, []byte(text)) {
				found = append(found, fmt.Sprintf("%s %d", stream, r.Sequence))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// rawWith is a raw article whose text lies in the object store.
func rawWith(t *testing.T, b *bus.Bus, id string, rev uint64, title, text string) event.Message {
	t.Helper()
	ref, err := b.PutBlob(t.Context(), []byte(text), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	subject, err := event.RawSubject(pp, "blog", false)
	if err != nil {
		t.Fatal(err)
	}
	m, err := event.Encode(subject, event.Envelope{Type: event.TypeRaw, ID: event.RawID(id, rev, event.Hash([]byte(title+text))), Source: "ingest", Time: time.Unix(1, 0), Article: id, Version: event.Version{Revision: rev}},
		article.Raw{ID: id, Revision: rev, Source: article.Source{ID: "blog", Partition: pp}, Title: title, Content: &article.Text{Blob: &ref}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// batch puts raw articles into one message on the backfill lane.
func batch(t *testing.T, members ...event.Message) event.Message {
	t.Helper()
	var list event.Batch
	for _, m := range members {
		env, err := event.Decode(m)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, event.BatchMember{ID: env.ID, Revision: env.Version.Revision, Hash: env.Hash, Article: m.Body})
	}
	subject, err := event.RawSubject(pp, "blog", true)
	if err != nil {
		t.Fatal(err)
	}
	body, err := event.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return event.EncodeBody(subject, event.Envelope{Type: event.TypeBatch, ID: list[0].ID + "." + event.Hash(body)[:8], Source: "ingest", Time: time.Unix(1, 0)}, body)
}

func takeDown(t *testing.T, b *bus.Bus, id string) bus.TakenDown {
	t.Helper()
	got, err := b.Takedown(t.Context(), id)
	if err != nil {
		t.Fatalf("take %s down: %v", id, err)
	}
	return got
}

func TestTakedownLeavesNoBodyAndSurvivesAnOffer(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "tidings")
	gone, stays, early := article.NewID("blog", "gone"), article.NewID("blog", "stays"), article.NewID("blog", "early")
	if err := b.Append(t.Context(), []event.Message{
		rawWith(t, b, gone, 1, "SECRET one", "SECRET text"),
		raw(t, stays, 1, "public"),
		batch(t, raw(t, early, 1, "early"), raw(t, gone, 2, "SECRET two")),
		raw(t, gone, 3, "SECRET three"),
	}); err != nil {
		t.Fatal(err)
	}
	for _, m := range []event.Message{
		enriched(t, gone, event.Version{Revision: 3, Fence: 9, RawSequence: 4}, "SECRET three"), enriched(t, stays, event.Version{Revision: 1}, "public"),
	} {
		if _, err := b.Emit(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	for i, m := range []event.Message{raw(t, gone, 3, "SECRET three"), raw(t, stays, 1, "public"), batch(t, raw(t, early, 1, "early"), raw(t, gone, 2, "SECRET two"))} {
		if err := b.Bury(t.Context(), &bus.Delivery{Message: m, Stream: event.StreamRaw, Sequence: uint64(i + 1)}, "bad_envelope", fault.Errorf(fault.Malformed, "broken")); err != nil {
			t.Fatal(err)
		}
	}

	got := takeDown(t, b, gone)
	want := bus.TakenDown{Article: gone, Source: "blog", Raw: 3, Batches: 1, Dead: 2, Blobs: 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("takedown (-want +got):\n%s", diff)
	}
	if left := holds(t, b, "SECRET"); left != nil {
		t.Errorf("still held by %v", left)
	}
	if left := holds(t, b, "early"); len(left) != 2 {
		t.Errorf("the other article of the batch is held by %v; want RAW and DEAD", left)
	}
	if left := holds(t, b, "public"); len(left) != 3 {
		t.Errorf("the other article is held by %v; want RAW, ARTICLES and DEAD", left)
	}

	// What enrich does with the next offer of the source, whatever its revision, fence and generation.
	offer := enriched(t, gone, event.Version{Revision: 4, Fence: 1 << 40, RawSequence: 1 << 40, Generation: 1 << 40}, "SECRET four")
	if outcome, err := b.Emit(t.Context(), offer); err != nil || outcome != bus.Skipped {
		t.Errorf("a new offer is %q, %v; want skipped", outcome, err)
	}
	last, err := b.Last(t.Context(), offer.Subject)
	if err != nil {
		t.Fatal(err)
	}
	if _, d, err := event.DecodeDeleted(last.Message); err != nil || d.Reason != event.DeletedTakedown {
		t.Errorf("the subject holds %+v, %v", d, err)
	}

	again := takeDown(t, b, gone)
	if diff := cmp.Diff(bus.TakenDown{Article: gone, Source: "blog", Already: true}, again); diff != "" {
		t.Errorf("a second takedown (-want +got):\n%s", diff)
	}
	if after, err := b.Last(t.Context(), offer.Subject); err != nil || after.Sequence != last.Sequence {
		t.Errorf("a second takedown wrote a second tombstone: %v", err)
	}
}

// The members that are left of a batch are enriched as if nothing had happened, and nothing of them goes back to an
// older content that RAW holds again further on.
func TestTakedownKeepsTheRestOfABatch(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "tidings")
	gone, stays, newer := article.NewID("blog", "gone"), article.NewID("blog", "stays"), article.NewID("blog", "newer")
	stay := raw(t, stays, 1, "stays")
	if err := b.Append(t.Context(), []event.Message{
		batch(t, raw(t, gone, 1, "SECRET"), raw(t, newer, 1, "older content"), stay), raw(t, newer, 1, "newer content"),
	}); err != nil {
		t.Fatal(err)
	}
	takeDown(t, b, gone)
	var members []event.Message
	err := b.Scan(t.Context(), event.StreamRaw, func(r bus.Record) error {
		if r.Header.Value(event.HeaderType) != event.TypeBatch {
			return nil
		}
		list, err := event.DecodeBatch(r.Message)
		members = append(members, list...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(members) != 1 || !bytes.Equal(members[0].Body, stay.Body) {
		t.Fatalf("the batch holds %d articles; want the one that RAW has nowhere else", len(members))
	}
	if _, a, err := event.DecodeRaw(members[0]); err != nil || a.Title != "stays" {
		t.Errorf("the article became %+v, %v", a, err)
	}
}

// A kill may come at any write to the broker: whatever was done by then, doing all of it again ends in the same state.
// Every other write is tried, which misses nothing: before each change something is read, too.
func TestTakedownIsRepeatableAtEveryCrashPoint(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "tidings")
	for n := 0; ; n += 2 {
		gone, stays := article.NewID("blog", fmt.Sprint("gone", n)), article.NewID("blog", fmt.Sprint("stays", n))
		secret, public := fmt.Sprintf("secret %d.", n), fmt.Sprintf("public %d.", n)
		if err := b.Append(t.Context(), []event.Message{rawWith(t, b, gone, 1, secret, secret+" text"), batch(t, raw(t, gone, 2, secret), raw(t, stays, 1, public))}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Emit(t.Context(), enriched(t, gone, event.Version{Revision: 1}, secret)); err != nil {
			t.Fatal(err)
		}
		if err := b.Bury(t.Context(), &bus.Delivery{Message: raw(t, gone, 1, secret), Stream: event.StreamRaw, Sequence: uint64(n)}, "invalid", fault.Errorf(fault.Invalid, "x")); err != nil {
			t.Fatal(err)
		}
		died := killed(t, s, "tidings", n, func(ctx context.Context, b *bus.Bus) error {
			_, err := b.Takedown(ctx, gone)
			return err
		})
		if died {
			takeDown(t, b, gone)
		}
		if died {
			continue
		}
		if n < 20 {
			t.Errorf("the takedown made only %d writes; the kills reached nothing", n)
		}
		if left := holds(t, b, "secret "); left != nil {
			t.Errorf("still held by %v", left)
		}
		if left := holds(t, b, "public "); len(left) != n/2+1 {
			t.Errorf("of %d other articles these are held: %v", n/2+1, left)
		}
		return
	}
}

func TestTakedownSparesABodyThatAnotherArticleHas(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "tidings")
	gone, twin := article.NewID("blog", "gone"), article.NewID("blog", "twin")
	if err := b.Append(t.Context(), []event.Message{rawWith(t, b, gone, 1, "gone", "the same text"), rawWith(t, b, twin, 1, "twin", "the same text")}); err != nil {
		t.Fatal(err)
	}
	if got := takeDown(t, b, gone); len(got.Shared) != 1 || got.Blobs != 0 {
		t.Errorf("takedown = %+v; want one shared body", got)
	}
	if left := holds(t, b, "the same text"); len(left) != 1 {
		t.Errorf("the body is held by %v", left)
	}
	if got := takeDown(t, b, twin); got.Blobs != 1 {
		t.Errorf("takedown of the other = %+v; want its body erased", got)
	}
	if left := holds(t, b, "the same text"); left != nil {
		t.Errorf("the body is held by %v", left)
	}
}

func TestTakedownOutlivesTheAgeOfTheStream(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b, js := s.Bus(t, "tidings"), operator(t, s)
	gone, stays := article.NewID("blog", "gone"), article.NewID("blog", "stays")
	for _, id := range []string{gone, stays} {
		if _, err := b.Emit(t.Context(), enriched(t, id, event.Version{Revision: 1}, "x")); err != nil {
			t.Fatal(err)
		}
	}
	takeDown(t, b, gone)
	stream, err := js.Stream(t.Context(), event.StreamArticles)
	if err != nil {
		t.Fatal(err)
	}
	short := stream.CachedInfo().Config
	short.MaxAge, short.SubjectDeleteMarkerTTL, short.Duplicates = time.Second, time.Second, time.Second
	if _, err := js.UpdateStream(t.Context(), short); err != nil {
		t.Fatal(err)
	}
	subject := enriched(t, stays, event.Version{}, "").Subject
	eventually(t, "the other article and its mark to expire", func() bool {
		r, err := b.Last(t.Context(), subject)
		return err == nil && r == nil
	})
	r, err := b.Last(t.Context(), enriched(t, gone, event.Version{}, "").Subject)
	if err != nil || r == nil || r.Marker {
		t.Fatalf("the tombstone is %v, %v", r, err)
	}
	if outcome, err := b.Emit(t.Context(), enriched(t, gone, event.Version{Revision: 7}, "back")); err != nil || outcome != bus.Skipped {
		t.Errorf("an offer after that is %q, %v; want skipped", outcome, err)
	}
}

func TestTakedownWaitsForWhoHasItInHand(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "enrich")
	id := article.NewID("blog", "gone")
	if err := b.Append(t.Context(), []event.Message{raw(t, id, 1, "SECRET")}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	entered, leave, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- b.Consume(ctx, bus.Consume{Stream: event.StreamRaw, Consumer: event.ConsumerEnrich, Handle: func(context.Context, *bus.Delivery) error {
			close(entered)
			<-leave
			return fault.Errorf(fault.Invalid, "no good") // becomes a dead letter, body and all
		}})
	}()
	<-entered
	taken := make(chan error, 1)
	go func() { _, err := b.As("tidings").Takedown(t.Context(), id); taken <- err }()
	eventually(t, "the message to be erased", func() bool {
		r, err := b.At(t.Context(), event.StreamRaw, 1)
		return err == nil && r == nil
	})
	select {
	case err := <-taken:
		// The broker may settle what was erased by itself; then there is nobody to wait for, and nothing was written yet.
		t.Logf("the takedown ended at once: %v", err)
		taken <- err
	default:
	}
	close(leave)
	if err := <-taken; err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	// Once more, as the operator is told to when a message was in hand.
	takeDown(t, b, id)
	if left := holds(t, b, "SECRET"); left != nil {
		t.Errorf("still held by %v", left)
	}
}

func TestTakedownOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "tidings")
	for _, id := range []string{article.NewID("blog", "x"), "no id", strings.Repeat(">", 26)} {
		if _, err := b.Takedown(t.Context(), id); fault.KindOf(err) != fault.Invalid {
			t.Errorf("takedown of %q: %v; want invalid", id, err)
		}
	}
	// An article that enrich could not take has no place in ARTICLES yet and can be taken down all the same.
	id := article.NewID("blog", "dead")
	if err := b.Bury(t.Context(), &bus.Delivery{Message: raw(t, id, 1, "SECRET"), Stream: event.StreamRaw, Sequence: 1}, "invalid", fault.Errorf(fault.Invalid, "x")); err != nil {
		t.Fatal(err)
	}
	if got := takeDown(t, b, id); got.Dead != 1 {
		t.Errorf("takedown = %+v; want one dead letter", got)
	}
}

// A batch that nobody can read is erased whole: it is better to lose it than to keep what had to go.
func TestTakedownErasesABrokenBatch(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "tidings")
	id := article.NewID("blog", "gone")
	m := batch(t, raw(t, id, 1, "SECRET"), raw(t, article.NewID("blog", "2"), 1, "x"))
	m.Body = m.Body[:len(m.Body)-1]
	if json.Valid(m.Body) {
		t.Fatal("the batch is not broken")
	}
	if err := b.Append(t.Context(), []event.Message{m}); err != nil {
		t.Fatal(err)
	}
	takeDown(t, b, id)
	if left := holds(t, b, "SECRET"); left != nil {
		t.Errorf("still held by %v", left)
	}
}
