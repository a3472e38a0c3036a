package site

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/publish/internal/document"
	"tidings.internal/services/publish/internal/feed"
	"tidings.internal/services/publish/internal/limit"
	"tidings.internal/services/publish/internal/page"
	"tidings.internal/services/publish/internal/projection"
	"tidings.internal/services/publish/internal/render"
)

var modified = time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)

// shelf holds the feeds of a test.
type shelf map[string]*projection.Published

func (s shelf) Known(id string) bool { return id == "building" || s[id] != nil }

func (s shelf) Feed(id string) (*projection.Published, bool) {
	p, ok := s[id]
	return p, ok
}

func (s shelf) Ready() bool { return true }

// Recent gives an article of our own and one of others.
func (s shelf) Recent(since time.Time, _ int) []page.Listed {
	if !since.Equal(modified.Add(time.Minute - sitemapAge)) {
		return nil
	}
	return []page.Listed{
		{URL: "https://news.example.org/a?b=1&c=2", Title: "Ours & <more>", Language: "de-ch", Published: modified},
		{URL: "https://other.example/x", Title: "Theirs", Published: modified},
	}
}

// Variant gives the automatic feed tag-crm, and the feed all filtered.
func (s shelf) Variant(_ context.Context, v projection.Variant) (*projection.Rendered, error) {
	p := s["all"]
	switch v.Feed {
	case "tag-crm", "all":
		return &projection.Rendered{Feed: p.Feed, Head: &p.Feed.Head, Document: p.Documents[v.Format]}, nil
	case "secret":
		f := *p.Feed
		head := f.Under(v.Under)
		return &projection.Rendered{Feed: &f, Head: &head, Document: p.Documents[v.Format]}, nil
	case "tag-away":
		return nil, fault.Errorf(fault.Unreachable, "the broker is away")
	}
	return nil, fault.Errorf(fault.Gone, "there is no feed %s", v.Feed)
}

func published(t testing.TB, c feed.Config) *projection.Published {
	t.Helper()
	f, err := feed.New(c, config.Site{Title: "News", Language: "de"}, "https://news.example.org")
	if err != nil {
		t.Fatal(err)
	}
	p := &projection.Published{Feed: f, Documents: map[render.Format]*document.Document{}}
	for _, kind := range append(render.Formats(), projection.HTML) {
		contentType := "text/html; charset=utf-8"
		if kind != projection.HTML {
			contentType = kind.ContentType()
		}
		if p.Documents[kind], err = document.New(contentType, []byte(string(kind)+" of "+c.ID+strings.Repeat(" body", 100)), modified); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func newSite(t testing.TB) *Site {
	t.Helper()
	feeds := shelf{
		"all":    published(t, feed.Config{ID: "all", Index: true}),
		"hidden": published(t, feed.Config{ID: "hidden", Hubs: []string{"https://hub.example/"}}),
	}
	var tokens []feed.Token
	for _, c := range []feed.Token{{Name: "in"}, {Name: "late", Expires: modified}, {Name: "out", Revoked: true}} {
		sum := sha256.Sum256([]byte("token-" + c.Name))
		if c.SHA256 = hex.EncodeToString(sum[:]); c.Name == "in" {
			c.SHA256 = strings.ToUpper(c.SHA256) // as other tools print it
		}
		tokens = append(tokens, c)
	}
	secret := published(t, feed.Config{ID: "secret", Title: "Confidential", Private: true, Tokens: tokens, Index: true}).Feed
	s, err := New(Config{
		Now:   func() time.Time { return modified.Add(time.Minute) },
		Feeds: feeds, List: []*feed.Feed{feeds["all"].Feed, feeds["hidden"].Feed, secret}, Base: "https://news.example.org", Moved: map[string]string{"old": "all", "former": "secret"}, Gone: map[string]bool{"gone": true}, SitemapHosts: []string{"news.example.org"}, Title: "News <b>", Description: "About & more", Language: "de",
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ask(s *Site, method, path string, header ...string) *http.Response {
	r := httptest.NewRequest(method, "http://evil.example"+path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result()
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	plain, packed := "", ""
	{
		d := s.Feeds.(shelf)["all"].Documents[render.RSS]
		plain, packed = d.ETag, d.In(document.Gzip).ETag
	}
	weak := "W/" + plain
	before, after := modified.Add(-time.Second).Format(http.TimeFormat), modified.Format(http.TimeFormat)
	for _, c := range []struct {
		name    string
		request string
		header  []string
		status  int
		want    []string // "Header: value", "Header:" for absent, "=text" for a part of the body, "=" for an empty one
	}{
		{"rss", "GET /feeds/all.rss", nil, 200, []string{
			"Content-Type: application/rss+xml; charset=utf-8", "ETag: " + plain, "Last-Modified: " + after, "Vary: Accept-Encoding",
			"Cache-Control: public, max-age=60, stale-while-revalidate=300", "X-Content-Type-Options: nosniff", "Content-Encoding:",
			`Link: <https://news.example.org/feeds/all.rss>; rel="self"`, "Access-Control-Allow-Origin: *", "X-Robots-Tag:", "Content-Length: 510",
			"=rss of all", "Set-Cookie:", "Content-Security-Policy:",
		}},
		{"atom", "GET /feeds/all.atom", nil, 200, []string{"Content-Type: application/atom+xml; charset=utf-8", "=atom of all"}},
		{"json", "GET /feeds/all.json", nil, 200, []string{"Content-Type: application/feed+json; charset=utf-8", "=json of all"}},
		{"hub and noindex", "GET /feeds/hidden.rss", nil, 200, []string{
			`Link: <https://hub.example/>; rel="hub", <https://news.example.org/feeds/hidden.rss>; rel="self"`, "X-Robots-Tag: noindex",
		}},
		{"HEAD", "HEAD /feeds/all.rss", nil, 200, []string{"Content-Length: 510", "ETag: " + plain, "="}},
		{"gzip", "GET /feeds/all.rss", []string{"Accept-Encoding", "br;q=1.0, gzip;q=0.8"}, 200, []string{"Content-Encoding: gzip", "ETag: " + packed, "Vary: Accept-Encoding"}},
		{"gzip refused", "GET /feeds/all.rss", []string{"Accept-Encoding", "gzip;q=0"}, 200, []string{"Content-Encoding:", "ETag: " + plain}},
		{"gzip by star", "GET /feeds/all.rss", []string{"Accept-Encoding", "*"}, 200, []string{"Content-Encoding: gzip"}},
		{"star without gzip", "GET /feeds/all.rss", []string{"Accept-Encoding", "gzip;q=0, *"}, 200, []string{"Content-Encoding:"}},
		{"identity preferred", "GET /feeds/all.rss", []string{"Accept-Encoding", "gzip;q=0.5, identity"}, 200, []string{"Content-Encoding:"}},
		{"weight of nonsense", "GET /feeds/all.rss", []string{"Accept-Encoding", "gzip;q=much"}, 200, []string{"Content-Encoding:"}},

		{"same tag", "GET /feeds/all.rss", []string{"If-None-Match", plain}, 304, []string{"ETag: " + plain, "Cache-Control: public, max-age=60, stale-while-revalidate=300", "Vary: Accept-Encoding", "Content-Type:", "Content-Length:", "="}},
		{"same tag, HEAD", "HEAD /feeds/all.rss", []string{"If-None-Match", plain}, 304, nil},
		{"weak tag", "GET /feeds/all.rss", []string{"If-None-Match", weak}, 304, nil},
		{"list of tags", "GET /feeds/all.rss", []string{"If-None-Match", `"a,b", ` + plain}, 304, nil},
		{"two lines of tags", "GET /feeds/all.rss", []string{"If-None-Match", `"a"`, "If-None-Match", plain}, 304, nil},
		{"any tag", "GET /feeds/all.rss", []string{"If-None-Match", "*"}, 304, nil},
		{"tag of the other coding", "GET /feeds/all.rss", []string{"If-None-Match", packed}, 200, nil},
		{"tag of gzip", "GET /feeds/all.rss", []string{"If-None-Match", packed, "Accept-Encoding", "gzip"}, 304, []string{"ETag: " + packed, "Content-Encoding:"}},
		{"part of a tag", "GET /feeds/all.rss", []string{"If-None-Match", plain[:8] + `"`}, 200, nil},
		{"tag within a tag", "GET /feeds/all.rss", []string{"If-None-Match", `"x` + strings.Trim(plain, `"`) + `"`}, 200, nil},
		{"tag without quotes", "GET /feeds/all.rss", []string{"If-None-Match", strings.Trim(plain, `"`)}, 200, nil},
		{"open tag", "GET /feeds/all.rss", []string{"If-None-Match", `"abc`}, 200, nil},
		{"not modified since", "GET /feeds/all.rss", []string{"If-Modified-Since", after}, 304, nil},
		{"modified since", "GET /feeds/all.rss", []string{"If-Modified-Since", before}, 200, nil},
		{"garbage for a date", "GET /feeds/all.rss", []string{"If-Modified-Since", "yesterday"}, 200, nil},
		{"the tag wins over the date", "GET /feeds/all.rss", []string{"If-None-Match", `"other"`, "If-Modified-Since", after}, 200, nil},
		{"no ranges", "GET /feeds/all.rss", []string{"Range", "bytes=0-3"}, 200, []string{"Content-Length: 510"}},

		{"page", "GET /feeds/all", nil, 200, []string{"Content-Type: text/html; charset=utf-8", "Content-Security-Policy: " + page.Policy, "Vary: Accept, Accept-Encoding", "Content-Location:", "=html of all"}},
		{"page for a browser", "GET /feeds/all", []string{"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}, 200, []string{"=html of all"}},
		{"page for anything", "GET /feeds/all", []string{"Accept", "*/*"}, 200, []string{"=html of all"}},
		{"page for nothing we have", "GET /feeds/all", []string{"Accept", "image/png"}, 200, []string{"=html of all"}},
		{"rss by Accept", "GET /feeds/all", []string{"Accept", "application/rss+xml, application/atom+xml;q=0.9"}, 200, []string{"=rss of all", "Content-Location: https://news.example.org/feeds/all.rss", "Vary: Accept, Accept-Encoding", "Content-Security-Policy:"}},
		{"atom by Accept", "GET /feeds/all", []string{"Accept", "application/atom+xml, */*;q=0.1"}, 200, []string{"=atom of all"}},
		{"json by Accept", "GET /feeds/all", []string{"Accept", "application/json"}, 200, []string{"=json of all"}},
		{"xml by Accept", "GET /feeds/all", []string{"Accept", "text/xml"}, 200, []string{"=rss of all"}},
		{"rss refused", "GET /feeds/all", []string{"Accept", "application/*, application/xhtml+xml;q=0, application/rss+xml;q=0, application/xml;q=0, text/xml;q=0"}, 200, []string{"=atom of all"}},
		{"page with a filter", "GET /feeds/all?lang=de&tag=crm", nil, 200, []string{"=html of all", "Content-Security-Policy: " + page.Policy}},
		{"page with a filter in another order", "GET /feeds/all?tag=CRM&lang=de", nil, 301, []string{"Location: https://news.example.org/feeds/all?lang=de&tag=crm"}},
		{"page with a mark", "GET /feeds/all?utm_source=x", nil, 200, []string{"=html of all"}},

		{"index", "GET /", nil, 200, []string{"Content-Type: text/html; charset=utf-8", "Content-Security-Policy: " + page.Policy, `=href="feeds/all"`, "=News &lt;b&gt;"}},
		{"OPML", "GET /opml.xml", nil, 200, []string{"Content-Type: text/x-opml; charset=utf-8", `=xmlUrl="https://news.example.org/feeds/all.rss"`, `=text="News"`}},
		{"robots", "GET /robots.txt", nil, 200, []string{"Content-Type: text/plain; charset=utf-8", "=Disallow: /t/"}},
		{"style", "GET /style.css", nil, 200, []string{"Content-Type: text/css; charset=utf-8"}},

		{"preflight", "OPTIONS /feeds/all.rss", []string{"Origin", "https://x.example", "Access-Control-Request-Method", "GET"}, 204, []string{
			"Access-Control-Allow-Origin: *", "Access-Control-Allow-Methods: GET, HEAD", "Access-Control-Allow-Headers: If-None-Match, If-Modified-Since", "=",
		}},
		{"POST", "POST /feeds/all.rss", nil, 405, []string{"Allow: GET, HEAD, OPTIONS", "Content-Type: text/plain; charset=utf-8", "=GET or HEAD"}},
		{"unknown feed", "GET /feeds/<script>.rss", nil, 404, []string{"Content-Type: text/plain; charset=utf-8", "=https://news.example.org/."}},
		{"unknown page", "GET /nothing", nil, 404, []string{"=nothing at this address"}},
		{"unknown format", "GET /feeds/all.pdf", nil, 404, nil},
		{"no id", "GET /feeds/", nil, 404, nil},
		{"deeper", "GET /feeds/all/x.rss", nil, 404, nil},
		{"sitemap", "GET /sitemap-news.xml", nil, 200, []string{"Content-Type: application/xml; charset=utf-8", "=<loc>https://news.example.org/a?b=1&amp;c=2</loc>",
			"=<news:name>News &lt;b&gt;</news:name>", "=<news:language>de</news:language>", "=<news:publication_date>2026-11-02T10:00:00Z</news:publication_date>", "=<news:title>Ours &amp; &lt;more&gt;</news:title>"}},
		{"old id", "GET /feeds/old.rss", nil, 301, []string{"Location: https://news.example.org/feeds/all.rss", "Content-Type: text/plain; charset=utf-8"}},
		{"old id, page", "GET /feeds/old", nil, 301, []string{"Location: https://news.example.org/feeds/all"}},
		{"old id with a filter", "GET /feeds/old.json?lang=de", nil, 301, []string{"Location: https://news.example.org/feeds/all.json?lang=de"}},
		{"old id, archive", "GET /feeds/old/archive/2026-10-3.atom", nil, 301, []string{"Location: https://news.example.org/feeds/all/archive/2026-10-3.atom"}},
		{"gone", "GET /feeds/gone.rss", nil, 410, []string{"=no longer published", "Content-Type: text/plain; charset=utf-8"}},
		{"gone, page", "GET /feeds/gone", nil, 410, nil},
		{"gone, archive", "GET /feeds/gone/archive/2026-10-3.rss", nil, 410, nil},
		{"private, without a token", "GET /feeds/secret.rss", nil, 404, []string{"=no feed of this name"}},
		{"private, page without a token", "GET /feeds/secret", nil, 404, nil},
		{"private, filter without a token", "GET /feeds/secret.rss?lang=de", nil, 404, nil},
		{"private, archive without a token", "GET /feeds/secret/archive/2026-10-3.rss", nil, 404, nil},
		{"private", "GET /t/token-in/feeds/secret.rss", nil, 200, []string{
			"=rss of all", "Cache-Control: private, max-age=60", "X-Robots-Tag: noindex", "Referrer-Policy: no-referrer", "Access-Control-Allow-Origin:", "Access-Control-Expose-Headers:",
			`Link: <https://news.example.org/t/token-in/feeds/all.rss>; rel="self"`, "ETag: " + plain,
		}},
		{"private, unchanged", "GET /t/token-in/feeds/secret.rss", []string{"If-None-Match", plain}, 304, []string{"Cache-Control: private, max-age=60"}},
		{"private, page", "GET /t/token-in/feeds/secret", nil, 200, []string{"=html of all", "Content-Security-Policy: " + page.Policy, "Cache-Control: private, max-age=60"}},
		{"private, filter", "GET /t/token-in/feeds/secret.rss?tag=CRM", nil, 301, []string{"Location: https://news.example.org/t/token-in/feeds/secret.rss?tag=crm"}},
		{"private, archive", "GET /t/token-in/feeds/secret/archive/2026-10-3.rss", nil, 200, []string{"Cache-Control: private, max-age=60"}},
		{"private, style of the page", "GET /t/token-in/style.css", nil, 200, []string{"Content-Type: text/css; charset=utf-8"}},
		{"private, up", "GET /t/token-in/", nil, 301, []string{"Location: https://news.example.org/"}},
		{"private, preflight", "OPTIONS /t/token-in/feeds/secret.rss", nil, 204, []string{"Access-Control-Allow-Origin:", "Access-Control-Allow-Methods:"}},
		{"private, by an old id", "GET /t/token-in/feeds/former.rss", nil, 301, []string{"Location: https://news.example.org/t/token-in/feeds/secret.rss"}},
		{"private, by an old id without a token", "GET /feeds/former.rss", nil, 404, []string{"Location:", "=no feed of this name"}},
		{"private, archive by an old id without a token", "GET /feeds/former/archive/2026-10-3.rss", nil, 404, []string{"Location:", "=no page of this name"}},
		{"private, unknown token", "GET /t/token-x/feeds/secret.rss", nil, 404, []string{"=nothing at this address"}},
		{"private, no token", "GET /t//feeds/secret.rss", nil, 404, nil},
		{"private, expired", "GET /t/token-late/feeds/secret.rss", nil, 410, []string{"=does not hold any more", "Referrer-Policy: no-referrer"}},
		{"private, revoked", "GET /t/token-out/feeds/secret", nil, 410, nil},
		{"private, POST", "POST /t/token-in/feeds/secret.rss", nil, 405, nil},
		{"public feed with a token", "GET /t/token-in/feeds/all.rss", nil, 404, nil},
		{"gone feed with a token", "GET /t/token-in/feeds/gone.rss", nil, 410, nil},
		{"archive", "GET /feeds/all/archive/2026-10-3.atom", nil, 200, []string{"=atom of all", "Cache-Control: public, max-age=3600", "Content-Type: application/atom+xml; charset=utf-8"}},
		{"archive, unchanged", "GET /feeds/all/archive/2026-10-3.rss", []string{"If-None-Match", plain}, 304, nil},
		{"archive with a mark", "GET /feeds/all/archive/2026-10-3.rss?x=y", nil, 301, []string{"Location: https://news.example.org/feeds/all/archive/2026-10-3.rss"}},
		{"archive that is unknown", "GET /feeds/none/archive/2026-10-3.rss", nil, 404, []string{"=archive of this feed"}},
		{"archive without the broker", "GET /feeds/tag-away/archive/2026-10-3.rss", nil, 503, []string{"Retry-After: 5"}},
		{"archive as a page", "GET /feeds/all/archive/2026-10-3", nil, 404, nil},
		{"archive, badly named", "GET /feeds/all/archive/../../style.rss", nil, 404, nil},
		{"climbing", "GET /feeds/../style.css", nil, 404, nil},
		{"filter", "GET /feeds/all.rss?lang=de&tag=crm", nil, 200, []string{"=rss of all", "ETag: " + plain}},
		{"filter, other order", "GET /feeds/all.rss?tag=CRM&lang=de", nil, 301, []string{"Location: https://news.example.org/feeds/all.rss?lang=de&tag=crm"}},
		{"filter, negotiated", "GET /feeds/all?lang=de", []string{"Accept", "application/atom+xml"}, 301, []string{"Location: https://news.example.org/feeds/all.atom?lang=de"}},
		{"filter of nothing", "GET /feeds/none.rss?lang=de", nil, 404, nil},
		{"filter, unknown", "GET /feeds/all.rss?%3Cscript%3E=1", nil, 400, []string{"=there are tag, lang, source", "Content-Type: text/plain; charset=utf-8"}},
		{"filter, bad number", "GET /feeds/all.rss?limit=61", nil, 400, []string{`=parameter limit has the value "61"; allowed is a number from 1 to 60`}},
		{"not built yet", "GET /feeds/building.rss", nil, 503, []string{"Retry-After: 5", "=Try again"}},
		{"automatic feed", "GET /feeds/tag-crm.rss", nil, 200, []string{"=rss of all", "ETag: " + plain}},
		{"automatic feed, page", "GET /feeds/tag-crm", nil, 200, []string{"=html of all"}},
		{"automatic feed that is unknown", "GET /feeds/tag-none.atom", nil, 404, []string{"=no feed of this name"}},
		{"automatic feed without the broker", "GET /feeds/tag-away.atom", nil, 503, []string{"Retry-After: 5"}},
		{"long address", "GET /" + strings.Repeat("x", maxURL), nil, 414, []string{"=Shorten it"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			method, path, _ := strings.Cut(c.request, " ")
			res := ask(s, method, path, c.header...)
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != c.status {
				t.Errorf("status %d, want %d", res.StatusCode, c.status)
			}
			for _, w := range c.want {
				if part, ok := strings.CutPrefix(w, "="); ok {
					if part == "" && len(body) > 0 || !bytes.Contains(body, []byte(part)) {
						t.Errorf("body %.300q, want %q", body, part)
					}
					continue
				}
				name, value, _ := strings.Cut(w, ":")
				if got := strings.Join(res.Header.Values(name), " AND "); got != strings.TrimSpace(value) {
					t.Errorf("%s: %q, want %q", name, got, strings.TrimSpace(value))
				}
			}
			if bytes.Contains(body, []byte("evil.example")) || bytes.Contains(body, []byte("<script>")) {
				t.Error("the answer repeats the request")
			}
		})
	}
}

func TestCodingsHoldTheSameBytes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	plain, err := io.ReadAll(ask(s, "GET", "/feeds/all.rss").Body)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(ask(s, "GET", "/feeds/all.rss", "Accept-Encoding", "gzip").Body)
	if err != nil {
		t.Fatal(err)
	}
	packed, err := io.ReadAll(z)
	if err != nil || !bytes.Equal(plain, packed) {
		t.Errorf("%v: %d and %d bytes", err, len(plain), len(packed))
	}
}

func TestTheCodingThatIsLikedBestIsChosen(t *testing.T) {
	t.Parallel()
	d, err := document.New("text/plain", bytes.Repeat([]byte("again "), 200), modified, document.Brotli, document.Zstd)
	if err != nil {
		t.Fatal(err)
	}
	for header, want := range map[string]document.Coding{
		"gzip, deflate, br, zstd":          document.Zstd,
		"gzip, deflate, br":                document.Brotli,
		"br;q=0.5, gzip":                   document.Gzip,
		"x-gzip":                           document.Gzip,
		"*":                                document.Zstd,
		"zstd;q=0, *;q=0.5":                document.Brotli,
		"*;q=0.2, gzip":                    document.Gzip,
		"ZSTD;Q=0.9, br;q=0.9":             document.Zstd,
		"identity, zstd;q=0.9":             "",
		"identity;q=0.5, gzip;q=0.5":       document.Gzip,
		"zstd;q=0, br;q=0, gzip;q=0":       "",
		"deflate, compress":                "",
		"":                                 "",
		"identity;q=0, zstd;q=0, br;q=0.1": document.Brotli,
	} {
		got := coded(http.Header{"Accept-Encoding": {header}}, d.Packed)
		if want == "" && got != nil || want != "" && (got == nil || got.Coding != want) {
			t.Errorf("%q is answered with %+v, want %q", header, got, want)
		}
	}
}

func TestServerHasLimits(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := newSite(t).Server(slog.New(slog.DiscardHandler))
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		if err := server.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		<-done
	})
	say := func(text string) int {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return res.StatusCode
	}
	for text, want := range map[string]int{
		"GET /robots.txt HTTP/1.1\r\nHost: x\r\n\r\n":                                              200,
		fmt.Sprintf("GET / HTTP/1.1\r\nHost: x\r\nX-Big: %s\r\n\r\n", strings.Repeat("x", 64<<10)): 431,
		"GET / HTTP/1.1\r\n\r\n": 400,
		"nonsense\r\n\r\n":       400,
		fmt.Sprintf("GET /%s HTTP/1.1\r\nHost: x\r\n\r\n", strings.Repeat("x", 8<<10)):                    414,
		"POST /feeds/all.rss HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello":                       405,
		"GET /feeds/all.rss HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\nConnection: close\r\n\r\n": 200,
	} {
		if got := say(text); got != want {
			t.Errorf("%.60q: status %d, want %d", text, got, want)
		}
	}
	if server.ReadHeaderTimeout != headerTimeout || server.WriteTimeout == 0 || server.IdleTimeout == 0 {
		t.Errorf("limits %v %v %v", server.ReadHeaderTimeout, server.WriteTimeout, server.IdleTimeout)
	}
}

func FuzzMatches(f *testing.F) {
	f.Add(`"a", W/"b", *`)
	f.Fuzz(func(t *testing.T, list string) {
		if matches(list, `"tag"`) && !strings.Contains(list, `"tag"`) && !strings.Contains(list, "*") {
			t.Errorf("%q matches", list)
		}
		weighed(http.Header{"Accept": {list}}, "Accept")
	})
}

// BenchmarkServe answers over loopback, and so does a bare handler with the same bytes, which is the baseline.
func BenchmarkServe(b *testing.B) {
	s := newSite(b)
	s.Limit = limit.New(600, limit.Window, nil, time.Now)
	doc := s.Feeds.(shelf)["all"].Documents[render.RSS]
	all := doc.In(document.Gzip)
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("ETag", all.ETag)
		if r.Header.Get("If-None-Match") == all.ETag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		h.Set("Content-Type", doc.ContentType)
		h.Set("Content-Encoding", "gzip")
		h.Set("Content-Length", strconv.Itoa(len(all.Body)))
		_, _ = w.Write(all.Body) // a client that has gone is nobody's fault
	})
	for name, tag := range map[string]string{"200": "", "304": all.ETag} {
		b.Run(name, func(b *testing.B) {
			asks := func(h http.Handler) func() {
				server := httptest.NewServer(h)
				b.Cleanup(server.Close)
				client := server.Client()
				return func() {
					r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, server.URL+"/feeds/all.rss", nil)
					if err != nil {
						b.Fatal(err)
					}
					r.Header.Set("Accept-Encoding", "gzip")
					if tag != "" {
						r.Header.Set("If-None-Match", tag)
					}
					res, err := client.Do(r)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := io.Copy(io.Discard, res.Body); err != nil {
						b.Fatal(err)
					}
					_ = res.Body.Close() // all of it was read
				}
			}
			ours, theirs := asks(s), asks(bare)
			ours()
			theirs()
			var own, base time.Duration
			for b.Loop() {
				begun := time.Now()
				ours()
				between := time.Now()
				theirs()
				own, base = own+between.Sub(begun), base+time.Since(between)
			}
			b.ReportMetric(base.Seconds()/own.Seconds(), "rate-ratio")
			b.ReportMetric(float64(b.N)/own.Seconds(), "ours/s")
		})
	}
}

func TestNetworksThatAskTooOftenWait(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Limit = limit.New(10, limit.Window, nil, func() time.Time { return modified })
	from := func(peer, path string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.RemoteAddr = peer
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	tag := from("127.0.0.1:1", "/feeds/all.rss").Header().Get("ETag")
	for i := range 10 {
		if w := from("198.51.100.1:1", "/feeds/all.rss", "If-None-Match", tag); w.Code != http.StatusNotModified {
			t.Fatalf("answer %d: %d", i, w.Code)
		}
	}
	for _, path := range []string{"/feeds/all.rss?lang=de", "/feeds/all/archive/2026-10-3.rss", "/feeds/all.rss?lang=de"} {
		if w := from("198.51.100.1:1", path); w.Code != http.StatusOK {
			t.Fatalf("%s: %d", path, w.Code)
		}
	}
	w := from("198.51.100.1:2", "/feeds/all.rss")
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "60" || !strings.Contains(w.Body.String(), "If-None-Match") {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	// To be found unchanged a filtered document is made all the same.
	for i, want := range []int{304, 304, 304, 304, 429} {
		if w := from("198.51.100.3:1", "/feeds/all.rss?lang=de", "If-None-Match", "*"); w.Code != want {
			t.Errorf("filtered and unchanged, answer %d: %d, want %d", i, w.Code, want)
		}
	}
	for _, other := range []string{"198.51.100.2:1", "[2001:db8::1]:1", "127.0.0.1:1"} {
		if w := from(other, "/feeds/all.rss"); w.Code != http.StatusOK {
			t.Errorf("%s: %d", other, w.Code)
		}
	}
}

func TestPrivateFeedsStandInNoList(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, path := range []string{"/", "/opml.xml", "/robots.txt", "/feeds/all"} {
		body, err := io.ReadAll(ask(s, http.MethodGet, path).Body)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"secret", "Confidential", "token-in"} {
			if strings.Contains(string(body), word) {
				t.Errorf("%s names %s", path, word)
			}
		}
	}
}

func TestRobotsAreToldThePathsThatTheySee(t *testing.T) {
	t.Parallel()
	for base, under := range map[string]string{"https://news.example.org": "", "https://example.org/my%20news": "/my%20news"} {
		want := "User-agent: *\nDisallow: " + under + "/t/\nDisallow: " + under + "/hub\nDisallow: " + under + "/newsletter/\n\nSitemap: " + base + "/sitemap-news.xml\n"
		if got := string(robots(base)); got != want {
			t.Errorf("%s: %q, want %q", base, got, want)
		}
	}
}

func TestTheSitemapHoldsOnlyOurOwn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	body, err := io.ReadAll(ask(s, http.MethodGet, "/sitemap-news.xml").Body)
	if err != nil || strings.Contains(string(body), "Theirs") || strings.Count(string(body), "<url>") != 1 {
		t.Errorf("%v %s", err, body)
	}
	s.SitemapHosts = []string{"elsewhere.example"}
	if res := ask(s, http.MethodGet, "/sitemap-news.xml"); res.StatusCode != http.StatusNotFound {
		t.Errorf("without an article: %d", res.StatusCode)
	}
}

func TestTheHubAnswersOnlyToPosts(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if res := ask(s, "POST", "/hub"); res.StatusCode != http.StatusNotFound {
		t.Errorf("a hub that is off answers %d", res.StatusCode)
	}
	now := modified
	s.Limit = limit.New(10, limit.Window, nil, func() time.Time { return now })
	status := 0
	s.Hub = func(*http.Request) (int, string) { return status, "A sentence with 100 %s." }
	for _, c := range []struct {
		method      string
		hub, status int
		header      [2]string
	}{
		{"GET", 0, 405, [2]string{"Allow", "POST"}},
		{"OPTIONS", 0, 405, [2]string{"Allow", "POST"}},
		{"POST", 202, 202, [2]string{"Content-Type", "text/plain; charset=utf-8"}},
		{"POST", 400, 400, [2]string{"X-Content-Type-Options", "nosniff"}},
		{"POST", 503, 503, [2]string{"Retry-After", "60"}},
		{"POST", 202, 202, [2]string{}},
		{"POST", 202, 429, [2]string{"Retry-After", "60"}}, // 1 + 1 + 3 + 1 + 1 + 3 points are gone
	} {
		status = c.hub
		r := httptest.NewRequest(c.method, "/hub?hub.mode=subscribe", nil)
		r.RemoteAddr = "198.51.100.7:4000"
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != c.status || c.header[0] != "" && w.Header().Get(c.header[0]) != c.header[1] {
			t.Errorf("%s, where the hub says %d: %d, %v", c.method, c.hub, w.Code, w.Header())
		}
		if c.hub == c.status && w.Body.String() != "A sentence with 100 %s.\n" {
			t.Errorf("the answer is %q", w.Body)
		}
	}
}
