package document

import (
	"bytes"
	"io"
	"slices"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Coding is a content coding by its registered name (RFC 9110 section 8.4.1).
type Coding string

// The codings that documents are packed in.
const (
	Zstd   Coding = "zstd"
	Brotli Coding = "br"
	Gzip   Coding = "gzip"
)

// coding is one way to pack. Its mark is part of validators; the digit in it is the revision of the encoder, since another
// encoder makes other bytes of the same content.
type coding struct {
	name Coding
	mark string
	pack func([]byte) ([]byte, error)
}

// codings stand in the order in which they are preferred where a client likes several as much.
var codings = []coding{
	{Zstd, "zst1", packZstd},
	{Brotli, "br1", func(body []byte) ([]byte, error) {
		return pack(body, func(w io.Writer) (io.WriteCloser, error) { return brotli.NewWriterLevel(w, brotliLevel), nil })
	}},
	{Gzip, "gz1", func(body []byte) ([]byte, error) {
		// The writer leaves the date in its header empty, so equal bytes pack to equal bytes.
		return pack(body, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, gzipLevel) })
	}},
}

// The levels are those beyond which the time grows faster than the bytes shrink: documents are packed at each change.
const (
	gzipLevel   = 6
	brotliLevel = 5
	// zstdWindow is the widest that a client has to accept (RFC 9659 section 3).
	zstdWindow = 8 << 20
)

func pack(body []byte, open func(io.Writer) (io.WriteCloser, error)) ([]byte, error) {
	var packed bytes.Buffer
	w, err := open(&packed)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return slices.Clip(bytes.Clone(packed.Bytes())), nil
}

var zstdEncoder = sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithWindowSize(zstdWindow), zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
})

func packZstd(body []byte) ([]byte, error) {
	encoder, err := zstdEncoder()
	if err != nil {
		return nil, err
	}
	return slices.Clip(encoder.EncodeAll(body, nil)), nil
}
