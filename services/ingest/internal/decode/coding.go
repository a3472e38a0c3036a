package decode

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"tidings.internal/services/ingest/internal/cause"
)

// Limits of what one document may unfold to.
const (
	// MaxDecoded is the size of a decoded document in bytes.
	MaxDecoded = 20 << 20
	// maxCodings is how many codings may lie on top of one another; nobody needs more than one.
	maxCodings = 2
	// Past ratioFrom bytes a document may not be more than maxRatio times as large as it travelled: text reaches 10,
	// repeated markup 50, a bomb 1,000.
	ratioFrom = 1 << 20
	maxRatio  = 200
	// maxWindow is the memory that a zstd frame may ask for (RFC 8878 section 3.1.1.1.2 recommends 8 MB to decoders).
	maxWindow = 8 << 20
)

// Codings undoes content codings, given in the order they were applied (RFC 9110 section 8.4). cut tells that the data
// ended early and what came is given all the same. A coding that the bytes do not have is taken as not applied, since
// servers announce gzip and send text; bytes that are gzip without saying so are unpacked.
func Codings(body []byte, codings []string) (data []byte, cut bool, err error) {
	if len(codings) > maxCodings {
		return nil, false, cause.Errorf(cause.TooLarge, "unpack document: %d codings lie on top of one another", len(codings))
	}
	if len(codings) == 0 && isGzip(body) {
		codings = []string{"gzip"}
	}
	data = body
	for i := len(codings) - 1; i >= 0; i-- {
		var short bool
		data, short, err = undo(data, codings[i])
		if err != nil {
			return nil, false, err
		}
		cut = cut || short
	}
	if len(data) > MaxDecoded {
		return nil, false, cause.Errorf(cause.TooLarge, "unpack document: it has more than %d bytes", MaxDecoded)
	}
	return data, cut, nil
}

func isGzip(b []byte) bool { return len(b) > 2 && b[0] == 0x1f && b[1] == 0x8b }

func undo(body []byte, coding string) ([]byte, bool, error) {
	in := bytes.NewReader(body)
	var r io.Reader
	switch coding {
	case "gzip", "x-gzip":
		if !isGzip(body) {
			return body, false, nil
		}
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, false, broken(coding, err)
		}
		defer z.Close()
		r = z
	case "deflate":
		// The registered meaning is zlib (RFC 9110 section 8.4.1.2); some servers send the bare stream of RFC 1951.
		if len(body) > 1 && body[0]&0x0f == 8 && (int(body[0])<<8|int(body[1]))%31 == 0 {
			z, err := zlib.NewReader(in)
			if err != nil {
				return nil, false, broken(coding, err)
			}
			defer z.Close()
			r = z
			break
		}
		z := flate.NewReader(bufio.NewReader(in))
		defer z.Close()
		r = z
	case "br":
		r = brotli.NewReader(in)
	case "zstd":
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, false, broken(coding, err)
		}
		defer z.Close()
		r = z
	default:
		return nil, false, cause.Errorf(cause.UnsupportedFormat, "unpack document: the coding %q is not one of gzip, deflate, br, zstd", clip(coding))
	}
	return drain(r, len(body), coding, in)
}

// drain reads within the limits, in steps, so that a bomb costs no more memory than the limit it runs into.
func drain(r io.Reader, wire int, coding string, in *bytes.Reader) ([]byte, bool, error) {
	out := make([]byte, 0, min(max(4*wire, 4096), ratioFrom))
	for {
		if len(out) == cap(out) {
			out = append(out, 0)[:len(out)]
		}
		n, err := r.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		switch {
		case len(out) > MaxDecoded:
			return nil, false, cause.Errorf(cause.TooLarge, "unpack document: it has more than %d bytes", MaxDecoded)
		case len(out) > ratioFrom && len(out) > maxRatio*wire:
			return nil, false, cause.Errorf(cause.TooLarge, "unpack document: %d bytes unfold to more than %d times as many", wire, maxRatio)
		case errors.Is(err, io.EOF):
			return out, false, nil
		case err != nil && len(out) > 0 && (errors.Is(err, io.ErrUnexpectedEOF) || in.Len() == 0):
			return out, true, nil
		case err != nil:
			return nil, false, broken(coding, err)
		}
	}
}

func broken(coding string, err error) error {
	return cause.Errorf(cause.Malformed, "unpack document: its %s coding cannot be read: %w", coding, err)
}

// clip keeps a word of a stranger short.
func clip(s string) string { return s[:min(len(s), 40)] }
