package bus_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
)

func delivery(m event.Message, stream string, sequence uint64) *bus.Delivery {
	return &bus.Delivery{Message: m, Stream: stream, Consumer: "x", Sequence: sequence, Deliveries: 2}
}

func TestADeathIsWrittenOnce(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "enrich")
	m := raw(t, article.NewID("blog", "1"), 1, "x")
	m.Header["Nats-Msg-Id"], m.Header["Nats-TTL"], m.Header["Nats-Expected-Last-Subject-Sequence"] = []string{"a"}, []string{"1s"}, []string{"7"}
	cause := fault.Errorf(fault.TooLarge, "%s", "line\nbreak "+strings.Repeat("ä", 2000))
	for range 2 { // a crash between the letter and the end of the message repeats it
		if err := b.Bury(t.Context(), delivery(m, event.StreamRaw, 5), "too_large", cause); err != nil {
			t.Fatal(err)
		}
	}
	list, err := b.DeadList(t.Context(), bus.DeadFilter{})
	if err != nil || len(list) != 1 {
		t.Fatalf("DeadList = %+v, %v; want one letter", list, err)
	}
	l, err := b.DeadRead(t.Context(), list[0].Sequence)
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Error) > 1<<10 || !strings.HasPrefix(l.Error, "line\nbreak ä") {
		t.Errorf("the error has %d bytes: %.40q", len(l.Error), l.Error)
	}
	for name := range l.Header {
		if strings.HasPrefix(name, "Nats-") && name != event.HeaderMsgID {
			t.Errorf("the letter bears %s, which would act again when it is sent back", name)
		}
	}
	if diff := cmp.Diff(m.Body, l.Body); diff != "" {
		t.Error(diff)
	}
	// Another service that gives up the same message has a letter of its own.
	if err := b.As("publish").Bury(t.Context(), delivery(m, event.StreamRaw, 5), "too_large", cause); err != nil {
		t.Fatal(err)
	}
	if list, err := b.DeadList(t.Context(), bus.DeadFilter{Service: "publish"}); err != nil || len(list) != 1 {
		t.Errorf("DeadList = %+v, %v; want one letter of publish", list, err)
	}
}

// Each article of a batch dies for itself.
func TestPartsOfABatchHaveLettersOfTheirOwn(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "enrich")
	for _, key := range []string{"1", "2", "2"} {
		if err := b.Bury(t.Context(), delivery(raw(t, article.NewID("blog", key), 1, key), event.StreamRaw, 5), "invalid", errors.New("x")); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := b.DeadList(t.Context(), bus.DeadFilter{}); err != nil || len(list) != 2 {
		t.Errorf("DeadList = %+v, %v; want two letters", list, err)
	}
}

// A reason that can be no part of a subject would keep the message coming back for ever.
func TestAReasonThatIsNoWordGivesWayToTheKind(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "enrich")
	appendRaw(t, b, "1")
	consuming(t, b, bus.Consume{Handle: func(context.Context, *bus.Delivery) error {
		return bus.Dead("bad-link.*", fault.Errorf(fault.Invalid, "no link"))
	}})
	eventually(t, "the letter", func() bool {
		list, err := b.DeadList(t.Context(), bus.DeadFilter{Reason: "invalid"})
		return err == nil && len(list) == 1
	})
	if bus.Dead("x", nil) != nil {
		t.Error("no error became one")
	}
}

func TestDeadLettersAreChosen(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "enrich")
	for i, reason := range []string{"invalid", "malformed", "invalid", "gone"} {
		if err := b.Bury(t.Context(), delivery(raw(t, article.NewID("blog", reason), 1, "x"), event.StreamRaw, uint64(i+1)), reason, errors.New("x")); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		f    bus.DeadFilter
		want []uint64
	}{
		"all":        {bus.DeadFilter{}, []uint64{1, 2, 3, 4}},
		"one reason": {bus.DeadFilter{Reason: "invalid"}, []uint64{1, 3}},
		"the newest": {bus.DeadFilter{Limit: 2}, []uint64{3, 4}},
		"a service":  {bus.DeadFilter{Service: "deliver"}, nil},
		"the future": {bus.DeadFilter{Since: time.Now().Add(time.Hour)}, nil},
	} {
		list, err := b.DeadList(t.Context(), c.f)
		if err != nil {
			t.Fatal(err)
		}
		var got []uint64
		for _, l := range list {
			got = append(got, l.Origin)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// In a table a letter goes back only where nothing newer stands.
func TestALetterReplacesOnlyItself(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "publish")
	for name, c := range map[string]struct {
		meanwhile func(m event.Message, id string) error
		want      string
	}{
		"nothing came": {func(event.Message, string) error { return nil }, "sent"},
		"newer": {func(m event.Message, id string) error {
			_, err := b.Emit(t.Context(), enriched(t, id, event.Version{Revision: 2}, "newer"))
			return err
		}, "superseded"},
		"gone": {func(m event.Message, _ string) error {
			s, err := b.JetStream().Stream(t.Context(), event.StreamArticles)
			if err != nil {
				return err
			}
			return s.Purge(t.Context(), jetstream.WithPurgeSubject(m.Subject))
		}, "sent"},
	} {
		id := article.NewID("blog", name)
		m := enriched(t, id, event.Version{Revision: 1}, "old")
		if _, err := b.Emit(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		last, err := b.Last(t.Context(), m.Subject)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Bury(t.Context(), delivery(last.Message, event.StreamArticles, last.Sequence), "invalid", errors.New("x")); err != nil {
			t.Fatal(err)
		}
		list, err := b.DeadList(t.Context(), bus.DeadFilter{})
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		if err := c.meanwhile(m, id); err != nil {
			t.Fatal(err)
		}
		if got, err := b.DeadRetry(t.Context(), list[0].Sequence); got != c.want || err != nil {
			t.Errorf("%s: DeadRetry = %q, %v; want %q", name, got, err, c.want)
		}
		if list, err := b.DeadList(t.Context(), bus.DeadFilter{}); err != nil || len(list) != 0 {
			t.Errorf("%s: the letter is still there: %v, %v", name, list, err)
		}
		last, err = b.Last(t.Context(), m.Subject)
		if err != nil || last == nil {
			t.Fatal(last, err)
		}
		if _, a, err := event.DecodeEnriched(last.Message); err != nil || (a.Text == "newer") != (c.want == "superseded") {
			t.Errorf("%s: the subject holds %q, %v", name, a.Text, err)
		}
	}
}

func TestDroppingALetterTwiceIsHarmless(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "enrich")
	if err := b.Bury(t.Context(), delivery(raw(t, article.NewID("blog", "1"), 1, "x"), event.StreamRaw, 1), "invalid", errors.New("x")); err != nil {
		t.Fatal(err)
	}
	for _, sequence := range []uint64{1, 1, 99} {
		if err := b.DeadDrop(t.Context(), sequence); err != nil {
			t.Errorf("DeadDrop(%d): %v", sequence, err)
		}
	}
	if _, err := b.DeadRead(t.Context(), 1); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "dead list") {
		t.Errorf("reading a dropped letter: %v", err)
	}
	if err := natstest.Bare(t).Bus(t, "enrich").DeadDrop(t.Context(), 1); err == nil {
		t.Error("without a stream a letter was dropped")
	}
}

// A handler that takes its process down each time writes no letter; the broker's word stands in.
func TestCrashLoopsAreListedAndGoBack(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "enrich")
	loop := event.Consumer{Stream: event.StreamRaw, Name: "crasher", Filter: event.All(event.SpaceRaw), MaxDeliver: 2, MaxAckPending: 10, AckWait: 50 * time.Millisecond}
	if _, err := b.EnsureConsumer(t.Context(), loop); err != nil {
		t.Fatal(err)
	}
	appendRaw(t, b, "1", "2")
	c, err := b.JetStream().Consumer(t.Context(), event.StreamRaw, "crasher")
	if err != nil {
		t.Fatal(err)
	}
	var list []bus.DeadLetter
	eventually(t, "the crash loops", func() bool {
		// Messages are taken and never answered, as by a process that is killed.
		if _, err := c.Fetch(10, jetstream.FetchMaxWait(20*time.Millisecond)); err != nil {
			return false
		}
		list, err = b.DeadList(t.Context(), bus.DeadFilter{Reason: "crash_loop"})
		return err == nil && len(list) == 2
	})
	l, err := b.DeadRead(t.Context(), list[0].Sequence)
	if err != nil || !l.Loop || l.Stream != event.StreamRaw || l.Origin != 1 || l.Deliveries != 2 || l.Subject != "article.raw.0a.blog" || l.Type != event.TypeRaw || len(l.Body) == 0 {
		t.Errorf("DeadRead = %+v, %v", l, err)
	}
	if word, err := b.DeadRetry(t.Context(), list[0].Sequence); word != "sent" || err != nil {
		t.Errorf("DeadRetry = %q, %v", word, err)
	}
	if s, err := b.StreamState(t.Context(), event.StreamRaw); err != nil || s.Last != 3 {
		t.Errorf("RAW ends at %d, %v; want the retried message there", s.Last, err)
	}
	raw, err := b.JetStream().Stream(t.Context(), event.StreamRaw)
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.DeleteMsg(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	if l, err := b.DeadRead(t.Context(), list[1].Sequence); err != nil || !strings.Contains(l.Error, "expired") {
		t.Errorf("of an expired message DeadRead = %+v, %v", l, err)
	}
	if _, err := b.DeadRetry(t.Context(), list[1].Sequence); fault.KindOf(err) != fault.Invalid {
		t.Errorf("retrying an expired message: %v", err)
	}
}
