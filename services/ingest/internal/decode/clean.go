package decode

import (
	"errors"
	"strconv"
	"unicode/utf8"
)

// Clean makes UTF-8 of which every character may stand in XML 1.0 (section 2.2). Bytes that are no character (overlong
// forms and surrogates among them), U+FFFE, U+FFFF and numeric references to what may not stand there become U+FFFD;
// control characters go. encoding/xml refuses a whole document for one of them. Clean data is returned as it is.
func Clean(b []byte) []byte {
	at := dirty(b, 0)
	if at < 0 {
		return b
	}
	out := make([]byte, 0, len(b)+16)
	done := 0
	for at >= 0 {
		out = append(out, b[done:at]...)
		switch c := b[at]; {
		case c == '&':
			out = utf8.AppendRune(out, utf8.RuneError)
			done = at + len(reference(b[at:]))
		case c < utf8.RuneSelf:
			done = at + 1
		default:
			_, n := utf8.DecodeRune(b[at:])
			out = utf8.AppendRune(out, utf8.RuneError)
			done = at + n
		}
		at = dirty(b, done)
	}
	return append(out, b[done:]...)
}

// dirty gives the place of the first thing from i on that may not stand in XML, -1 when there is none.
func dirty(b []byte, i int) int {
	for i < len(b) {
		c := b[i]
		switch {
		case c < ' ':
			if c != '\t' && c != '\n' && c != '\r' {
				return i
			}
			i++
		case c == '&':
			if r := reference(b[i:]); r != nil && !allowed(r) {
				return i
			}
			i++
		case c < utf8.RuneSelf:
			i++
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 || r == 0xfffe || r == 0xffff {
				return i
			}
			i += n
		}
	}
	return -1
}

// reference gives a numeric character reference at the start of b, nil when there is none.
func reference(b []byte) []byte {
	if len(b) < 4 || b[1] != '#' {
		return nil
	}
	// Leading zeros are allowed without limit and hide any number, so all digits are taken.
	for i, c := range b[2:] {
		switch {
		case c == ';' && i > 0:
			return b[:i+3]
		case c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' || i == 0 && (c == 'x' || c == 'X'):
		default:
			return nil
		}
	}
	return nil
}

func allowed(ref []byte) bool {
	digits, base := string(ref[2:len(ref)-1]), 10
	if digits[0] == 'x' || digits[0] == 'X' {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(digits, base, 64)
	if err != nil {
		// No number at all is literal text; one beyond 64 bits is none that XML knows.
		return !errors.Is(err, strconv.ErrRange)
	}
	switch {
	case n < 0x20:
		return n == '\t' || n == '\n' || n == '\r'
	case n >= 0xd800 && n < 0xe000, n == 0xfffe, n == 0xffff, n > utf8.MaxRune:
		return false
	}
	return true
}
