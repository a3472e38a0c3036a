package parse

import (
	"bytes"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"

	"tidings.internal/pkg/article"
)

// link makes an address absolute against a base that may itself be relative to the document (RFC 3986 section 5). One
// that is not http or https then, holds a line break or is too long is dropped and counted.
func (r *reader) link(text, base string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	u, ok := r.resolve(text, base)
	if !ok {
		r.skip("bad_link")
		return ""
	}
	return u
}

func (r *reader) resolve(text, base string) (string, bool) {
	if strings.ContainsAny(text, "\r\n\t\x00") || len(text) > article.MaxURL {
		return "", false
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", false
	}
	if !u.IsAbs() {
		u = r.baseURL(base).ResolveReference(u)
	}
	scheme := strings.ToLower(u.Scheme)
	if scheme != "http" && scheme != "https" || u.Host == "" {
		return "", false
	}
	if u.IsAbs() && strings.HasPrefix(strings.ToLower(text), scheme+":") {
		return text, true // absolute already: not a byte changes
	}
	s := u.String()
	return s, len(s) <= article.MaxURL
}

// baseURL gives the absolute base for a base as the document wrote it.
func (r *reader) baseURL(base string) *url.URL {
	if base == "" {
		return r.base
	}
	u, err := url.Parse(base)
	if err != nil {
		return r.base
	}
	return r.base.ResolveReference(u)
}

// addresses are the attributes of HTML that hold one address and matter to readers.
var addresses = map[string]bool{"href": true, "src": true, "poster": true, "cite": true, "background": true}

// absolute makes the relative addresses in markup absolute and changes nothing else: what is sound goes through byte for
// byte. A base that an element declares holds inside it.
func (r *reader) absolute(markup, base string) string {
	if !strings.Contains(markup, "<") {
		return markup
	}
	type scope struct {
		name string
		base *url.URL
	}
	stack := []scope{{"", r.baseURL(base)}}
	var out strings.Builder
	out.Grow(len(markup) + 256)
	z := html.NewTokenizer(strings.NewReader(markup))
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			return out.String()
		}
		raw := z.Raw()
		switch kind {
		case html.EndTagToken:
			name, _ := z.TagName()
			if n := len(stack) - 1; n > 0 && stack[n].name == string(name) {
				stack = stack[:n]
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			if !bytes.ContainsRune(raw, '=') {
				break
			}
			token := z.Token()
			top := stack[len(stack)-1].base
			changed := false
			if i := slices.IndexFunc(token.Attr, func(a html.Attribute) bool { return a.Key == "xml:base" }); i >= 0 {
				if u, err := url.Parse(strings.TrimSpace(token.Attr[i].Val)); err == nil {
					top = top.ResolveReference(u)
					if kind == html.StartTagToken && len(stack) < 200 {
						stack = append(stack, scope{token.Data, top})
					}
				}
				token.Attr, changed = slices.Delete(token.Attr, i, i+1), true // used up here
			}
			for i := range token.Attr {
				a := &token.Attr[i]
				switch {
				case addresses[a.Key]:
					changed = relative(a, top) || changed
				case a.Key == "srcset":
					changed = srcset(a, top) || changed
				}
			}
			if changed {
				out.WriteString(token.String())
				continue
			}
			out.Write(raw)
			continue
		}
		out.Write(raw)
	}
}

// relative resolves an attribute in place and tells whether it changed.
func relative(a *html.Attribute, base *url.URL) bool {
	text := strings.TrimSpace(a.Val)
	if text == "" || text[0] == '#' || len(text) > article.MaxURL || strings.HasPrefix(text, "https://") || strings.HasPrefix(text, "http://") {
		return false
	}
	u, err := url.Parse(text)
	if err != nil || u.IsAbs() {
		return false
	}
	abs := base.ResolveReference(u)
	if abs.Scheme == "" {
		return false
	}
	a.Val = abs.String()
	return true
}

// srcset resolves the candidates of an image (HTML, section 4.8.4.2.1).
func srcset(a *html.Attribute, base *url.URL) bool {
	changed := false
	candidates := strings.Split(a.Val, ",")
	for i, c := range candidates {
		address, rest, _ := strings.Cut(strings.TrimSpace(c), " ")
		one := html.Attribute{Val: address}
		if !strings.HasPrefix(address, "data:") && relative(&one, base) {
			candidates[i], changed = strings.TrimSpace(one.Val+" "+rest), true
		} else {
			candidates[i] = strings.TrimSpace(c)
		}
	}
	if changed {
		a.Val = strings.Join(candidates, ", ")
	}
	return changed
}
