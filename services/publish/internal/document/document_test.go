package document

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func TestEveryCodingHoldsTheSameBytes(t *testing.T) {
	t.Parallel()
	open := map[Coding]func([]byte) (io.Reader, error){
		Gzip:   func(b []byte) (io.Reader, error) { return gzip.NewReader(bytes.NewReader(b)) },
		Brotli: func(b []byte) (io.Reader, error) { return brotli.NewReader(bytes.NewReader(b)), nil },
		Zstd: func(b []byte) (io.Reader, error) {
			return zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderMaxWindow(zstdWindow))
		},
	}
	for name, body := range map[string][]byte{
		"small": []byte(strings.Repeat("Ein kurzer Text. ", 20)),
		"large": []byte(strings.Repeat("<item><title>Überschrift</title></item>\n", 500_000)), // wider than the window
	} {
		d, err := New("text/plain", body, time.Time{}, Brotli, Zstd)
		if err != nil {
			t.Fatal(err)
		}
		again, err := New("text/plain", body, time.Time{}, Zstd, Brotli)
		if err != nil || !cmp.Equal(d.Packed, again.Packed) {
			t.Errorf("%s: packed again it is another, %v", name, err)
		}
		tags := map[string]bool{d.ETag: true}
		var order []Coding
		for _, p := range d.Packed {
			tags[p.ETag] = true
			order = append(order, p.Coding)
			r, err := open[p.Coding](p.Body)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, body) {
				t.Errorf("%s in %s: %d bytes of %d, %v", name, p.Coding, len(got), len(body), err)
			}
		}
		if diff := cmp.Diff([]Coding{Zstd, Brotli, Gzip}, order); diff != "" || len(tags) != 4 {
			t.Errorf("%s: codings (-want +got), with %d validators:\n%s", name, len(tags), diff)
		}
		if !bytes.Equal(d.Body(), body) {
			t.Errorf("%s: the plain body is another", name)
		}
	}
}

func TestWhatPackingWouldNotShortenIsKeptAsItIs(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "x"} {
		d, err := New("text/plain", []byte(body), time.Time{}, Brotli, Zstd)
		if err != nil || len(d.Packed) != 0 || string(d.Body()) != body {
			t.Errorf("%q: %+v, %v", body, d, err)
		}
	}
}
