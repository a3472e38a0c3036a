package site

import (
	"net/http"
	"strconv"
	"strings"

	"tidings.internal/services/publish/internal/document"
	"tidings.internal/services/publish/internal/projection"
	"tidings.internal/services/publish/internal/render"
)

// maxEntries bounds how much of a list in a header is read.
const maxEntries = 64

// weighed reads a header that lists values with weights (RFC 9110 section 12.4.2). A weight that cannot be read counts
// as 0. Names are in lower case, parameters other than q are dropped.
func weighed(h http.Header, name string) map[string]float64 {
	weights := map[string]float64{}
	n := 0
	for _, line := range h[name] {
		for entry := range strings.SplitSeq(line, ",") {
			if n++; n > maxEntries {
				return weights
			}
			value, parameters, _ := strings.Cut(entry, ";")
			value = strings.ToLower(strings.TrimSpace(value))
			if value == "" {
				continue
			}
			weight := 1.0
			for p := range strings.SplitSeq(parameters, ";") {
				key, text, ok := strings.Cut(strings.TrimSpace(p), "=")
				if !ok || !strings.EqualFold(key, "q") {
					continue
				}
				q, err := strconv.ParseFloat(text, 64)
				if err != nil || q < 0 || q > 1 || q != q {
					q = 0
				}
				weight = q
			}
			weights[value] = max(weights[value], weight)
		}
	}
	return weights
}

// coded picks the form of a body that the client likes best, of several liked as much the first; nil is the body as it
// is, which is what a client gets that sends no header.
func coded(h http.Header, forms []document.Packed) *document.Packed {
	weights := weighed(h, "Accept-Encoding")
	if w, ok := weights["x-gzip"]; ok { // an old name (RFC 9110 section 8.4.1.3)
		weights["gzip"] = max(weights["gzip"], w)
	}
	// The body as it is is acceptable without being named, but nobody asks for it then.
	best, chosen := weights["identity"], (*document.Packed)(nil)
	for i := range forms {
		w, named := weights[string(forms[i].Coding)]
		if !named {
			w = weights["*"]
		}
		if w > best || w == best && w > 0 && chosen == nil {
			best, chosen = w, &forms[i]
		}
	}
	return chosen
}

// negotiate chooses between the landing page and the formats by Accept. People get the page: also with */*, and when
// nothing fits.
func negotiate(h http.Header) render.Format {
	weights := weighed(h, "Accept")
	best, chosen := 0.0, projection.HTML
	for _, c := range []struct {
		kind  render.Format
		types []string
	}{
		{projection.HTML, []string{"text/html", "application/xhtml+xml"}},
		{render.RSS, []string{"application/rss+xml", "application/xml", "text/xml"}},
		{render.Atom, []string{"application/atom+xml"}},
		{render.JSON, []string{"application/feed+json", "application/json"}},
	} {
		w := 0.0
		for _, t := range c.types {
			w = max(w, weightOf(weights, t))
		}
		if w > best {
			best, chosen = w, c.kind
		}
	}
	return chosen
}

// weightOf finds the weight of a media type by the most specific range that names it.
func weightOf(weights map[string]float64, mediaType string) float64 {
	kind, _, _ := strings.Cut(mediaType, "/")
	for _, name := range []string{mediaType, kind + "/*", "*/*"} {
		if w, ok := weights[name]; ok {
			return w
		}
	}
	return 0
}
