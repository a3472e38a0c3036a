package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"tidings.internal/pkg/hosttest"
)

// closedHosts are forms of addresses that must never be connected to. Those of loopback would reach the listener of
// the test if they were.
var closedHosts = []string{
	"127.0.0.1", "127.255.255.254", "[::1]", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.254",
	"192.168.0.1", "169.254.169.254", "100.64.0.1", "192.0.0.8", "198.18.0.1", "198.19.255.254", "240.0.0.1",
	"255.255.255.255", "224.0.0.1", "239.255.255.250", "[fc00::1]", "[fd12:3456::1]", "[fe80::1]", "[ff02::1]",
	"2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1", "127.1", "127.0.1", "0x7f.0.0.1", "017700000001", "0", "127.0.0.1.",
	"[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]",
	"[2002:7f00:1::]", "[2001:0:4136:e378:8000:63bf:80ff:fffe]", "[::]", "[fe80::1%25lo]",
	"127。0。0。1", "１２７.０.０.１", "localhost", "LOCALHOST.",
}

func TestNothingIsSentToClosedAddresses(t *testing.T) {
	t.Parallel()
	address, accepted := raw(t, func(net.Conn) {})
	port := portNumber(t, address)
	var counts = []func() int64{accepted.Load}
	if l, err := net.Listen("tcp", fmt.Sprintf("[::1]:%d", port)); err == nil {
		_, six := serveRaw(t, l, func(net.Conn) {})
		counts = append(counts, six.Load)
	}
	// The port is open, so only the address can be the reason.
	c := client(t, Config{AllowPorts: []uint16{port}, Limits: quick})
	redirect := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", r.URL.Query().Get("to"))
		w.WriteHeader(http.StatusFound)
	})
	from := portNumber(t, redirect.Listener.Addr().String())
	follower := client(t, Config{
		Allow:      []Allowed{{netip.MustParsePrefix("127.0.0.1/32"), from}},
		AllowPorts: []uint16{port}, Limits: quick,
	})
	for _, host := range closedHosts {
		u := fmt.Sprintf("http://%s:%d/feed", host, port)
		_, err := c.Fetch(t.Context(), Request{URL: u})
		if e, ok := errors.AsType[*Error](err); !ok || e.Reason != RefusedAddress || e.Wrote {
			t.Errorf("fetch %s: %v, want refused_address", u, err)
		}
		req, reqErr := http.NewRequestWithContext(t.Context(), http.MethodPost, u, strings.NewReader("x"))
		if reqErr == nil {
			_, err = c.Do(t.Context(), req, Options{})
			if e, ok := errors.AsType[*Error](err); !ok || e.Reason != RefusedAddress || e.Wrote {
				t.Errorf("post to %s: %v, want refused_address", u, err)
			}
		}
		hop := redirect.URL + "/?to=" + strings.ReplaceAll(u, "%", "%25")
		_, err = follower.Fetch(t.Context(), Request{URL: hop})
		if e, ok := errors.AsType[*Error](err); !ok || e.Reason != RefusedAddress || len(e.Hops) != 1 {
			t.Errorf("redirect to %s: %v, want refused_address", u, err)
		}
	}
	for _, n := range counts {
		if n() != 0 {
			t.Errorf("the private listener saw %d connections", n())
		}
	}
}

func TestPorts(t *testing.T) {
	t.Parallel()
	c := client(t, Config{
		AllowPorts: []uint16{1200, 4222}, DenyPorts: []uint16{4222, 8080},
		AllowNetworks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")},
		Allow:         []Allowed{{netip.MustParsePrefix("10.0.0.5/32"), 1201}, {netip.MustParsePrefix("fd00::/8"), 0}},
	})
	for u, want := range map[string]Reason{
		"http://8.8.8.8/":              "",
		"https://8.8.8.8/":             "",
		"http://8.8.8.8:8080/":         "", // our own port, but another machine
		"http://8.8.8.8:8443/":         "",
		"http://8.8.8.8:1200/":         "",
		"http://8.8.8.8:22/":           RefusedPort,
		"http://8.8.8.8:25/":           RefusedPort,
		"http://8.8.8.8:6379/":         RefusedPort,
		"http://8.8.8.8:4222/":         RefusedPort, // denied wins over allowed
		"http://10.1.2.3:22/":          "",          // an opened range is open on every port
		"http://10.1.2.3:4222/":        RefusedPort,
		"http://10.1.2.3:8080/":        RefusedPort,
		"http://10.0.0.5:1201/":        "",
		"http://10.0.0.5:80/":          RefusedAddress, // the entry opens one port only
		"http://10.0.0.6:1201/":        RefusedAddress,
		"http://[fd00::1]:3000/":       "",
		"http://[2606:4700::1111]/":    "",
		"http://[2606:4700::1111]:22/": RefusedPort,
		"http://8.8.8.8:0/":            BadURL,
		"http://8.8.8.8:65536/":        BadURL,
		"http://feeds.example:4222/":   RefusedPort,
		"http://feeds.example:22/":     "", // could be in the opened range; the dialer decides
	} {
		_, err := c.CheckURL(u)
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", u, err)
			}
			continue
		}
		if e, ok := errors.AsType[*Error](err); !ok || e.Reason != want {
			t.Errorf("%s: %v, want %s", u, err, want)
		}
	}
	plain := client(t, Config{AllowPorts: []uint16{1200}})
	_, err := plain.CheckURL("http://feeds.example:22/")
	failure(t, err, RefusedPort)
}

func TestAClientOfTheInsideReachesNoPublicAddress(t *testing.T) {
	t.Parallel()
	c, err := New(Config{UserAgent: "Tidings/test", Inside: true, AllowPorts: []uint16{1200}, Limits: quick,
		Resolver: names(t, map[string][][]string{"public.test": {{"8.8.8.8"}}})})
	if err != nil {
		t.Fatal(err)
	}
	for u, want := range map[string]Reason{
		"http://127.0.0.1:11434/": "", "http://[::1]:1/": "", "http://10.0.0.5/": "", "http://172.31.0.1:22/": "", "https://192.168.1.2/": "",
		"http://[fd12::1]:8080/": "", "http://model:11434/": "", // the dialer decides
		"http://8.8.8.8/": RefusedAddress, "https://8.8.8.8:8443/": RefusedAddress, "http://8.8.8.8:1200/": RefusedAddress, "http://[2606:4700::1111]/": RefusedAddress,
		"http://169.254.169.254/": RefusedAddress, "http://[fe80::1]/": RefusedAddress, "http://172.32.0.1/": RefusedAddress, "http://0.0.0.0/": RefusedAddress,
	} {
		_, err := c.CheckURL(u)
		if want == "" && err != nil {
			t.Errorf("%s: %v", u, err)
		}
		if e, ok := errors.AsType[*Error](err); want != "" && (!ok || e.Reason != want) {
			t.Errorf("%s: %v, want %s", u, err, want)
		}
	}
	server := serve(t, func(http.ResponseWriter, *http.Request) {})
	if _, err := c.Fetch(t.Context(), Request{URL: server.URL}); err != nil {
		t.Error(err)
	}
	_, err = c.Fetch(t.Context(), Request{URL: "http://public.test/"})
	failure(t, err, RefusedAddress)
}

func TestAllowedEntries(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"172.17.0.0/16": "172.17.0.0/16", "10.0.0.5/32:1200": "10.0.0.5/32:1200", "10.0.0.5:1200": "10.0.0.5/32:1200",
		"10.0.0.5": "10.0.0.5/32", "fd00::/8": "fd00::/8", "[fd00::/8]:8080": "[fd00::/8]:8080", "::1": "::1/128",
		"[::1]": "::1/128", "[::1]:80": "[::1/128]:80",
	} {
		a, err := ParseAllowed(text)
		if err != nil || a.String() != want {
			t.Errorf("ParseAllowed(%q) = %v, %v, want %s", text, a, err, want)
		}
		if back, err := ParseAllowed(a.String()); err != nil || back != a {
			t.Errorf("%q does not read itself back: %v, %v", text, back, err)
		}
	}
	for _, text := range []string{
		"", "localhost", "10.0.0.0/33", "10.0.0.5/8", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1:x", "[::1", "[::1]x",
		"[::1]:", "fe80::1%lo/64", "10.0.0.0/8:80:90",
	} {
		if a, err := ParseAllowed(text); err == nil {
			t.Errorf("ParseAllowed(%q) = %v, want an error", text, a)
		}
	}
}

// names is a resolver whose answers a test writes: for each name a row of answers, the last of which stays.
func names(t *testing.T, table map[string][][]string) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	asked := map[string]int{}
	wg.Go(func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			m.Header.Response, m.Additionals = true, nil
			name := strings.TrimSuffix(q.Name.String(), ".")
			rows, known := table[name]
			if !known {
				m.Header.RCode = dnsmessage.RCodeNameError
				if strings.HasPrefix(name, "broken.") {
					m.Header.RCode = dnsmessage.RCodeServerFailure
				}
			} else {
				key := name + q.Type.String()
				for _, text := range rows[min(asked[key], len(rows)-1)] {
					a := netip.MustParseAddr(text)
					h := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
					switch {
					case a.Is4() && q.Type == dnsmessage.TypeA:
						m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: a.As4()}})
					case a.Is6() && q.Type == dnsmessage.TypeAAAA:
						m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
					}
				}
				asked[key]++
			}
			if out, err := m.Pack(); err == nil {
				_, _ = pc.WriteTo(out, from)
			}
		}
	})
	t.Cleanup(func() {
		_ = pc.Close()
		wg.Wait()
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
}

// onePort listens at two addresses on one port.
func onePort(t *testing.T, a, b string) (net.Listener, net.Listener) {
	t.Helper()
	for range 20 { // others may have taken a port at one of the two
		one, err := net.Listen("tcp", a+":0")
		if err != nil {
			hosttest.Lacks(t, fmt.Sprintf("no address %s (macOS: ifconfig lo0 alias %s): %v", a, a, err))
		}
		two, err := net.Listen("tcp", fmt.Sprintf("%s:%d", b, portNumber(t, one.Addr().String())))
		if err == nil {
			return one, two
		}
		_ = one.Close()
	}
	t.Fatalf("no port is free at both %s and %s", a, b)
	return nil, nil
}

// A name that turns from an open to a private address between two polls, or between check and connect, must not reach
// the private one. Here 127.0.0.2 plays the open address.
func TestRebindingIsRefusedWhenConnecting(t *testing.T) {
	t.Parallel()
	l, private := onePort(t, "127.0.0.2", "127.0.0.1")
	open := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close") // the second poll must look the name up again
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = open.Serve(l) }()
	t.Cleanup(func() { _ = open.Close(); <-done })
	port := portNumber(t, l.Addr().String())
	_, accepted := serveRaw(t, private, func(net.Conn) {})
	six := func() int64 { return 0 }
	if l, err := net.Listen("tcp", fmt.Sprintf("[::1]:%d", port)); err == nil {
		_, n := serveRaw(t, l, func(net.Conn) {})
		six = n.Load
	}
	c := client(t, Config{
		AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}, AllowPorts: []uint16{port},
		Resolver: names(t, map[string][][]string{
			"rebind.test":  {{"127.0.0.2"}, {"127.0.0.1"}},
			"private.test": {{"127.0.0.1"}},
			"mixed.test":   {{"127.0.0.2", "::1"}},
		}),
	})
	u := func(name string) Request { return Request{URL: fmt.Sprintf("http://%s:%d/", name, port)} }
	if _, err := c.Fetch(t.Context(), u("rebind.test")); err != nil {
		t.Fatalf("first poll: %v", err)
	}
	_, err := c.Fetch(t.Context(), u("rebind.test"))
	failure(t, err, RefusedAddress)
	_, err = c.Fetch(t.Context(), u("private.test"))
	failure(t, err, RefusedAddress)
	// The race of the two families may end either way, but never at the private address.
	if _, err = c.Fetch(t.Context(), u("mixed.test")); err != nil {
		failure(t, err, RefusedAddress)
	}
	if n := accepted.Load() + six(); n != 0 {
		t.Errorf("private listeners saw %d connections", n)
	}
}

func TestNamesThatDoNotResolve(t *testing.T) {
	t.Parallel()
	c := client(t, Config{Resolver: names(t, nil)})
	_, err := c.Fetch(t.Context(), Request{URL: "http://nowhere.test/"})
	failure(t, err, DNSUnknown)
	_, err = c.Fetch(t.Context(), Request{URL: "http://broken.test/"})
	failure(t, err, DNSTemporary)
}

func TestDialContextIsGuarded(t *testing.T) {
	t.Parallel()
	address, accepted := raw(t, func(net.Conn) {})
	_, err := client(t, Config{AllowPorts: []uint16{portNumber(t, address)}}).DialContext(t.Context(), "tcp", address)
	failure(t, err, RefusedAddress)
	if accepted.Load() != 0 {
		t.Error("it connected")
	}
	nc, err := client(t, Config{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	_ = nc.Close()
	if _, err := client(t, Config{}).DialContext(t.Context(), "udp", address); err == nil {
		t.Error("udp is open")
	}
}

func TestDialerTrustsOneServer(t *testing.T) {
	t.Parallel()
	address, _ := raw(t, func(net.Conn) {})
	other, _ := raw(t, func(net.Conn) {})
	dial := client(t, Config{AllowPorts: []uint16{portNumber(t, address), portNumber(t, other)}, Limits: quick}).DialTrusting(address)
	_, err := dial(t.Context(), "tcp", other)
	failure(t, err, RefusedAddress)
	nc, err := dial(t.Context(), "tcp", address)
	if err != nil {
		t.Fatalf("the server that is trusted: %v", err)
	}
	nc.Close()
}

// Private opens one exact host for a channel and nothing beside it.
func TestPrivateHostOfAChannel(t *testing.T) {
	t.Parallel()
	hook := serve(t, func(http.ResponseWriter, *http.Request) {})
	other := serve(t, func(http.ResponseWriter, *http.Request) {})
	hookAt, otherAt := hook.Listener.Addr().String(), other.Listener.Addr().String()
	c := client(t, Config{AllowPorts: []uint16{portNumber(t, hookAt), portNumber(t, otherAt)}})
	o := Options{Private: hookAt}
	post := func(to string) error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Do(t.Context(), req, o)
		return err
	}
	if err := post(hook.URL); err != nil {
		t.Errorf("the channel's own host: %v", err)
	}
	failure(t, post(other.URL), RefusedAddress)
}
