package websub

import (
	"bufio"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings.internal/pkg/fault"
)

// shelf is a book with one source, "src".
type shelf struct {
	mu    sync.Mutex
	sub   Subscription
	takes []string
	polls int
	fails error
	owner bool
	block chan struct{}
}

func (b *shelf) Look(_ context.Context, source string) (Subscription, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sub, source == "src", nil
}

func (b *shelf) Settle(_ context.Context, _ string, change func(*Subscription) bool) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return change(&b.sub), nil
}

func (b *shelf) Take(ctx context.Context, _ string, p Push) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.block != nil {
		b.mu.Unlock()
		select {
		case <-b.block:
		case <-ctx.Done():
		}
		b.mu.Lock()
	}
	b.takes = append(b.takes, string(p.Body))
	return b.fails
}

func (b *shelf) Poll(string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.polls++
	return b.owner
}

// stand is a listener with its book.
type stand struct {
	*shelf
	handler  *Handler
	server   *httptest.Server
	keys     *Keys
	mu       sync.Mutex
	outcomes map[string]int
	now      time.Time
}

func newStand(t *testing.T) *stand {
	t.Helper()
	s := &stand{shelf: &shelf{owner: true, sub: Subscription{Hub: "https://hub.example.org/", Topic: "https://example.org/feed", Generation: 3}}, outcomes: map[string]int{}, now: start}
	s.keys = NewKeys([]byte("a key of the test"), "")
	s.handler = NewHandler(s.keys, s, true, func() time.Time { s.mu.Lock(); defer s.mu.Unlock(); s.now = s.now.Add(time.Second); return s.now }, slog.New(slog.DiscardHandler), func(outcome string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.outcomes[outcome]++
	})
	s.server = httptest.NewServer(s.handler)
	t.Cleanup(s.server.Close)
	return s
}

func (s *stand) callback(generation int) string {
	return s.server.URL + s.keys.Callback("src", generation)
}

func (s *stand) get(t *testing.T, at string, q url.Values) (int, string, http.Header) {
	t.Helper()
	resp, err := s.server.Client().Get(at + "?" + q.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body), resp.Header
}

func (s *stand) post(t *testing.T, at, signature, body string) int {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, at, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/atom+xml")
	if signature != "" {
		req.Header.Set("X-Hub-Signature", signature)
	}
	resp, err := s.server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

func (s *stand) signed(body string) string {
	return sign(sha256.New, "sha256", s.keys.Secret("src", 3), body)
}

func TestOnlyWhatWasAskedForIsConfirmed(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	question := func(mode, topic string) url.Values {
		return url.Values{"hub.mode": {mode}, "hub.topic": {topic}, "hub.challenge": {"<b>abc</b>"}, "hub.lease_seconds": {"7200"}}
	}
	const topic = "https://example.org/feed"
	refused := func(name, at string, q url.Values) {
		t.Helper()
		if status, body, _ := s.get(t, at, q); status != http.StatusNotFound || body != "" {
			t.Errorf("%s: %d %q", name, status, body)
		}
	}
	refused("nobody asked", s.callback(3), question("subscribe", topic))
	s.sub.Ask(start)
	refused("another topic", s.callback(3), question("subscribe", "https://example.org/other"))
	refused("another mode", s.callback(3), question("unsubscribe", topic))
	refused("no challenge", s.callback(3), url.Values{"hub.mode": {"subscribe"}, "hub.topic": {topic}})
	refused("a challenge without end", s.callback(3), url.Values{"hub.mode": {"subscribe"}, "hub.topic": {topic}, "hub.challenge": {strings.Repeat("x", maxChallenge+1)}})
	refused("a subscription of before", s.callback(2), question("subscribe", topic))
	refused("a token of nobody", s.server.URL+"/websub/src/"+s.keys.Token("other", 3), question("subscribe", topic))
	refused("a source of nobody", s.server.URL+"/websub/other/"+s.keys.Token("other", 3), question("subscribe", topic))
	refused("no token", s.server.URL+"/websub/src", question("subscribe", topic))
	refused("another path", s.server.URL+"/", question("subscribe", topic))
	status, body, header := s.get(t, s.callback(3), question("subscribe", topic))
	if status != http.StatusOK || body != "<b>abc</b>" || !strings.HasPrefix(header.Get("Content-Type"), "text/plain") || header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the confirmation is %d %q %v", status, body, header)
	}
	if s.sub.Status != Active || s.sub.Lease.Sub(s.now) < time.Hour {
		t.Errorf("after it: %+v", s.sub)
	}
	if status, body, _ := s.get(t, s.callback(3), question("subscribe", topic)); status != http.StatusOK || body != "<b>abc</b>" {
		t.Errorf("a hub that was killed over our answer is told %d %q", status, body)
	}
	s.mu.Lock()
	s.now = s.now.Add(silence)
	s.mu.Unlock()
	refused("a confirmation long after", s.callback(3), question("subscribe", topic))
	if status, _, _ := s.get(t, s.callback(3), url.Values{"hub.mode": {"denied"}, "hub.topic": {topic}, "hub.reason": {"closed"}}); status != http.StatusOK || s.sub.Status != None || !strings.Contains(s.sub.Reason, "closed") {
		t.Errorf("a refusal gives %d, %+v", status, s.sub)
	}
}

func TestWhatBecomesOfAPush(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	secret := s.keys.Secret("src", 3)
	for _, c := range []struct {
		name, at, signature, body string
		fails                     error
		status                    int
		outcome                   string
		polls, takes              int
	}{
		{"weakly signed", s.callback(3), sign(sha1.New, "sha1", secret, "a"), "a", nil, 202, Taken, 0, 1},
		{"well signed", s.callback(3), s.signed("b"), "b", nil, 202, Taken, 0, 1},
		{"weaker than before", s.callback(3), sign(sha1.New, "sha1", secret, "c"), "c", nil, 202, Forged, 0, 0},
		{"not signed", s.callback(3), "", "d", nil, 202, Forged, 0, 0},
		{"wrongly signed", s.callback(3), s.signed("other"), "e", nil, 202, Forged, 0, 0},
		{"signed with a secret of before", s.callback(3), sign(sha256.New, "sha256", s.keys.Secret("src", 2), "f"), "f", nil, 202, Forged, 0, 0},
		{"empty", s.callback(3), s.signed(""), "", nil, 202, Empty, 1, 0},
		{"of another topic", s.callback(3), s.signed("g"), "g", fmt.Errorf("x: %w", ErrOtherTopic), 202, Foreign, 1, 1},
		{"better polled", s.callback(3), s.signed("g"), "g", ErrPoll, 202, Polled, 1, 1},
		{"no feed", s.callback(3), s.signed("h"), "h", fault.Errorf(fault.Malformed, "x"), 202, Malformed, 1, 1},
		{"RAW is away", s.callback(3), s.signed("i"), "i", fault.Errorf(fault.Unreachable, "x"), 503, Failed, 1, 1},
		{"an ended subscription", s.callback(2), s.signed("j"), "j", nil, 410, Ended, 0, 0},
		{"nobody's token", s.server.URL + "/websub/src/x", s.signed("k"), "k", nil, 404, Unknown, 0, 0},
		{"too large", s.callback(3), s.signed("l"), strings.Repeat("x", maxPush+1), nil, 413, TooLarge, 1, 0},
	} {
		s.fails, s.polls, s.takes, s.outcomes = c.fails, 0, nil, map[string]int{}
		status := s.post(t, c.at, c.signature, c.body)
		if status != c.status || s.outcomes[c.outcome] != 1 || s.polls != c.polls || len(s.takes) != c.takes {
			t.Errorf("%s: status %d, outcomes %v, %d polls, %d taken", c.name, status, s.outcomes, s.polls, len(s.takes))
		}
	}
	// Where the replica that a push comes to cannot poll the source, the hub sends it again.
	s.owner, s.fails = false, ErrPoll
	if status := s.post(t, s.callback(3), s.signed("m"), "m"); status != 503 {
		t.Errorf("of a replica that is not the owner: %d", status)
	}
	resp, err := s.server.Client().Head(s.callback(3))
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("HEAD gives %d, %v", resp.StatusCode, err)
	}
}

func TestAFloodOfPushesIsHeldBack(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.handler.now = func() time.Time { return start } // time stands still
	limited := 0
	for range 3 * perSecond {
		if s.post(t, s.callback(3), s.signed("a"), "a") == http.StatusTooManyRequests {
			limited++
		}
	}
	if limited != 2*perSecond {
		t.Errorf("%d of %d pushes within a second were held back", limited, 3*perSecond)
	}
	for range maxWork {
		s.handler.work <- struct{}{}
	}
	s.handler.now = func() time.Time { return start.Add(time.Hour) }
	if status := s.post(t, s.callback(3), s.signed("a"), "a"); status != http.StatusServiceUnavailable || s.polls != 1 {
		t.Errorf("with %d pushes in work: %d, %d polls", maxWork, status, s.polls)
	}
}

func TestAPushThatNeverEnds(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.handler.readLimit = 50 * time.Millisecond
	c, err := net.Dial("tcp", s.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // the server may have closed it
	if _, err := fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf", s.keys.Callback("src", 3)); err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusRequestTimeout {
		t.Errorf("a push that never ends: %d, %v", resp.StatusCode, err)
	}
}

func TestAPushThatTakesTooLong(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.handler.workLimit = 50 * time.Millisecond
	s.block, s.fails = make(chan struct{}), errors.Join(context.DeadlineExceeded)
	status := s.post(t, s.callback(3), s.signed("a"), "a")
	s.shelf.mu.Lock()
	defer s.shelf.mu.Unlock()
	if status != http.StatusServiceUnavailable || s.polls != 1 {
		t.Errorf("%d, %d polls", status, s.polls)
	}
}
