package websub

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

func TestIntentIsVerified(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newSite(t)
	w.hub()
	callback := s.URL + "/cb?b=%20x&a=1"
	w.leave(event.ModeSubscribe, "all", callback, lease(3600), secret("shh"))
	until(t, "the subscription", func() bool { return w.rows()[callback] != nil && w.waiting() == 0 })
	asked := s.got(http.MethodGet)
	if len(asked) != 1 || !strings.HasPrefix(asked[0].uri, "/cb?b=%20x&a=1&hub.") || asked[0].header.Get("User-Agent") != "Tidings/test" {
		t.Fatalf("asked %+v", asked)
	}
	u, err := url.ParseRequestURI(asked[0].uri)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if q.Get("hub.mode") != "subscribe" || q.Get("hub.topic") != topicOf("all") || q.Get("hub.lease_seconds") != "3600" || len(q.Get("hub.challenge")) != 64 {
		t.Errorf("asked with %v", q)
	}
	row := w.rows()[callback]
	if row.Secret != "shh" || row.Feed != "all" || row.Lease.Sub(row.Since) != time.Hour {
		t.Errorf("stored lease %v, feed %s", row.Lease.Sub(row.Since), row.Feed)
	}
	// Once more: another challenge, another lease and secret, and still one subscription.
	w.leave(event.ModeSubscribe, "all", callback, secret("other"))
	until(t, "the renewal", func() bool { row := w.rows()[callback]; return row != nil && row.Secret == "other" && w.waiting() == 0 })
	again := s.got(http.MethodGet)[1]
	if strings.Contains(again.uri, q.Get("hub.challenge")) || !strings.Contains(again.uri, "hub.lease_seconds=864000") {
		t.Errorf("asked again %s", again.uri)
	}
	w.publish("all", "one")
	w.settled("all", "one")
	if got := s.pushed(); !slices.Equal(got, []string{"one"}) {
		t.Errorf("pushed %q", got)
	}
	w.leave(event.ModeUnsubscribe, "all", callback)
	until(t, "the end", func() bool { return w.rows()[callback] == nil && w.waiting() == 0 })
	last := s.got(http.MethodGet)[2]
	if !strings.Contains(last.uri, "hub.mode=unsubscribe") || strings.Contains(last.uri, "lease") {
		t.Errorf("asked at the end %s", last.uri)
	}
	w.publish("all", "two")
	w.subscribed("all", s.URL+"/other") // nothing is pushed on the way
	if got := s.pushed(); len(got) != 1 {
		t.Errorf("pushed %q", got)
	}
	if w.counted(Verified) != 3 || w.counted(Ended) != 1 {
		t.Errorf("counted %v", w.counts)
	}
}

func TestLeasesAreBounded(t *testing.T) {
	t.Parallel()
	h := &Hub{Options: Options{LeaseMin: 5 * time.Minute, LeaseMax: 30 * 24 * time.Hour}}
	s := &shift{Hub: h}
	for asked, want := range map[int64]time.Duration{
		0: 10 * 24 * time.Hour, 1: 5 * time.Minute, 299: 5 * time.Minute, 301: 301 * time.Second, 864000: 10 * 24 * time.Hour, 1 << 31: 30 * 24 * time.Hour,
	} {
		if got := s.leaseOf(&event.HubRequest{Lease: asked}); got != want {
			t.Errorf("asked for %d s: %v, want %v", asked, got, want)
		}
	}
}

func TestFailedVerificationLeavesTheFormerState(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer  http.HandlerFunc
		outcome string
	}{
		"wrong challenge": {func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "other") }, Refused},
		"more than the challenge": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, r.URL.Query().Get("hub.challenge")+"\n")
		}, Refused},
		"404": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, r.URL.Query().Get("hub.challenge"))
		}, Refused},
		"302": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/yes?"+r.URL.RawQuery, http.StatusFound)
		}, Refused},
		"500": {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, Refused},
		"endless": {func(w http.ResponseWriter, r *http.Request) {
			for range 100 {
				if _, err := io.WriteString(w, strings.Repeat("x", 10_000)); err != nil {
					return
				}
			}
		}, Refused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, s := newWorld(t), newSite(t)
			w.hub()
			w.leave(event.ModeSubscribe, "all", s.URL+"/old", secret("first"))
			until(t, "the subscription", func() bool { return w.rows()[s.URL+"/old"] != nil && w.waiting() == 0 })
			s.answers(func(rw http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodGet && r.URL.Path != "/yes" {
					c.answer(rw, r)
					return true
				}
				return false
			})
			w.leave(event.ModeSubscribe, "all", s.URL+"/old", secret("second"))
			w.leave(event.ModeSubscribe, "all", s.URL+"/new")
			until(t, "both refusals", func() bool { return w.waiting() == 0 && w.counted(c.outcome) == 2 })
			w.leave(event.ModeUnsubscribe, "all", s.URL+"/old")
			until(t, "the third", func() bool { return w.waiting() == 0 && w.counted(c.outcome) == 3 })
			rows := w.rows()
			if len(rows) != 1 || rows[s.URL+"/old"] == nil || rows[s.URL+"/old"].Secret != "first" {
				t.Errorf("%d rows", len(rows))
			}
			for _, c := range s.got(http.MethodGet) {
				if strings.HasPrefix(c.uri, "/yes") {
					t.Error("a redirect was followed")
				}
			}
			w.publish("all", "news")
			w.settled("all", "news")
			if got := s.got(http.MethodPost); len(got) != 1 || got[0].header.Get("X-Hub-Signature") != signature("first", "news") {
				t.Errorf("pushed %+v", got)
			}
		})
	}
}

func signature(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(mac, body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func TestAnUnreachableCallbackIsAskedThreeTimes(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newSite(t)
	h, _ := w.hub()
	challenges := make(chan string, 10)
	s.answers(func(_ http.ResponseWriter, r *http.Request) bool {
		challenges <- r.URL.Query().Get("hub.challenge")
		panic(http.ErrAbortHandler)
	})
	w.leave(event.ModeSubscribe, "all", s.URL)
	seen := map[string]bool{<-challenges: true}
	for i, wait := range askWaits() {
		until(t, "the note of the failure", func() bool { return h.attempts(subscriptionKey(topicOf("all"), s.URL)) == i+1 })
		w.pass(wait)
		seen[<-challenges] = true
	}
	until(t, "the end of the request", func() bool { return w.waiting() == 0 && w.counted(Unreachable) == 1 })
	if len(seen) != 3 || len(w.rows()) != 0 {
		t.Errorf("%d challenges, %d rows", len(seen), len(w.rows()))
	}
}

// attempts is how often a callback could not be reached.
func (h *Hub) attempts(key string) int {
	s := h.shift.Load()
	if s == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.asks[key]; a != nil {
		return a.attempt
	}
	return 0
}

func TestABarredAddressGetsNoRequest(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newSite(t)
	port := s.URL[strings.LastIndexByte(s.URL, ':'):]
	w.hub()
	for i, callback := range []string{"http://[::1]" + port + "/", "http://127.0.0.2" + port + "/", "http://0x7f.1" + port + "/", "http://localhost.:99999/", "http://169.254.169.254/latest"} {
		w.leave(event.ModeSubscribe, "all", callback)
		until(t, "the refusal of "+callback, func() bool { return w.counted(Barred) == i+1 && w.waiting() == 0 })
	}
	if calls := s.got(http.MethodGet); len(calls) != 0 || len(w.rows()) != 0 {
		t.Errorf("called %+v, %d rows", calls, len(w.rows()))
	}
}

func TestThePublicPortIsNotTrusted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hub()
	for _, value := range []string{"no JSON", `{}`, `{"mode":"denied"}`, `{"id":"x","mode":"subscribe","topic":"t","callback":"http://a:b@127.0.0.1/"}`} {
		if err := w.bus.Bucket(event.BucketRequests).Leave(t.Context(), event.RequestsOfSites+hash(value), []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	w.leave(event.ModeUnsubscribe, "all", "https://site.example/never") // of no subscription: nobody is asked
	until(t, "the end of the requests", func() bool { return w.waiting() == 0 && w.counted(Unknown) == 5 })
}

func TestALaterWishTakesThePlaceOfAnEarlierOne(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newSite(t)
	w.hub()
	began, release := make(chan struct{}), make(chan struct{})
	first := true
	s.answers(func(http.ResponseWriter, *http.Request) bool {
		if first {
			first = false
			close(began)
			<-release
		}
		return false
	})
	w.leave(event.ModeSubscribe, "all", s.URL, secret("first"))
	<-began
	w.leave(event.ModeSubscribe, "all", s.URL, secret("second"))
	until(t, "the second to be asked for", func() bool { return w.rows()[s.URL] != nil && w.waiting() == 0 })
	close(release)
	w.subscribed("all", s.URL+"/other")
	if got := w.rows()[s.URL].Secret; got != "second" {
		t.Errorf("the secret is %s", got)
	}
}

func TestAnEndIsAskedForWhileTheBeginningIsUnderWay(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newSite(t)
	w.hub()
	began, hold := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(hold) })
	t.Cleanup(release)
	s.answers(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("hub.mode") == event.ModeSubscribe && r.URL.Path != "/other" {
			close(began)
			<-hold
		}
		return false
	})
	w.leave(event.ModeSubscribe, "all", s.URL)
	<-began
	w.leave(event.ModeUnsubscribe, "all", s.URL)
	until(t, "the end", func() bool { return w.counted(Ended)+w.counted(Unknown) == 1 && w.waiting() == 0 })
	release()
	w.subscribed("all", s.URL+"/other")
	if len(w.rows()) != 1 || w.counted(Ended) != 1 {
		t.Errorf("%d rows, counted %v", len(w.rows()), w.counts)
	}
}

func TestLimitsAreToldAndKept(t *testing.T) {
	t.Parallel()
	w, s, other := newWorld(t), newSite(t), newSite(t)
	w.hub(func(o *Options) { o.PerHost, o.PerTopic = 2, 3 })
	w.subscribed("all", s.URL+"/1", s.URL+"/2")
	w.leave(event.ModeSubscribe, "all", s.URL+"/3?x=y")
	until(t, "the limit of the host", func() bool { return w.counted(Limited) == 1 && w.waiting() == 0 })
	denied := s.got(http.MethodGet)[2]
	u, err := url.ParseRequestURI(denied.uri)
	if err != nil {
		t.Fatal(err)
	}
	if q := u.Query(); q.Get("x") != "y" || q.Get("hub.mode") != "denied" || q.Get("hub.topic") != topicOf("all") || !strings.Contains(q.Get("hub.reason"), "this host") || q.Has("hub.challenge") {
		t.Errorf("denied with %v", q)
	}
	w.subscribed("all", other.URL+"/1")
	w.leave(event.ModeSubscribe, "all", other.URL+"/2")
	until(t, "the limit of the topic", func() bool { return w.counted(Limited) == 2 && w.waiting() == 0 })
	if last := other.got(http.MethodGet)[1]; !strings.Contains(last.uri, "this+topic") {
		t.Errorf("denied with %s", last.uri)
	}
	w.leave(event.ModeSubscribe, "all", s.URL+"/1", secret("new")) // who has one may renew it
	until(t, "the renewal", func() bool { row := w.rows()[s.URL+"/1"]; return row != nil && row.Secret == "new" && w.waiting() == 0 })
	if len(w.rows()) != 3 {
		t.Errorf("%d rows", len(w.rows()))
	}
}

func TestAHostIsAskedFiveTimesAMinute(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newSite(t)
	frozen := time.Now()
	w.hub(func(o *Options) { o.Now = func() time.Time { return frozen.Add(w.passed()) } })
	for i := range 7 {
		w.leave(event.ModeSubscribe, "all", fmt.Sprintf("%s/%d", s.URL, i))
	}
	until(t, "five of them", func() bool { return w.counted(Verified) == 5 && w.waiting() == 2 })
	other := newSite(t).URL
	w.leave(event.ModeSubscribe, "all", other)
	until(t, "another host, which does not wait", func() bool { return w.rows()[other] != nil })
	if n := len(s.got(http.MethodGet)); n != 5 {
		t.Fatalf("asked %d times", n)
	}
	w.pass(13 * time.Second)
	until(t, "the sixth", func() bool { return w.counted(Verified) == 7 && w.waiting() == 1 })
	w.pass(13 * time.Second)
	until(t, "the seventh", func() bool { return w.counted(Verified) == 8 && w.waiting() == 0 })
}

func TestDocumentsArePushedByteForByte(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newSite(t)
	w.hub()
	w.leave(event.ModeSubscribe, "all", s.URL+"/p%41th/?q=%7E&r", secret("s3cret"))
	w.leave(event.ModeSubscribe, "all", s.URL+"/plain")
	until(t, "both", func() bool { return len(w.rows()) == 2 && w.waiting() == 0 })
	body := "<rss>\x00 ä \xff" + strings.Repeat("news ", 50_000)
	w.publish("all", body)
	w.settled("all", body)
	got := s.got(http.MethodPost)
	if len(got) != 2 {
		t.Fatalf("%d pushes", len(got))
	}
	for _, c := range got {
		want := ""
		if c.uri != "/plain" {
			want = signature("s3cret", body)
			if c.uri != "/p%41th/?q=%7E&r" {
				t.Errorf("called %s", c.uri)
			}
		}
		link := "<" + front + `>; rel="hub", <` + topicOf("all") + `>; rel="self"`
		if c.body != body || c.header.Get("Content-Type") != "application/rss+xml; charset=utf-8" || !slices.Equal(c.header.Values("Link"), []string{link}) || c.header.Get("X-Hub-Signature") != want {
			t.Errorf("pushed %d bytes with %v", len(c.body), c.header)
		}
	}
	// The same document is no news, whoever says so; nor is what lies behind.
	w.announce("all", body, event.Applied{Created: time.Unix(1, 0).UTC(), Sequence: 7})
	w.publish("other", "of another feed")
	w.subscribed("all", s.URL+"/later")
	if n := len(s.got(http.MethodPost)); n != 2 {
		t.Errorf("%d pushes", n)
	}
	if w.counted("fanned out") != 1 {
		t.Errorf("counted %v", w.counts)
	}
}

func TestFailedPushesAreTriedAgain(t *testing.T) {
	t.Parallel()
	for _, status := range []int{302, 400, 404, 429, 500} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			w, s, good := newWorld(t), newSite(t), newSite(t)
			w.hub()
			w.subscribed("all", s.URL, good.URL)
			s.status(status)
			w.publish("all", "one")
			w.settled("all", "one")
			if got := w.rows()[s.URL]; got.Retry == nil || got.Retry.Attempt != 1 || got.History[len(got.History)-1].Status != status {
				t.Fatalf("stored %+v", got.Retry)
			}
			// A newer document takes the place of the one that waits, and comes when that was due, not before.
			w.publish("all", "two")
			w.settled("all", "two")
			if got := s.pushed(); !slices.Equal(got, []string{"one"}) || !slices.Equal(good.pushed(), []string{"one", "two"}) {
				t.Fatalf("pushed %q and %q", got, good.pushed())
			}
			waits := retries()
			for i, wait := range waits {
				until(t, "the note of the failure", func() bool { r := w.retry(s.URL); return r != nil && r.Attempt == i+1 })
				w.pass(wait - 3*time.Second)
				if i == len(waits)-1 {
					s.status(http.StatusOK)
				}
				w.pass(3 * time.Second)
				until(t, "the next try", func() bool { return len(s.pushed()) == i+2 })
			}
			until(t, "the end of the tries", func() bool { row := w.rows()[s.URL]; return row != nil && row.Retry == nil })
			if got := s.pushed(); got[1] != "two" || got[len(got)-1] != "two" {
				t.Errorf("pushed %q", got)
			}
		})
	}
}

func TestAfterTheLastTryTheNextChangeIsTheNext(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newSite(t)
	w.hub()
	w.subscribed("all", s.URL)
	s.status(http.StatusServiceUnavailable)
	w.publish("all", "one")
	until(t, "the first try", func() bool { return len(s.pushed()) == 1 })
	for i, wait := range retries() {
		until(t, "the note of the failure", func() bool { r := w.retry(s.URL); return r != nil && r.Attempt == i+1 })
		w.pass(wait)
		until(t, "the next try", func() bool { return len(s.pushed()) == i+2 })
	}
	until(t, "the end of the tries", func() bool { row := w.rows()[s.URL]; return row != nil && row.Retry == nil })
	w.pass(24 * time.Hour)
	s.status(http.StatusOK)
	w.publish("all", "two")
	w.settled("all", "two")
	if got := s.pushed(); len(got) != 7 || got[6] != "two" {
		t.Errorf("pushed %q", got)
	}
}

// A site whose next try is under way while the feed changes gets the change, whatever becomes of that try.
func TestAChangeDuringATryIsNotLost(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		failures int // before the try that hangs
		status   int // of that
	}{"it succeeds": {1, http.StatusOK}, "it is the last and fails": {len(retries()), http.StatusInternalServerError}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, s, good := newWorld(t), newSite(t), newSite(t)
			w.hub()
			w.subscribed("all", s.URL, good.URL)
			s.status(http.StatusServiceUnavailable)
			w.publish("all", "one")
			release := w.failed(s, c.failures, c.status)
			w.publish("all", "two")
			until(t, "the good one", func() bool { return len(good.pushed()) == 2 })
			s.answers(nil)
			release()
			w.settled("all", "two")
			if got := s.pushed(); len(got) != c.failures+2 || got[len(got)-1] != "two" {
				t.Errorf("pushed %q", got)
			}
		})
	}
}

// failed waits until a push to a site has failed so often and been tried once more, which hangs until it is released, and
// then has a status.
func (w *world) failed(s *site, failures, status int) (release func()) {
	w.t.Helper()
	hold := make(chan struct{})
	release = sync.OnceFunc(func() { close(hold) })
	w.t.Cleanup(release) // before the server is closed, which waits for its handlers
	for i, wait := range retries()[:failures] {
		until(w.t, "the note of the failure", func() bool { r := w.retry(s.URL); return r != nil && r.Attempt == i+1 })
		if i == failures-1 {
			s.answers(func(rw http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodPost {
					<-hold
					rw.WriteHeader(status)
				}
				return r.Method == http.MethodPost
			})
		}
		w.pass(wait)
		until(w.t, "the next try", func() bool { return len(s.pushed()) == i+2 })
	}
	return release
}

func TestGoneEndsTheSubscription(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newSite(t)
	w.hub()
	w.subscribed("all", s.URL)
	s.status(http.StatusGone)
	w.publish("all", "one")
	until(t, "the end", func() bool { return len(w.rows()) == 0 })
	w.publish("all", "two")
	w.subscribed("other", s.URL)
	until(t, "it to be counted", func() bool { return w.counted(Given) == 1 }) // which it is once the row is gone
	if got := s.pushed(); len(got) != 1 {
		t.Errorf("pushed %q", got)
	}
}

func TestGoneBeforeARenewalEndsNothing(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newSite(t)
	w.hub()
	w.subscribed("all", s.URL)
	renewed := make(chan struct{})
	release := sync.OnceFunc(func() { close(renewed) })
	t.Cleanup(release)
	s.answers(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			<-renewed
			rw.WriteHeader(http.StatusGone)
		}
		return r.Method == http.MethodPost
	})
	w.publish("all", "one")
	until(t, "the push", func() bool { return len(s.pushed()) == 1 })
	w.leave(event.ModeSubscribe, "all", s.URL, secret("new"))
	until(t, "the renewal", func() bool { row := w.rows()[s.URL]; return row != nil && row.Secret == "new" && w.waiting() == 0 })
	s.answers(nil)
	release()
	w.settled("all", "one")
	if got := s.got(http.MethodPost); len(got) != 2 || got[1].header.Get("X-Hub-Signature") != signature("new", "one") || w.rows()[s.URL] == nil {
		t.Errorf("pushed %q", s.pushed())
	}
}

func TestNothingIsPushedAfterTheLease(t *testing.T) {
	t.Parallel()
	w, s, other := newWorld(t), newSite(t), newSite(t)
	w.hub()
	w.leave(event.ModeSubscribe, "all", s.URL, lease(300))
	w.subscribed("all", other.URL)
	until(t, "the subscription", func() bool { return w.rows()[s.URL] != nil })
	w.pass(301 * time.Second)
	w.publish("all", "late")
	w.settled("all", "late")
	if len(s.pushed()) != 0 || len(other.pushed()) != 1 {
		t.Errorf("pushed %q and %q", s.pushed(), other.pushed())
	}
	until(t, "the row to be removed", func() bool { return w.rows()[s.URL] == nil })
}

func TestAFeedThatIsNoMoreEndsItsSubscriptions(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newSite(t)
	h, _ := w.hub()
	w.subscribed("all", s.URL+"/cb")
	w.mu.Lock()
	w.gone["all"] = true
	w.mu.Unlock()
	w.publish("all", "one")
	for i := range maxMissing {
		until(t, "a look", func() bool { _, missing := h.topic(); return missing == i+1 })
		if i+1 < maxMissing && len(w.rows()) != 1 {
			t.Errorf("the subscription has ended after %d looks", i+1)
		}
		w.pass(missingGap)
	}
	until(t, "the denial", func() bool { return len(w.rows()) == 0 && len(s.got(http.MethodGet)) == 2 })
	if last := s.got(http.MethodGet)[1]; !strings.Contains(last.uri, "hub.mode=denied") || len(s.pushed()) != 0 {
		t.Errorf("told %s", last.uri)
	}
}

func TestAFeedThatIsGivenUpEndsItsSubscriptionsInTime(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newSite(t)
	h, _ := w.hub()
	w.leave(event.ModeSubscribe, "all", s.URL, lease(30*24*3600))
	until(t, "the subscription", func() bool { return w.rows()[s.URL] != nil && w.waiting() == 0 })
	looked := func(want int) {
		t.Helper()
		w.pass(lookEvery + sweepEvery)
		until(t, fmt.Sprintf("look %d", want), func() bool { return w.looked() == want })
		until(t, "its outcome", func() bool { _, missing := h.topic(); return missing == want-1 || len(w.rows()) == 0 })
	}
	until(t, "the topic to be known", func() bool { live, _, _ := h.Counts(); return live == 1 })
	w.pass(sweepEvery)
	until(t, "the first sweep", func() bool { looked, _ := h.topic(); return !looked.IsZero() })
	looked(1)
	w.mu.Lock()
	w.gone["all"] = true
	w.mu.Unlock()
	looked(2)
	looked(3)
	if len(w.rows()) != 1 {
		t.Error("a feed that was missing twice has lost its subscriptions")
	}
	looked(4)
	until(t, "the end", func() bool { return len(w.rows()) == 0 && len(s.got(http.MethodGet)) == 2 })
	if last := s.got(http.MethodGet)[1]; !strings.Contains(last.uri, "hub.mode=denied") {
		t.Errorf("told %s", last.uri)
	}
}

// Publish may be slow or away for all feeds at once: neither pushes nor leases wait for that, and it is not asked for each.
func TestALookAtFeedsHoldsNothingUp(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newSite(t)
	w.hang = make(chan struct{})
	release := sync.OnceFunc(func() { close(w.hang) })
	t.Cleanup(release)
	var ticks atomic.Int64
	h, _ := w.hub(func(o *Options) { o.Tick = func() { ticks.Add(1) } })
	state := func() (looking, seen bool) {
		shift := h.shift.Load()
		shift.mu.Lock()
		defer shift.mu.Unlock()
		seen = len(shift.topics) == 2
		for _, topic := range shift.topics {
			seen = seen && !topic.looked.IsZero()
		}
		return shift.looking, seen
	}
	w.subscribed("all", s.URL)
	w.subscribed("other", s.URL)
	w.pass(sweepEvery)
	until(t, "the first sweep", func() bool { _, seen := state(); return seen })
	w.pass(lookEvery + sweepEvery)
	until(t, "a look", func() bool { return w.looked() == 1 })
	n := ticks.Load()
	until(t, "the work to go on", func() bool { return ticks.Load() >= n+3 })
	if looking, _ := state(); !looking {
		t.Error("the work has waited for the end of the look")
	}
	release()
	until(t, "the end of the look", func() bool { looking, _ := state(); return !looking })
	if n := w.looked(); n != 1 {
		t.Errorf("publish did not answer, and was asked %d times", n)
	}
}

// topic tells of the only topic when it was looked at last, and how often in a row it was missing.
func (h *Hub) topic() (looked time.Time, missing int) {
	s := h.shift.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.topics {
		looked, missing = t.looked, t.missing
	}
	return looked, missing
}

// A site that hangs takes places of its own; those of another host, and of the fast lane, are not its.
func TestAHungSiteDelaysNobody(t *testing.T) {
	t.Parallel()
	w, hung, good := newWorld(t), newSite(t), newSite(t)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) }) // before the server is closed, which waits for its handlers
	w.hub()
	var callbacks []string
	for i := range 5 {
		callbacks = append(callbacks, fmt.Sprintf("%s/%d", hung.URL, i))
	}
	w.subscribed("all", callbacks...)
	w.subscribed("all", good.URL)
	hung.answers(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}
		return false
	})
	w.publish("all", "one")
	until(t, "the good one", func() bool { return len(good.pushed()) == 1 })
	until(t, "four of the hung ones", func() bool { return len(hung.pushed()) == 4 })
	w.publish("all", "two")
	until(t, "the good one again", func() bool { return len(good.pushed()) == 2 })
	if n := len(hung.pushed()); n != 4 {
		t.Errorf("%d requests at once to one host", n)
	}
}

// A feed that goes back to what it was says as much as any other change: something was taken down.
func TestADocumentThatComesBackIsPushedAgain(t *testing.T) {
	t.Parallel()
	w, hung, good := newWorld(t), newSite(t), newSite(t)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	w.hub()
	w.subscribed("all", hung.URL, good.URL)
	w.publish("all", "one")
	w.settled("all", "one")
	hung.answers(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}
		return false
	})
	want := []string{"one"}
	for _, body := range []string{"two", "one", "two", "one"} { // none of them is finished
		w.publish("all", body)
		want = append(want, body)
		until(t, "the good one to have it", func() bool { return len(good.pushed()) == len(want) })
	}
	if got := good.pushed(); !slices.Equal(got, want) {
		t.Errorf("pushed %q", got)
	}
}

func TestWhoWasSlowWaitsInALaneOfItsOwn(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), newSite(t)
	w.hasty = true
	h, _ := w.hub()
	hang := func(method string) {
		s.answers(func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method == method {
				<-r.Context().Done()
			}
			return r.Method == method
		})
	}
	key := subscriptionKey(topicOf("all"), s.URL)
	hang(http.MethodGet)
	w.leave(event.ModeSubscribe, "all", s.URL)
	until(t, "the end of the wait for a confirmation", func() bool { return h.attempts(key) == 1 })
	s.answers(nil)
	w.pass(askWaits()[0])
	until(t, "the subscription", func() bool { return w.rows()[s.URL] != nil && w.waiting() == 0 })
	slowed := func() bool {
		shift := h.shift.Load()
		shift.mu.Lock()
		defer shift.mu.Unlock()
		return shift.subs[key].slow
	}
	hang(http.MethodPost)
	w.publish("all", "one")
	until(t, "the end of the wait for an answer", func() bool {
		r := w.rows()[s.URL]
		return r.Retry != nil && r.History[len(r.History)-1].Reason == "timeout" && slowed()
	})
	s.answers(nil)
	w.pass(2 * retries()[0])
	until(t, "the next try, which is quick", func() bool { row := w.rows()[s.URL]; return row != nil && row.Retry == nil && !slowed() })
}

func TestOfWhatWasRemovedNothingIsLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h, _ := w.hub()
	until(t, "the lease", func() bool { return h.shift.Load() != nil })
	s := h.shift.Load()
	for i := range 200 {
		row := &Subscription{Feed: "all", Topic: topicOf("all"), Callback: fmt.Sprintf("https://site.example/%d", i), Lease: w.now().Add(time.Hour)}
		for _, next := range []*Subscription{row, nil} {
			if err := s.write(subscriptionKey(row.Topic, row.Callback), func(*Subscription) *Subscription { return next }); err != nil {
				t.Fatal(err)
			}
		}
	}
	until(t, "the bucket to have shown it", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.removed) == 0 && len(s.subs) == 0
	})
}

func TestAnOperatorEndsASubscription(t *testing.T) {
	t.Parallel()
	w, s, other := newWorld(t), newSite(t), newSite(t)
	w.hub()
	w.subscribed("all", s.URL+"/cb?secret", other.URL)
	rows := w.bus.Bucket(event.BucketSubscriptions)
	list, err := List(t.Context(), rows)
	if err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	for _, n := range list {
		if n.Callback == s.URL+"/cb?secret" {
			if n.Host() != strings.TrimPrefix(s.URL, "http://") {
				t.Errorf("the host is %s", n.Host())
			}
			if err := End(t.Context(), rows, n.ID, "for a reason"); err != nil {
				t.Fatal(err)
			}
		}
	}
	until(t, "the word of it", func() bool { return len(s.got(http.MethodGet)) == 2 && len(w.rows()) == 1 })
	if last := s.got(http.MethodGet)[1].uri; !strings.Contains(last, "hub.mode=denied") || !strings.Contains(last, "hub.reason=for+a+reason") {
		t.Errorf("told %s", last)
	}
	if err := End(t.Context(), rows, "nothing", "x"); err == nil {
		t.Error("what is not there was ended")
	}
	w.publish("all", "one")
	w.settled("all", "one")
	if len(s.pushed()) != 0 || len(other.pushed()) != 1 {
		t.Errorf("pushed %q and %q", s.pushed(), other.pushed())
	}
}

func TestHubsOfOthersAreTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tries := make(chan url.Values, 20)
	fail := true
	hub := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		tries <- r.PostForm
		if fail {
			fail = false
			rw.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(hub.Close)
	w.hub()
	w.publish("all", "one", hub.URL)
	for range 2 { // it did not hear the first time
		if form := <-tries; form.Get("hub.mode") != "publish" || form.Get("hub.url") != topicOf("all") {
			t.Errorf("told %v", form)
		}
	}
	until(t, "the message to be acknowledged", func() bool {
		l, err := w.bus.Backlog(t.Context(), event.StreamFeeds, event.ConsumerWebSub)
		return err == nil && l.Lag() == 0
	})
}

func TestAHungHubOfOthersDelaysNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	release := make(chan struct{})
	var hubs []string
	for range 3 {
		hung := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm() // only then the server notices that the client has gone
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}))
		t.Cleanup(hung.Close)
		hubs = append(hubs, hung.URL)
	}
	t.Cleanup(func() { close(release) })
	told := make(chan struct{}, pings)
	good := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { told <- struct{}{} }))
	t.Cleanup(good.Close)
	h, _ := w.hub()
	w.publish("all", "one", append(hubs, good.URL)...)
	until(t, "the good one to be told", func() bool { return len(told) > 0 })
	// A handler whose time is over before the hubs have answered has failed, and gives up as after any other failure.
	over, cancel := context.WithCancel(t.Context())
	cancel()
	f := event.FeedChanged{Feed: "all", Hubs: hubs, Documents: []event.Document{{Topic: topicOf("all")}}}
	if err := h.shift.Load().pingAll(over, f, pings-1); fault.KindOf(err) != fault.Unreachable {
		t.Errorf("out of time: %v", err)
	}
	if err := h.shift.Load().pingAll(over, f, pings); err != nil {
		t.Errorf("out of time for the last time: %v", err)
	}
}
