package site

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"tidings.internal/services/publish/internal/limit"
	"tidings.internal/services/publish/internal/newsletter"
)

// A scanner of mail opens every link of every mail. The readers behind its address confirm and leave all the same.
func TestScannersOfMailDoNotLockReadersOut(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if res := ask(s, http.MethodGet, "/newsletter/letter"); res.StatusCode != http.StatusNotFound {
		t.Errorf("without lists there is a page: %d", res.StatusCode)
	}
	s.Limit = limit.New(10, limit.Window, nil, func() time.Time { return modified })
	served := map[string]int{}
	s.Served = func(kind string, status int) {
		if status == http.StatusOK {
			served[kind]++
		}
	}
	s.Newsletter = func(r *http.Request) *newsletter.Answer {
		return &newsletter.Answer{Kind: "page", Status: http.StatusOK, Header: http.Header{"Cache-Control": {"no-store"}}, Body: []byte("a page"), Dear: r.Method == http.MethodPost}
	}
	from := func(method, path string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, nil)
		r.RemoteAddr = "198.51.100.1:1"
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	for range 10 {
		from(http.MethodGet, "/newsletter/confirm/a")
	}
	for _, c := range []struct {
		request string
		method  string
		status  int
	}{
		{"/newsletter/confirm/a", "GET", 429}, {"/newsletter/letter", "POST", 429}, {"/newsletter/preferences/a", "POST", 429}, {"/feeds/all.rss", "GET", 429},
		{"/newsletter/confirm/a", "POST", 200}, {"/newsletter/unsubscribe/a", "POST", 200}, {"/newsletter/one-click/a", "POST", 200}, {"/newsletter/confirm", "POST", 429},
	} {
		w := from(c.method, c.request)
		if w.Code != c.status {
			t.Errorf("%s %s: %d, want %d", c.method, c.request, w.Code, c.status)
		}
		if h := w.Header(); w.Code == 200 && (h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Access-Control-Allow-Origin") != "" || h.Get("Content-Length") != "6" || h.Get("Cache-Control") != "no-store") {
			t.Errorf("%s: %v", c.request, h)
		}
	}
	if served["page"] != 13 {
		t.Errorf("counted are %v", served)
	}
}
