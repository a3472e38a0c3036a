package poll

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/origintest"
)

// archive serves a document with one item for each id, each a day older, that leads to next.
func (s *stand) archive(path, rel, next string, first int, ids ...string) {
	var b strings.Builder
	fmt.Fprintf(&b, `<feed xmlns="http://www.w3.org/2005/Atom"><id>x</id><title>T</title><link rel="%s" href="%s"/>`, rel, next)
	for i, id := range ids {
		fmt.Fprintf(&b, `<entry><id>urn:%s</id><title>Titel %s</title><published>%s</published><content>Text von %s</content></entry>`, id, id, s.now.Add(-time.Duration(first+i)*24*time.Hour).Format(time.RFC3339), id)
	}
	s.origin.Serve(path, "application/atom+xml", []byte(b.String()+"</feed>"))
}

func TestOlderDocumentsAreReadAtFirstSightOnly(t *testing.T) {
	t.Parallel()
	for pages, want := range map[int]int{0: 1, 1: 3, 2: 4, 20: 4} {
		s := newStand(t, "/f")
		s.poller.config.BackfillPages = pages
		s.archive("/f", "next", "/2", 0, "a")
		s.archive("/2", "prev-archive", "/3", 2, "b", "c")
		s.archive("/3", "next", "/2", 4, "d") // a circle
		s.want("ok")
		log := s.log()
		if len(log) != want || !strings.HasPrefix(log[len(log)-1], "raw 1 Titel a") || want > 1 && !strings.HasPrefix(log[0], "backfill 1") {
			t.Errorf("%d pages give %v, want %d articles", pages, log, want)
		}
		n := len(s.origin.Requests("/2", "/3"))
		s.want("unchanged")
		s.restart()
		s.poller.config.BackfillPages = pages
		s.want("unchanged")
		if more := len(s.origin.Requests("/2", "/3")); more != n || len(s.log()) != want {
			t.Errorf("%d pages: %d requests for older documents after the first poll", pages, more-n)
		}
	}
}

// What does not come ends the list, and what came stays.
func TestAnOlderDocumentThatDoesNotCome(t *testing.T) {
	t.Parallel()
	s := newStand(t, "/f")
	s.poller.config.BackfillPages = 5
	s.archive("/f", "next", "/2", 0, "a")
	s.archive("/2", "next", "/3", 2, "b")
	s.origin.Script("/3", origintest.Status(500).Always())
	s.want("ok")
	s.wantLog("backfill 1 Titel b", "raw 1 Titel a")
}

func TestAPageInPlaceOfAFeedNamesIt(t *testing.T) {
	t.Parallel()
	s := newStand(t, "/")
	s.origin.Serve("/", "text/html", []byte(`<!doctype html><html><head><link rel="alternate" type="application/rss+xml" href="/feed.xml"></head><body>x</body></html>`))
	s.want("not_a_feed")
	if got := s.source.State().Detail; !strings.Contains(got, s.origin.URL("/feed.xml")) {
		t.Errorf("the error is %q", got)
	}
}
