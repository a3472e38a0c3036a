package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRedirectsAreFollowedAndRecorded(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/a":
			http.Redirect(w, r, "/b", http.StatusMovedPermanently)
		case "/b":
			http.Redirect(w, r, "c?x=ä", http.StatusTemporaryRedirect)
		}
	})
	r, err := client(t, Config{}).Fetch(t.Context(), Request{URL: s.URL + "/a"})
	if err != nil {
		t.Fatal(err)
	}
	want := []Hop{{s.URL + "/a", 301}, {s.URL + "/b", 307}}
	if diff := cmp.Diff(want, r.Hops); diff != "" || r.URL.Path != "/c" {
		t.Errorf("at %s by (-want +got):\n%s", r.URL, diff)
	}
}

func TestRedirectsEnd(t *testing.T) {
	t.Parallel()
	n := 0
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n++
		switch r.URL.Path {
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/query":
			http.Redirect(w, r, fmt.Sprintf("/query?n=%d", n), http.StatusFound)
		case "/five":
			if n < 6 {
				http.Redirect(w, r, "/five", http.StatusFound)
			}
		case "/empty":
			w.WriteHeader(http.StatusFound)
		case "/long":
			w.Header().Set("Location", "/"+strings.Repeat("a", maxURL))
			w.WriteHeader(http.StatusFound)
		default:
			w.Header().Set("Location", r.URL.Query().Get("to"))
			w.WriteHeader(http.StatusFound)
		}
	})
	c := client(t, Config{})
	for _, path := range []string{"/loop", "/query"} {
		n = 0
		_, err := c.Fetch(t.Context(), Request{URL: s.URL + path})
		e := failure(t, err, RedirectLimit)
		if n != 6 || len(e.Hops) != 6 {
			t.Errorf("%s: %d requests, %d hops", path, n, len(e.Hops))
		}
	}
	n = 0
	if r, err := c.Fetch(t.Context(), Request{URL: s.URL + "/five"}); err != nil || len(r.Hops) != 5 {
		t.Errorf("five redirects: %v", err)
	}
	for path, want := range map[string]Reason{
		"/empty": RedirectRefused, "/long": RedirectRefused, "/?to=http://%2500/": RedirectRefused,
		"/?to=file:///etc/passwd": RefusedScheme, "/?to=gopher://x/": RefusedScheme, "/?to=ftp://x/": RefusedScheme,
		"/?to=data:text/plain,x": RefusedScheme, "/?to=http://u:p@x.example/": BadURL,
		"/?to=http://169.254.169.254/latest": RefusedAddress, "/?to=http://8.8.8.8:22/": RefusedPort,
	} {
		_, err := c.Fetch(t.Context(), Request{URL: s.URL + path})
		if e, ok := errors.AsType[*Error](err); !ok || e.Reason != want || e.Status != 302 || len(e.Hops) != 1 {
			t.Errorf("%s: %+v, want %s", path, err, want)
		}
	}
}

// secrets are options that hold all there are, and tell which of them a request carries.
var secrets = Options{
	Bearer: "t0ken", Cookie: "sid=c00kie", Header: http.Header{"X-Api-Key": {"k3y"}},
}

func carried(h http.Header) string {
	var list []string
	for _, name := range []string{"Authorization", "Cookie", "X-Api-Key"} {
		if v := h.Get(name); v != "" {
			list = append(list, v)
		}
	}
	return strings.Join(list, " ")
}

func TestSecretsStayWithTheFirstHost(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen []string
	note := func(who string, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, who+r.URL.Path+" "+carried(r.Header))
	}
	var first, other *httptest.Server
	first = serve(t, func(w http.ResponseWriter, r *http.Request) {
		note("first", r)
		switch r.URL.Path {
		case "/a":
			http.Redirect(w, r, "/b", http.StatusFound)
		case "/b":
			http.Redirect(w, r, other.URL+"/c", http.StatusFound)
		}
	})
	other = serve(t, func(w http.ResponseWriter, r *http.Request) {
		note("other", r)
		http.Redirect(w, r, first.URL+"/d", http.StatusFound)
	})
	if _, err := client(t, Config{}).Fetch(t.Context(), Request{URL: first.URL + "/a", Options: secrets}); err != nil {
		t.Fatal(err)
	}
	all := "Bearer t0ken sid=c00kie k3y"
	want := []string{"first/a " + all, "first/b " + all, "other/c ", "first/d "}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("what each host saw (-want +got):\n%s", diff)
	}
}

func TestSameHost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"http://a.example/x", "http://a.example/y", true},
		{"http://a.example/", "http://a.example:80/", true},
		{"http://a.example/", "https://a.example/", true}, // the usual way to https
		{"https://a.example/", "http://a.example/", false},
		{"http://a.example:8080/", "https://a.example/", false},
		{"http://a.example/", "http://a.example:8080/", false},
		{"http://a.example/", "http://b.a.example/", false},
		{"http://a.example:443/", "https://a.example/", false},
	} {
		if got := sameHost(mustURL(t, c.a), mustURL(t, c.b)); got != c.want {
			t.Errorf("sameHost(%s, %s) = %v", c.a, c.b, got)
		}
	}
}

func TestCredentialsNeverGoFromHTTPSToHTTP(t *testing.T) {
	t.Parallel()
	asked := 0
	plain := serve(t, func(_ http.ResponseWriter, r *http.Request) { asked++ })
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, plain.URL, http.StatusFound)
	}))
	t.Cleanup(secure.Close)
	c := client(t, Config{})
	o := secrets
	o.TLS.Insecure = true
	_, err := c.Fetch(t.Context(), Request{URL: secure.URL, Options: o})
	failure(t, err, RedirectRefused)
	if asked != 0 {
		t.Error("the plain host was asked")
	}
	if _, err := c.Fetch(t.Context(), Request{URL: secure.URL, Options: Options{TLS: TLS{Insecure: true}}}); err != nil {
		t.Errorf("without credentials: %v", err)
	}
}
