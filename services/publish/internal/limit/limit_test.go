package limit

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"
)

func request(peer string, forwarded ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = peer
	for _, f := range forwarded {
		r.Header.Add("X-Forwarded-For", f)
	}
	return r
}

func TestWhoIsCounted(t *testing.T) {
	t.Parallel()
	l := New(600, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("203.0.113.7/32")}, time.Now)
	for _, c := range []struct {
		peer      string
		forwarded []string
		want      string // "" for nobody
	}{
		{"198.51.100.1:9", nil, "198.51.100.1/32"},
		{"[2001:db8:1:2:3::4]:9", nil, "2001:db8:1:2::/64"},
		{"[::ffff:198.51.100.1]:9", nil, "198.51.100.1/32"},
		{"198.51.100.1:9", []string{"192.0.2.1"}, "198.51.100.1/32"}, // its own word is not taken
		{"10.1.1.1:9", []string{"192.0.2.1"}, "192.0.2.1/32"},
		{"10.1.1.1:9", []string{"6.6.6.6, 192.0.2.1"}, "192.0.2.1/32"},
		{"10.1.1.1:9", []string{"6.6.6.6", "192.0.2.1, 203.0.113.7"}, "192.0.2.1/32"},
		{"10.1.1.1:9", []string{"192.0.2.1:4711"}, "192.0.2.1/32"},
		{"10.1.1.1:9", []string{"nonsense"}, ""},
		{"10.1.1.1:9", nil, ""},
		{"127.0.0.1:9", nil, ""}, {"[::1]:9", nil, ""}, {"172.17.0.1:9", []string{"192.0.2.1"}, ""}, {"[fe80::1%eth0]:9", nil, ""}, {"@", nil, ""},
	} {
		got, ok := l.Client(request(c.peer, c.forwarded...))
		if ok != (c.want != "") || ok && got.String() != c.want {
			t.Errorf("%s by %v: %v %v, want %q", c.peer, c.forwarded, got, ok, c.want)
		}
	}
	if _, ok := New(0, nil, time.Now).Client(request("198.51.100.1:9")); ok {
		t.Error("without a limit somebody is counted")
	}
}

func TestPointsAreSpentAndComeBack(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	l := New(600, nil, func() time.Time { return now })
	one, other := netip.MustParsePrefix("198.51.100.1/32"), netip.MustParsePrefix("198.51.100.2/32")
	for range 600 {
		if w := l.Wait(one); w != 0 {
			t.Fatalf("has to wait %v", w)
		}
		l.Spend(one, Whole)
	}
	if w := l.Wait(one); w != time.Second {
		t.Errorf("after 600 documents it waits %v, want 1s", w)
	}
	if w := l.Wait(other); w != 0 {
		t.Errorf("another network waits %v", w)
	}
	now = now.Add(time.Second)
	if w := l.Wait(one); w != 0 {
		t.Errorf("a second later it waits %v", w)
	}
	l.Spend(one, Made)
	if w := l.Wait(one); w != 3*time.Second {
		t.Errorf("after a dear document it waits %v, want 3s", w)
	}
	now = now.Add(time.Hour)
	for range 5999 {
		l.Spend(one, Unchanged)
	}
	if w := l.Wait(one); w != 1*time.Second {
		t.Errorf("after 5999 unchanged answers it waits %v", w)
	}
}

func TestTheTableIsBounded(t *testing.T) {
	t.Parallel()
	l := New(600, nil, time.Now)
	for i := range maxClients + 100 {
		l.Spend(netip.MustParsePrefix(fmt.Sprintf("%d.%d.%d.1/32", 1+i>>16, i>>8&255, i&255)), Whole)
	}
	if len(l.by) != maxClients || l.order.Len() != maxClients {
		t.Errorf("%d networks are remembered, in a list of %d", len(l.by), l.order.Len())
	}
}
