package decode

import (
	"bytes"
	"cmp"
	"mime"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gogs/chardet"
	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
	"golang.org/x/text/unicode/norm"
)

// UTF8 converts a document. The order: byte order mark, valid UTF-8, HTTP header, meta element or XML declaration,
// detection, windows-1252. Validity comes before every label, because text that is valid UTF-8 and has any character
// beyond ASCII is nothing else in practice, while labels are often those of an unconfigured server.
func UTF8(b []byte, contentType string) string {
	if enc, skip := mark(b); enc != nil {
		return convert(enc, b[skip:])
	} else if skip > 0 {
		b = b[skip:]
	}
	if utf8.Valid(b) {
		return string(b)
	}
	if nearlyUTF8(b) {
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	for _, label := range []string{header(contentType), declared(b), detected(b)} {
		if label == "" {
			continue
		}
		enc, name := charset.Lookup(label)
		if enc == nil || name == "utf-8" || name == "replacement" {
			continue // the label is wrong: the text is not valid UTF-8
		}
		return convert(enc, b)
	}
	return convert(charmap.Windows1252, b)
}

// mark finds a byte order mark, or UTF-16 or UTF-32 without one by the pattern of NUL bytes. The wider goes first: its mark
// begins with that of the other.
func mark(b []byte) (encoding.Encoding, int) {
	switch {
	case bytes.HasPrefix(b, []byte{0xEF, 0xBB, 0xBF}):
		return nil, 3
	case bytes.HasPrefix(b, []byte{0, 0, 0xFE, 0xFF}):
		return utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM), 4
	case bytes.HasPrefix(b, []byte{0xFF, 0xFE, 0, 0}):
		return utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM), 4
	case len(b) >= 4 && b[0] == 0 && b[1] == 0 && b[2] == 0 && b[3] != 0:
		return utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM), 0
	case len(b) >= 4 && b[0] != 0 && b[1] == 0 && b[2] == 0 && b[3] == 0:
		return utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM), 0
	case bytes.HasPrefix(b, []byte{0xFE, 0xFF}):
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), 2
	case bytes.HasPrefix(b, []byte{0xFF, 0xFE}):
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), 2
	case len(b) >= 4 && b[0] == 0 && b[1] != 0 && b[2] == 0 && b[3] != 0:
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), 0
	case len(b) >= 4 && b[0] != 0 && b[1] == 0 && b[2] != 0 && b[3] == 0:
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), 0
	}
	return nil, 0
}

// nearlyUTF8 reports whether fewer than 0.1 % of the bytes beyond ASCII's share spoil otherwise valid UTF-8: one
// broken character does not make a page a page of another encoding.
func nearlyUTF8(b []byte) bool {
	bad, wide := 0, 0
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			bad++
		} else {
			wide++
		}
		i += size
	}
	return bad*1000 < len(b) && wide > 10*bad
}

func header(contentType string) string {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return ""
	}
	return params["charset"]
}

var declaration = regexp.MustCompile(`(?i)<(?:meta|\?xml)[^>]{0,200}?(?:charset|encoding)\s*=\s*["']?\s*([a-z0-9_:.-]{2,40})`)

// declared reads what the first 4 KB say. The HTML standard asks for the first 1 KB; many pages need more.
func declared(b []byte) string {
	if m := declaration.FindSubmatch(b[:min(len(b), 4096)]); m != nil {
		return string(m[1])
	}
	return ""
}

// detected guesses. Of guesses of equal confidence the library's own choice is the one whose goroutine is first: a page would
// be read in another charset each time. Here it is the one first by name.
func detected(b []byte) string {
	found, err := chardet.NewHtmlDetector().DetectAll(b[:min(len(b), 64<<10)])
	if err != nil {
		return ""
	}
	best := slices.MinFunc(found, func(a, b chardet.Result) int {
		return cmp.Or(b.Confidence-a.Confidence, strings.Compare(a.Charset, b.Charset))
	})
	if best.Confidence < 30 {
		return ""
	}
	return best.Charset
}

func convert(enc encoding.Encoding, b []byte) string {
	out, err := enc.NewDecoder().Bytes(b)
	if err != nil {
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	return strings.ToValidUTF8(string(out), "\uFFFD")
}

// binary reports whether something that was decoded is no text: a picture, an archive or a PDF that a server calls a page.
// A tenth of such bytes are control characters, or no characters at all; of text, even in a wrong charset or cut off, far
// less than a twentieth is.
func binary(s string) bool {
	runes, odd := 0, 0
	for _, r := range s[:min(len(s), 64<<10)] {
		runes++
		if r == utf8.RuneError || r < ' ' && !strings.ContainsRune("\t\n\v\f\r", r) {
			odd++
		}
	}
	return odd*20 > runes
}

// Clean makes text NFC and takes out what no reader sees but every comparison stumbles over: control characters, soft
// hyphens, zero-width spaces, marks of direction that change the order of what follows. The joiners of emoji and of
// Indic scripts stay.
func Clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return norm.NFC.String(strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r' || r == '\u2028' || r == '\u2029' || r == '\u0085':
			return '\n'
		case r < 0x20 || r >= 0x7F && r < 0xA0:
			return -1
		case r == '\u00AD' || r == '\u200B' || r == '\u2060' || r == '\uFEFF':
			return -1
		case r >= '\u202A' && r <= '\u202E' || r >= '\u2066' && r <= '\u2069':
			return -1
		}
		return r
	}, s))
}
