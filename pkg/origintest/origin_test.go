package origintest

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ask makes one request on a connection of its own and reads all of it.
func ask(t *testing.T, url string, header ...string) (*http.Response, []byte, error) {
	t.Helper()
	tr := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

func TestFeedIsServedInThreeFormats(t *testing.T) {
	t.Parallel()
	o := New(t)
	f := o.Feed("news").Describe("News & views", "en").Add(Sample("https://a.example", 1), Item{ID: "x", Title: "<b> & ö"})
	for _, format := range Formats() {
		resp, body, err := ask(t, f.URL(format))
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %v %v", format, resp, err)
		}
		var titles []string
		if format == JSON {
			var doc struct{ Items []struct{ Title string } }
			if err := json.Unmarshal(body, &doc); err != nil {
				t.Fatal(err)
			}
			for _, it := range doc.Items {
				titles = append(titles, it.Title)
			}
		} else {
			var doc struct {
				Item []struct {
					Title string `xml:"title"`
				} `xml:"channel>item"`
				Entry []struct {
					Title string `xml:"title"`
				} `xml:"entry"`
			}
			if err := xml.Unmarshal(body, &doc); err != nil {
				t.Fatalf("%s: %v\n%s", format, err, body)
			}
			for _, it := range append(doc.Item, doc.Entry...) {
				titles = append(titles, it.Title)
			}
		}
		if diff := cmp.Diff([]string{"<b> & ö", "Report 1 on customers & care"}, titles); diff != "" {
			t.Errorf("%s: titles (-want +got):\n%s", format, diff)
		}
	}
}

func TestConditionalRequests(t *testing.T) {
	t.Parallel()
	o := New(t)
	f := o.Feed("a").Add(Item{ID: "1", Title: "one"})
	first, _, err := ask(t, f.URL(RSS))
	if err != nil {
		t.Fatal(err)
	}
	tag, modified := first.Header.Get("Etag"), first.Header.Get("Last-Modified")
	status := func(header ...string) int {
		t.Helper()
		resp, _, err := ask(t, f.URL(RSS), header...)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode
	}
	if got := status("If-None-Match", tag); got != http.StatusNotModified {
		t.Errorf("same tag: %d", got)
	}
	if got := status("If-Modified-Since", modified); got != http.StatusNotModified {
		t.Errorf("same date: %d", got)
	}
	if !f.Edit("1", func(it *Item) { it.Title = "uno" }) || f.Edit("2", func(*Item) {}) {
		t.Error("Edit does not tell whether the item is there")
	}
	if got := status("If-None-Match", tag, "If-Modified-Since", modified); got != http.StatusOK {
		t.Errorf("edited: %d", got)
	}
	if !f.Remove("1") || f.Remove("1") || len(f.Items()) != 0 {
		t.Error("Remove does not remove once")
	}
	f.Validators(false, false)
	resp, _, err := ask(t, f.URL(RSS))
	if err != nil || resp.Header.Get("Etag") != "" || resp.Header.Get("Last-Modified") != "" {
		t.Errorf("validators are sent though switched off: %v %v", resp.Header, err)
	}
}

func TestStepsPlayInOrderThenTheDocument(t *testing.T) {
	t.Parallel()
	o := New(t)
	f := o.Feed("a").Add(Item{ID: "1", Title: "one"})
	o.Script("/a.rss", RetryAfter("120"), Step{Status: 500, Times: 2}, Redirect(301, "/b"), Status(410).Always())
	for i, want := range []int{429, 500, 500, 301, 410, 410} {
		resp, _, err := ask(t, f.URL(RSS))
		if err != nil || resp.StatusCode != want {
			t.Fatalf("request %d: %v %v, want %d", i, resp, err, want)
		}
		if want == 429 && resp.Header.Get("Retry-After") != "120" || want == 301 && resp.Header.Get("Location") != "/b" {
			t.Errorf("request %d lacks its header: %v", i, resp.Header)
		}
	}
	o.Unscript("/a.rss")
	if resp, _, err := ask(t, f.URL(RSS)); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("after the script: %v %v", resp, err)
	}
	if resp, _, err := ask(t, o.URL("/none")); err != nil || resp.StatusCode != http.StatusNotFound {
		t.Errorf("unknown path: %v %v", resp, err)
	}
	o.Serve("/page", "text/html", []byte("<p>hi"))
	if resp, body, err := ask(t, o.URL("/page")); err != nil || string(body) != "<p>hi" || resp.Header.Get("Content-Type") != "text/html" {
		t.Errorf("page: %q %v", body, err)
	}
}

func TestEncodingsDecode(t *testing.T) {
	t.Parallel()
	o := New(t)
	f := o.Feed("a").Add(Sample("https://a.example", 1))
	_, plain, err := ask(t, f.URL(Atom))
	if err != nil {
		t.Fatal(err)
	}
	decode := map[string]func(io.Reader) (io.Reader, error){
		"gzip": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"br":   func(r io.Reader) (io.Reader, error) { return brotli.NewReader(r), nil },
		"zstd": func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r, zstd.WithDecoderConcurrency(1)) },
	}
	for name, reader := range decode {
		o.Script("/a.atom", Encoded(name))
		resp, body, err := ask(t, f.URL(Atom))
		if err != nil || resp.Header.Get("Content-Encoding") != name {
			t.Fatalf("%s: %v %v", name, resp, err)
		}
		r, err := reader(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s does not decode to the document: %v", name, err)
		}
		if z, ok := r.(*zstd.Decoder); ok {
			z.Close()
		}
	}
	o.Script("/a.atom", Encoded("deflate", "gzip"))
	resp, _, err := ask(t, f.URL(Atom))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"deflate", "gzip"}, resp.Header.Values("Content-Encoding")); diff != "" {
		t.Errorf("two codings (-want +got):\n%s", diff)
	}
}

func TestBrokenAnswers(t *testing.T) {
	t.Parallel()
	o := New(t)
	f := o.Feed("a").Add(Sample("https://a.example", 1))
	o.Script("/a.rss", Cut(100), Cut(-1), Malformed(), Raw([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")), Drip(time.Microsecond))
	if _, body, err := ask(t, f.URL(RSS)); !errors.Is(err, io.ErrUnexpectedEOF) || len(body) != 100 {
		t.Errorf("cut: %d bytes, %v", len(body), err)
	}
	if _, _, err := ask(t, f.URL(RSS)); err == nil {
		t.Error("cut before the headers: an answer")
	}
	if _, body, err := ask(t, f.URL(RSS)); err != nil || xml.Unmarshal(body, new(struct{})) == nil {
		t.Errorf("malformed: %v %s", err, body)
	}
	if _, body, err := ask(t, f.URL(RSS)); err != nil || string(body) != "hi" {
		t.Errorf("raw: %q %v", body, err)
	}
	if _, body, err := ask(t, f.URL(RSS)); err != nil || !strings.Contains(string(body), "</rss>") {
		t.Errorf("drip: %v", err)
	}
}

func TestEndlessEndsWithTheOrigin(t *testing.T) {
	t.Parallel()
	o, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	o.Script("/x", Endless(), Slow(time.Hour))
	c, err := net.Dial("tcp", o.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, c, 64<<10); err != nil {
		t.Fatalf("read an endless body: %v", err)
	}
	if err := o.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := o.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestRequestsAreRecordedAndAwaited(t *testing.T) {
	t.Parallel()
	o := New(t)
	done := make(chan error, 1)
	go func() {
		_, err := o.Wait(t.Context(), 2, "/a", "/b")
		done <- err
	}()
	for _, path := range []string{"/a?q=1", "/c", "/b"} {
		if _, _, err := ask(t, o.URL(path), "X-Test", path); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	got := o.Requests("/a")
	if len(got) != 1 || got[0].Path != "/a?q=1" || got[0].Header.Get("X-Test") != "/a?q=1" || got[0].Time.IsZero() {
		t.Errorf("recorded %+v", got)
	}
	if n := o.Connections(); n != 3 {
		t.Errorf("%d connections, want 3", n)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := o.Wait(ended, 99); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait under an ended context: %v", err)
	}
	o.Forget()
	if n := len(o.Requests()); n != 0 {
		t.Errorf("%d requests after Forget", n)
	}
}

// A later origin on the same address must look like the former to a client that kept a validator.
func TestOriginReturnsAtItsAddress(t *testing.T) {
	t.Parallel()
	var tags []string
	address := "127.0.0.1:0"
	for range 2 {
		o, err := StartAt(address)
		if err != nil {
			t.Fatal(err)
		}
		address = o.Addr()
		resp, _, err := ask(t, o.Feed("a").Add(Sample("https://a.example", 7)).URL(Atom))
		if err != nil {
			t.Fatal(err)
		}
		tags = append(tags, resp.Header.Get("Etag"))
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if tags[0] == "" || tags[0] != tags[1] {
		t.Errorf("tags %q differ", tags)
	}
}
