package clean

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"
)

// Text drops what no feed may hold: bytes that are no UTF-8, characters that XML 1.0 forbids (section 2.2), the C1
// controls U+0080 to U+009F, and U+FFFD, which shows that an earlier stage met broken text. Line ends become LF.
// encoding/xml replaces such characters in ordinary text but not in CDATA, where one of them would make a whole feed
// unreadable.
func Text(s string) string {
	if sound(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\r':
			if i+1 == len(s) || s[i+1] != '\n' {
				b.WriteByte('\n')
			}
		case allowed(r):
			b.WriteRune(r)
		}
		i += size
	}
	return b.String()
}

// sound reports whether there is nothing to drop. Nearly every text is, and as far as it is ASCII it is looked at eight
// bytes at a time.
func sound(s string) bool {
	for i := 0; i < len(s); {
		if ascii8(s, i) {
			i += 8
			continue
		}
		if b := s[i]; 0x20 <= b && b < 0x7f || b == '\t' || b == '\n' {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if !allowed(r) {
			return false
		}
		i += size
	}
	return true
}

// ascii8 reports whether at a place of a text eight bytes of ASCII follow that are no controls, U+0020 to U+007E each. The
// sums below set the highest bit of every byte that is another: taking away 0x20 does of a smaller one, adding 1 of 0x7F.
// What a byte borrows from the next or carries over to it does not matter, since its own bit is set then.
func ascii8(s string, at int) bool {
	if at+8 > len(s) {
		return false
	}
	b := s[at : at+8]
	x := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
	const each = 0x0101010101010101
	return (x|(x-0x20*each)|(x+each))&(0x80*each) == 0
}

// allowed reports whether a character may stay. [utf8.RuneError] is U+FFFD, so broken bytes are caught, too.
func allowed(r rune) bool {
	switch {
	case r == '\t', r == '\n':
		return true
	case r < 0x20, 0x7f <= r && r <= 0x9f, r == utf8.RuneError, r == 0xfffe, r == 0xffff:
		return false
	}
	return true
}

// Line is [Text] on one line: white space of any kind and length becomes one space, none at the ends.
func Line(s string) string {
	s = strings.TrimSpace(Text(s))
	if isLine(s) {
		return s
	}
	return strings.Join(strings.Fields(s), " ")
}

// isLine reports whether the white space in a trimmed text is single spaces. In nearly every text it is.
func isLine(s string) bool {
	if strings.Contains(s, "  ") {
		return false
	}
	for i := 0; i < len(s); {
		if ascii8(s, i) {
			i += 8
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r != ' ' && unicode.IsSpace(r) {
			return false
		}
		i += size
	}
	return true
}

// MaxTitle is the longest title in graphemes: what MSN, the strictest reader of feeds that names a limit, takes.
const MaxTitle = 150

var tagForm = regexp.MustCompile(`<(/?[A-Za-z!?][^<>]*)>`)

// Plain is [Line] for text that readers may take for HTML. The text is plain already, so character references are left
// alone; what looks like a tag gets other brackets, because such a reader would swallow it.
func Plain(s string) string {
	if s = Line(s); !strings.Contains(s, "<") { // nearly every text
		return s
	}
	return tagForm.ReplaceAllString(s, "‹$1›")
}

// Title gives a title of one line and at most [MaxTitle] graphemes, cut at a word. An empty title is replaced by the
// first words of the fallback.
func Title(s, fallback string) string {
	s = Plain(s)
	if s == "" {
		s = Shorten(Plain(fallback), 80)
	}
	return Shorten(s, MaxTitle)
}

// Length counts graphemes, the characters as a reader sees them.
func Length(s string) int {
	n := 0
	for at := 0; at < len(s); {
		if ascii8(s, at) { // seven graphemes, for the eighth may go on
			n, at = n+7, at+7
			continue
		}
		n, at = n+1, at+Grapheme(s[at:])
	}
	return n
}

// Grapheme returns the length in bytes of the first grapheme of a text, 0 of an empty one.
func Grapheme(s string) int {
	n := single(s)
	if n > 0 && (n == len(s) || s[n] == '\r' || single(s[n:]) > 0) {
		return n
	}
	g := graphemes.FromString(s)
	g.Next()
	return g.End()
}

// single returns the length of the first character if it is one of those that most texts are made of and that never join
// with one another (UAX 29, "Grapheme_Cluster_Break"): ASCII but CR, and U+00C0 to U+02FF, the Latin letters. It is 0 for
// all others.
func single(s string) int {
	if s == "" {
		return 0
	}
	switch b := s[0]; {
	case b < utf8.RuneSelf && b != '\r':
		return 1
	case 0xC3 <= b && b <= 0xCB && len(s) > 1 && s[1]&0xC0 == 0x80:
		return 2
	}
	return 0
}

// Shorten cuts plain text to at most limit graphemes. It cuts at the end of a word where one ends in the second half,
// never inside a grapheme, and marks the cut by an ellipsis, which counts.
func Shorten(s string, limit int) string {
	if limit <= 0 {
		return ""
	}
	if len(s) <= limit {
		return s // a grapheme has at least one byte
	}
	end, word := 0, 0
	for n, at := 0, 0; at < len(s); n++ {
		if n == limit {
			// More follows: go back to where an ellipsis still fits.
			cut := end
			if word > end/2 {
				cut = word
			}
			return strings.TrimRightFunc(s[:cut], func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(",;:–—-(", r) }) + "…"
		}
		next := at + 1
		if next >= len(s) || s[at] >= utf8.RuneSelf || s[next] >= utf8.RuneSelf || s[at] == '\r' {
			next = at + Grapheme(s[at:])
		}
		if n+1 < limit {
			if isSpace(s[at:]) {
				word = at
			}
			end = next
			if n+2 == limit && end < len(s) && isSpace(s[end:]) {
				word = end
			}
		}
		at = next
	}
	return s
}

// isSpace reports whether a text begins with white space.
func isSpace(s string) bool {
	if ' ' < s[0] && s[0] < utf8.RuneSelf {
		return false
	}
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsSpace(r)
}

var emailForm = regexp.MustCompile(`(?i)[<(]?(?:mailto:)?[a-z0-9._%+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)+[>)]?`)

// Person gives the name of an author without e-mail addresses, which nobody wants to see published. It is empty when
// nothing else stood there.
func Person(name string) string {
	if name = Text(name); strings.Contains(name, "@") {
		name = emailForm.ReplaceAllString(name, " ")
	}
	name = Line(name)
	if strings.HasPrefix(name, "(") && strings.HasSuffix(name, ")") { // "jane@example.org (Jane)", as RSS 2.0 has it
		name = name[1 : len(name)-1]
	}
	return Shorten(strings.Trim(name, " ,;:<>\"'"), MaxTitle)
}

// languageForm is a well-formed tag of BCP 47 as far as texts use it: language, script, region, variants.
var languageForm = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?(-([0-9A-Za-z]{5,8}|[0-9][0-9A-Za-z]{3}))*$`)

// Language gives a language code, or nothing if it is not well-formed or says that the language is not known.
func Language(code string) string {
	code = strings.TrimSpace(code)
	if !languageForm.MatchString(code) || strings.EqualFold(code, "und") {
		return ""
	}
	return code
}
