package clean

import (
	"net/url"
	"strings"

	"golang.org/x/net/idna"
)

// maxLink is the length of an address in bytes that every reader and network still takes.
const maxLink = 2048

// Link gives an absolute http or https address in ASCII: the host in punycode, the rest percent-encoded (RFC 3986).
// ok is false for anything else, also for an address with a user or a password, which would be shown to everyone.
func Link(raw string) (link string, ok bool) {
	raw = strings.TrimSpace(raw)
	if raw == "" || len(raw) > maxLink || Text(raw) != raw {
		return "", false
	}
	u, err := url.Parse(raw)
	if err != nil || u.User != nil || u.Opaque != "" || u.Hostname() == "" {
		return "", false
	}
	scheme := strings.ToLower(u.Scheme)
	if scheme != "http" && scheme != "https" {
		return "", false
	}
	host, ok := asciiHost(u)
	if !ok {
		return "", false
	}
	var b strings.Builder
	b.WriteString(scheme + "://" + host)
	escape(&b, u.EscapedPath(), "/:@")
	if u.RawQuery != "" {
		b.WriteByte('?')
		escape(&b, u.RawQuery, "/:@?")
	}
	if u.Fragment != "" {
		b.WriteByte('#')
		escape(&b, u.EscapedFragment(), "/:@?")
	}
	if b.Len() > maxLink {
		return "", false
	}
	return b.String(), true
}

func asciiHost(u *url.URL) (string, bool) {
	name, port := strings.ToLower(u.Hostname()), u.Port()
	if strings.Contains(name, ":") { // IPv6
		if strings.ContainsAny(name, "%") {
			return "", false // a zone means something on one machine only
		}
		name = "[" + name + "]"
	} else {
		ascii, err := idna.Lookup.ToASCII(name)
		if err != nil {
			return "", false
		}
		name = ascii
	}
	if port != "" {
		name += ":" + port
	}
	return name, true
}

// escape writes a part of an address: unreserved characters, sub-delimiters, the further ones that the part allows,
// and escapes that are there already stay; every other byte is escaped.
func escape(b *strings.Builder, part, further string) {
	const hex = "0123456789ABCDEF"
	for i := range len(part) {
		c := part[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			strings.IndexByte("-._~!$&'()*+,;=", c) >= 0, strings.IndexByte(further, c) >= 0,
			c == '%' && i+2 < len(part) && isHex(part[i+1]) && isHex(part[i+2]):
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
