package site

import (
	"net/http"
	"strconv"
	"strings"

	"tidings.internal/services/publish/internal/newsletter"
)

// mailed reports whether a request is for the pages of newsletters.
func (s *Site) mailed(r *http.Request) bool {
	return s.Newsletter != nil && strings.HasPrefix(r.URL.Path, newsletter.Path)
}

// newsletter answers readers of mails. No page of another site may read these answers.
func (s *Site) newsletter(r *http.Request) *answer {
	got := s.Newsletter(r)
	a := &answer{kind: got.Kind, status: got.Status, body: got.Body, dear: got.Dear}
	for name := range got.Header {
		a.header.Set(name, got.Header.Get(name))
	}
	a.header.Set("X-Content-Type-Options", "nosniff")
	if a.status != http.StatusNoContent {
		a.header.Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	return a
}
