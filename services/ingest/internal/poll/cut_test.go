package poll

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/origintest"
	"tidings.internal/pkg/web"
	"tidings.internal/services/ingest/internal/outage"
	"tidings.internal/services/ingest/internal/state"
)

func TestWhatCountedIsForgiven(t *testing.T) {
	t.Parallel()
	s := newStand(t, "/f.rss")
	s.origin.Feed("f").Add(story("1", "Eins", time.Hour))
	s.want("ok")
	s.origin.Script("/f.rss", origintest.Status(http.StatusForbidden), origintest.Status(http.StatusForbidden), origintest.Status(http.StatusForbidden))
	forgive := func(b outage.Blame) *state.Source {
		if _, err := s.poller.Forgive(t.Context(), s.source, b); err != nil {
			t.Fatal(err)
		}
		s.restart()
		if err := s.poller.Load(t.Context(), s.source); err != nil {
			t.Fatal(err)
		}
		return s.source.State()
	}
	for range 3 {
		s.poll(1)
	}
	if st := forgive(outage.Blame{Polls: 2, Weight: 2}); st.Phase != state.Active || st.Failures != 1 || st.Weight != 1 || st.Reason == "" || st.Next.Sub(s.now) > 3*time.Minute {
		t.Errorf("after two of three were forgiven: %+v", st)
	}
	if st := forgive(outage.Blame{Polls: 1, Weight: 1}); st.Failures != 0 || st.Weight != 0 || st.Reason == "" || st.Next.Sub(s.now) > 2*time.Minute {
		t.Errorf("after all were forgiven: %+v", st)
	}
	s.want("unchanged")
	if st := forgive(outage.Blame{Polls: 5, Weight: 5}); st.Failures != 0 || st.Weight != 0 || st.Phase != state.Active {
		t.Errorf("after a success: %+v", st)
	}
}

// Some hosts say "not modified" for ever.
func TestAHostThatSaysNotModifiedForDaysIsAskedForTheWhole(t *testing.T) {
	t.Parallel()
	s := newStand(t, "/f.rss")
	s.origin.Feed("f").Add(story("1", "Eins", 72*time.Hour), story("2", "Zwei", 48*time.Hour), story("3", "Drei", 24*time.Hour))
	s.want("ok")
	for range 12 {
		s.later(24 * time.Hour)
	}
	var whole []int
	for i, r := range s.origin.Requests("/f.rss") {
		if r.Header.Get("If-None-Match") == "" && r.Header.Get("If-Modified-Since") == "" {
			whole = append(whole, i)
		}
	}
	if want := []int{0, 7}; !slices.Equal(whole, want) {
		t.Errorf("the requests %v of 13 asked for the whole, want %v", whole, want)
	}
}

// A public host is left alone as a whole, one behind the allow-list is not: many sources may sit behind one bridge.
func TestOfAHostThatWantsToBeLeftAloneIsTold(t *testing.T) {
	t.Parallel()
	s := newStand(t, "/f.rss")
	s.origin.Script("/f.rss", origintest.RetryAfter("3600"))
	s.poll(1)
	subject, err := event.NoticeSubject("ingest", "host_limited")
	if err != nil {
		t.Fatal(err)
	}
	told, err := s.bus.Next(t.Context(), event.StreamEvents, subject, 1)
	if err != nil || told != nil {
		t.Errorf("of a private host was told %v, %v", told, err)
	}
	public := errors.Join(&web.Error{Reason: web.RateLimited, Status: http.StatusTooManyRequests}, &fault.Error{Kind: fault.Throttled, Wait: time.Hour})
	until := s.poller.limited(t.Context(), &turn{source: s.source, state: s.source.State().Clone(), now: s.now}, "example.org:443", public)
	told, err = s.bus.Next(t.Context(), event.StreamEvents, subject, 1)
	if err != nil || told == nil || until.Sub(s.now) != time.Hour {
		t.Errorf("of a public host was told %v, until %v: %v", told, until, err)
	}
	if _, wait, ok := s.poller.gate.TryEnter("example.org:443"); ok || wait < 50*time.Minute {
		t.Errorf("the host may be asked again after %v", wait)
	}
}
