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
	"net/http/httptest"
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

func TestRedirectsAreFollowedAndRecorded(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/a":
			http.Redirect(w, r, "/b", http.StatusMovedPermanently)
		case "/b":
			http.Redirect(w, r, "c?x=ä", http.StatusTemporaryRedirect)
		}
	})
	r, err := client(t, Config{}).Fetch(t.Context(), Request{URL: s.URL + "/a"})
	if err != nil {
		t.Fatal(err)
	}
	want := []Hop{{s.URL + "/a", 301}, {s.URL + "/b", 307}}
	if diff := cmp.Diff(want, r.Hops); diff != "" || r.URL.Path != "/c" {
		t.Errorf("at %s by (-want +got):\n%s", r.URL, diff)
	}
}

func TestRedirectsEnd(t *testing.T) {
	t.Parallel()
	n := 0
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n++
		switch r.URL.Path {
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/query":
			http.Redirect(w, r, fmt.Sprintf("/query?n=%d", n), http.StatusFound)
		case "/five":
			if n < 6 {
				http.Redirect(w, r, "/five", http.StatusFound)
			}
		case "/empty":
			w.WriteHeader(http.StatusFound)
		case "/long":
			w.Header().Set("Location", "/"+strings.Repeat("a", maxURL))
			w.WriteHeader(http.StatusFound)
		default:
			w.Header().Set("Location", r.URL.Query().Get("to"))
			w.WriteHeader(http.StatusFound)
		}
	})
	c := client(t, Config{})
	for _, path := range []string{"/loop", "/query"} {
		n = 0
		_, err := c.Fetch(t.Context(), Request{URL: s.URL + path})
		e := failure(t, err, RedirectLimit)
		if n != 6 || len(e.Hops) != 6 {
			t.Errorf("%s: %d requests, %d hops", path, n, len(e.Hops))
		}
	}
	n = 0
	if r, err := c.Fetch(t.Context(), Request{URL: s.URL + "/five"}); err != nil || len(r.Hops) != 5 {
		t.Errorf("five redirects: %v", err)
	}
	for path, want := range map[string]Reason{
		"/empty": RedirectRefused, "/long": RedirectRefused, "/?to=http://%2500/": RedirectRefused,
		"/?to=file:///etc/passwd": RefusedScheme, "/?to=gopher://x/": RefusedScheme, "/?to=ftp://x/": RefusedScheme,
		"/?to=data:text/plain,x": RefusedScheme, "/?to=http://u:p@x.example/": BadURL,
		"/?to=http://169.254.169.254/latest": RefusedAddress, "/?to=http://8.8.8.8:22/": RefusedPort,
	} {
		_, err := c.Fetch(t.Context(), Request{URL: s.URL + path})
		if e, ok := errors.AsType[*Error](err); !ok || e.Reason != want || e.Status != 302 || len(e.Hops) != 1 {
			t.Errorf("%s: %+v, want %s", path, err, want)
		}
	}
}

// secrets are options that hold all there are, and tell which of them a request carries.
var secrets = Options{
	Bearer: "t0ken", Cookie: "sid=c00kie", Header: http.Header{"X-Api-Key": {"k3y"}},
}

func carried(h http.Header) string {
	var list []string
	for _, name := range []string{"Authorization", "Cookie", "X-Api-Key"} {
		if v := h.Get(name); v != "" {
			list = append(list, v)
		}
	}
	return strings.Join(list, " ")
}

func TestSecretsStayWithTheFirstHost(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen []string
	note := func(who string, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, who+r.URL.Path+" "+carried(r.Header))
	}
	var first, other *httptest.Server
	first = serve(t, func(w http.ResponseWriter, r *http.Request) {
		note("first", r)
		switch r.URL.Path {
		case "/a":
			http.Redirect(w, r, "/b", http.StatusFound)
		case "/b":
			http.Redirect(w, r, other.URL+"/c", http.StatusFound)
		}
	})
	other = serve(t, func(w http.ResponseWriter, r *http.Request) {
		note("other", r)
		http.Redirect(w, r, first.URL+"/d", http.StatusFound)
	})
	if _, err := client(t, Config{}).Fetch(t.Context(), Request{URL: first.URL + "/a", Options: secrets}); err != nil {
		t.Fatal(err)
	}
	all := "Bearer t0ken sid=c00kie k3y"
	want := []string{"first/a " + all, "first/b " + all, "other/c ", "first/d "}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("what each host saw (-want +got):\n%s", diff)
	}
}

func TestSameHost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"http://a.example/x", "http://a.example/y", true},
		{"http://a.example/", "http://a.example:80/", true},
		{"http://a.example/", "https://a.example/", true}, // the usual way to https
		{"https://a.example/", "http://a.example/", false},
		{"http://a.example:8080/", "https://a.example/", false},
		{"http://a.example/", "http://a.example:8080/", false},
		{"http://a.example/", "http://b.a.example/", false},
		{"http://a.example:443/", "https://a.example/", false},
	} {
		if got := sameHost(mustURL(t, c.a), mustURL(t, c.b)); got != c.want {
			t.Errorf("sameHost(%s, %s) = %v", c.a, c.b, got)
		}
	}
}

func TestCredentialsNeverGoFromHTTPSToHTTP(t *testing.T) {
	t.Parallel()
	asked := 0
	plain := serve(t, func(_ http.ResponseWriter, r *http.Request) { asked++ })
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, plain.URL, http.StatusFound)
	}))
	t.Cleanup(secure.Close)
	c := client(t, Config{})
	o := secrets
	o.TLS.Insecure = true
	_, err := c.Fetch(t.Context(), Request{URL: secure.URL, Options: o})
	failure(t, err, RedirectRefused)
	if asked != 0 {
		t.Error("the plain host was asked")
	}
	if _, err := c.Fetch(t.Context(), Request{URL: secure.URL, Options: Options{TLS: TLS{Insecure: true}}}); err != nil {
		t.Errorf("without credentials: %v", err)
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
