package websub

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Discover finds the hub and the topic of a document (section 4): what the header of its answer says, else what it says
// of itself; without a self link it is the address that answered. base resolves relative addresses. The hub is empty
// when there is none that can be asked.
func Discover(h http.Header, hubs []string, self, base string) (hub, topic string) {
	fromHeader := links(h.Values("Link"))
	for _, list := range [][]string{fromHeader["hub"], hubs} {
		for _, text := range list {
			if address := resolve(base, text); address != "" && hub == "" {
				hub = address
			}
		}
	}
	if hub == "" {
		return "", ""
	}
	for _, text := range slices.Concat(fromHeader["self"], []string{self}, []string{base}) {
		if text == "" {
			continue
		}
		if topic = resolve(base, text); topic != "" {
			return hub, topic
		}
	}
	return "", ""
}

// maxAddress is the longest address of a hub or topic that is taken.
const maxAddress = 2048

func resolve(base, text string) string {
	b, err := url.Parse(base)
	if err != nil {
		return ""
	}
	u, err := b.Parse(strings.TrimSpace(text))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return ""
	}
	u.Fragment = ""
	if out := u.String(); len(out) <= maxAddress {
		return out
	}
	return ""
}

// links reads Link headers (RFC 8288 section 3) into the targets by relation. What is no link is skipped.
func links(values []string) map[string][]string {
	out := map[string][]string{}
	for _, v := range values {
		for len(v) > 0 {
			start := strings.IndexByte(v, '<')
			if start < 0 {
				break
			}
			end := strings.IndexByte(v[start:], '>')
			if end < 0 {
				break
			}
			target := v[start+1 : start+end]
			var rels []string
			rels, v = parameters(v[start+end+1:])
			for _, rel := range rels {
				out[rel] = append(out[rel], target)
			}
		}
	}
	return out
}

// parameters reads those of one link, up to the comma that ends it, and gives its relations. Only the first rel counts.
func parameters(v string) (rels []string, rest string) {
	found := false
	for {
		v = strings.TrimLeft(v, " \t;")
		if v == "" {
			return rels, ""
		}
		if v[0] == ',' {
			return rels, v[1:]
		}
		name, value := v, ""
		if i := strings.IndexAny(v, "=;,"); i >= 0 {
			name, v = v[:i], v[i:]
		} else {
			v = ""
		}
		if strings.HasPrefix(v, "=") {
			value, v = parameter(v[1:])
		}
		if strings.EqualFold(strings.TrimSpace(name), "rel") && !found {
			found, rels = true, strings.Fields(strings.ToLower(value))
		}
	}
}

// parameter reads a value, quoted or not.
func parameter(v string) (value, rest string) {
	v = strings.TrimLeft(v, " \t")
	if !strings.HasPrefix(v, `"`) {
		i := strings.IndexAny(v, ";,")
		if i < 0 {
			i = len(v)
		}
		return strings.TrimSpace(v[:i]), v[i:]
	}
	var b strings.Builder
	for i := 1; i < len(v); i++ {
		switch v[i] {
		case '"':
			return b.String(), v[i+1:]
		case '\\':
			if i++; i < len(v) {
				b.WriteByte(v[i])
			}
		default:
			b.WriteByte(v[i])
		}
	}
	return b.String(), ""
}
