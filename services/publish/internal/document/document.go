// Package document holds a representation as it is served: its bytes in each coding, its validators and its type. All
// of it is made when the content changes, so that answering a request is a look-up.
package document

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
)

// Document is one representation. It does not change once it is made.
type Document struct {
	ContentType string
	// Size is the length of the body in bytes.
	Size int
	// Gzip is the body compressed, nil where that would not make it smaller.
	Gzip []byte
	// plain is the body where it is kept as it is: nearly everybody asks for the other form, and thousands of documents
	// are to fit into memory.
	plain []byte
	// ETag and GzipETag are strong validators with their quotation marks, one for each coding (RFC 9110 section 8.8.3.3).
	ETag     string
	GzipETag string
	// Modified is when the content changed last; zero when that is not known.
	Modified time.Time
	SHA256   string // lower-case hex of Body
}

var tagForm = base32.StdEncoding.WithPadding(base32.NoPadding)

// New makes a document.
func New(contentType string, body []byte, modified time.Time) (*Document, error) {
	sum := sha256.Sum256(body)
	tag := strings.ToLower(tagForm.EncodeToString(sum[:15]))
	d := &Document{ContentType: contentType, Size: len(body), plain: body, ETag: `"` + tag + `"`, Modified: modified.UTC().Truncate(time.Second), SHA256: hex.EncodeToString(sum[:])}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, 6)
	if err == nil {
		// The writer leaves the date in its header empty, so equal bytes pack to equal bytes.
		_, err = z.Write(body)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("compress a document: %w", err)
	}
	if packed.Len() < len(body) {
		// The digit is the revision of the encoder: another encoder makes other bytes of the same content.
		d.Gzip, d.GzipETag = bytes.Clone(packed.Bytes()), `"`+tag+`-gz1"`
		if len(body) > keepPlain {
			d.plain = nil
		}
	}
	return d, nil
}

// keepPlain is the size up to which a body is kept in both forms.
const keepPlain = 8 << 10

// Body gives the bytes as they are. Those of a large document are unpacked for each call.
func (d *Document) Body() []byte {
	if d.plain != nil || d.Gzip == nil {
		return d.plain
	}
	body := make([]byte, 0, d.Size)
	z, err := gzip.NewReader(bytes.NewReader(d.Gzip))
	if err != nil {
		return nil // it was packed here, and is whole
	}
	out := bytes.NewBuffer(body)
	_, _ = out.ReadFrom(z) // as above
	return out.Bytes()
}

// Equal reports whether the document has these bytes.
func (d *Document) Equal(body []byte) bool {
	sum := sha256.Sum256(body)
	return d.Size == len(body) && d.SHA256 == hex.EncodeToString(sum[:])
}
