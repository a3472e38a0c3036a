package web

import (
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// quick are limits that let a test see a time-out.
var quick = Limits{
	Connect: 5 * time.Second, Handshake: 5 * time.Second, Header: 300 * time.Millisecond, Idle: 200 * time.Millisecond,
	Total: 2 * time.Second, HeaderBytes: 64 << 10, Body: 256 << 10,
}

// client makes a client to which loopback is open, unless c opens something itself.
func client(t *testing.T, c Config) *Client {
	t.Helper()
	c.UserAgent = "Tidings/test (+https://news.example)"
	if c.AllowNetworks == nil && c.Allow == nil && c.AllowPorts == nil {
		c.AllowNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	cl, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// serve starts an HTTP server on loopback.
func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// raw starts a TCP server whose connections f handles. It gives the address and a count of the connections.
func raw(t *testing.T, f func(net.Conn)) (string, *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveRaw(t, l, f)
}

func serveRaw(t *testing.T, l net.Listener, f func(net.Conn)) (string, *atomic.Int64) {
	var n atomic.Int64
	var wg sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n.Add(1)
			mu.Lock()
			open[c] = true
			mu.Unlock()
			wg.Go(func() {
				defer c.Close()
				f(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return l.Addr().String(), &n
}

// failure asserts the reason of err.
func failure(t *testing.T, err error, want Reason) *Error {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("got %v, want a *web.Error with reason %s", err, want)
	}
	if e.Reason != want {
		t.Fatalf("got reason %s (%v), want %s", e.Reason, err, want)
	}
	return e
}

func portNumber(t *testing.T, address string) uint16 {
	t.Helper()
	_, p, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseUint(p, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return uint16(n)
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// quietLog drops what test servers say about the clients that leave them.
func quietLog() *log.Logger { return log.New(io.Discard, "", 0) }
