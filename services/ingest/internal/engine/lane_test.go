package engine

import (
	"io"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"

	"tidings.internal/pkg/origintest"
)

// A poll that waits for a web page gives its place among the polls to another one.
func TestAPageThatIsAwaitedHoldsUpNoPoll(t *testing.T) {
	t.Parallel()
	s := newStand(t, io.Discard, "/f.rss")
	s.sources["s0"].source.Fulltext = "always"
	s.polls = semaphore.NewWeighted(1) // one poll at a time
	other := origintest.New(t)
	other.Script("/page", origintest.Step{Delay: time.Minute})
	s.origin.Feed("f").Add(origintest.Item{ID: "1", URL: other.URL("/page"), Title: "Eins", Content: "<p>kurz …</p>", Published: time.Now()})
	s.origin.Feed("g").Add(origintest.Item{ID: "2", Title: "Zwei"})
	s.Gained(t.Context(), s.shard, s.lease)
	s.eventually(t, "the page to be asked for", func() bool { return len(other.Requests("/page")) == 1 })
	s.Put(t.Context(), s.at("quick", "/g.rss"), false)
	s.asked(t, "/g.rss", 3)
	if got := s.Status()["s0"]; !got.Success.IsZero() {
		t.Errorf("the poll that waits is over: %+v", got)
	}
}
