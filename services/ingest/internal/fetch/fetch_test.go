package fetch

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/origintest"
	"tidings.internal/pkg/web"
	"tidings.internal/services/ingest/internal/cause"
)

func fetcher(t *testing.T) *Fetcher {
	t.Helper()
	client, err := web.New(web.Config{UserAgent: "test", AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Limits: web.Limits{Idle: 2 * time.Second, Total: 5 * time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return New(client)
}

func TestEveryCodingArrivesAsTheSameText(t *testing.T) {
	t.Parallel()
	o, f := origintest.New(t), fetcher(t)
	const doc = "<rss><channel><title>Größe</title></channel></rss>"
	hashes := map[string]bool{}
	for _, coding := range []string{"", "gzip", "deflate", "br", "zstd"} {
		step := origintest.Document("text/xml", []byte(doc))
		if coding != "" {
			step.Encoding = []string{coding}
		}
		o.Script("/f", step)
		a, err := f.Get(t.Context(), Request{URL: o.URL("/f")})
		if err != nil || string(a.Text) != doc || a.Cut {
			t.Fatalf("%s: %v, %+v", coding, err, a)
		}
		hashes[a.Hash] = true
		a.Done()
	}
	if len(hashes) != 1 {
		t.Errorf("%d hashes of one document", len(hashes))
	}
}

func TestValidatorsAreKeptOnlyIfTheyCanBeSentBack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ etag, want string }{
		{`"abc"`, `"abc"`}, {`W/"abc"`, `W/"abc"`}, {"bare", "bare"},
		{`"` + strings.Repeat("x", 64<<10) + `"`, ""}, {"\"a\x00b\"", ""}, {"\"ä\"", ""}, {"", ""},
	} {
		a := Answer{Header: http.Header{"Etag": {c.etag}, "Last-Modified": {"Mon, 02 Jan 2006 15:04:05 GMT"}}}
		if got, modified := a.Validators(); got != c.want || modified == "" {
			t.Errorf("%.20q gives %.20q and %q, want %.20q", c.etag, got, modified, c.want)
		}
		a.Cut = true
		if etag, modified := a.Validators(); etag != "" || modified != "" {
			t.Errorf("a document that broke off has validators %q, %q", etag, modified)
		}
	}
}

func TestAnswersThatAreNoDocumentsAreNamed(t *testing.T) {
	t.Parallel()
	o, f := origintest.New(t), fetcher(t)
	for _, c := range []struct {
		name string
		step origintest.Step
		want cause.Reason
	}{
		{"empty", origintest.Document("text/xml", []byte{}), cause.NotAFeed},
		{"no content", origintest.Status(204), cause.NotAFeed},
		{"accepted", origintest.Step{Status: 202, Body: []byte("<rss/>")}, cause.NotAFeed},
		{"a part", origintest.Step{Status: 206, Body: []byte("<rss/>")}, cause.NotAFeed},
		{"a wall", origintest.Step{Header: http.Header{"Cf-Mitigated": {"challenge"}}, Body: []byte("<html>")}, cause.Blocked},
		{"forbidden with a page", origintest.Step{Status: 403, Header: http.Header{"Content-Type": {"text/html"}}, Body: []byte("<html>")}, cause.Blocked},
		{"three codings", origintest.Step{Header: http.Header{"Content-Encoding": {"gzip, gzip, br"}}, Body: []byte("x")}, cause.TooLarge},
		{"an unknown coding", origintest.Step{Header: http.Header{"Content-Encoding": {"compress"}}, Body: []byte("x")}, cause.UnsupportedFormat},
		{"not HTTP", origintest.Raw([]byte("220 smtp.example.org ESMTP\r\n")), cause.Truncated},
	} {
		o.Script("/f", c.step)
		if _, err := f.Get(t.Context(), Request{URL: o.URL("/f")}); cause.Of(err) != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}

func TestDocumentThatBreaksOffGivesWhatCame(t *testing.T) {
	t.Parallel()
	o, f := origintest.New(t), fetcher(t)
	doc := []byte("<rss>" + strings.Repeat("<item/>", 1000) + "</rss>")
	for _, coding := range []string{"", "gzip"} {
		step := origintest.Step{Header: http.Header{"Content-Type": {"text/xml"}}, Body: doc, Cut: 60}
		if coding != "" {
			step.Encoding = []string{coding}
		}
		o.Script("/f", step)
		a, err := f.Get(t.Context(), Request{URL: o.URL("/f")})
		if err != nil || !a.Cut || !strings.HasPrefix(string(doc), string(a.Text)) || len(a.Text) == 0 {
			t.Errorf("%q: %v, %+v", coding, err, a)
		}
	}
}

func TestValidatorsHoldForOneKindOfRequest(t *testing.T) {
	t.Parallel()
	plain := Asked("https://a/", web.Options{})
	seen := map[string]bool{plain: true}
	for _, o := range []web.Options{
		{UserAgent: "x"}, {Bearer: "x"}, {Cookie: "x"}, {Basic: &web.Basic{User: "x"}}, {Basic: &web.Basic{User: "x", Password: "y"}}, {Header: http.Header{"X": {"y"}}},
	} {
		h := Asked("https://a/", o)
		if seen[h] {
			t.Errorf("%+v is asked like another", o)
		}
		seen[h] = true
	}
	if Asked("https://a/", web.Options{}) != plain || Asked("https://b/", web.Options{}) == plain {
		t.Error("the same request is not known again")
	}
}
