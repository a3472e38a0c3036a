package web

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// maxURL is the longest address we ask for. Common servers refuse request lines past 8 KB.
const maxURL = 8 << 10

// CheckURL reads an absolute address and says whether it may be asked for at all: http or https, no userinfo, a host
// whose form cannot be mistaken, a port that could be open, and, where the host is a literal address, one that is. The
// URL returned has a lower-case ASCII host. A name is not looked up; the guard decides on that when connecting.
func (c *Client) CheckURL(raw string) (*url.URL, error) {
	u, err := c.checkURL(raw, Options{})
	if err != nil {
		return nil, err
	}
	return u, nil
}

func (c *Client) checkURL(raw string, o Options) (*url.URL, *Error) {
	if len(raw) > maxURL {
		return nil, newError(BadURL, "", "address has more than %d bytes", maxURL)
	}
	u, err := url.Parse(raw)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		return nil, newError(BadURL, "", "address cannot be read: %w", err)
	}
	u.Scheme = strings.ToLower(u.Scheme)
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, newError(RefusedScheme, "", "scheme %q is not http or https", cleanText(u.Scheme, 20))
	case u.User != nil:
		return nil, newError(BadURL, "", "address holds a user name or password; they belong into options")
	case u.Opaque != "" || u.Host == "":
		return nil, newError(BadURL, "", "address has no host")
	}
	host, e := canonicalHost(u.Hostname())
	if e != nil {
		return nil, e
	}
	port, e := portOf(u)
	if e != nil {
		return nil, e
	}
	setHost(u, host)
	if err := c.checkTarget(HostPort(u), host, port, o); err != nil {
		return nil, err
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// checkTarget is what can be said of a host before it is looked up.
func (c *Client) checkTarget(hostport, host string, port uint16, o Options) *Error {
	if o.Private != "" && o.Private == hostport {
		return nil
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		if err := c.guard.check(hostport, netip.AddrPortFrom(addr, port)); err != nil {
			e, _ := errors.AsType[*Error](err)
			return e
		}
		return nil
	}
	if !c.guard.portPossible(port) {
		return newError(RefusedPort, hostport, "port %d is not open", port)
	}
	return nil
}

// setHost puts a canonical host into u and keeps its port.
func setHost(u *url.URL, host string) {
	port := u.Port()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" {
		host += ":" + port
	}
	u.Host = host
}

func portOf(u *url.URL) (uint16, *Error) {
	text := u.Port()
	if text == "" {
		if u.Scheme == "https" {
			return 443, nil
		}
		return 80, nil
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return 0, newError(BadURL, "", "port is not a number from 1 to 65535")
	}
	return uint16(n), nil
}

// canonicalHost lower-cases a host, turns its international form into ASCII and refuses every spelling of an address
// other than the plain one: resolvers read 2130706433, 0x7f.1, 0177.0.0.1 and 127.1 as 127.0.0.1, and so does
// ::ffff:127.0.0.1, while a check on text sees four harmless names.
func canonicalHost(host string) (string, *Error) {
	if strings.Contains(host, ":") {
		addr, err := netip.ParseAddr(host)
		switch {
		case err != nil:
			return "", newError(BadURL, "", "host is not an IPv6 address")
		case addr.Zone() != "" || addr.Is4In6():
			return "", newError(RefusedAddress, "", "IPv6 address %s has a zone or hides an IPv4 address", addr)
		}
		return addr.String(), nil
	}
	// The lookup profile also folds full-width digits and dots, so the test for numbers must follow it.
	ascii, err := idna.Lookup.ToASCII(host)
	if err != nil {
		if ascii, err = plainHost(host); err != nil {
			return "", newError(BadURL, "", "host is not a valid name")
		}
	}
	ascii = strings.TrimSuffix(strings.ToLower(ascii), ".")
	if ascii == "" || len(ascii) > 253 || strings.HasPrefix(ascii, ".") ||
		strings.HasSuffix(ascii, ".") || strings.Contains(ascii, "..") {
		return "", newError(BadURL, "", "host is empty, has an empty label or more than 253 characters")
	}
	if !endsInNumber(ascii) {
		return ascii, nil
	}
	addr, err := netip.ParseAddr(ascii)
	if err != nil || addr.String() != ascii {
		return "", newError(RefusedAddress, "", "host %s is a number but not a plain IPv4 address", cleanText(ascii, 80))
	}
	return ascii, nil
}

// plainHost accepts names that IDNA refuses and DNS does not, such as those with an underscore.
func plainHost(host string) (string, error) {
	for i := range len(host) {
		b := host[i]
		if b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '-' || b == '_' || b == '.' {
			continue
		}
		return "", errors.New("character not in a name")
	}
	return host, nil
}

// endsInNumber follows the URL standard of WHATWG: a host is an IPv4 address if its last label is a number, decimal,
// octal or hexadecimal. No top-level domain is one.
func endsInNumber(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	if rest, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(rest, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

// HostPort gives the exact host:port of u, with the port of its scheme where it names none: the key of a [Gate].
func HostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "80"
		if u.Scheme == "https" {
			port = "443"
		}
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}
