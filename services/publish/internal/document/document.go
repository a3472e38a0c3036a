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
	Body        []byte
	// Gzip is Body compressed, nil where that would not make it smaller.
	Gzip []byte
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
	d := &Document{ContentType: contentType, Body: body, ETag: `"` + tag + `"`, Modified: modified.UTC().Truncate(time.Second), SHA256: hex.EncodeToString(sum[:])}
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
	}
	return d, nil
}
