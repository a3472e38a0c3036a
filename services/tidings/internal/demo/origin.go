package demo

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tidings.internal/pkg/fault"
)

// origin builds the handler that serves the sources, the articles' pages and a list of both. What a source shows is a
// function of the time.
func origin(base string, n news, now func() time.Time) (http.Handler, error) {
	all, err := Articles()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	var index strings.Builder
	index.WriteString("<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Sample origin</title></head>\n<body>\n<ul>\n")
	for _, s := range sources() {
		var samples []Article
		for _, a := range all {
			if a.Source == s.id {
				samples = append(samples, a)
			}
		}
		if _, err := n.document(s, base, samples, 0); err != nil {
			return nil, err
		}
		mux.HandleFunc("GET "+s.path, func(w http.ResponseWriter, r *http.Request) {
			count := n.count(now())
			body, err := n.document(s, base, samples, count)
			if err != nil { // the samples were rendered at the start
				http.Error(w, "the document could not be made", http.StatusInternalServerError)
				return
			}
			document200(s.mime, body, n.started.Add(time.Duration(count)*n.every)).ServeHTTP(w, r)
		})
		fmt.Fprintf(&index, "<li><a href=\"%s\">%s</a></li>\n", s.path, html.EscapeString(s.title))
	}
	for _, a := range all {
		mux.Handle("GET /articles/"+a.Name, document200("text/html; charset=utf-8", page(a), n.started))
	}
	mux.HandleFunc("GET /articles/{name}", func(w http.ResponseWriter, r *http.Request) { n.serve(w, r, now()) })
	index.WriteString("</ul>\n</body>\n</html>\n")
	mux.Handle("GET /{$}", document200("text/html; charset=utf-8", []byte(index.String()), n.started))
	return mux, nil
}

// document is what a source shows when so many articles came.
func (n news) document(s source, base string, samples []Article, count int) ([]byte, error) {
	fresh, gone := n.of(s.id, count)
	body, err := s.render(s, base, n.started, slices.Concat(fresh, samples), gone)
	if err != nil {
		return nil, fault.Errorf(fault.Internal, "render sample source %s: %w", s.id, err)
	}
	return body, nil
}

// serve serves the page of an article that came after the start.
func (n news) serve(w http.ResponseWriter, r *http.Request, now time.Time) {
	count := n.count(now)
	k, err := strconv.Atoi(strings.TrimPrefix(r.PathValue("name"), newsName))
	if err != nil || k < 1 || k > count || fate(k, count) == deleted {
		http.NotFound(w, r)
		return
	}
	a := n.article(k, count)
	document200("text/html; charset=utf-8", page(a), a.at).ServeHTTP(w, r)
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
