package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/fault"
)

func TestFetchGivesBytesAsTheyTravelled(t *testing.T) {
	t.Parallel()
	body := []byte{0x1f, 0x8b, 1, 2, 3} // no valid gzip: nobody may try to read it
	var got http.Header
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		w.Header().Add("Content-Encoding", "Deflate, identity")
		w.Header().Add("Content-Encoding", "gzip")
		_, _ = w.Write(body)
	})
	r, err := client(t, Config{}).Fetch(t.Context(), Request{
		URL: s.URL + "/feed#top", Accept: "application/rss+xml", ETag: `W/"a b"`, LastModified: "Sat, 1 Jan 2026 7:00:00",
	})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(r.Body, body) || r.Status != 200 || r.URL.String() != s.URL+"/feed" || !r.Private || r.Took <= 0 {
		t.Errorf("response %+v", r)
	}
	if diff := cmp.Diff([]string{"deflate", "gzip"}, r.Codings); diff != "" {
		t.Errorf("codings (-want +got):\n%s", diff)
	}
	want := http.Header{
		"Accept": {"application/rss+xml"}, "Accept-Encoding": {"zstd, br, gzip, deflate"},
		"User-Agent":    {"Tidings/test (+https://news.example)"},
		"If-None-Match": {`W/"a b"`}, "If-Modified-Since": {"Sat, 1 Jan 2026 7:00:00"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers sent (-want +got):\n%s", diff)
	}
}

func TestFetchOfAnUnchangedDocument(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNotModified) })
	r, err := client(t, Config{}).Fetch(t.Context(), Request{URL: s.URL})
	if err != nil || !r.NotModified() || len(r.Body) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestValidatorsThatCannotTravelAreLeftOut(t *testing.T) {
	t.Parallel()
	var got http.Header
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Clone() })
	for _, v := range []string{"a\x00b", "a\r\nX: y", strings.Repeat("a", 1025), " a"} {
		if _, err := client(t, Config{}).Fetch(t.Context(), Request{URL: s.URL, ETag: v, LastModified: v}); err != nil {
			t.Fatal(err)
		}
		if got.Get("If-None-Match") != "" || got.Get("If-Modified-Since") != "" || got.Get("X") != "" {
			t.Errorf("%q was sent: %v", v, got)
		}
	}
}

func TestStatusesHaveReasons(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var status int
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &status)
		maps.Copy(w.Header(), r.URL.Query())
		w.WriteHeader(status)
	})
	c := client(t, Config{})
	for path, want := range map[string]Reason{
		"/400": ClientError, "/401": AuthRequired, "/402": ClientError, "/403": AuthRequired, "/404": NotFound,
		"/403?Content-Type=text/html": Blocked, "/503?Cf-Mitigated=challenge": Blocked, "/407": AuthRequired,
		"/408": RateLimited, "/410": HTTPGone, "/413": TooLarge, "/425": RateLimited, "/429": RateLimited,
		"/451": ClientError, "/500": ServerError, "/502": ServerError, "/503": RateLimited, "/504": ServerError,
		"/300": RedirectRefused, "/305": RedirectRefused, "/301": RedirectRefused, "/999": ServerError,
	} {
		_, err := c.Fetch(t.Context(), Request{URL: s.URL + path})
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Reason != want || e.Kind != want.Row().Kind || fault.KindOf(err) != e.Kind || e.Status == 0 || !e.Private {
			t.Errorf("%s: %+v, want %s", path, err, want)
		}
	}
	for _, path := range []string{"/200", "/202", "/204", "/206"} {
		if _, err := c.Fetch(t.Context(), Request{URL: s.URL + path}); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	_, err := c.Fetch(t.Context(), Request{URL: s.URL + "/429?Retry-After=120"})
	if fault.After(err) != 2*time.Minute {
		t.Errorf("wait %v, want 2m", fault.After(err))
	}
	_, err = c.Fetch(t.Context(), Request{URL: s.URL + "/404?Retry-After=120"})
	if fault.After(err) != 0 {
		t.Errorf("a 404 asks to wait %v", fault.After(err))
	}
}

func TestOptionsThatWouldReframeTheRequestAreRefused(t *testing.T) {
	t.Parallel()
	asked := 0
	s := serve(t, func(http.ResponseWriter, *http.Request) { asked++ })
	c := client(t, Config{})
	for _, o := range []Options{
		{Header: http.Header{"Host": {"internal"}}},
		{Header: http.Header{"host": {"internal"}}},
		{Header: http.Header{"Transfer-Encoding": {"chunked"}}},
		{Header: http.Header{"Proxy-Authorization": {"x"}}},
		{Header: http.Header{"X": {"a\r\nY: z"}}},
		{Header: http.Header{"X y": {"a"}}},
		{Header: http.Header{"X": {}}},
		{Bearer: "a\nb"},
		{Cookie: "a\rb"},
		{UserAgent: "a\x00b"},
		{Bearer: "a", Basic: &Basic{"u", "p"}},
		{Proxy: "ftp://proxy.example"},
		{Proxy: "http://u:s3cr3t@%zz"},
		{TLS: TLS{CAFile: "/nonexistent"}},
		{TLS: TLS{CertFile: "/nonexistent"}},
	} {
		_, err := c.Fetch(t.Context(), Request{URL: s.URL, Options: o})
		failure(t, err, BadURL)
		if strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("the password of the proxy is in %q", err)
		}
	}
	if asked != 0 {
		t.Errorf("%d requests were sent", asked)
	}
	if _, err := New(Config{UserAgent: "a\nb"}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("New with a broken user agent: %v", err)
	}
}

func TestBasicAuthAndUserAgent(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		u, p, _ := r.BasicAuth()
		_, _ = fmt.Fprintf(w, "%s %s %s", u, p, r.UserAgent())
	})
	r, err := client(t, Config{}).Fetch(t.Context(), Request{URL: s.URL, Options: Options{Basic: &Basic{"u", "pä"}, UserAgent: "Other/1"}})
	if err != nil || string(r.Body) != "u pä Other/1" {
		t.Errorf("%q, %v", r.Body, err)
	}
}

// The environment must not choose the way out, and behind a proxy literal private addresses stay closed.
func TestProxies(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.Method+" "+r.RequestURI+" "+r.Header.Get("Proxy-Authorization"))
		_, _ = io.WriteString(w, "from the proxy")
	})
	direct := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "direct") })
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("http_proxy", proxy.URL)
	t.Setenv("ALL_PROXY", proxy.URL)
	r, err := client(t, Config{}).Fetch(t.Context(), Request{URL: direct.URL})
	if err != nil || string(r.Body) != "direct" {
		t.Errorf("the environment chose a proxy: %v", err)
	}
	// Nothing is opened here: the proxy itself is trusted because the operator named it.
	c := client(t, Config{Allow: []Allowed{{netip.MustParsePrefix("10.0.0.0/8"), 1}}})
	o := Options{Proxy: strings.Replace(proxy.URL, "http://", "http://me:pw@", 1)}
	r, err = c.Fetch(t.Context(), Request{URL: "http://feeds.example/x", Options: o})
	if err != nil || string(r.Body) != "from the proxy" {
		t.Fatalf("through the proxy: %v", err)
	}
	want := []string{"GET http://feeds.example/x Basic bWU6cHc="}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	for _, u := range []string{"http://127.0.0.1/", "http://169.254.169.254/", "http://0x7f.1/"} {
		_, err := c.Fetch(t.Context(), Request{URL: u, Options: o})
		failure(t, err, RefusedAddress)
	}
	_, err = c.Fetch(t.Context(), Request{URL: "http://feeds.example:22/", Options: o})
	failure(t, err, RefusedPort)
	if len(asked) != 1 {
		t.Errorf("the proxy was asked %d times", len(asked))
	}
	closed, _ := raw(t, func(net.Conn) {})
	_, err = c.Fetch(t.Context(), Request{URL: "http://feeds.example/", Options: Options{Proxy: "socks5://u:s3cr3t@" + closed}})
	failure(t, err, Connect)
	if strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("the password of the proxy is in %q", err)
	}
}

func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	remotes := map[string]bool{}
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		remotes[r.RemoteAddr] = true
		switch r.URL.Path {
		case "/304":
			w.WriteHeader(304)
		case "/404":
			http.Error(w, "no", 404)
		case "/302":
			http.Redirect(w, r, "/", http.StatusFound)
		}
	})
	c := client(t, Config{})
	for _, path := range []string{"/", "/304", "/404", "/302", "/"} {
		_, _ = c.Fetch(t.Context(), Request{URL: s.URL + path})
	}
	if len(remotes) != 1 {
		t.Errorf("%d connections for one host, want 1", len(remotes))
	}
	if len(c.transports) != 1 {
		t.Errorf("%d transports, want 1", len(c.transports))
	}
}

func TestTransportsAreBounded(t *testing.T) {
	t.Parallel()
	c := client(t, Config{})
	for i := range maxTransports + 10 {
		if _, err := c.transport(&Options{Private: fmt.Sprintf("h%d:80", i)}, false); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.transports) != maxTransports {
		t.Errorf("%d transports, want %d", len(c.transports), maxTransports)
	}
}

func TestCancelledFetchIsNoFault(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	_, err := client(t, Config{}).Fetch(ctx, Request{URL: s.URL})
	if _, typed := errors.AsType[*Error](err); typed || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestFetchAsksTheGateForEachHop(t *testing.T) {
	t.Parallel()
	var log []string
	b := serve(t, func(http.ResponseWriter, *http.Request) { log = append(log, "ask b") })
	a := serve(t, func(w http.ResponseWriter, r *http.Request) {
		log = append(log, "ask a")
		http.Redirect(w, r, b.URL, http.StatusFound)
	})
	names := map[string]string{HostPort(mustURL(t, a.URL)): "a", HostPort(mustURL(t, b.URL)): "b"}
	enter := func(_ context.Context, host string) (func(), error) {
		log = append(log, "enter "+names[host])
		return func() { log = append(log, "leave "+names[host]) }, nil
	}
	c := client(t, Config{})
	if _, err := c.Fetch(t.Context(), Request{URL: a.URL, Enter: enter}); err != nil {
		t.Fatal(err)
	}
	want := []string{"enter a", "ask a", "leave a", "enter b", "ask b", "leave b"}
	if diff := cmp.Diff(want, log); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	full := errors.New("full")
	_, err := c.Fetch(t.Context(), Request{URL: a.URL, Enter: func(context.Context, string) (func(), error) { return nil, full }})
	if !errors.Is(err, full) {
		t.Errorf("a gate that says no: %v", err)
	}
}

func TestReasonsAreComplete(t *testing.T) {
	t.Parallel()
	seen := map[Reason]bool{}
	for _, row := range Reasons() {
		if seen[row.Reason] || row.Sentence == "" || strings.HasSuffix(row.Sentence, ".") ||
			!slices.ContainsFunc(fault.Table(), func(r fault.Row) bool { return r.Kind == row.Kind }) {
			t.Errorf("row %+v", row)
		}
		seen[row.Reason] = true
	}
	if Reason("x").Row().Kind != fault.Internal {
		t.Error("an unknown reason has a kind")
	}
	// Where a status alone decides, reason and status agree on the kind.
	for status := 400; status < 600; status++ {
		if got, want := reasonOfStatus(status, http.Header{}).Row().Kind, KindOfStatus(status, true); got != want {
			t.Errorf("status %d: reason has kind %s, status %s", status, got, want)
		}
	}
}

func TestErrorTextIsOneCleanLine(t *testing.T) {
	t.Parallel()
	e := newError(Connect, "a.example:80", "%w", errors.New("bad\r\n\x1b[31mtext \xff"+strings.Repeat("ö", 400)))
	text := e.Error()
	if strings.ContainsAny(text, "\r\n\x1b") || len(text) > 400 || !strings.HasPrefix(text, "reach a.example:80: connect: bad??") {
		t.Errorf("text %q", text)
	}
	if strings.ContainsRune(text, '\uFFFD') {
		t.Errorf("text %q is cut inside a character", text)
	}
}
