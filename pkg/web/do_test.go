package web

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/hosttest"
)

func post(t *testing.T, to, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func TestDoGivesEveryAnswer(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/302" {
			http.Redirect(w, r, "/", http.StatusFound)
			return
		}
		if r.URL.Path == "/500" {
			w.WriteHeader(500)
		}
		b, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, r.Method+" "+string(b)+" "+r.UserAgent()+" "+r.Header.Get("Authorization"))
	})
	c := client(t, Config{})
	for path, want := range map[string]int{"/": 200, "/302": 302, "/500": 500} {
		a, err := c.Do(t.Context(), post(t, s.URL+path, "hello"), Options{Bearer: "t"})
		if err != nil || a.Status != want || a.Partial {
			t.Errorf("%s: %+v, %v", path, a, err)
		}
		if path == "/" && string(a.Body) != "POST hello Tidings/test (+https://news.example) Bearer t" {
			t.Errorf("the server saw %q", a.Body)
		}
	}
}

func TestDoReadsALittleOfALongAnswer(t *testing.T) {
	t.Parallel()
	u := answer(t, func(c net.Conn) { flood(c, "HTTP/1.1 200 OK\r\n\r\n", "x") })
	a, err := client(t, Config{}).Do(t.Context(), post(t, u, "x"), Options{})
	if err != nil || !a.Partial || len(a.Body) != 64<<10 {
		t.Errorf("%d bytes, partial %v, %v", len(a.Body), a.Partial, err)
	}
	// The status counts although the body breaks off: the post was accepted.
	u = answer(t, func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 201 Created\r\nContent-Length: 50\r\n\r\n{") })
	a, err = client(t, Config{}).Do(t.Context(), post(t, u, "x"), Options{})
	if err != nil || a.Status != 201 || !a.Partial || string(a.Body) != "{" {
		t.Errorf("%+v, %v", a, err)
	}
}

// The question a sender must have answered: may the other side have it?
func TestDoTellsUnreachableFromUncertain(t *testing.T) {
	t.Parallel()
	closed := "http://" + hosttest.Address(t)
	silentTLS, _ := raw(t, hold)
	limits := quick
	limits.Handshake = 200 * time.Millisecond
	for name, c := range map[string]struct {
		url    string
		o      Options
		wrote  bool
		kind   fault.Kind
		reason Reason
	}{
		"refused":              {closed, Options{}, false, fault.Unreachable, Connect},
		"guarded":              {"http://10.0.0.1/", Options{}, false, fault.Invalid, RefusedAddress},
		"no TLS":               {"https://" + silentTLS, Options{}, false, fault.Unreachable, TLSFailed},
		"closed without word":  {answer(t, func(net.Conn) {}), Options{}, true, fault.Uncertain, Truncated},
		"reset before reading": {resetting(t), Options{}, true, fault.Uncertain, Truncated},
		"silence":              {answer(t, hold), Options{}, true, fault.Uncertain, Timeout},
		"whole time over":      {answer(t, hold), Options{Timeout: 100 * time.Millisecond}, true, fault.Uncertain, Timeout},
		"repeat is harmless":   {answer(t, hold), Options{Idempotent: true}, true, fault.Unreachable, Timeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := client(t, Config{Limits: limits}).Do(t.Context(), post(t, c.url, strings.Repeat("x", 1000)), c.o)
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Wrote != c.wrote || fault.KindOf(err) != c.kind || e.Reason != c.reason {
				t.Errorf("got %v (%+v), want wrote=%v kind=%s reason=%s", err, e, c.wrote, c.kind, c.reason)
			}
		})
	}
}

// resetting is a server that accepts, waits for a byte and resets.
func resetting(t *testing.T) string {
	address, _ := raw(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 1))
		_ = c.(*net.TCPConn).SetLinger(0)
	})
	return "http://" + address
}

func TestDoThatIsCancelledSaysWhetherItWrote(t *testing.T) {
	t.Parallel()
	got := make(chan struct{})
	u := answer(t, func(c net.Conn) {
		close(got)
		hold(c)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-got
		cancel()
	}()
	_, err := client(t, Config{}).Do(ctx, post(t, u, "x"), Options{})
	e, ok := errors.AsType[*Error](err)
	if !ok || !e.Wrote || e.Kind != fault.Uncertain || !errors.Is(err, context.Canceled) {
		t.Errorf("after the request: %+v", err)
	}
	_, err = client(t, Config{}).Do(ctx, post(t, u, "x"), Options{})
	if e, ok := errors.AsType[*Error](err); !ok || e.Wrote || e.Kind != fault.Unreachable {
		t.Errorf("before the request: %+v", err)
	}
}

// dying is a server that answers the first request of a connection, and reads the second and closes. It counts the
// requests it has read: what a server that ignores the Idempotency-Key has acted upon.
func dying(t *testing.T) (u string, read *atomic.Int64) {
	read = new(atomic.Int64)
	address, _ := raw(t, func(c net.Conn) {
		br := bufio.NewReader(c)
		for n := range 2 {
			req, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, req.Body)
			read.Add(1)
			if n == 0 {
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}
		}
	})
	return "http://" + address, read
}

// net/http takes a request with an Idempotency-Key for repeatable: when a kept connection dies after the request was
// read, it silently sends again, and a server that ignores the key posts twice. The first half of the test shows that;
// when it fails, neverReplay is no longer needed.
func TestNothingIsSentTwiceOnADeadConnection(t *testing.T) {
	t.Parallel()
	requests := map[string]func(u string) *http.Request{
		"with a body": func(u string) *http.Request {
			req := post(t, u, "once")
			req.Header.Set("Idempotency-Key", "k")
			return req
		},
		"without a body": func(u string) *http.Request {
			req := post(t, u, "")
			req.Body = http.NoBody
			req.Header.Set("X-Idempotency-Key", "k")
			return req
		},
		"delete": func(u string) *http.Request {
			req := post(t, u, "")
			req.Method, req.Body = http.MethodDelete, nil
			req.Header.Set("Idempotency-Key", "k")
			return req
		},
	}
	for name, request := range requests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, read := dying(t)
			plain := &http.Transport{}
			defer plain.CloseIdleConnections()
			for range 2 {
				resp, err := plain.RoundTrip(request(u))
				if err != nil {
					t.Fatal(err)
				}
				_ = resp.Body.Close()
			}
			if read.Load() != 3 {
				t.Errorf("net/http sent two requests %d times, not 3: it has changed", read.Load())
			}

			u, read = dying(t)
			c := client(t, Config{})
			if _, err := c.Do(t.Context(), request(u), Options{}); err != nil {
				t.Fatal(err)
			}
			_, err := c.Do(t.Context(), request(u), Options{})
			if e := failure(t, err, Truncated); !e.Wrote {
				t.Errorf("error %+v", e)
			}
			if read.Load() != 2 {
				t.Errorf("we sent two requests %d times", read.Load())
			}
		})
	}
}

func TestIdempotencyKeyOfAnEmptyBodyStillArrives(t *testing.T) {
	t.Parallel()
	var got string
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Get("Idempotency-Key") })
	req := post(t, s.URL, "")
	req.Body = nil
	req.Header.Set("Idempotency-Key", "k")
	if _, err := client(t, Config{}).Do(t.Context(), req, Options{}); err != nil || got != "k" {
		t.Errorf("the server saw %q, %v", got, err)
	}
	if req.Header.Get("Idempotency-Key") != "k" {
		t.Error("the caller's request was changed")
	}
}

func TestDoRefusesWhatWouldMisleadAServer(t *testing.T) {
	t.Parallel()
	asked := 0
	s := serve(t, func(http.ResponseWriter, *http.Request) { asked++ })
	c := client(t, Config{})
	other := post(t, s.URL, "x")
	other.Host = "internal.example"
	framed := post(t, s.URL, "x")
	framed.Header.Set("Transfer-Encoding", "gzip")
	user := post(t, s.URL, "x")
	user.URL.User = url.UserPassword("u", "s3cr3t")
	empty := &http.Request{Method: http.MethodPost}
	for name, req := range map[string]*http.Request{"host": other, "framing": framed, "user": user, "no address": empty} {
		_, err := c.Do(t.Context(), req, Options{})
		failure(t, err, BadURL)
		if strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if asked != 0 {
		t.Errorf("%d requests were sent", asked)
	}
}

// Webhook addresses and the path of Telegram are secrets, and net/http likes to print them.
func TestErrorsOfDoHoldNoAddress(t *testing.T) {
	t.Parallel()
	closed, _ := raw(t, func(net.Conn) {})
	c := client(t, Config{Limits: quick})
	for _, u := range []string{
		"http://" + closed + "/bots3cr3t/send?token=s3cr3t", "http://10.0.0.1/s3cr3t", "http://h:1/s3cr3t",
		"http://exa_mple.invalid/s3cr3t",
	} {
		_, err := c.Do(t.Context(), post(t, u, "s3cr3t"), Options{Bearer: "s3cr3t"})
		if err == nil || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", u, err)
		}
	}
}

func TestKindOfStatus(t *testing.T) {
	t.Parallel()
	for status, want := range map[int][2]fault.Kind{ // not idempotent, idempotent
		200: {"", ""}, 201: {"", ""}, 202: {"", ""}, 204: {"", ""}, 304: {"", ""},
		301: {fault.Gone, fault.Gone}, 302: {fault.Gone, fault.Gone}, 308: {fault.Gone, fault.Gone},
		400: {fault.Invalid, fault.Invalid}, 401: {fault.Refused, fault.Refused}, 403: {fault.Refused, fault.Refused},
		404: {fault.Gone, fault.Gone}, 410: {fault.Gone, fault.Gone}, 408: {fault.Throttled, fault.Throttled},
		409: {fault.Uncertain, fault.Unreachable}, 413: {fault.TooLarge, fault.TooLarge}, 422: {fault.Invalid, fault.Invalid},
		425: {fault.Throttled, fault.Throttled}, 426: {fault.Invalid, fault.Invalid}, 429: {fault.Throttled, fault.Throttled},
		500: {fault.Uncertain, fault.Unreachable}, 502: {fault.Uncertain, fault.Unreachable},
		503: {fault.Throttled, fault.Throttled}, 504: {fault.Uncertain, fault.Unreachable},
		0: {fault.Uncertain, fault.Unreachable}, 600: {fault.Uncertain, fault.Unreachable},
	} {
		if got := [2]fault.Kind{KindOfStatus(status, false), KindOfStatus(status, true)}; got != want {
			t.Errorf("%d: %v, want %v", status, got, want)
		}
	}
}

func TestAnswerBecomesAFault(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Ratelimit-Remaining", r.URL.Query().Get("left"))
		w.Header().Set("X-Ratelimit-Reset", "90")
		switch r.URL.Path {
		case "/429":
			w.WriteHeader(429)
		case "/500":
			w.Header().Set("Retry-After", "30")
			w.WriteHeader(500)
		}
	})
	c := client(t, Config{})
	for path, want := range map[string]struct {
		kind fault.Kind
		wait time.Duration
	}{
		"/429?left=5": {fault.Throttled, 90 * time.Second},
		"/500?left=5": {fault.Uncertain, 30 * time.Second},
		"/200?left=5": {"", 0},
		"/200?left=0": {"", 90 * time.Second}, // the last of the allowance is used
	} {
		a, err := c.Do(t.Context(), post(t, s.URL+path, "x"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = a.Fault(false)
		if fault.KindOf(err) != want.kind || a.Wait != want.wait {
			t.Errorf("%s: kind %q, wait %v, want %+v", path, fault.KindOf(err), a.Wait, want)
		}
		if err != nil && fault.After(err) != want.wait {
			t.Errorf("%s: the fault waits %v", path, fault.After(err))
		}
	}
}
