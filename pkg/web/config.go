package web

import (
	"crypto/tls"
	"net"
	"net/netip"
	"sync"
	"time"

	"tidings.internal/pkg/fault"
)

// Config says what a [Client] may do. Only UserAgent is required.
type Config struct {
	// UserAgent is sent with each request that names no other, in the form "Tidings/<version> (+<site.url>)".
	UserAgent string
	// AllowNetworks opens address ranges that are closed by default, on every port but DenyPorts.
	AllowNetworks []netip.Prefix
	// Allow opens ranges too, each on one port where it names one.
	Allow []Allowed
	// AllowPorts opens further ports on public addresses, beside 80, 443, 8080 and 8443.
	AllowPorts []uint16
	// Inside closes everything but loopback and private addresses (127.0.0.0/8, ::1, RFC 1918, RFC 4193), which are open on
	// every port: for a helper that must stand in the operator's own network. Link-local addresses stay closed, since
	// clouds keep their machines' credentials there.
	Inside bool
	// DenyPorts stay closed on opened ranges whatever opens those, and AllowPorts cannot open them: the ports of
	// NATS and of our own listeners. The four usual ports remain open on public addresses.
	DenyPorts []uint16
	// Limits bound each exchange; zero fields have the defaults named there.
	Limits Limits
	// Resolver replaces the system's resolver, nil keeps it.
	Resolver *net.Resolver
	// Now is the clock that the waits of answers are counted from when an answer has no Date; nil means time.Now.
	Now func() time.Time
}

// Limits bound one exchange. A zero field has its default, so the zero value is what a reader of feeds wants.
type Limits struct {
	Connect     time.Duration // name and connection together; 10 s
	Handshake   time.Duration // TLS; 10 s
	Header      time.Duration // from the request sent to the last header of the answer; 15 s
	Idle        time.Duration // between two reads of a body; 10 s
	Total       time.Duration // a whole Fetch or Do with its redirects, waits at a gate excluded; 30 s
	KeepAlive   time.Duration // how long an unused connection is kept; 90 s
	HeaderBytes int64         // headers of an answer, interim ones included; 256 KiB
	Body        int64         // body of a Fetch as it travels, still compressed; 10 MiB
	Answer      int64         // body of a Do; what is longer is cut, no error; 64 KiB
	Redirects   int           // hops that a Fetch follows; 5
}

func (l Limits) filled() Limits {
	or(&l.Connect, 10*time.Second)
	or(&l.Handshake, 10*time.Second)
	or(&l.Header, 15*time.Second)
	or(&l.Idle, 10*time.Second)
	or(&l.Total, 30*time.Second)
	or(&l.KeepAlive, 90*time.Second)
	or(&l.HeaderBytes, 256<<10)
	or(&l.Body, 10<<20)
	or(&l.Answer, 64<<10)
	or(&l.Redirects, 5)
	return l
}

func or[T int | int64 | time.Duration](v *T, fallback T) {
	if *v <= 0 {
		*v = fallback
	}
}

// Client reaches other machines within the limits of its [Config]. It is safe for concurrent use.
type Client struct {
	agent    string
	limits   Limits
	guard    *guard
	resolver *net.Resolver
	now      func() time.Time
	sessions tls.ClientSessionCache

	mu         sync.Mutex
	transports map[transportKey]*transportEntry
}

// sessionCache is the number of TLS sessions kept for resumption, which saves about two thirds of a handshake.
const sessionCache = 4096

// New makes a client. It opens nothing.
func New(c Config) (*Client, error) {
	if c.UserAgent == "" || !validHeaderValue(c.UserAgent) {
		return nil, fault.Errorf(fault.Invalid, "make web client: the user agent is empty or not printable")
	}
	g, err := newGuard(c)
	if err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Client{
		agent:      c.UserAgent,
		limits:     c.Limits.filled(),
		guard:      g,
		resolver:   c.Resolver,
		now:        c.Now,
		sessions:   tls.NewLRUClientSessionCache(sessionCache),
		transports: map[transportKey]*transportEntry{},
	}, nil
}

// Close gives up the kept connections. Exchanges in flight go on; the client may be used again.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.transports {
		e.transport.CloseIdleConnections()
	}
}
