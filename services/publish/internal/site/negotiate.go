package site

import (
	"net/http"
	"strconv"
	"strings"

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

// wantsGzip reports whether the client prefers gzip to the plain bytes. Without the header it gets these.
func wantsGzip(h http.Header) bool {
	weights := weighed(h, "Accept-Encoding")
	of := func(name string, otherwise float64) float64 {
		if w, ok := weights[name]; ok {
			return w
		}
		if w, ok := weights["*"]; ok {
			return w
		}
		return otherwise
	}
	gzip := max(of("gzip", 0), weights["x-gzip"])
	if gzip == 0 {
		return false
	}
	// identity is acceptable without being named, but nobody asks for it then.
	identity, named := weights["identity"]
	return !named || gzip >= identity
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
