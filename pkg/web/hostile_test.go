package web

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/hosttest"
)

// answer makes a raw server that reads one request and then does what a test wants.
func answer(t *testing.T, f func(net.Conn)) string {
	address, _ := raw(t, func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			f(c)
		}
	})
	return "http://" + address + "/feed"
}

// flood writes the same bytes until the client leaves or the test would have failed anyway.
func flood(c net.Conn, head, again string) {
	_ = c.SetWriteDeadline(time.Now().Add(20 * time.Second))
	_, err := io.WriteString(c, head)
	block := strings.Repeat(again, max(1, 16<<10/len(again)))
	for err == nil {
		_, err = io.WriteString(c, block)
	}
}

// drip writes a piece each pause until the client leaves.
func drip(c net.Conn, head, piece string, pause time.Duration) {
	_, err := io.WriteString(c, head)
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for err == nil {
		<-tick.C
		_, err = io.WriteString(c, piece)
	}
}

// hold keeps a connection open and silent until the client leaves.
func hold(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func TestHostileServersAreStoppedAtALimit(t *testing.T) {
	t.Parallel()
	const ok = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n"
	const chunked = ok + "Transfer-Encoding: chunked\r\n\r\n"
	for name, c := range map[string]struct {
		serve func(net.Conn)
		want  Reason
	}{
		"endless body":            {func(c net.Conn) { flood(c, ok+"\r\n", "x") }, TooLarge},
		"endless chunks":          {func(c net.Conn) { flood(c, chunked, "4\r\nabcd\r\n") }, TooLarge},
		"huge length":             {func(c net.Conn) { _, _ = io.WriteString(c, ok+"Content-Length: 99999999999\r\n\r\n"); hold(c) }, TooLarge},
		"1 byte at a time":        {func(c net.Conn) { drip(c, ok+"Content-Length: 9999\r\n\r\n", "x", 50*time.Millisecond) }, Timeout},
		"body stands still":       {func(c net.Conn) { _, _ = io.WriteString(c, ok+"Content-Length: 9\r\n\r\nab"); hold(c) }, Timeout},
		"silence":                 {hold, Timeout},
		"dripped headers":         {func(c net.Conn) { drip(c, "HTTP/1.1 200 OK\r\nX: ", "a", 20*time.Millisecond) }, Timeout},
		"huge header":             {func(c net.Conn) { flood(c, "HTTP/1.1 200 OK\r\nX: ", "a") }, TooLarge},
		"endless headers":         {func(c net.Conn) { flood(c, "HTTP/1.1 200 OK\r\n", "X: a\r\n") }, TooLarge},
		"endless status line":     {func(c net.Conn) { flood(c, "HTTP/1.1 200 ", "a") }, TooLarge},
		"100-continue flood":      {func(c net.Conn) { flood(c, "", "HTTP/1.1 100 Continue\r\n\r\n") }, TooLarge},
		"103 drip":                {func(c net.Conn) { drip(c, "", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 20*time.Millisecond) }, Timeout},
		"endless chunk extension": {func(c net.Conn) { flood(c, chunked+"1;", "x") }, Truncated},
		"chunks of extensions":    {func(c net.Conn) { flood(c, chunked, "1;"+strings.Repeat("x", 1000)+"\r\na\r\n") }, Truncated},
		"endless trailer":         {func(c net.Conn) { flood(c, chunked+"0\r\n", "X: a\r\n") }, Truncated},
		"early close":             {func(c net.Conn) { _, _ = io.WriteString(c, ok+"Content-Length: 99\r\n\r\nhalf") }, Truncated},
		"cut chunk":               {func(c net.Conn) { _, _ = io.WriteString(c, chunked+"8\r\nhalf") }, Truncated},
		"no last chunk":           {func(c net.Conn) { _, _ = io.WriteString(c, chunked+"4\r\nhalf\r\n") }, Truncated},
		"no answer":               {func(net.Conn) {}, Truncated},
		"half a status line":      {func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 2") }, Truncated},
		"not HTTP":                {func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.9\r\n") }, Truncated},
		"two lengths":             {func(c net.Conn) { _, _ = io.WriteString(c, ok+"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab") }, Truncated},
		"unknown transfer coding": {func(c net.Conn) { _, _ = io.WriteString(c, ok+"Transfer-Encoding: gzip\r\n\r\nab") }, Truncated},
		"negative length":         {func(c net.Conn) { _, _ = io.WriteString(c, ok+"Content-Length: -5\r\n\r\nab") }, Truncated},
		"switching protocols":     {func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\n\r\n"); hold(c) }, ServerError},
		"dripped error page":      {func(c net.Conn) { drip(c, "HTTP/1.1 404 Not Found\r\n\r\n", "x", 50*time.Millisecond) }, NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := answer(t, c.serve)
			began := time.Now()
			r, err := client(t, Config{Limits: quick}).Fetch(t.Context(), Request{URL: u})
			e := failure(t, err, c.want)
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
			if !e.Private || !e.Wrote {
				t.Errorf("error %+v", e)
			}
			if r != nil && c.want != Truncated {
				t.Errorf("a response of %d bytes came too", len(r.Body))
			}
		})
	}
}

// A feed that broke off is still worth reading, so its bytes come with the error.
func TestTruncatedBodyComesWithItsError(t *testing.T) {
	t.Parallel()
	u := answer(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nEtag: \"a\"\r\nContent-Length: 99\r\n\r\nhalf")
	})
	r, err := client(t, Config{}).Fetch(t.Context(), Request{URL: u})
	e := failure(t, err, Truncated)
	if r == nil || string(r.Body) != "half" || e.Status != 200 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("response %+v, error %+v", r, e)
	}
}

func TestLengthShorterThanTheBodyEndsIt(t *testing.T) {
	t.Parallel()
	u := answer(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfour and more")
	})
	r, err := client(t, Config{}).Fetch(t.Context(), Request{URL: u})
	if err != nil || string(r.Body) != "four" {
		t.Errorf("%q, %v", r.Body, err)
	}
}

func TestBodyOfExactlyTheLimitPasses(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1000)) })
	c := client(t, Config{})
	if r, err := c.Fetch(t.Context(), Request{URL: s.URL, MaxBody: 1000}); err != nil || len(r.Body) != 1000 {
		t.Errorf("at the limit: %v", err)
	}
	_, err := c.Fetch(t.Context(), Request{URL: s.URL, MaxBody: 999})
	failure(t, err, TooLarge)
}

func TestRefusedConnectionHasItsReason(t *testing.T) {
	t.Parallel()
	address := hosttest.Address(t)
	_, err := client(t, Config{}).Fetch(t.Context(), Request{URL: "http://" + address})
	if e := failure(t, err, Connect); e.Wrote || !e.Private || e.Host != address {
		t.Errorf("error %+v", e)
	}
}

// The total bounds the chain, not each hop.
func TestTotalTimeCoversAllHops(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(150 * time.Millisecond):
		case <-r.Context().Done():
		}
		http.Redirect(w, r, "/", http.StatusFound)
	})
	_, err := client(t, Config{}).Fetch(t.Context(), Request{URL: s.URL, Options: Options{Timeout: 400 * time.Millisecond}})
	if e := failure(t, err, Timeout); len(e.Hops) == 0 || len(e.Hops) > 3 {
		t.Errorf("%d hops before the end", len(e.Hops))
	}
}

// A source that is asked through a gate must not lose its time while it waits there.
func TestWaitingAtTheGateCostsNoTime(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/b", http.StatusFound)
		}
	})
	host := HostPort(mustURL(t, s.URL))
	g := NewGate(GateConfig{Hosts: map[string]HostLimit{host: {Gap: 500 * time.Millisecond}}})
	r, err := client(t, Config{}).Fetch(t.Context(), Request{URL: s.URL, Enter: g.Enter, Options: Options{Timeout: 400 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Took > 400*time.Millisecond {
		t.Errorf("Took %v includes the wait", r.Took)
	}
}

func TestTextOfTheServerIsNoLogLine(t *testing.T) {
	t.Parallel()
	u := answer(t, func(c net.Conn) { _, _ = fmt.Fprintf(c, "%s\r\n\r\n", "EVIL\x1b[31m "+strings.Repeat("A", 30_000)) })
	_, err := client(t, Config{}).Fetch(t.Context(), Request{URL: u + "?token=s3cr3t"})
	failure(t, err, Truncated)
	if text := err.Error(); len(text) > 500 || strings.ContainsAny(text, "\x1b\r\n") || strings.Contains(text, "s3cr3t") {
		t.Errorf("text %.600q", text)
	}
}
