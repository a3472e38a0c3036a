package web

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptrace"
	"net/netip"
	"strings"
	"sync"
)

// Causes of a cancelled exchange, told apart from the end of the caller's context.
var (
	errTotal = errors.New("the whole exchange took too long")
	errIdle  = errors.New("the body stood still for too long")
)

// phase is how far an exchange came. A time-out has another reason in each.
type phase int

const (
	phaseStart phase = iota
	phaseName
	phaseConnect
	phaseTLS
	phaseAsked
)

// trace watches one request. Its callbacks may run after the request has ended, because net/http finishes a dial that
// nobody waits for any more.
type trace struct {
	guard *guard

	mu      sync.Mutex
	phase   phase
	private bool
	opaque  bool // a connection that cannot be counted was used
	used    []usedConn
}

// usedConn is a connection and what had been written to it when this request got it.
type usedConn struct {
	conn  *conn
	start int64
}

func (t *trace) context(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart:          func(httptrace.DNSStartInfo) { t.advance(phaseName) },
		ConnectStart:      t.connecting,
		TLSHandshakeStart: func() { t.advance(phaseTLS) },
		GotConn:           t.gotConn,
	})
}

func (t *trace) advance(to phase) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.phase = max(t.phase, to)
}

func (t *trace) connecting(_, address string) {
	t.advance(phaseConnect)
	to, err := netip.ParseAddrPort(address)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil && t.guard.allowed(netip.AddrPortFrom(to.Addr().Unmap(), to.Port())) {
		t.private = true
	}
}

func (t *trace) gotConn(info httptrace.GotConnInfo) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.phase = phaseAsked
	t.private = t.guard.private(info.Conn)
	nc := info.Conn
	for {
		if own, ok := nc.(*conn); ok {
			t.used = append(t.used, usedConn{own, own.written.Load()})
			return
		}
		over, ok := nc.(*tls.Conn)
		if !ok {
			t.opaque = true
			return
		}
		nc = over.NetConn()
	}
}

// wrote tells whether a byte may have left since the request got its connection. The trace of net/http cannot tell: it
// reports headers as written when they are in a buffer. On HTTP/1.1, which a sender always speaks, the connection is
// ours alone and is closed before a failed RoundTrip returns, so false is certain.
func (t *trace) wrote() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, u := range t.used {
		if u.conn.written.Load() > u.start {
			return true
		}
	}
	return t.opaque
}

func (t *trace) isPrivate() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.private
}

// reason names a failure of a RoundTrip.
func (t *trace) reason(ctx context.Context, err error) Reason {
	if own, ok := errors.AsType[*Error](err); ok {
		return own.Reason // the guard said no inside the dialer
	}
	t.mu.Lock()
	at := t.phase
	t.mu.Unlock()
	name, isName := errors.AsType[*net.DNSError](err)
	slow, isNet := errors.AsType[net.Error](err)
	late := ctx.Err() != nil || isNet && slow.Timeout() || errors.Is(err, context.DeadlineExceeded)
	switch {
	case isName && name.IsNotFound && !name.IsTemporary:
		return DNSUnknown
	case isName || at == phaseName:
		return DNSTemporary
	case at == phaseStart && late:
		return Timeout // the time of the chain was used up by earlier hops
	case at == phaseTLS:
		return TLSFailed
	case at < phaseTLS:
		return Connect
	case late:
		return Timeout
	case headersTooLarge(err):
		return TooLarge
	}
	return Truncated
}

// headersTooLarge knows the two texts by which net/http (Go 1.26) refuses headers past MaxResponseHeaderBytes, HTTP/1.1
// and HTTP/2; it has no error value for either.
func headersTooLarge(err error) bool {
	text := err.Error()
	return strings.Contains(text, "server response headers exceeded") ||
		strings.Contains(text, "response header list larger than advertised limit")
}
