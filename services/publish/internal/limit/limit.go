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

const (
	// window is the time in which all points come back.
	window = 10 * time.Minute
	// maxClients is how many networks are remembered; those that asked longest ago are forgotten first.
	maxClients = 65_536
)

// Limiter counts points of client networks. It is safe for concurrent use.
type Limiter struct {
	points  float64 // in a window
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

// New makes a limiter of so many points in ten minutes; 0 limits nobody. trusted are the proxies whose word for the
// address of a client is taken.
func New(points int, trusted []netip.Prefix, now func() time.Time) *Limiter {
	return &Limiter{points: float64(points), trusted: trusted, now: now, by: map[netip.Prefix]*list.Element{}, order: list.New()}
}

// Client gives the network that a request counts for: an IPv4 address, or a /64 of IPv6, of which one client has all
// addresses. It is false for clients that are not limited: those of private networks, among them a proxy that is not
// listed as trusted, behind which everybody would share one account.
func (l *Limiter) Client(r *http.Request) (netip.Prefix, bool) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || l.points == 0 {
		return netip.Prefix{}, false
	}
	address := peer.Addr().Unmap()
	if l.trusts(address) {
		address = l.forwarded(r, address)
	}
	if address.IsPrivate() || address.IsLoopback() || address.IsLinkLocalUnicast() {
		return netip.Prefix{}, false
	}
	bits := 32
	if address.Is6() {
		bits = 64
	}
	network, err := address.WithZone("").Prefix(bits)
	return network, err == nil
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
	c := e.Value.(*client)
	l.refill(c)
	if c.left >= Whole {
		return 0
	}
	return time.Duration(math.Ceil((Whole-c.left)/l.points*window.Seconds())) * time.Second
}

// Spend takes points from a network.
func (l *Limiter) Spend(network netip.Prefix, points float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.by[network]
	if e == nil {
		if len(l.by) >= maxClients {
			delete(l.by, l.order.Remove(l.order.Back()).(*client).network)
		}
		e = l.order.PushFront(&client{network: network, left: l.points, at: l.now()})
		l.by[network] = e
	}
	l.order.MoveToFront(e)
	c := e.Value.(*client)
	l.refill(c)
	c.left -= points
}

func (l *Limiter) refill(c *client) {
	now := l.now()
	c.left = min(l.points, c.left+max(0, now.Sub(c.at).Seconds())/window.Seconds()*l.points)
	c.at = now
}
