package web

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"

	"code.dny.dev/ssrf"

	"tidings.internal/pkg/fault"
)

// usualPorts are open on public addresses: the two of the schemes and the two that small servers use in their place.
var usualPorts = [...]uint16{80, 443, 8080, 8443}

// guard decides which addresses may be connected to.
//
// The ssrf library checks its one list of ports before the prefixes it allows, so an operator could not open port 1200
// of a single machine by it. Hence our list is asked first and the library for addresses alone.
type guard struct {
	allow  []Allowed
	ports  []uint16
	denied []uint16
	inside bool // no public address at all
	public *ssrf.Guardian
}

// within are the addresses of a machine and of the networks behind a router: RFC 1122 section 3.2.1.3, RFC 1918 section 3,
// RFC 4291 section 2.5.3, RFC 4193 section 3.1.
func within() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"),
		netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("fc00::/7"),
	}
}

func newGuard(c Config) (*guard, error) {
	g := &guard{
		ports:  append(slices.Clone(usualPorts[:]), c.AllowPorts...),
		denied: slices.Clone(c.DenyPorts),
		inside: c.Inside,
		public: ssrf.New(ssrf.WithAnyPort()),
	}
	networks := c.AllowNetworks
	if c.Inside {
		networks = append(within(), networks...)
	}
	for _, p := range networks {
		g.allow = append(g.allow, Allowed{Prefix: p})
	}
	g.allow = append(g.allow, c.Allow...)
	for _, a := range g.allow {
		if !a.Prefix.IsValid() {
			return nil, fault.Errorf(fault.Invalid, "make web client: an allowed network is empty")
		}
	}
	return g, nil
}

// allowed tells whether an entry of the allow-list covers to.
func (g *guard) allowed(to netip.AddrPort) bool {
	return slices.ContainsFunc(g.allow, func(a Allowed) bool { return a.matches(to) })
}

// portOpen tells whether a public address may be asked on this port.
func (g *guard) portOpen(port uint16) bool {
	return !g.inside && (slices.Contains(usualPorts[:], port) || slices.Contains(g.ports, port) && !slices.Contains(g.denied, port))
}

// check says no by an [*Error]. The host in it is the name that was asked for, the text adds the address found.
func (g *guard) check(host string, to netip.AddrPort) error {
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	if to.Addr().Zone() != "" {
		return newError(RefusedAddress, host, "address %s has a zone", to.Addr())
	}
	if g.allowed(to) {
		if slices.Contains(g.denied, to.Port()) {
			return newError(RefusedPort, host, "port %d is one of our own and stays closed", to.Port())
		}
		return nil
	}
	if g.inside {
		return newError(RefusedAddress, host, "address %s is neither loopback nor private", to.Addr())
	}
	if err := g.public.SafeAddr(to.Addr()); err != nil {
		return newError(RefusedAddress, host, "address %s is not public", to.Addr())
	}
	if !g.portOpen(to.Port()) {
		return newError(RefusedPort, host, "port %d is not open", to.Port())
	}
	return nil
}

// portPossible tells whether any address could be asked on this port. It lets a name be judged before it is looked up.
func (g *guard) portPossible(port uint16) bool {
	if g.portOpen(port) {
		return true
	}
	return !slices.Contains(g.denied, port) &&
		slices.ContainsFunc(g.allow, func(a Allowed) bool { return a.Port == 0 || a.Port == port })
}

// DialContext connects under the guard, for protocols other than HTTP. The network must be tcp, tcp4 or tcp6.
func (c *Client) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return c.dial(ctx, network, address, "")
}

// DialTrusting is [Client.DialContext] with one exact host:port that may have any address and port: the server that an operator gave
// to a channel, as [Options.Private] is for HTTP.
func (c *Client) DialTrusting(private string) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return c.dial(ctx, network, address, private)
	}
}

// dial connects to address. The check runs in the dialer's control hook, on the address about to be connected, so
// neither a resolver that changes its mind nor the race of IPv4 against IPv6 passes it. One exact host:port may be
// trusted: a proxy, or a private host that the operator named.
func (c *Client) dial(ctx context.Context, network, address, trusted string) (net.Conn, error) {
	d := net.Dialer{
		Timeout:  c.limits.Connect,
		Resolver: c.resolver,
		ControlContext: func(_ context.Context, network, to string, _ syscall.RawConn) error {
			if network != "tcp4" && network != "tcp6" {
				return newError(RefusedAddress, address, "network %s is not open", network)
			}
			ap, err := netip.ParseAddrPort(to)
			if err != nil {
				return newError(RefusedAddress, address, "address %q cannot be read", to)
			}
			if trusted != "" && address == trusted {
				return nil
			}
			return c.guard.check(address, ap)
		},
	}
	nc, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err // a *net.OpError, which says all
	}
	return &conn{Conn: nc}, nil
}

// conn counts what was written, so that a sender knows whether its request may have left.
type conn struct {
	net.Conn
	written atomic.Int64
}

// Write counts before it writes: a write that fails half-way counts as written.
func (c *conn) Write(b []byte) (int, error) {
	c.written.Add(int64(len(b)))
	n, err := c.Conn.Write(b)
	if n == 0 && err != nil {
		c.written.Add(-int64(len(b)))
	}
	return n, err
}

// private tells whether the peer of nc is one that only the allow-list opens.
func (g *guard) private(nc net.Conn) bool {
	to, err := netip.ParseAddrPort(nc.RemoteAddr().String())
	return err == nil && g.allowed(netip.AddrPortFrom(to.Addr().Unmap(), to.Port()))
}
