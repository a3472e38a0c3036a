package sanitize

import (
	"net/url"
	"regexp"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"tidings.internal/services/enrich/internal/dom"
)

// maxData is the longest data: URL of an image, in bytes. Longer ones are pictures that belong on a server.
const maxData = 32 << 10

const (
	dataForm   = `data:image/(?:gif|jpeg|png|webp);base64,[A-Za-z0-9+/]+={0,2}`
	sizeForm   = `\d{1,5}%?`
	srcsetItem = `https?://[^\s,"'<>]+(?: \d{1,5}(?:\.\d{1,3})?[wx])?`
)

// forms is what the value of an attribute must look like, where it is no URL.
var forms = map[string]*regexp.Regexp{
	"lang":     regexp.MustCompile(`^[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8}){0,5}$`),
	"dir":      regexp.MustCompile(`^(?:ltr|rtl|auto)$`),
	"class":    regexp.MustCompile(`^language-[A-Za-z0-9_+#.-]{1,40}$`),
	"datetime": regexp.MustCompile(`^[0-9TZPWYMDHS:.,+\- ]{1,60}$`),
	"width":    regexp.MustCompile(`^` + sizeForm + `$`),
	"height":   regexp.MustCompile(`^` + sizeForm + `$`),
	"colspan":  regexp.MustCompile(`^[1-9]\d{0,2}$`),
	"rowspan":  regexp.MustCompile(`^[1-9]\d{0,2}$`),
	"start":    regexp.MustCompile(`^-?\d{1,5}$`),
	"reversed": regexp.MustCompile(`^$`),
	"controls": regexp.MustCompile(`^$`),
	"scope":    regexp.MustCompile(`^(?:row|col|rowgroup|colgroup)$`),
	"rel":      regexp.MustCompile(`^[a-z][a-z -]{0,79}$`),
	"type":     regexp.MustCompile(`^[a-z]{1,20}/[a-z0-9.+-]{1,60}$`),
	"sizes":    regexp.MustCompile(`^[a-z0-9(): .,+*/%-]{1,300}$`),
	"media":    regexp.MustCompile(`^[a-z0-9(): .,-]{1,200}$`),
	"srcset":   regexp.MustCompile(`^` + srcsetItem + `(?:, ` + srcsetItem + `)*$`),
	"title":    regexp.MustCompile(`^[^\x00-\x08]+$`),
	"alt":      regexp.MustCompile(`^[^\x00-\x08]*$`),
}

var classForm = regexp.MustCompile(`(?:^|\s)((?:language|lang)-[A-Za-z0-9_+#.-]{1,40})(?:\s|$)`)

// attributes leaves the attributes that an element may have, with values that are what they should be.
func attributes(n *html.Node, base *url.URL) {
	kept := direction(n)
	for name := range strings.FieldsSeq(allowed[n.DataAtom]) {
		if name == "controls" {
			continue
		}
		v, ok := dom.Has(n, name)
		if !ok {
			continue
		}
		switch name {
		case "href":
			v, ok = link(v, base, true)
		case "cite", "src", "poster":
			v, ok = link(v, base, false)
			if !ok && n.DataAtom == atom.Img && name == "src" {
				v, ok = inline(dom.Attr(n, "src"))
			}
		case "srcset":
			v, ok = srcset(v, base)
		case "class":
			m := classForm.FindStringSubmatch(v)
			if ok = m != nil; ok {
				v = "language-" + strings.TrimPrefix(strings.TrimPrefix(m[1], "language-"), "lang-")
			}
		case "rel", "scope", "sizes", "media", "type":
			v = strings.Join(strings.Fields(strings.ToLower(v)), " ")
			ok = forms[name].MatchString(v)
		default:
			v = strings.TrimSpace(v)
			ok = forms[name].MatchString(v)
		}
		if ok {
			kept = append(kept, html.Attribute{Key: name, Val: v})
		}
	}
	if n.DataAtom == atom.Img {
		if _, ok := dom.Has(n, "alt"); !ok {
			kept = append(kept, html.Attribute{Key: "alt"})
		}
	}
	n.Attr = kept
}

// direction keeps the attributes that any element may have.
func direction(n *html.Node) []html.Attribute {
	var kept []html.Attribute
	for _, name := range []string{"lang", "dir"} {
		if v := strings.TrimSpace(dom.Attr(n, name)); forms[name].MatchString(v) {
			kept = append(kept, html.Attribute{Key: name, Val: v})
		}
	}
	return kept
}

// link resolves a URL and lets it pass when it leads where a reader may be led: by HTTP, or by mail where that makes
// sense. Parameters that only follow the reader around are cut off.
func link(s string, base *url.URL, mail bool) (string, bool) {
	s = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r == '\r' {
			return -1 // as the URL standard has it: "java\nscript:" is one word
		}
		return r
	}, strings.TrimSpace(s))
	if s == "" || len(s) > 8<<10 {
		return "", false
	}
	u, err := url.Parse(s)
	if err != nil {
		return "", false
	}
	if !u.IsAbs() {
		if base == nil || strings.HasPrefix(s, "#") {
			return "", false // a mark inside the page points nowhere once the body stands elsewhere
		}
		u = base.ResolveReference(u)
	}
	switch u.Scheme {
	case "http", "https":
		if u.Host == "" || u.Opaque != "" || u.User != nil {
			return "", false
		}
	case "mailto":
		return u.String(), mail && u.Opaque != ""
	default:
		return "", false
	}
	u.RawQuery = untracked(u.RawQuery)
	return u.String(), true
}

// untracked drops the parameters of campaigns from a query and leaves the rest in its order and spelling.
func untracked(query string) string {
	if query == "" {
		return ""
	}
	var kept []string
	for part := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(strings.ToLower(part), "=")
		if strings.HasPrefix(name, "utm_") || strings.HasPrefix(name, "mc_") || name == "fbclid" || name == "gclid" {
			continue
		}
		kept = append(kept, part)
	}
	return strings.Join(kept, "&")
}

var dataURL = regexp.MustCompile(`^` + dataForm + `$`)

func inline(s string) (string, bool) {
	s = strings.TrimSpace(s)
	return s, len(s) <= maxData && dataURL.MatchString(s)
}

// srcset reads a list of pictures by the rules of the HTML standard, section "srcset attributes", and writes it in one
// form. A picture that may not stay is left out.
func srcset(s string, base *url.URL) (string, bool) {
	var out []string
	for s = strings.TrimLeft(s, " \t\n\r\f,"); s != "" && len(out) < 40; s = strings.TrimLeft(s, " \t\n\r\f,") {
		end := strings.IndexAny(s, " \t\n\r\f")
		if end < 0 {
			end = len(s)
		}
		address := s[:end]
		s = s[end:]
		descriptor := ""
		if trimmed := strings.TrimRight(address, ","); trimmed != address {
			address = trimmed
		} else {
			end = strings.IndexByte(s, ',')
			if end < 0 {
				end = len(s)
			}
			descriptor = strings.Join(strings.Fields(s[:end]), " ")
			s = s[end:]
		}
		if resolved, ok := link(address, base, false); ok {
			item := strings.TrimSpace(resolved + " " + descriptor)
			if forms["srcset"].MatchString(item) {
				out = append(out, item)
			}
		}
	}
	return strings.Join(out, ", "), len(out) > 0
}

// lazy puts the address of a picture that a script would have loaded where it belongs.
func lazy(n *html.Node) {
	src := strings.TrimSpace(dom.Attr(n, "src"))
	placeholder := src == "" || strings.HasPrefix(src, "data:") || strings.Contains(src, "placeholder") || strings.Contains(src, "blank.gif")
	for _, name := range []string{"data-src", "data-lazy-src", "data-original", "data-srcset", "data-lazy-srcset"} {
		v := dom.Attr(n, name)
		if v == "" {
			continue
		}
		to := "src"
		if strings.HasSuffix(name, "srcset") {
			to = "srcset"
		}
		if to == "src" && !placeholder || to == "srcset" && dom.Attr(n, "srcset") != "" {
			continue
		}
		set(n, to, v)
		placeholder = placeholder && to != "src"
	}
}

func set(n *html.Node, name, value string) {
	var kept []html.Attribute
	for _, a := range n.Attr {
		if a.Key != name {
			kept = append(kept, a)
		}
	}
	n.Attr = append(kept, html.Attribute{Key: name, Val: value})
}

var pixelPath = regexp.MustCompile(`(?i)(?:/(?:pixel|beacon|track(?:ing)?|count(?:er)?|1x1|spacer|clear|zaehler)(?:[./?]|$)|\.(?:gif|png)\?.*(?:pixel|track))`)

var pixelHosts = []string{"feedburner.com", "doubleclick.net", "google-analytics.com", "vgwort.de", "pixel.wp.com", "stats.wordpress.com", "feedsportal.com", "feeds.wordpress.com", "ioam.de", "facebook.com", "quantserve.com", "scorecardresearch.com"}

// tracker reports whether a picture is there to be counted and not to be seen.
func tracker(n *html.Node, base *url.URL) bool {
	for _, name := range []string{"width", "height"} {
		v := strings.TrimSuffix(strings.TrimSpace(dom.Attr(n, name)), "px")
		if v == "0" || v == "1" {
			return true
		}
	}
	src := strings.TrimSpace(dom.Attr(n, "src"))
	u, err := url.Parse(src)
	if err != nil {
		return false
	}
	if base != nil {
		u = base.ResolveReference(u)
	}
	host := strings.ToLower(u.Hostname())
	for _, h := range pixelHosts {
		if host == h || strings.HasSuffix(host, "."+h) {
			return true
		}
	}
	return pixelPath.MatchString(u.RequestURI())
}
