package decode

import (
	"bytes"
	"cmp"
	"mime"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/saintfish/chardet"
	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"

	"tidings.internal/services/ingest/internal/cause"
)

// Text converts a document to clean UTF-8. The encoding is that of the byte order mark, else UTF-8 if the whole body
// is valid UTF-8, else what the Content-Type says, else what the document declares, else what its bytes look like, else
// windows-1252: labels are wrong more often than bytes that happen to be valid UTF-8. name is the encoding used.
func Text(data []byte, contentType string) (text []byte, name string, err error) {
	body, enc, name := marked(data)
	if enc == nil {
		http, declared := httpLabel(contentType), declaration(data)
		for _, label := range []string{http, declared} {
			if strings.HasPrefix(strings.ReplaceAll(label, "_", "-"), "utf-7") {
				return nil, "", cause.Errorf(cause.UnsupportedCharset, "read document: UTF-7 is not read: it hides markup")
			}
		}
		if escaped(data) {
			enc, name = lookup("iso-2022-jp")
		} else if enc, name = best(data, http, declared); enc == nil {
			return nil, "", cause.Errorf(cause.UnsupportedCharset, "read document: the encoding %q is not read", clip(name))
		}
	}
	if name == "utf-8" {
		text = body
	} else if text, err = enc.NewDecoder().Bytes(body); err != nil {
		return nil, "", cause.Errorf(cause.UnsupportedCharset, "read document as %s: %w", name, err)
	}
	if len(text) > 2*MaxDecoded {
		return nil, "", cause.Errorf(cause.TooLarge, "read document as %s: it has more than %d bytes", name, 2*MaxDecoded)
	}
	return Clean(text), name, nil
}

// marked looks for a byte order mark, and for UTF-16 and UTF-32 without one by where the NUL bytes of the first
// characters lie (XML 1.0 appendix F.1).
func marked(b []byte) (body []byte, enc encoding.Encoding, name string) {
	for _, m := range []struct {
		mark string
		name string
		enc  encoding.Encoding
	}{
		{"\x00\x00\xfe\xff", "utf-32be", utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM)},
		{"\xff\xfe\x00\x00", "utf-32le", utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM)},
		{"\xef\xbb\xbf", "utf-8", unicode.UTF8},
		{"\xfe\xff", "utf-16be", unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)},
		{"\xff\xfe", "utf-16le", unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)},
	} {
		if rest, ok := bytes.CutPrefix(b, []byte(m.mark)); ok {
			return rest, m.enc, m.name
		}
	}
	start := b
	for len(start) > 4 && isSpaceUnit(start) {
		start = start[1:]
	}
	if len(start) < 4 {
		return b, nil, ""
	}
	zero := [4]bool{start[0] == 0, start[1] == 0, start[2] == 0, start[3] == 0}
	switch zero {
	case [4]bool{true, true, true, false}:
		return b, utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM), "utf-32be"
	case [4]bool{false, true, true, true}:
		return b, utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM), "utf-32le"
	case [4]bool{true, false, true, false}:
		return b, unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), "utf-16be"
	case [4]bool{false, true, false, true}:
		return b, unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), "utf-16le"
	}
	return b, nil, ""
}

// isSpaceUnit reports whether b begins with a plain space character that is not part of a wider one.
func isSpaceUnit(b []byte) bool {
	return (b[0] == ' ' || b[0] == '\n' || b[0] == '\r' || b[0] == '\t') && b[1] != 0
}

// escaped reports whether b is ISO-2022-JP: seven-bit bytes with the escape sequences of JIS X 0208 (RFC 1468).
func escaped(b []byte) bool {
	if !bytes.Contains(b, []byte("\x1b$B")) && !bytes.Contains(b, []byte("\x1b$@")) {
		return false
	}
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// best picks the encoding of a body without a mark. The first candidate that reads every byte wins; when none does,
// the first one does, with its replacement characters. A nil encoding gives the label that nobody knows.
func best(data []byte, http, declared string) (encoding.Encoding, string) {
	good, bad := multibyte(data)
	if bad == 0 {
		return unicode.UTF8, "utf-8"
	}
	var first encoding.Encoding
	var firstName, unknown string
	for _, label := range []string{http, declared} {
		if label == "" {
			continue
		}
		enc, name := lookup(label)
		switch {
		case enc == nil:
			unknown = label
			continue
		case name == "utf-8" && good > bad:
			return unicode.UTF8, name // some bytes are spoilt, the label is not
		case name == "utf-8" || strings.HasPrefix(name, "utf-16") || strings.HasPrefix(name, "utf-32"):
			continue // the bytes show that the label is wrong
		}
		if reads(enc, data) {
			return enc, name
		}
		if first == nil {
			first, firstName = enc, name
		}
	}
	if first == nil && good > 4*bad {
		return unicode.UTF8, "utf-8"
	}
	if enc, name := detect(data); enc != nil {
		return enc, name
	}
	if first != nil {
		return first, firstName
	}
	if unknown != "" && http == "" && !latinLike(data) {
		return nil, unknown
	}
	return charmap.Windows1252, "windows-1252"
}

// multibyte counts the characters of several bytes that are valid UTF-8, and the bytes that are not. A character cut
// off by the end of the data is no mistake.
func multibyte(b []byte) (good, bad int) {
	if utf8.Valid(b) {
		return 0, 0
	}
	for len(b) > 0 {
		if b[0] < utf8.RuneSelf {
			b = b[1:]
			continue
		}
		r, n := utf8.DecodeRune(b)
		switch {
		case r != utf8.RuneError || n > 1:
			good++
		case !utf8.FullRune(b):
			return good, bad
		default:
			bad++
		}
		b = b[n:]
	}
	return good, bad
}

func reads(enc encoding.Encoding, data []byte) bool {
	if _, single := enc.(*charmap.Charmap); single {
		return true
	}
	text, err := enc.NewDecoder().Bytes(data)
	return err == nil && !bytes.ContainsRune(text, utf8.RuneError)
}

// lookup knows the labels of the Encoding standard of WHATWG, and what of theirs stands for "do not read".
func lookup(label string) (encoding.Encoding, string) {
	switch strings.ReplaceAll(label, "_", "-") {
	case "utf-32", "utf-32le", "utf-32be", "ucs-4", "utf32":
		return utf32.UTF32(utf32.BigEndian, utf32.UseBOM), "utf-32"
	case "gb2312", "gbk", "gb-2312", "gb-18030":
		return simplifiedchinese.GB18030, "gb18030" // the superset of all of them
	}
	enc, name := charset.Lookup(label)
	if name == "replacement" {
		return nil, ""
	}
	return enc, name
}

// sample is how much of a document is looked at to guess its encoding.
const sample = 64 << 10

// The confidence, out of 100, from which a guess is believed: in a text of a Latin script, and in one whose letters lie
// mostly past ASCII. There the guess is right about the script long before it is sure of the language.
const (
	sure         = 50
	sureOfScript = 20
)

var tags = regexp.MustCompile(`<[^>]{0,1000}>`)

// detect guesses by the frequencies of byte sequences outside of markup. Single-byte guesses among the Latin ones are
// left to windows-1252: they differ in a handful of characters, and the guess is wrong as often as not.
func detect(data []byte) (encoding.Encoding, string) {
	text := tags.ReplaceAll(data[:min(len(data), sample)], []byte(" "))
	all, err := chardet.NewTextDetector().DetectAll(text)
	if err != nil {
		return nil, ""
	}
	// Of guesses of equal confidence the library puts that first whose goroutine was, and a document would be another one at
	// each poll. Here it is the one first by name.
	found := slices.MinFunc(all, func(a, b chardet.Result) int {
		return cmp.Or(b.Confidence-a.Confidence, strings.Compare(a.Charset, b.Charset))
	})
	if found.Confidence < sureOfScript {
		return nil, ""
	}
	label := strings.ToLower(found.Charset)
	if strings.HasPrefix(label, "iso-8859-1") || strings.HasPrefix(label, "utf-") {
		return nil, ""
	}
	enc, name := lookup(strings.TrimSuffix(label, "-i"))
	if enc == nil || !reads(enc, data) {
		return nil, ""
	}
	if _, single := enc.(*charmap.Charmap); latinLike(text) && (single || found.Confidence < sure) {
		return nil, ""
	}
	return enc, name
}

// latinLike reports whether bytes past ASCII are rare, as they are in a text of a Latin script in any encoding.
func latinLike(data []byte) bool {
	high := 0
	for _, c := range data {
		if c >= 0x80 {
			high++
		}
	}
	return high*5 < len(data)
}

// httpLabel gives the charset of a Content-Type in lower case.
func httpLabel(contentType string) string {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil && params == nil {
		return ""
	}
	return strings.ToLower(strings.Trim(params["charset"], ` "'`))
}

var declared = regexp.MustCompile(`^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']?([A-Za-z0-9._:-]{1,40})`)

// declaration gives the encoding of an XML declaration in lower case (XML 1.0 section 4.3.3).
func declaration(data []byte) string {
	if m := declared.FindSubmatch(data[:min(len(data), 1024)]); m != nil {
		return strings.ToLower(string(m[1]))
	}
	return ""
}
