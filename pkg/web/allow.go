package web

import (
	"net/netip"
	"strconv"
	"strings"

	"tidings.internal/pkg/fault"
)

// Allowed is an entry of the allow-list: a range of addresses, and the one port it opens there. Port 0 opens all but
// the denied.
type Allowed struct {
	Prefix netip.Prefix
	Port   uint16
}

// ParseAllowed reads "172.17.0.0/16", "10.0.0.5/32:1200", "[fd00::/8]:8080", or a single address in place of a range.
func ParseAllowed(text string) (Allowed, error) {
	rng, port := text, ""
	if inner, rest, ok := strings.Cut(strings.TrimPrefix(text, "["), "]"); ok && strings.HasPrefix(text, "[") {
		rng = inner
		if rest != "" && !strings.HasPrefix(rest, ":") {
			return Allowed{}, fault.Errorf(fault.Invalid, "read allowed network %q: unexpected text after the bracket", text)
		}
		port = strings.TrimPrefix(rest, ":")
		if rest == ":" {
			return Allowed{}, fault.Errorf(fault.Invalid, "read allowed network %q: no port after the colon", text)
		}
	} else if strings.Count(text, ":") == 1 {
		rng, port, _ = strings.Cut(text, ":")
		if port == "" {
			return Allowed{}, fault.Errorf(fault.Invalid, "read allowed network %q: no port after the colon", text)
		}
	}
	var a Allowed
	var err error
	if strings.Contains(rng, "/") {
		a.Prefix, err = netip.ParsePrefix(rng)
	} else {
		var addr netip.Addr
		if addr, err = netip.ParseAddr(rng); err == nil {
			a.Prefix, err = addr.Prefix(addr.BitLen())
		}
	}
	if err != nil {
		return Allowed{}, fault.Errorf(fault.Invalid, "read allowed network %q: want a range such as 172.17.0.0/16, with :port if it opens one only", text)
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return Allowed{}, fault.Errorf(fault.Invalid, "read allowed network %q: the port is not a number from 1 to 65535", text)
		}
		a.Port = uint16(n)
	}
	if a.Prefix != a.Prefix.Masked() {
		return Allowed{}, fault.Errorf(fault.Invalid, "read allowed network %q: the range is %s", text, a.Prefix.Masked())
	}
	return a, nil
}

// String gives the form that [ParseAllowed] reads.
func (a Allowed) String() string {
	switch {
	case a.Port == 0:
		return a.Prefix.String()
	case a.Prefix.Addr().Is6():
		return "[" + a.Prefix.String() + "]:" + strconv.Itoa(int(a.Port))
	}
	return a.Prefix.String() + ":" + strconv.Itoa(int(a.Port))
}

func (a Allowed) matches(to netip.AddrPort) bool {
	return (a.Port == 0 || a.Port == to.Port()) && a.Prefix.Contains(to.Addr())
}
