package engine

import (
	"fmt"
	"io"
	"testing"
	"time"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/hosttest"
	"tidings.internal/pkg/origintest"
	"tidings.internal/services/ingest/internal/poll"
	"tidings.internal/services/ingest/internal/state"
)

// eventually waits for a condition.
func (s *stand) eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			for id, st := range s.Status() {
				t.Logf("%s: %s, %d failures of weight %g (%s), %d items", id, st.Phase, st.Failures, st.Weight, st.Reason, st.Count)
			}
			t.Fatalf("%s did not come true", what)
		case <-tick.C:
		}
	}
}

// Twelve hosts fall silent at once and come back later: no source has anything against it, neither while it lasts nor
// afterwards, and what was missed is polled.
func TestAnOutageOfOurOwnCountsAgainstNobody(t *testing.T) {
	t.Parallel()
	s := newStand(t, io.Discard, "/f.rss")
	s.origin.Feed("f").Add(origintest.Item{ID: "1", Title: "Eins"})
	origins := []*origintest.Origin{s.origin}
	for i := range 11 {
		o, err := origintest.StartAt(hosttest.Address(t)) // to which it comes back
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = o.Close() }) // closed twice where the test did not fail
		o.Feed("f").Add(origintest.Item{ID: "1", Title: "Eins"})
		origins = append(origins, o)
		c := config.Source{}
		c.SetDefaults()
		c.ID, c.URL, c.Every = fmt.Sprint("more", i), o.URL("/f.rss"), 50*time.Millisecond
		s.Put(t.Context(), &poll.Source{Source: c}, false)
	}
	s.Gained(t.Context(), s.shard, s.lease)
	all := func(ok func(state.Source) bool) func() bool {
		return func() bool {
			list := s.Status()
			for _, st := range list {
				if !ok(st) {
					return false
				}
			}
			return len(list) == len(origins)
		}
	}
	s.eventually(t, "every source to be read", all(func(st state.Source) bool { return st.Phase == state.Active }))
	var addresses []string
	for _, o := range origins {
		addresses = append(addresses, o.Addr())
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s.eventually(t, "the outage to be noticed", s.outage.Offline)
	clean := func(st state.Source) bool {
		return st.Weight == 0 && st.Failures == 0 && st.Phase == state.Active
	}
	s.eventually(t, "what counted to be taken back", func() bool {
		s.ahead.Add(int64(time.Minute)) // a probe, each of which fails
		return all(clean)()
	})
	if !s.outage.Offline() {
		t.Error("a probe that failed ended the outage")
	}
	for i, address := range addresses {
		o, err := origintest.StartAt(address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = o.Close() }) // closed twice where the test failed before
		o.Feed("f").Add(origintest.Item{ID: "1", Title: "Eins"}, origintest.Item{ID: "2", Title: "Zwei"})
		origins[i] = o
	}
	s.ahead.Add(int64(time.Hour))
	s.eventually(t, "every source to be read again", all(func(st state.Source) bool { return clean(st) && st.Reason == "" && st.Count == 2 }))
	if n := s.ended.Load(); n != 1 {
		t.Errorf("%d outages ended", n)
	}
}
