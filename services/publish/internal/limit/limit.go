// Package limit keeps one client network from asking more than its share, by points that come back with time.
//
// It never counts by feed: a popular feed would lock its readers out.
package limit

import (
	"container/list"
	"math"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// What answers cost, in points.
const (
	Whole     = 1.0 // a document
	Unchanged = 0.1 // the word that nothing changed
	Made      = 3.0 // a document that may have been made for this request
)

// Window is the time in which the points of readers come back.
const Window = 10 * time.Minute

// maxClients is how many networks are remembered; those that asked longest ago are forgotten first.
const maxClients = 65_536

// Limiter counts points of client networks. It is safe for concurrent use.
type Limiter struct {
	points  float64 // in a window
	window  time.Duration
	trusted []netip.Prefix
	now     func() time.Time

	mu    sync.Mutex
	by    map[netip.Prefix]*list.Element
	order *list.List // of *client, the last that asked first
}

type client struct {
	network netip.Prefix
	left    float64
	at      time.Time
}

// New makes a limiter of so many points at once, of which all come back in a window; 0 limits nobody. trusted are the
// proxies whose word for the address of a client is taken.
func New(points int, window time.Duration, trusted []netip.Prefix, now func() time.Time) *Limiter {
	return &Limiter{points: float64(points), window: window, trusted: trusted, now: now, by: map[netip.Prefix]*list.Element{}, order: list.New()}
}

// Client gives the network that a request counts for: an IPv4 address, or a /64 of IPv6, of which one client has all
// addresses. It is false for clients that are not limited: those of private networks, among them a proxy that is not
// listed as trusted, behind which everybody would share one account.
func (l *Limiter) Client(r *http.Request) (netip.Prefix, bool) {
	address, known := l.Address(r)
	if !known || l.points == 0 || address.IsPrivate() || address.IsLoopback() || address.IsLinkLocalUnicast() {
		return netip.Prefix{}, false
	}
	bits := 32
	if address.Is6() {
		bits = 64
	}
	network, err := address.Prefix(bits)
	return network, err == nil
}

// Address gives the address that a request comes from, as far as trusted proxies tell; false where the connection has none.
func (l *Limiter) Address(r *http.Request) (netip.Addr, bool) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, false
	}
	address := peer.Addr().Unmap()
	if l.trusts(address) {
		address = l.forwarded(r, address)
	}
	return address.WithZone(""), true
}

func (l *Limiter) trusts(a netip.Addr) bool {
	for _, p := range l.trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// forwarded gives the last address before the proxies that are trusted. What stands further to the left anybody can
// write.
func (l *Limiter) forwarded(r *http.Request, peer netip.Addr) netip.Addr {
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		text := strings.TrimSpace(hops[i])
		a, err := netip.ParseAddr(text)
		if err != nil {
			p, err := netip.ParseAddrPort(text)
			if err != nil {
				return peer
			}
			a = p.Addr()
		}
		if peer = a.Unmap(); !l.trusts(peer) {
			return peer
		}
	}
	return peer
}

// Wait gives how long a network has to wait before it may ask again, zero if it may now.
func (l *Limiter) Wait(network netip.Prefix) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.by[network]
	if e == nil {
		return 0
	}
	return l.wait(e.Value.(*client))
}

func (l *Limiter) wait(c *client) time.Duration {
	l.refill(c)
	if c.left >= Whole {
		return 0
	}
	return time.Duration(math.Ceil((Whole-c.left)/l.points*l.window.Seconds())) * time.Second
}

// Spend takes points from a network. Negative ones are given back, never above what it began with.
func (l *Limiter) Spend(network netip.Prefix, points float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.client(network)
	l.refill(c)
	c.left -= points
}

// Take takes one point from a network in one step with the look at whether it has one, so that requests at the same time
// get no more than one after another. It gives zero, or how long the network has to wait, and then takes nothing.
func (l *Limiter) Take(network netip.Prefix) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.client(network)
	if wait := l.wait(c); wait > 0 {
		return wait
	}
	c.left -= Whole
	return 0
}

// client gives the account of a network, a full one to a network that is new. It is called with the lock.
func (l *Limiter) client(network netip.Prefix) *client {
	e := l.by[network]
	if e == nil {
		if len(l.by) >= maxClients {
			delete(l.by, l.order.Remove(l.order.Back()).(*client).network)
		}
		e = l.order.PushFront(&client{network: network, left: l.points, at: l.now()})
		l.by[network] = e
	}
	l.order.MoveToFront(e)
	return e.Value.(*client)
}

func (l *Limiter) refill(c *client) {
	now := l.now()
	c.left = min(l.points, c.left+max(0, now.Sub(c.at).Seconds())/l.window.Seconds()*l.points)
	c.at = now
}
