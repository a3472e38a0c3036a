package websub

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// A stop breaks off what is under way, and gives nothing back but the lease: what the next holder finds is what a kill
// leaves behind.

func TestSubscriptionsOutliveAStopBetweenSubscribeAndChange(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newSite(t)
	_, stop := w.hub()
	w.leave(event.ModeSubscribe, "all", s.URL, secret("x"))
	until(t, "the subscription", func() bool { return w.rows()[s.URL] != nil && w.waiting() == 0 })
	stop()
	w.publish("all", "one") // while nobody works
	w.hub()
	w.settled("all", "one")
	if got := s.got(http.MethodPost); len(got) != 1 || got[0].body != "one" || got[0].header.Get("X-Hub-Signature") != signature("x", "one") {
		t.Errorf("pushed %+v", got)
	}
}

func TestARequestOutlivesAStopDuringItsVerification(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newSite(t)
	w.leave(event.ModeSubscribe, "all", s.URL) // nobody works yet
	asked := make(chan struct{})
	var once sync.Once
	s.answers(func(_ http.ResponseWriter, r *http.Request) bool {
		first := false
		once.Do(func() { first = true })
		if first {
			close(asked)
			<-r.Context().Done() // the answer comes too late
		}
		return false
	})
	_, stop := w.hub()
	<-asked
	stop()
	if w.waiting() != 1 || len(w.rows()) != 0 {
		t.Fatalf("%d requests and %d rows after the stop", w.waiting(), len(w.rows()))
	}
	w.hub()
	until(t, "the subscription", func() bool { return w.rows()[s.URL] != nil && w.waiting() == 0 })
	got := s.got(http.MethodGet)
	if len(got) != 2 || got[0].uri == got[1].uri {
		t.Errorf("asked %d times", len(got))
	}
}

// What was stored is not asked for again, even if the process ended before it removed the request: it is, and does no harm.
func TestARequestThatWasDealtWithDoesNoHarmAgain(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newSite(t)
	w.hub()
	w.leave(event.ModeSubscribe, "all", s.URL, secret("x"))
	until(t, "the subscription", func() bool { return w.rows()[s.URL] != nil && w.waiting() == 0 })
	s.answers(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet {
			rw.WriteHeader(http.StatusNotFound) // it has confirmed already
		}
		return r.Method == http.MethodGet
	})
	w.leave(event.ModeSubscribe, "all", s.URL, secret("x"))
	until(t, "the refusal", func() bool { return w.counted(Refused) == 1 && w.waiting() == 0 })
	w.publish("all", "one")
	w.settled("all", "one")
	if len(s.pushed()) != 1 {
		t.Errorf("pushed %q", s.pushed())
	}
}

func TestADistributionGoesOnWhereItWasBrokenOff(t *testing.T) {
	t.Parallel()
	const sites = 6
	w := newWorld(t)
	h, stop := w.hub()
	var list []*site
	for range sites {
		s := newSite(t)
		list = append(list, s)
		w.subscribed("all", s.URL)
	}
	byKey := slices.SortedFunc(slices.Values(list), func(a, b *site) int {
		if subscriptionKey(topicOf("all"), a.URL) < subscriptionKey(topicOf("all"), b.URL) {
			return -1
		}
		return 1
	})
	broken := byKey[3]
	reached := make(chan struct{}, 10)
	broken.answers(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			reached <- struct{}{}
			<-r.Context().Done()
		}
		return false
	})
	w.publish("all", "one")
	<-reached
	rows := w.bus.Bucket(event.BucketSubscriptions)
	until(t, "the position to be written down", func() bool {
		e, ok, err := rows.Read(t.Context(), topicKey(topicOf("all")))
		var row Topic
		return err == nil && ok && json.Unmarshal(e.Value, &row) == nil && row.Done == "" && row.Position == subscriptionKey(topicOf("all"), byKey[2].URL)
	})
	if live, _, _ := h.Counts(); live != sites {
		t.Errorf("%d subscriptions are live", live)
	}
	stop()
	broken.answers(nil)
	w.hub()
	w.settled("all", "one")
	for i, s := range byKey {
		want := []string{"one"}
		if i >= 3 { // behind the position they may get it again, and never another one
			want = slices.Repeat(want, len(s.pushed()))
		}
		if got := s.pushed(); len(got) == 0 || len(got) > 2 || !slices.Equal(got, want) {
			t.Errorf("site %d of %d got %q", i, sites, got)
		}
	}
}

// A kill right after the row of a site says that an older document has arrived: the newer one is owed to it all the same.
func TestAChangeDuringATryOutlivesAKill(t *testing.T) {
	t.Parallel()
	w, s, good := newWorld(t), newSite(t), newSite(t)
	var ticks atomic.Int64
	_, stop := w.hub(func(o *Options) { o.Tick = func() { ticks.Add(1) } })
	w.subscribed("all", s.URL, good.URL)
	s.status(http.StatusServiceUnavailable)
	w.publish("all", "one")
	release := w.failed(s, 1, http.StatusOK)
	w.publish("all", "two")
	until(t, "the good one", func() bool { return len(good.pushed()) == 2 })
	n := ticks.Load()
	until(t, "the state to be written down", func() bool { return ticks.Load() >= n+3 })
	stop()
	s.answers(nil)
	release()
	row := w.rows()[s.URL]
	row.Retry = nil
	value, err := json.Marshal(row)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.bus.Bucket(event.BucketSubscriptions).Put(t.Context(), subscriptionKey(topicOf("all"), s.URL), value); err != nil {
		t.Fatal(err)
	}
	w.hub()
	until(t, "the new document", func() bool { got := s.pushed(); return got[len(got)-1] == "two" })
}

// The broker may have stored a row although its word of that was lost, or the process ended before it heard it.
func TestARowAloneIsEnough(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newSite(t)
	_, stop := w.hub()
	w.subscribed("all", s.URL)
	stop()
	w.mu.Lock()
	w.bodies["all"], w.places["all"] = []byte("one"), event.Applied{Created: time.Unix(1, 0).UTC(), Sequence: 1}
	row := Topic{Topic: topicOf("all"), Feed: "all", Format: "rss", Hub: front, ContentType: "application/rss+xml", Want: event.Hash([]byte("one")), Applied: w.places["all"]}
	w.mu.Unlock()
	value, err := json.Marshal(row)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.bus.Bucket(event.BucketSubscriptions).Put(t.Context(), topicKey(row.Topic), value); err != nil {
		t.Fatal(err)
	}
	w.hub()
	w.settled("all", "one")
	if got := s.pushed(); !slices.Equal(got, []string{"one"}) {
		t.Errorf("pushed %q", got)
	}
}

func TestOfTwoReplicasOneWorks(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newSite(t)
	one, stopOne := w.hub()
	two, stopTwo := w.hub()
	w.subscribed("all", s.URL)
	for i := range 3 {
		body := fmt.Sprint("document ", i)
		w.publish("all", body)
		w.settled("all", body)
	}
	if got := s.pushed(); !slices.Equal(got, []string{"document 0", "document 1", "document 2"}) || len(s.got(http.MethodGet)) != 1 {
		t.Fatalf("pushed %q, asked %d times", got, len(s.got(http.MethodGet)))
	}
	working := func(h *Hub) bool { live, _, _ := h.Counts(); return live > 0 }
	if working(one) == working(two) {
		t.Errorf("one works: %t, the other: %t", working(one), working(two))
	}
	if working(one) {
		stopOne()
	} else {
		stopTwo()
	}
	w.publish("all", "document 3")
	w.settled("all", "document 3")
	if got := s.pushed(); len(got) != 4 {
		t.Errorf("pushed %q", got)
	}
}

func TestAnOutageOfTheBrokerLosesNothing(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newSite(t)
	w.hub()
	w.subscribed("all", s.URL)
	s.status(http.StatusInternalServerError)
	w.publish("all", "one")
	until(t, "the first try", func() bool { r := w.retry(s.URL); return r != nil })
	w.server.Stop()
	w.server.Start(t)
	s.status(http.StatusOK)
	w.pass(retries()[0] + time.Second)
	if err := w.bus.WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "the next try", func() bool { return len(s.pushed()) >= 2 })
	until(t, "a new document to be taken", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := w.bus.Last(ctx, "feed.changed.all")
		return fault.KindOf(err) != fault.Unreachable
	})
	w.publish("all", "two")
	// It may still count as failing, if its success could not be written down: then it gets the document with the next try.
	until(t, "the new document", func() bool { got := s.pushed(); return got[len(got)-1] == "two" })
}
