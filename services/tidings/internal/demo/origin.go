package demo

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html"
	"net/http"
	"strings"
	"time"

	"tidings.internal/pkg/fault"
)

// origin builds the handler that serves the sources, the articles' pages and a list of both. Everything is rendered
// once: the documents change with a restart only.
func origin(base string, started time.Time) (http.Handler, error) {
	all, err := Articles()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	var index strings.Builder
	index.WriteString("<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Sample origin</title></head>\n<body>\n<ul>\n")
	for _, s := range sources() {
		var list []Article
		for _, a := range all {
			if a.Source == s.id {
				list = append(list, a)
			}
		}
		body, err := s.render(s, base, started, list)
		if err != nil {
			return nil, fault.Errorf(fault.Internal, "render sample source %s: %w", s.id, err)
		}
		mux.Handle("GET "+s.path, document200(s.mime, body, started))
		fmt.Fprintf(&index, "<li><a href=\"%s\">%s</a></li>\n", s.path, html.EscapeString(s.title))
	}
	for _, a := range all {
		mux.Handle("GET /articles/"+a.Name, document200("text/html; charset=utf-8", page(a), started))
	}
	index.WriteString("</ul>\n</body>\n</html>\n")
	mux.Handle("GET /{$}", document200("text/html; charset=utf-8", []byte(index.String()), started))
	return mux, nil
}

// document200 serves bytes with the two validators, so that the next poll is answered by 304.
func document200(mime string, body []byte, modified time.Time) http.Handler {
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", mime)
		w.Header().Set("ETag", tag)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		// The pages hold hostile markup on purpose; nothing of it may run in the browser of whoever looks.
		w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
		http.ServeContent(w, r, "", modified.Truncate(time.Second), bytes.NewReader(body))
	})
}
