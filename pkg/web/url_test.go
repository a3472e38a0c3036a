package web

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCheckURL(t *testing.T) {
	t.Parallel()
	c := client(t, Config{})
	for in, want := range map[string]string{
		"HTTP://Example.COM/Path?Q=1#top": "http://example.com/Path?Q=1",
		"https://example.com.":            "https://example.com",
		"http://müller.example/ä":         "http://xn--mller-kva.example/%C3%A4",
		"http://a_b.example:8080":         "http://a_b.example:8080",
		"http://[2606:4700:0:0::1111]/":   "http://[2606:4700::1111]/",
		"http://1.2.example/":             "http://1.2.example/",
		"http://0x7f.example/":            "http://0x7f.example/",
		"http://example.com/%0d%0aX:y":    "http://example.com/%0d%0aX:y",
	} {
		u, err := c.CheckURL(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if diff := cmp.Diff(want, u.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", in, diff)
		}
	}
	for in, want := range map[string]Reason{
		"":                           RefusedScheme,
		"/feed":                      RefusedScheme,
		"//example.com/":             RefusedScheme,
		"file:///etc/passwd":         RefusedScheme,
		"gopher://example.com/":      RefusedScheme,
		"ftp://example.com/":         RefusedScheme,
		"data:text/xml,<rss/>":       RefusedScheme,
		"javascript:alert(1)":        RefusedScheme,
		"http:///feed":               BadURL,
		"http:feed":                  BadURL,
		"http://user@example.com/":   BadURL,
		"http://u:s3cr3t@example.co": BadURL,
		"http://exa\r\nmple.com/":    BadURL,
		"http://example.com/\r\nX:y": BadURL,
		"http://exa%0d%0ample.com/":  BadURL,
		"http://exa mple.com/":       BadURL,
		"http://a.com\\@b.com/":      BadURL,
		"http://a..b/":               BadURL,
		"http://0.../":               BadURL,
		"http://127.0.0.1../":        BadURL,
		"http://.a/":                 BadURL,
		"http://./":                  BadURL,
		"http://[::1/":               BadURL,
		"http://[v1.x]/":             BadURL,
		"http://a:80:90/":            BadURL,
		"http://a:http/":             BadURL,
		"http://1.2.3/":              RefusedAddress,
		"http://1.2.3.4.5/":          RefusedAddress,
		"http://a.0x1/":              RefusedAddress,
		"http://" + strings.Repeat("a", 254) + "/":        BadURL,
		"http://example.com/" + strings.Repeat("a", 8192): BadURL,
	} {
		_, err := c.CheckURL(in)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Reason != want {
			t.Errorf("%q: %v, want %s", in, err, want)
		} else if strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%q: the password is in %q", in, err)
		}
	}
}

func FuzzCheckURL(f *testing.F) {
	for _, h := range closedHosts {
		f.Add("http://" + h + "/")
	}
	f.Add("https://user:p@host\r\n:99999/\x00")
	c, err := New(Config{UserAgent: "fuzz"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, in string) {
		u, err := c.CheckURL(in)
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("%q: untyped %v", in, err)
			}
			return
		}
		// What passes must pass again unchanged, and a literal address among it must be public.
		again, err := c.CheckURL(u.String())
		if err != nil || again.String() != u.String() {
			t.Fatalf("%q gives %q, which gives %v, %v", in, u, again, err)
		}
		if a, err := netip.ParseAddr(u.Hostname()); err == nil && (a.IsLoopback() || a.IsPrivate() || !a.IsGlobalUnicast()) {
			t.Fatalf("%q passes to %s", in, a)
		}
	})
}
