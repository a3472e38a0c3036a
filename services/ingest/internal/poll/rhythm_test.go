package poll

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/origintest"
	"tidings.internal/services/ingest/internal/identity"
	"tidings.internal/services/ingest/internal/schedule"
)

const hintedFeed = `<rss version="2.0"><channel><title>T</title><ttl>120</ttl>%s
<item><guid>1</guid><title>One</title></item></channel></rss>`

// own lets the rhythm of the source decide.
func (s *stand) own() {
	s.source.Every, s.poller.config.DefaultEvery = 0, 0
}

func TestPublisherHintsHoldThroughUnchangedAnswersAndRestarts(t *testing.T) {
	t.Parallel()
	s := newStand(t, "/hints")
	s.own()
	body := []byte(strings.Replace(hintedFeed, "%s", "", 1))
	s.origin.Script("/hints",
		origintest.Step{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/rss+xml"}, "Etag": {`"a"`}}, Body: body},
		origintest.Step{Status: http.StatusNotModified, Header: http.Header{"Cache-Control": {"max-age=18000"}, "Age": {"3600"}}},
		origintest.Step{Status: http.StatusNotModified},
	)
	s.want("ok")
	if st := s.source.State(); st.Interval != 2*time.Hour || st.Hints.TTL != 2*time.Hour {
		t.Errorf("after ttl: interval %v, hints %+v", st.Interval, st.Hints)
	}
	s.restart()
	s.own()
	r := s.want("unchanged")
	if st := s.source.State(); st.Interval != 4*time.Hour {
		t.Errorf("after max-age: interval %v, hints %+v", st.Interval, st.Hints)
	}
	if wait := r.Next.Sub(s.now); wait < 216*time.Minute || wait > 264*time.Minute {
		t.Errorf("next poll after %v, want four hours and a tenth", wait)
	}
	s.want("unchanged")
	if st := s.source.State(); st.Interval != 2*time.Hour {
		t.Errorf("an answer without freshness: interval %v", st.Interval)
	}
}

func TestFixedIntervalReplacesRhythmAndHints(t *testing.T) {
	t.Parallel()
	s := newStand(t, "/fixed")
	skip := "<skipDays><day>" + s.now.Weekday().String() + "</day><day>" + s.now.Add(24*time.Hour).Weekday().String() + "</day></skipDays>"
	s.origin.Serve("/fixed", "application/rss+xml", []byte(strings.Replace(hintedFeed, "%s", skip, 1)))
	r := s.want("ok")
	if wait := r.Next.Sub(s.now); wait > 66*time.Second {
		t.Errorf("next poll after %v, want the minute that the operator chose", wait)
	}
	s.own()
	s.restart()
	s.own()
	r = s.want("unchanged")
	if r.Next.Weekday() == s.now.Weekday() {
		t.Errorf("next poll at %v, on a day to be skipped", r.Next)
	}
}

func TestShorterIntervalCountsFromTheNextStart(t *testing.T) {
	t.Parallel()
	s := newStand(t, "/f.rss")
	s.origin.Feed("f").Add(origintest.Item{ID: "1", Title: "Eins"})
	s.source.Every = 48 * time.Hour
	s.want("ok")
	s.restart()
	s.source.Every = time.Minute
	if err := s.poller.Load(t.Context(), s.source); err != nil {
		t.Fatal(err)
	}
	if wait := s.poller.Due(s.source, s.now).Sub(s.now); wait > 66*time.Second {
		t.Errorf("due after %v", wait)
	}
	st := s.source.State()
	st.Reason, st.Next = "http_server", s.now.Add(20*time.Hour)
	if due := s.poller.Due(s.source, s.now); !due.Equal(st.Next) {
		t.Errorf("a wait after a failure was cut to %v", due.Sub(s.now))
	}
}

func TestItemsOfTheFirstPollCountByTheirOwnDates(t *testing.T) {
	t.Parallel()
	at := func(h int) int64 { return time.Date(2026, 3, 2, h, 0, 0, 0, time.UTC).Unix() }
	m := identity.Memory{Rows: []*identity.Row{
		{First: at(12), Dated: at(4)}, {First: at(12), Dated: at(8)}, {First: at(12), Dated: at(20)}, // one of the future
		{First: at(16), Dated: at(1)},
	}}
	// 4, 8, 12 and 16 o'clock: a gap of four hours.
	want := schedule.Base([]time.Time{time.Unix(at(4), 0), time.Unix(at(8), 0), time.Unix(at(12), 0), time.Unix(at(16), 0)}, time.Time{}, time.Unix(at(16), 0))
	if got := schedule.Base(m.Arrivals(), time.Time{}, time.Unix(at(16), 0)); got != want {
		t.Errorf("base %v, want %v", got, want)
	}
}
