package poll

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/origintest"
	"tidings.internal/pkg/web"
	"tidings.internal/services/ingest/internal/state"
)

// moving is a source that was read at /old and redirects from there to the feed at /new from now on.
func moving(t *testing.T, status int) (*stand, *origintest.Feed) {
	t.Helper()
	s := newStand(t, "/old.rss")
	s.origin.Feed("old").Add(story("1", "Eins", time.Hour))
	s.want("ok")
	f := s.origin.Feed("new").Add(story("1", "Eins", time.Hour))
	s.leads("/old.rss", status, s.origin.URL("/new.rss"))
	return s, f
}

// leads makes a path of the origin a redirect.
func (s *stand) leads(path string, status int, to string) {
	s.origin.Unscript(path)
	s.origin.Script(path, origintest.Redirect(status, to).Always())
}

// later polls after a time.
func (s *stand) later(d time.Duration) Result {
	s.t.Helper()
	s.now = s.now.Add(d)
	r := s.poll(1)
	if r.Err != nil {
		s.t.Fatal(r.Err)
	}
	return r
}

func (s *stand) moved() string {
	return strings.TrimPrefix(s.source.State().Moved, "http://"+s.origin.Addr())
}

// notices lists the types of the notices about sources, in their order.
func (s *stand) notices() []string {
	s.t.Helper()
	var list []string
	for from := uint64(1); ; {
		r, err := s.bus.Next(s.t.Context(), event.StreamEvents, event.All(event.SpaceEvent), from)
		if err != nil {
			s.t.Fatal(err)
		}
		if r == nil {
			return list
		}
		from = r.Sequence + 1
		if subject, err := event.ParseSubject(r.Subject); err == nil && strings.HasPrefix(subject.Word, "source_") {
			list = append(list, subject.Word)
		}
	}
}

func TestAMoveForGoodIsAdopted(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusMovedPermanently, http.StatusPermanentRedirect} {
		s, f := moving(t, status)
		s.later(time.Hour)
		s.restart() // what speaks for a move outlives a crash
		s.later(24 * time.Hour)
		if s.moved() != "" {
			t.Fatalf("%d: moved after a day", status)
		}
		f.Add(story("2", "Zwei", time.Minute))
		s.later(24 * time.Hour)
		if s.moved() != "/new.rss" {
			t.Fatalf("%d: the source is at %q after three polls in two days", status, s.moved())
		}
		before := len(s.origin.Requests("/old.rss"))
		s.later(time.Hour)
		s.restart()
		s.later(time.Hour)
		asked := s.origin.Requests("/new.rss")
		if n := len(s.origin.Requests("/old.rss")); n != before || asked[len(asked)-1].Header.Get("If-None-Match") == "" {
			t.Errorf("%d: the old address was asked %d more times, or the new one without its validators", status, n-before)
		}
		f.Edit("1", func(it *origintest.Item) { it.Title = "Eins, verbessert" })
		s.later(time.Hour)
		s.wantLog("raw 1 Eins", "raw 1 Zwei", "raw 2 Eins, verbessert") // nothing anew: subjects and ids stay
		if got := s.notices(); !slices.Equal(got, []string{"source_first_poll", "source_moved"}) {
			t.Errorf("%d: notices %v", status, got)
		}
	}
}

func TestWhatIsNoMove(t *testing.T) {
	t.Parallel()
	long := func(s *stand) {
		for range 5 {
			s.later(24 * time.Hour)
		}
	}
	for name, c := range map[string]func(t *testing.T) *stand{
		"302": func(t *testing.T) *stand { s, _ := moving(t, http.StatusFound); long(s); return s },
		"303": func(t *testing.T) *stand { s, _ := moving(t, http.StatusSeeOther); long(s); return s },
		"307": func(t *testing.T) *stand { s, _ := moving(t, http.StatusTemporaryRedirect); long(s); return s },
		"a detour within the chain": func(t *testing.T) *stand {
			s, _ := moving(t, http.StatusMovedPermanently)
			s.leads("/old.rss", http.StatusMovedPermanently, s.origin.URL("/hop"))
			s.leads("/hop", http.StatusFound, s.origin.URL("/new.rss"))
			long(s)
			return s
		},
		"many polls within two days": func(t *testing.T) *stand {
			s, _ := moving(t, http.StatusMovedPermanently)
			for range 40 {
				s.later(time.Hour)
			}
			return s
		},
		"back again in between": func(t *testing.T) *stand {
			s, _ := moving(t, http.StatusMovedPermanently)
			for range 3 {
				s.later(24 * time.Hour)
				s.origin.Unscript("/old.rss")
				s.later(24 * time.Hour)
				s.leads("/old.rss", http.StatusMovedPermanently, s.origin.URL("/new.rss"))
			}
			return s
		},
		"another place each time": func(t *testing.T) *stand {
			s, _ := moving(t, http.StatusMovedPermanently)
			for _, name := range []string{"a", "b", "c", "d", "e"} {
				s.origin.Feed(name).Add(story("1", "Eins", time.Hour))
				s.leads("/old.rss", http.StatusMovedPermanently, s.origin.URL("/"+name+".rss"))
				s.later(24 * time.Hour)
			}
			return s
		},
		"none of the items stands there": func(t *testing.T) *stand {
			s, _ := moving(t, http.StatusMovedPermanently)
			parked := s.origin.Feed("parked")
			s.leads("/old.rss", http.StatusMovedPermanently, s.origin.URL("/parked.rss"))
			for _, id := range []string{"10", "11", "12", "13"} {
				for _, old := range parked.Items() {
					parked.Remove(old.ID)
				}
				parked.Add(story(id, "Werbung "+id, time.Hour))
				s.later(24 * time.Hour)
			}
			return s
		},
		"what a document says of itself": func(t *testing.T) *stand {
			s := newStand(t, "/old.rss")
			s.origin.Serve("/old.rss", "application/rss+xml", []byte(`<rss xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" version="2.0"><channel><title>T</title>
<itunes:new-feed-url>`+s.origin.URL("/new.rss")+`</itunes:new-feed-url><item><guid>1</guid><title>One</title></item></channel></rss>`))
			long(s)
			return s
		},
		"secrets would go to another host": func(t *testing.T) *stand {
			s, _ := moving(t, http.StatusMovedPermanently)
			s.source.Options.Basic = &web.Basic{User: "u", Password: "p"}
			there := origintest.New(t)
			there.Feed("new").Add(story("1", "Eins", time.Hour))
			s.leads("/old.rss", http.StatusMovedPermanently, there.URL("/new.rss"))
			long(s)
			for _, r := range there.Requests() {
				if r.Header.Get("Authorization") != "" {
					t.Error("the password went to another host")
				}
			}
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := c(t)
			if st := s.source.State(); st.Moved != "" || st.Phase == state.Merged {
				t.Errorf("the source moved to %q", s.moved())
			}
		})
	}
}

// A document that names its new address, whose host then redirects: the name counts as the first of the sightings.
func TestANewFeedURLBeginsAMove(t *testing.T) {
	t.Parallel()
	s := newStand(t, "/old.rss")
	s.origin.Serve("/old.rss", "application/rss+xml", []byte(`<rss xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" version="2.0"><channel><title>T</title>
<itunes:new-feed-url>`+s.origin.URL("/new.rss")+`</itunes:new-feed-url><item><guid>1</guid><title>Eins</title></item></channel></rss>`))
	s.want("ok")
	s.origin.Feed("new").Add(story("1", "Eins", time.Hour))
	s.leads("/old.rss", http.StatusMovedPermanently, s.origin.URL("/new.rss"))
	s.later(24 * time.Hour)
	s.later(25 * time.Hour)
	if s.moved() != "/new.rss" {
		t.Errorf("the source is at %q", s.moved())
	}
}

func TestASourceThatMovedToAnotherOneIsLeftToIt(t *testing.T) {
	t.Parallel()
	s, f := moving(t, http.StatusMovedPermanently)
	other := "there"
	s.poller.other = func(id, address string) string {
		if id == "src" && address == s.origin.URL("/new.rss") {
			return other
		}
		return ""
	}
	for range 3 {
		s.later(24 * time.Hour)
	}
	if got := s.source.State().Phase; got != state.Merged {
		t.Fatalf("the source is %s", got)
	}
	s.origin.Forget()
	f.Add(story("2", "Zwei", time.Minute))
	r := s.later(24 * time.Hour)
	if n := len(s.origin.Requests()); n != 0 || r.Next.Sub(s.now) < 20*time.Hour {
		t.Errorf("%d requests, next poll after %v", n, r.Next.Sub(s.now))
	}
	other = "" // the other one was removed: this one goes on, where it moved to
	s.want("ok")
	if st := s.source.State(); st.Phase != state.Active || s.moved() != "/new.rss" {
		t.Errorf("the source is %s at %q", st.Phase, s.moved())
	}
	s.wantLog("raw 1 Eins", "raw 1 Zwei")
	if got := s.notices(); !slices.Contains(got, "source_merged") {
		t.Errorf("notices %v", got)
	}
}

// Where a source cannot be read at its new address, the one that the operator gave is tried again.
func TestASourceComesHome(t *testing.T) {
	t.Parallel()
	s, _ := moving(t, http.StatusMovedPermanently)
	for range 3 {
		s.later(24 * time.Hour)
	}
	s.origin.Script("/new.rss", origintest.Status(http.StatusForbidden).Always())
	s.origin.Unscript("/old.rss")
	s.poll(1)
	s.poll(1)
	if s.moved() != "" {
		t.Fatalf("after two failures the source is at %q", s.moved())
	}
	s.want("unchanged")
	s.wantLog("raw 1 Eins")
}

func TestAnEditedAddressDropsTheMove(t *testing.T) {
	t.Parallel()
	s, _ := moving(t, http.StatusMovedPermanently)
	for range 3 {
		s.later(24 * time.Hour)
	}
	s.origin.Feed("third").Add(story("1", "Eins", time.Hour))
	s.source.URL = s.origin.URL("/third.rss")
	s.restart()
	s.want("unchanged")
	if s.moved() != "" || len(s.origin.Requests("/third.rss")) != 1 {
		t.Errorf("the source is at %q", s.moved())
	}
}
