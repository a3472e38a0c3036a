package limit

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
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
	l := New(600, Window, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("203.0.113.7/32")}, time.Now)
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
	if _, ok := New(0, Window, nil, time.Now).Client(request("198.51.100.1:9")); ok {
		t.Error("without a limit somebody is counted")
	}
}

func TestPointsAreSpentAndComeBack(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	l := New(600, Window, nil, func() time.Time { return now })
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
	l := New(600, Window, nil, time.Now)
	for i := range maxClients + 100 {
		l.Spend(netip.MustParsePrefix(fmt.Sprintf("%d.%d.%d.1/32", 1+i>>16, i>>8&255, i&255)), Whole)
	}
	if len(l.by) != maxClients || l.order.Len() != maxClients {
		t.Errorf("%d networks are remembered, in a list of %d", len(l.by), l.order.Len())
	}
}

func TestPointsOfAnHourAreTakenOneByOne(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	l := New(5, time.Hour, nil, func() time.Time { return now })
	one := netip.MustParsePrefix("198.51.100.1/32")
	var got atomic.Int32
	var group sync.WaitGroup
	for range 40 { // at once
		group.Go(func() {
			if l.Take(one) == 0 {
				got.Add(1)
			}
		})
	}
	if group.Wait(); got.Load() != 5 {
		t.Errorf("%d of 40 requests at the same time were let through", got.Load())
	}
	if w := l.Take(one); w != 12*time.Minute {
		t.Errorf("the next waits %v, want 12m", w)
	}
	l.Spend(one, -Whole)
	if w := l.Take(one); w != 0 {
		t.Errorf("what was given back is not there: %v", w)
	}
	now = now.Add(time.Hour)
	l.Spend(one, -Whole) // it has them all
	for range 5 {
		if w := l.Take(one); w != 0 {
			t.Errorf("after an hour it waits %v", w)
		}
	}
	if w := l.Take(one); w == 0 {
		t.Error("a network was given more than it began with")
	}
}

func TestTheAddressIsWhole(t *testing.T) {
	t.Parallel()
	l := New(0, Window, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, time.Now)
	for peer, want := range map[string]string{
		"10.1.1.1:9": "2001:db8:1:2:3::4", "[2001:db8::7]:9": "2001:db8::7", "127.0.0.1:9": "127.0.0.1", "[fe80::1%eth0]:9": "fe80::1", "@": "invalid IP",
	} {
		got, ok := l.Address(request(peer, "6.6.6.6, 2001:db8:1:2:3::4"))
		if ok != got.IsValid() || got.String() != want {
			t.Errorf("%s: %v, %v, want %s", peer, got, ok, want)
		}
	}
}
