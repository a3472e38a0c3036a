package fulltext

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/origintest"
	"tidings.internal/pkg/web"
)

const page = "<!doctype html><html><body><p>K\xe4se und Stra\xdfe</p></body></html>" // ISO-8859-1

// stand is a fetcher and an origin with a page.
type stand struct {
	*Fetcher
	origin   *origintest.Origin
	mu       sync.Mutex
	outcomes map[string]int
	ahead    time.Duration
}

func newStand(t *testing.T, limits web.Limits) *stand {
	t.Helper()
	s := &stand{origin: origintest.New(t), outcomes: map[string]int{}}
	client, err := web.New(web.Config{UserAgent: "Tidings/test", AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	s.Fetcher = New(client, web.NewGate(web.GateConfig{Gap: time.Nanosecond, Concurrency: 4}), s.now, func(outcome string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.outcomes[outcome]++
	})
	s.origin.Serve("/a.html", "text/html; charset=iso-8859-1", []byte(page))
	return s
}

func (s *stand) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.ahead)
}

func (s *stand) later(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead += d
}

// want fetches a page and checks the reason.
func (s *stand) want(t *testing.T, path, reason string) (*article.Page, []byte) {
	t.Helper()
	p, body := s.Get(t.Context(), Request{URL: s.origin.URL(path), Host: s.origin.Addr()})
	if p == nil || p.Error != reason || (reason == "") != (len(body) > 0) {
		t.Errorf("%s gives %+v and %d bytes, want the reason %q", path, p, len(body), reason)
	}
	return p, body
}

func TestAPageComesAsItIs(t *testing.T) {
	t.Parallel()
	s := newStand(t, web.Limits{})
	p, body := s.want(t, "/a.html", "")
	if diff := cmp.Diff(page, string(body)); diff != "" || p.Status != 200 || p.ContentType != "text/html; charset=iso-8859-1" || p.URL != s.origin.URL("/a.html") || p.FinalURL != "" || p.Fetched.IsZero() {
		t.Errorf("%+v\n%s", p, diff)
	}
	s.origin.Script("/moved.html", origintest.Redirect(http.StatusFound, s.origin.URL("/a.html")).Always())
	if p, _ := s.want(t, "/moved.html", ""); p.FinalURL != s.origin.URL("/a.html") || p.URL != s.origin.URL("/moved.html") {
		t.Errorf("after a redirect: %+v", p)
	}
	zipped := origintest.Document("text/html", []byte(page))
	zipped.Encoding = []string{"gzip"}
	s.origin.Script("/zipped.html", zipped)
	if _, body := s.want(t, "/zipped.html", ""); string(body) != page {
		t.Errorf("a packed page is %q", body)
	}
	if diff := cmp.Diff(map[string]int{"ok": 3}, s.outcomes); diff != "" {
		t.Error(diff)
	}
}

func TestWhyAPageDoesNotCome(t *testing.T) {
	t.Parallel()
	s := newStand(t, web.Limits{})
	s.origin.Serve("/feed.xml", "application/rss+xml", []byte("<rss/>"))
	s.origin.Serve("/empty.html", "text/html", nil)
	s.origin.Serve("/huge.html", "text/html", []byte(strings.Repeat("x", maxPage+1)))
	s.origin.Script("/wall.html", origintest.Status(http.StatusForbidden, "Cf-Mitigated", "challenge"))
	hasty := newStand(t, web.Limits{Idle: time.Second, Total: time.Second})
	hasty.origin.Script("/slow.html", origintest.Slow(5*time.Second))
	hasty.want(t, "/slow.html", "timeout")
	s.origin.Script("/cut.html", origintest.Step{Header: http.Header{"Content-Type": {"text/html"}}, Body: []byte(page), Cut: 20})
	s.origin.Script("/bomb.html", origintest.Step{Header: http.Header{"Content-Type": {"text/html"}}, Body: []byte(strings.Repeat("x", 8<<20)), Encoding: []string{"gzip"}})
	s.origin.Script("/loop.html", origintest.Redirect(http.StatusFound, s.origin.URL("/loop.html")).Always())
	s.origin.Script("/away.html", origintest.Redirect(http.StatusFound, "http://10.0.0.1/").Always())
	for path, reason := range map[string]string{
		"/none.html": "http_not_found", "/feed.xml": NotHTML, "/empty.html": NotHTML, "/huge.html": "too_large", "/wall.html": "blocked",
		"/cut.html": "truncated", "/bomb.html": "too_large", "/loop.html": "redirect_limit", "/away.html": "refused_address",
	} {
		if _, body := s.want(t, path, reason); body != nil {
			t.Errorf("%s came all the same", path)
		}
	}
	if p, _ := s.Get(t.Context(), Request{URL: "http://a b/"}); p == nil || p.Error != NoAddress {
		t.Errorf("no address gives %+v", p)
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if p, _ := s.Get(stopped, Request{URL: s.origin.URL("/a.html")}); p != nil {
		t.Errorf("of a page that nobody waited for is said %+v", p)
	}
}

func TestRobotsAreObeyed(t *testing.T) {
	t.Parallel()
	s := newStand(t, web.Limits{})
	s.origin.Serve("/private/a.html", "text/html", []byte(page))
	s.origin.Serve("/robots.txt", "text/plain", []byte("User-agent: *\nDisallow: /\n\nUser-agent: tidings\nDisallow: /private/\nAllow: /\n"))
	s.want(t, "/private/a.html", Disallowed)
	s.want(t, "/a.html", "")
	s.want(t, "/a.html?x=1", "")
	if n := len(s.origin.Requests("/robots.txt")); n != 1 {
		t.Errorf("robots.txt was asked for %d times", n)
	}
	if n := len(s.origin.Requests("/private/a.html")); n != 0 {
		t.Errorf("a forbidden page was asked for %d times", n)
	}
	s.origin.Serve("/robots.txt", "text/plain", nil)
	s.later(rulesFor + time.Minute)
	s.want(t, "/private/a.html", "")
}

func TestHostsWithoutRobots(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		step   origintest.Step
		reason string
		hold   time.Duration
	}{
		"no such file":      {origintest.Status(http.StatusNotFound), "", 0},
		"forbidden":         {origintest.Status(http.StatusForbidden), "", 0},
		"server in trouble": {origintest.Status(http.StatusInternalServerError), "http_server", silenceFor},
		"too many requests": {origintest.Status(http.StatusTooManyRequests), "rate_limited", silenceFor},
		"a page instead":    {origintest.Document("text/html", []byte("<html>no rules</html>")), "", 0},
		"a loop":            {origintest.Redirect(http.StatusFound, "/robots.txt"), "", 0},
		"endless":           {origintest.Step{Body: []byte(strings.Repeat("x", maxRules+1))}, "too_large", silenceFor},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, web.Limits{})
			s.origin.Script("/robots.txt", c.step.Always())
			s.want(t, "/a.html", c.reason)
			if c.hold == 0 {
				return
			}
			s.origin.Unscript("/robots.txt")
			s.want(t, "/a.html", Disallowed) // the host is taken to forbid everything for a while
			s.later(c.hold + time.Minute)
			s.want(t, "/a.html", "")
		})
	}
}

func TestAHostThatIsDownIsLeftAlone(t *testing.T) {
	t.Parallel()
	s := newStand(t, web.Limits{})
	s.want(t, "/a.html", "") // the rules are known
	address := s.origin.Addr()
	if err := s.origin.Close(); err != nil {
		t.Fatal(err)
	}
	// The first one may meet the connection that was kept, and see it break off.
	if p, _ := s.Get(t.Context(), Request{URL: s.origin.URL("/a.html")}); p.Error != "connect" {
		s.want(t, "/a.html", "connect")
	}
	s.want(t, "/a.html", HostDown)
	s.later(downFor + time.Minute)
	again, err := origintest.StartAt(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = again.Close() }) // a test helper; what it served was seen
	again.Serve("/a.html", "text/html", []byte(page))
	s.want(t, "/a.html", "")
}

func TestOnlySoManyPagesOfAHostWait(t *testing.T) {
	t.Parallel()
	s := newStand(t, web.Limits{})
	s.want(t, "/a.html", "")
	for range perHost {
		if reason := s.enter(s.origin.Addr()); reason != "" {
			t.Fatal(reason)
		}
	}
	s.want(t, "/a.html", QueueFull)
	s.leave(s.origin.Addr())
	s.want(t, "/a.html", "")
}

// What a source's host was entrusted with goes to no other host, whose page an article of it links to.
func TestSecretsStayWithTheirHost(t *testing.T) {
	t.Parallel()
	s, other := newStand(t, web.Limits{}), origintest.New(t)
	other.Serve("/b.html", "text/html", []byte(page))
	o := web.Options{UserAgent: "Mine/1", Cookie: "session=secret", Header: http.Header{"X-Key": {"secret"}}, Basic: &web.Basic{User: "u", Password: "secret"}}
	for _, u := range []string{s.origin.URL("/a.html"), other.URL("/b.html")} {
		if p, _ := s.Get(t.Context(), Request{URL: u, Options: o, Host: s.origin.Addr()}); p.Error != "" {
			t.Fatal(p.Error)
		}
	}
	for _, r := range s.origin.Requests("/a.html") {
		if r.Header.Get("Cookie") == "" || r.Header.Get("X-Key") == "" || r.Header.Get("Authorization") == "" {
			t.Errorf("the own host got %v", r.Header)
		}
	}
	for _, r := range other.Requests() {
		if text := fmt.Sprint(r.Header); strings.Contains(text, "secret") || r.Header.Get("Authorization") != "" || r.Header.Get("User-Agent") != "Mine/1" {
			t.Errorf("another host got %v", r.Header)
		}
	}
}
