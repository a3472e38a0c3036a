package decode

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"tidings.internal/services/ingest/internal/cause"
)

// pack applies a coding as a server would.
func pack(t testing.TB, coding string, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "zlib":
		w = zlib.NewWriter(&b)
	case "raw":
		w, err = flate.NewWriter(&b, flate.DefaultCompression)
	case "br":
		w = brotli.NewWriter(&b)
	case "zstd":
		w, err = zstd.NewWriter(&b)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// text is prose that compresses about as well as a feed does.
func text(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	for b.Len() < n {
		b.WriteString([]string{"der ", "Kunde ", "und ", "die ", "Firma ", "spricht ", "<p>", "heute ", "über "}[r.IntN(9)])
	}
	return []byte(b.String()[:n])
}

func TestEveryCodingIsUndone(t *testing.T) {
	t.Parallel()
	want := text(100_000)
	gz := pack(t, "gzip", want)
	for _, c := range []struct {
		name    string
		body    []byte
		codings []string
	}{
		{"none", want, nil},
		{"gzip", gz, []string{"gzip"}},
		{"x-gzip", gz, []string{"x-gzip"}},
		{"deflate with its frame", pack(t, "zlib", want), []string{"deflate"}},
		{"deflate bare", pack(t, "raw", want), []string{"deflate"}},
		{"brotli", pack(t, "br", want), []string{"br"}},
		{"zstandard", pack(t, "zstd", want), []string{"zstd"}},
		{"two on top of one another", pack(t, "br", gz), []string{"gzip", "br"}},
		{"announced and not applied", want, []string{"gzip"}},
		{"applied and not announced", gz, nil},
	} {
		got, cut, err := Codings(c.body, c.codings)
		if err != nil || cut || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, cut %v, error %v; want the %d bytes", c.name, len(got), cut, err, len(want))
		}
	}
}

func TestCutDocumentGivesWhatCame(t *testing.T) {
	t.Parallel()
	want := text(200_000)
	for _, coding := range []string{"gzip", "zlib", "br", "zstd"} {
		body := pack(t, coding, want)
		name := strings.Replace(coding, "zlib", "deflate", 1)
		got, cut, err := Codings(body[:len(body)*7/10], []string{name})
		if err != nil || !cut || !bytes.HasPrefix(want, got) || len(got) == 0 {
			t.Errorf("%s: %d bytes, cut %v, error %v; want a part of the text", coding, len(got), cut, err)
		}
	}
}

func TestBombIsStoppedAtTheLimit(t *testing.T) {
	t.Parallel()
	zeros := make([]byte, 64<<20)
	for _, coding := range []string{"gzip", "zlib", "raw", "br", "zstd"} {
		name := map[string]string{"zlib": "deflate", "raw": "deflate"}[coding]
		if name == "" {
			name = coding
		}
		_, _, err := Codings(pack(t, coding, zeros), []string{name})
		if cause.Of(err) != cause.TooLarge {
			t.Errorf("%s: %v, want too_large", coding, err)
		}
	}
	if _, _, err := Codings(pack(t, "gzip", text(100)), []string{"gzip", "gzip", "br"}); cause.Of(err) != cause.TooLarge {
		t.Errorf("three codings: %v, want too_large", err)
	}
	if _, _, err := Codings(make([]byte, MaxDecoded+1), nil); cause.Of(err) != cause.TooLarge {
		t.Errorf("a large plain body: %v, want too_large", err)
	}
}

func TestUnknownOrBrokenCodingIsTyped(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		body   string
		coding string
		want   cause.Reason
	}{
		{"abc", "compress", cause.UnsupportedFormat},
		{"\x1f\x8b\x09 no gzip", "gzip", cause.Malformed},
		{"(\xb5/\xfd no zstd at all, only its magic number", "zstd", cause.Malformed},
	} {
		if _, _, err := Codings([]byte(c.body), []string{c.coding}); cause.Of(err) != c.want {
			t.Errorf("%s: %v, want %s", c.coding, err, c.want)
		}
	}
}

// Whatever arrives must end within the limits and without a panic.
func FuzzCodings(f *testing.F) {
	for _, coding := range []string{"gzip", "br", "zstd", "raw"} {
		f.Add(pack(f, coding, []byte("<rss><channel/></rss>")), strings.Replace(coding, "raw", "deflate", 1))
	}
	f.Fuzz(func(t *testing.T, body []byte, coding string) {
		data, _, err := Codings(body, []string{coding})
		if err == nil && len(data) > MaxDecoded {
			t.Errorf("%d bytes passed the limit", len(data))
		}
		if err != nil && cause.Of(err) == cause.Ours {
			t.Error(cmp.Diff("a reason", err.Error()))
		}
	})
}
