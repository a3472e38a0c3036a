package app

import (
	"compress/gzip"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/feedcheck"
	"tidings.internal/pkg/natstest"
	"tidings.internal/pkg/run"
)

func TestArticleReachesFeedsPageAndPosts(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	enrich := server.Bus(t, "enrich")
	s := start(t, server.Bus(t, "publish"), sample)
	s.shows("/feeds/all.rss", "-<item>")
	a := news("1", "Grüße & <b>Küsse</b> 😀")
	emit(t, enrich, a)

	for kind, check := range map[string]func([]byte, feedcheck.Expect) []feedcheck.Problem{"rss": feedcheck.RSS, "atom": feedcheck.Atom, "json": feedcheck.JSON} {
		for _, id := range []string{"all", "crm"} {
			body := s.shows("/feeds/"+id+"."+kind, "Küsse", "Lang gesagt")
			for _, p := range check([]byte(body), feedcheck.Expect{Self: "https://news.example.org/feeds/" + id + "." + kind, Now: time.Now().Add(48 * time.Hour)}) {
				t.Errorf("%s.%s breaks %s", id, kind, p)
			}
		}
	}
	page := html.UnescapeString(s.shows("/feeds/crm", "Küsse", "Originally at"))
	if !strings.Contains(page, `rel="alternate" type="application/atom+xml"`) {
		t.Error("the page does not lead readers to the feed")
	}
	if strings.Contains(page, "<script") || strings.Contains(page, "<b>Küsse") {
		t.Error("the page holds markup of a source")
	}
	p := posted(t, enrich, "hook", a.Story.ID, event.ActionCreate, 1)
	if !strings.Contains(string(p.Request.Body), "Lang gesagt") || p.Network != "webhook" {
		t.Errorf("post %+v", p)
	}
	if p := posted(t, enrich, "masto", a.Story.ID, event.ActionCreate, 1); !strings.Contains(p.Text, "#CRMSoftware") {
		t.Errorf("text %q", p.Text)
	}
	for name, value := range map[string]float64{"tidings_publish_articles": 1, "tidings_publish_documents": 8} {
		if got := gauge(t, s.metrics, name); got != value {
			t.Errorf("%s = %v, want %v", name, got, value)
		}
	}
}

func TestRebuildGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	enrich := server.Bus(t, "enrich")
	first := start(t, server.Bus(t, "publish"), sample)
	for i := range 45 {
		a := news(fmt.Sprint(i), fmt.Sprint("Artikel ", i))
		published := seen.Add(-time.Duration(i) * 30 * time.Hour)
		a.Published = &published
		if i%3 == 1 { // the same story as the one before
			a.Story.ID = article.NewID("blog", fmt.Sprint(i-1))
		}
		emit(t, enrich, a)
	}
	edited := news("7", "Artikel 7, neu")
	edited.Revision, edited.Fetched = 2, seen.Add(time.Hour)
	emit(t, enrich, edited)
	remove(t, enrich, news("3", ""))
	first.shows("/feeds/all.rss", "Artikel 7, neu", "-Artikel 3<", "Artikel 20")
	first.shows("/feeds/crm.rss", "Artikel 7, neu", "-Artikel 3<", "Artikel 20")
	first.shows("/feeds/all.json", "also")
	second := start(t, server.Bus(t, "publish"), sample)
	second.shows("/feeds/crm", "Artikel")
	for _, path := range []string{"/feeds/all.rss", "/feeds/all.atom", "/feeds/all.json", "/feeds/all", "/feeds/crm.rss", "/feeds/crm.atom", "/feeds/crm.json"} {
		for _, coding := range []string{"identity", "gzip"} {
			a, abody := first.get(path, "Accept-Encoding", coding)
			b, bbody := second.get(path, "Accept-Encoding", coding)
			if abody != bbody || a.Header.Get("ETag") != b.Header.Get("ETag") || a.Header.Get("ETag") == "" {
				t.Errorf("%s in %s differs: %d and %d bytes, %s and %s", path, coding, len(abody), len(bbody), a.Header.Get("ETag"), b.Header.Get("ETag"))
			}
			if coding == "gzip" {
				z, err := gzip.NewReader(strings.NewReader(abody))
				if err != nil {
					t.Fatalf("%s: %v", path, err)
				}
				if _, err := io.Copy(io.Discard, z); err != nil {
					t.Errorf("%s: %v", path, err)
				}
			}
		}
	}
}

func TestFeedsAreServedWhileTheBrokerIsAway(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	enrich := server.Bus(t, "enrich")
	s := start(t, server.Bus(t, "publish"), sample)
	emit(t, enrich, news("1", "Vorher"))
	s.shows("/feeds/all.rss", "Vorher")
	server.Stop()
	until(t, "a degraded state", func() (bool, string) {
		r := s.checks.Report(t.Context())
		for _, c := range r.Checks {
			if c.Name == "nats" {
				return !c.OK && !c.Needed, fmt.Sprint(r)
			}
		}
		return false, fmt.Sprint(r)
	})
	for _, c := range s.checks.Report(t.Context()).Checks {
		if c.Needed && !c.OK {
			t.Errorf("%s fails: %s", c.Name, c.Reason)
		}
	}
	s.shows("/feeds/all.rss", "Vorher")
	server.Start(t)
	if err := enrich.WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	emit(t, enrich, news("2", "Nachher"))
	s.shows("/feeds/all.rss", "Vorher", "Nachher")
}

func TestNothingHalfBuiltIsServed(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	b := server.Bus(t, "publish")
	server.Stop()
	s := start(t, b, sample)
	res, body := s.get("/feeds/all.rss")
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || !strings.Contains(body, "being built") {
		t.Errorf("%s %v %q", res.Status, res.Header, body)
	}
	if s.app.probeFeeds(t.Context()) == nil {
		t.Error("the service says that it is ready")
	}
	server.Start(t)
	s.shows("/feeds/all.rss", "<rss")
}

func TestTombstoneLeavesFeedsAndWithdrawsPosts(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	enrich := server.Bus(t, "enrich")
	s := start(t, server.Bus(t, "publish"), sample+"  - {id: keep, network: webhook, on_remove: ignore}\n")
	a := news("1", "Weg damit")
	emit(t, enrich, a)
	s.shows("/feeds/all.rss", "Weg damit")
	before, _ := s.get("/feeds/all.rss")
	for _, channel := range []string{"hook", "masto", "keep"} {
		posted(t, enrich, channel, a.Story.ID, event.ActionCreate, 1)
	}
	remove(t, enrich, a)
	s.shows("/feeds/all.rss", "-Weg damit")
	s.shows("/feeds/all", "-Weg damit", "no articles yet")
	after, _ := s.get("/feeds/all.rss")
	if before.Header.Get("ETag") == after.Header.Get("ETag") {
		t.Error("the tag is the same")
	}
	for _, channel := range []string{"hook", "masto"} {
		until(t, "withdrawal from "+channel, func() (bool, string) {
			_, w, err := event.DecodeWithdrawn(post(t, enrich, channel, a.Story.ID).Message)
			return err == nil && w.Reason == event.DeletedTakedown && w.Article == a.ID && w.Revision == 2, fmt.Sprint(w, err)
		})
	}
	if _, p, err := event.DecodePost(post(t, enrich, "keep", a.Story.ID).Message); err != nil || p.Action != event.ActionCreate {
		t.Errorf("a channel that ignores removals has %v, %v", p.Action, err)
	}
	// It comes back under a higher revision: nothing is posted a second time.
	a.Revision = 3
	emit(t, enrich, a)
	s.shows("/feeds/all.rss", "Weg damit")
	quiet(t, enrich)
	if _, _, err := event.DecodeWithdrawn(post(t, enrich, "hook", a.Story.ID).Message); err != nil {
		t.Errorf("a post that was taken back came again: %v", err)
	}
}

func TestFeedChangesAreAnnouncedOnce(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	enrich := server.Bus(t, "enrich")
	replicas := []*service{start(t, server.Bus(t, "publish"), sample), start(t, server.Bus(t, "publish"), sample)}
	for _, s := range replicas {
		s.shows("/feeds/all.rss", "<rss")
	}
	emit(t, enrich, news("1", "Neu"))
	for _, s := range replicas {
		s.shows("/feeds/all.rss", "Neu")
	}
	subject, err := event.FeedSubject("all")
	if err != nil {
		t.Fatal(err)
	}
	var changed event.FeedChanged
	until(t, "the announcement", func() (bool, string) {
		r, err := enrich.Last(t.Context(), subject)
		if err != nil || r == nil {
			return false, fmt.Sprint(r, err)
		}
		_, changed, err = event.DecodeFeedChanged(r.Message)
		return err == nil, fmt.Sprint(err)
	})
	if len(changed.Documents) != 3 || changed.Documents[0].Topic != "https://news.example.org/feeds/all.rss" || changed.Applied.Sequence == 0 {
		t.Errorf("announced %+v", changed)
	}
	_, body := replicas[0].get("/feeds/all.rss")
	if changed.Documents[0].Bytes != len(body) {
		t.Errorf("announced %d bytes, served are %d", changed.Documents[0].Bytes, len(body))
	}
}

func TestArticleThatNothingCanLinkToIsPutAside(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	enrich := server.Bus(t, "enrich")
	s := start(t, server.Bus(t, "publish"), sample)
	bad := news("1", "Ohne Adresse")
	bad.URL = "/relative"
	emit(t, enrich, bad)
	emit(t, enrich, news("2", "Mit Adresse"))
	s.shows("/feeds/all.rss", "Mit Adresse", "-Ohne Adresse")
	operator := server.Bus(t, "tidings")
	until(t, "the dead letter", func() (bool, string) {
		letters, err := operator.DeadList(t.Context(), bus.DeadFilter{})
		return err == nil && len(letters) == 1 && letters[0].Reason == "bad_link" && letters[0].Service == "publish", fmt.Sprint(letters, err)
	})
}

func TestBackfillComposesTheNewestOldestFirst(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	enrich := server.Bus(t, "enrich")
	s := start(t, server.Bus(t, "publish"), sample+"  - {id: filled, network: webhook, backfill: 3, select: {tags: [crm]}}\n")
	other := news("other", "Ein anderes Thema")
	other.Tags, other.Backfill = nil, true
	emit(t, enrich, other)
	for i := range 20 {
		a := news(fmt.Sprint(i), fmt.Sprint("Altes ", i))
		published := seen.Add(-time.Duration((i*7)%20) * time.Hour) // in no order; 0, 3 and 6 are the newest
		a.Published, a.Backfill = &published, true
		emit(t, enrich, a)
	}
	var sequences []uint64
	for _, i := range []int{6, 3, 0} { // the oldest first
		p := posted(t, enrich, "filled", article.NewID("blog", fmt.Sprint(i)), event.ActionCreate, 1)
		if !p.Backfill {
			t.Errorf("the post of article %d is not marked", i)
		}
		sequences = append(sequences, post(t, enrich, "filled", p.Story).Sequence)
	}
	if !slices.IsSorted(sequences) {
		t.Errorf("they came in the order %v", sequences)
	}
	live := news("live", "Neues")
	emit(t, enrich, live)
	if p := posted(t, enrich, "filled", live.Story.ID, event.ActionCreate, 1); p.Backfill {
		t.Error("a new article is marked as backfill")
	}
	s.stop()
	again := start(t, server.Bus(t, "publish"), sample+"  - {id: filled, network: webhook, backfill: 9, select: {tags: [crm]}}\n")
	again.shows("/feeds/all.rss", "Neues")
	until(t, "the time for a backfill", func() (bool, string) {
		_, quiet := again.app.projection.Newest(2, 1)
		return quiet > 7*time.Second, quiet.String()
	})
	state, err := enrich.StreamState(t.Context(), event.StreamPosts)
	if err != nil {
		t.Fatal(err)
	}
	// filled has four posts; hook and masto have the live one.
	if state.Messages != 6 {
		t.Errorf("%d posts after a restart with another number, want 6", state.Messages)
	}
}

func TestRestartServesTheSameToReaders(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	enrich := server.Bus(t, "enrich")
	s := start(t, server.Bus(t, "publish"), sample)
	emit(t, enrich, news("1", "Bleibt"))
	s.shows("/feeds/all.rss", "Bleibt")
	before, _ := s.get("/feeds/all.rss")
	s.stop()
	again := start(t, server.Bus(t, "publish"), sample)
	again.shows("/feeds/all.rss", "Bleibt")
	after, _ := again.get("/feeds/all.rss")
	for _, name := range []string{"ETag", "Last-Modified"} {
		if a, b := before.Header.Get(name), after.Header.Get(name); a != b || a == "" {
			t.Errorf("%s is %q after a restart, it was %q", name, b, a)
		}
	}
	if res, _ := again.get("/feeds/all.rss", "If-None-Match", before.Header.Get("ETag")); res.StatusCode != http.StatusNotModified {
		t.Errorf("a reader that has the bytes gets %s", res.Status)
	}
}

func TestPortInUseIsASentence(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	s := start(t, server.Bus(t, "publish"), sample)
	doc := config.New("tidings.yaml", fmt.Appendf(nil, "publish: {listen: %q}", s.app.Addr()), nil)
	_, err := New(t.Context(), Deps{Config: doc, Bus: server.Bus(t, "publish"), Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Checks: new(run.Checks)})
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "publish.listen") || !strings.Contains(err.Error(), "is in use by another process") {
		t.Errorf("%v", err)
	}
}
