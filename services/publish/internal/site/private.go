package site

import (
	"net/http"
	"strings"

	"tidings.internal/services/publish/internal/feed"
)

// hidden reports whether a feed is private, and not asked for by its token. Such a feed is not named either: an id that
// it had before leads those without a token to it no more than its own does.
func (s *Site) hidden(under, id string) bool { return under == "" && s.private[id] != nil }

// secluded answers for what stands below /t/: private feeds, with the token of a reader. What is served there is for
// this reader alone: no cache in between may keep it, no page of another site may read it, and its address goes nowhere.
func (s *Site) secluded(r *http.Request, rest string) *answer {
	token, path, _ := strings.Cut(rest, "/")
	path = "/" + path
	switch path {
	case "/style.css": // the page of a feed asks for it beside itself
		f := s.fixed[path]
		return found(f.kind, f.document)
	case "/":
		return s.moved("html", s.Base+"/")
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(path, "/feeds/"), "/")
	id, _ := split(name)
	if to, ok := s.Moved[id]; ok {
		id = to
	}
	f := s.private[id]
	switch {
	case s.Gone[id]:
		return s.gone("other")
	case f == nil:
		return s.nothing()
	}
	switch f.Admit(token, s.Now()) {
	case feed.Refused:
		return s.nothing()
	case feed.Past:
		return s.seclude(s.fail("other", http.StatusGone, "This address does not hold any more. Ask whoever gave it to you for another one."))
	}
	a := s.below(r, "/t/"+token, path)
	if a == nil {
		return s.nothing()
	}
	return s.seclude(a)
}

// seclude keeps an answer with its reader.
func (s *Site) seclude(a *answer) *answer {
	a.header.Del("Access-Control-Allow-Origin")
	a.header.Set("Referrer-Policy", "no-referrer")
	a.header.Set("X-Robots-Tag", "noindex")
	if a.header.Get("Cache-Control") != "no-cache" {
		a.header.Set("Cache-Control", "private, max-age=60")
	}
	a.secluded = true
	return a
}
