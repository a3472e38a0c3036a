package origintest

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// Step is how one request, or several, are answered. The zero Step answers plainly; each field changes one thing, so
// they may be combined.
type Step struct {
	// Times is how many requests the step answers: 0 and 1 mean one, a negative number all that follow.
	Times int
	// Status replaces the status. With one the document is left out unless Body is set.
	Status int
	// Header is added to that of the document.
	Header http.Header
	// Body replaces the document.
	Body []byte
	// Encoding names codings to apply to the body, in order: gzip, deflate, br, zstd.
	Encoding []string
	// Delay passes before the first byte, Pause between any two bytes of the body.
	Delay, Pause time.Duration
	// Cut closes the connection after so many bytes of a body announced in full. Negative cuts before the headers.
	Cut int
	// Endless repeats the body until the client leaves.
	Endless bool
	// Raw is written to the connection in place of an HTTP answer, and the connection closed.
	Raw []byte
}

// Status answers with a status and headers given as name, value, name, value.
func Status(status int, header ...string) Step {
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Add(header[i], header[i+1])
	}
	return Step{Status: status, Header: h}
}

// Redirect answers with a status and a Location.
func Redirect(status int, to string) Step { return Status(status, "Location", to) }

// RetryAfter answers 429 with a Retry-After.
func RetryAfter(value string) Step { return Status(http.StatusTooManyRequests, "Retry-After", value) }

// Slow waits before it answers.
func Slow(delay time.Duration) Step { return Step{Delay: delay} }

// Drip answers byte by byte.
func Drip(pause time.Duration) Step { return Step{Pause: pause} }

// Cut closes the connection after n bytes of the body.
func Cut(n int) Step { return Step{Cut: n} }

// Endless never ends its body.
func Endless() Step { return Step{Endless: true} }

// Encoded encodes the body.
func Encoded(codings ...string) Step { return Step{Encoding: codings} }

// Malformed answers with an XML document that no repair can read.
func Malformed() Step {
	return Document("application/rss+xml", []byte("<?xml version=\"1.0\"?><rss><channel><item><title>a</b></chan"))
}

// Document answers with other bytes.
func Document(contentType string, body []byte) Step {
	return Step{Body: body, Header: http.Header{"Content-Type": {contentType}}}
}

// Raw writes bytes to the connection and closes it.
func Raw(b []byte) Step { return Step{Raw: b} }

// Always makes the step answer every request from its turn on.
func (s Step) Always() Step {
	s.Times = -1
	return s
}

// play answers by a step.
func (o *Origin) play(w http.ResponseWriter, r *http.Request, s Step) {
	if !o.pause(r, s.Delay) {
		return
	}
	if s.Raw != nil || s.Cut < 0 {
		hijack(w, s.Raw)
		return
	}
	d := o.plain(r)
	switch {
	case s.Body != nil:
		d = document{status: s.Status, body: s.Body}
	case s.Status != 0:
		d = document{status: s.Status}
	}
	h := w.Header()
	if d.contentType != "" {
		d.head(h)
	}
	maps.Copy(h, canonical(s.Header))
	if s.Status == 0 && s.Body == nil && d.fresh(r) {
		h.Del("Content-Type")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	for _, name := range s.Encoding {
		d.body = encode(name, d.body)
		h.Add("Content-Encoding", name)
	}
	if s.Cut > 0 && h.Get("Content-Length") == "" {
		h.Set("Content-Length", strconv.Itoa(max(len(d.body), s.Cut+1)))
	}
	if d.status != 0 {
		w.WriteHeader(d.status)
	}
	o.body(w, r, s, d.body)
}

// body writes the body as slow, as short or as long as the step wants it.
func (o *Origin) body(w http.ResponseWriter, r *http.Request, s Step, body []byte) {
	if s.Endless && len(body) == 0 {
		body = []byte(" ")
	}
	if s.Cut > 0 {
		_, _ = w.Write(body[:min(s.Cut, len(body))])
		_ = http.NewResponseController(w).Flush() // else net/http would drop what it still holds
		panic(http.ErrAbortHandler)               // the way of net/http to cut a connection in a body
	}
	for {
		if s.Pause == 0 {
			if _, err := w.Write(body); err != nil {
				return
			}
		} else if !o.drip(w, r, s.Pause, body) {
			return
		}
		if !s.Endless {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-o.stop:
			return
		default:
		}
	}
}

func (o *Origin) drip(w http.ResponseWriter, r *http.Request, pause time.Duration, body []byte) bool {
	control := http.NewResponseController(w)
	for i := range body {
		if _, err := w.Write(body[i : i+1]); err != nil {
			return false
		}
		if control.Flush() != nil || !o.pause(r, pause) {
			return false
		}
	}
	return true
}

// pause waits and tells whether the client and the origin are still there.
func (o *Origin) pause(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
	case <-o.stop:
	}
	return false
}

func hijack(w http.ResponseWriter, b []byte) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer c.Close()
	_, _ = c.Write(b)
}

func canonical(h http.Header) http.Header {
	out := http.Header{}
	for name, values := range h {
		for _, v := range values {
			out.Add(name, v)
		}
	}
	return out
}

// encode applies one coding. An unknown name is a mistake of the test.
func encode(name string, body []byte) []byte {
	var b bytes.Buffer
	var w io.WriteCloser
	switch name {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "deflate":
		w = zlib.NewWriter(&b)
	case "br":
		w = brotli.NewWriter(&b)
	case "zstd":
		z, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
		if err != nil {
			panic(fmt.Sprintf("make zstd encoder: %v", err))
		}
		w = z
	default:
		panic(fmt.Sprintf("encode body: no coding %q", name))
	}
	_, err := w.Write(body)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(fmt.Sprintf("encode body: %v", err)) // a Buffer does not fail
	}
	return b.Bytes()
}
