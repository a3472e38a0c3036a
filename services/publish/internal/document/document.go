// Package document holds a representation as it is served: its bytes in each coding, its validators and its type. All
// of it is made when the content changes, so that answering a request is a look-up.
package document

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
)

// Document is one representation. It does not change once it is made.
type Document struct {
	ContentType string
	// Size is the length of the body in bytes.
	Size int
	// Packed is the body in each coding that makes it smaller, the one to prefer first.
	Packed []Packed
	// plain is the body where it is kept as it is: nearly everybody asks for another form, and thousands of documents
	// are to fit into memory.
	plain []byte
	// ETag is the strong validator of the plain body, with its quotation marks.
	ETag string
	// Modified is when the content changed last; zero when that is not known.
	Modified time.Time
	SHA256   string // lower-case hex of Body
}

// Packed is a body in a coding.
type Packed struct {
	Coding Coding
	// ETag is a strong validator of its own (RFC 9110 section 8.8.3.3), with its quotation marks.
	ETag string
	Body []byte
}

var tagForm = base32.StdEncoding.WithPadding(base32.NoPadding)

// New makes a document. It is packed with gzip, and in the other codings that are asked for.
func New(contentType string, body []byte, modified time.Time, others ...Coding) (*Document, error) {
	sum := sha256.Sum256(body)
	tag := strings.ToLower(tagForm.EncodeToString(sum[:15]))
	d := &Document{ContentType: contentType, Size: len(body), plain: body, ETag: `"` + tag + `"`, Modified: modified.UTC().Truncate(time.Second), SHA256: hex.EncodeToString(sum[:])}
	for _, c := range codings {
		if c.name != Gzip && !slices.Contains(others, c.name) {
			continue
		}
		packed, err := c.pack(body)
		if err != nil {
			return nil, fmt.Errorf("compress a document: %w", err)
		}
		if len(packed) < len(body) {
			d.Packed = append(d.Packed, Packed{c.name, `"` + tag + "-" + c.mark + `"`, packed})
		}
	}
	if d.In(Gzip) != nil && len(body) > keepPlain {
		d.plain = nil
	}
	return d, nil
}

// In gives the body in a coding, nil where it is not packed so.
func (d *Document) In(c Coding) *Packed {
	for i := range d.Packed {
		if d.Packed[i].Coding == c {
			return &d.Packed[i]
		}
	}
	return nil
}

// Held is about how many bytes of memory the document takes.
func (d *Document) Held() int {
	held := len(d.plain) + 1024 // the structures around the bytes
	for _, p := range d.Packed {
		held += len(p.Body)
	}
	return held
}

// keepPlain is the size up to which a body is kept in both forms.
const keepPlain = 8 << 10

// Body gives the bytes as they are. Those of a large document are unpacked for each call.
func (d *Document) Body() []byte {
	packed := d.In(Gzip)
	if d.plain != nil || packed == nil {
		return d.plain
	}
	body := make([]byte, 0, d.Size)
	z, err := gzip.NewReader(bytes.NewReader(packed.Body))
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
