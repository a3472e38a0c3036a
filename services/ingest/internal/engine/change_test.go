package engine

import (
	"io"
	"testing"
	"time"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/origintest"
	"tidings.internal/services/ingest/internal/poll"
	"tidings.internal/services/ingest/internal/state"
)

// at is a source of an origin's path.
func (s *stand) at(id, path string) *poll.Source {
	c := config.Source{}
	c.SetDefaults()
	c.ID, c.URL, c.Every = id, s.origin.URL(path), 50*time.Millisecond
	return &poll.Source{Source: c}
}

func TestSourcesComeAndGo(t *testing.T) {
	t.Parallel()
	s := newStand(t, io.Discard, "/f.rss")
	s.origin.Feed("f").Add(origintest.Item{ID: "1", Title: "Eins"})
	s.origin.Feed("g").Add(origintest.Item{ID: "2", Title: "Zwei"}, origintest.Item{ID: "3", Title: "Drei"})
	s.Put(t.Context(), s.at("new", "/g.rss"), false)
	s.quiet(t, "/g.rss") // the shard is nobody's yet
	s.Gained(t.Context(), s.shard, s.lease)
	s.asked(t, "/g.rss", 2)

	// Another definition of the same source: the old address is left alone, what is remembered stays.
	s.Put(t.Context(), s.at("new", "/g.atom"), false)
	s.asked(t, "/g.atom", 2)
	s.quiet(t, "/g.rss")
	if st := s.Status()["new"]; st.Count != 2 || st.Published != 2 {
		t.Errorf("after a change of the address: %d items remembered, %d published", st.Count, st.Published)
	}

	s.Drop("new")
	s.Drop("nobody")
	s.quiet(t, "/g.atom")
	if _, ok := s.Status()["new"]; ok {
		t.Error("a dropped source has a status")
	}
	s.Put(t.Context(), s.at("new", "/g.rss"), false)
	s.asked(t, "/g.rss", 2)
	if st := s.Status()["new"]; st.Published != 2 {
		t.Errorf("added again it published %d articles; what is known is forgotten", st.Published)
	}
	s.asked(t, "/f.rss", 2) // the others never noticed
}

func TestPausedSourcesAreLeftAlone(t *testing.T) {
	t.Parallel()
	s := newStand(t, io.Discard, "/f.rss")
	s.origin.Feed("f").Add(origintest.Item{ID: "1", Title: "Eins"})
	s.origin.Feed("g").Add(origintest.Item{ID: "2", Title: "Zwei"})
	s.Pause(t.Context(), "s0", true)
	s.Put(t.Context(), s.at("new", "/g.rss"), true)
	s.Gained(t.Context(), s.shard, s.lease)
	s.Refresh("s0", time.Now())
	s.quiet(t, "/f.rss")
	s.quiet(t, "/g.rss")
	if n := len(s.origin.Requests("/f.rss")) + len(s.origin.Requests("/g.rss")); n != 0 {
		t.Errorf("%d requests for paused sources", n)
	}
	if got := s.Status()["s0"].Phase; got != state.Paused {
		t.Errorf("a paused source is %s", got)
	}
	for _, id := range []string{"s0", "new", "nobody"} {
		s.Pause(t.Context(), id, false)
	}
	s.asked(t, "/f.rss", 2)
	s.asked(t, "/g.rss", 2)
	s.Pause(t.Context(), "s0", true)
	s.quiet(t, "/f.rss")
	s.asked(t, "/g.rss", 2)
}

func TestAnotherSourceOfAFeedIsFound(t *testing.T) {
	t.Parallel()
	s := newStand(t, io.Discard, "/f.rss", "/g.rss")
	for address, want := range map[string]string{s.origin.URL("/g.rss"): "s1", "HTTP" + s.origin.URL("/g.rss#x")[4:]: "s1", s.origin.URL("/f.rss"): "", s.origin.URL("/h.rss"): ""} {
		if got := s.Other("s0", address); got != want {
			t.Errorf("another source at %s: %q, want %q", address, got, want)
		}
	}
	s.sources["s1"].last.Phase = state.Merged
	if got := s.Other("s0", s.origin.URL("/g.rss")); got != "" {
		t.Errorf("%q was found, which is left to another one itself", got)
	}
}
