package summary

import (
	"unicode"
	"unicode/utf8"
)

// Graphemes counts what a reader takes for one character each, by the main rules of Unicode Standard Annex 29: marks,
// variation selectors, skin tones and what a joiner joins belong to the character before; two regional indicators are
// one flag; CR LF is one.
func Graphemes(s string) int {
	n := 0
	for len(s) > 0 {
		s = s[first(s):]
		n++
	}
	return n
}

// first is the length in bytes of the first character as a reader sees it.
func first(s string) int {
	r, size := utf8.DecodeRuneInString(s)
	if r == '\r' && size < len(s) && s[size] == '\n' {
		return size + 1
	}
	if flag(r) {
		if next, n := utf8.DecodeRuneInString(s[size:]); flag(next) {
			size += n
		}
	}
	for size < len(s) {
		next, n := utf8.DecodeRuneInString(s[size:])
		switch {
		case extends(next):
			size += n
			if next == '\u200D' && size < len(s) {
				if after, m := utf8.DecodeRuneInString(s[size:]); pictograph(after) {
					size += m
				}
			}
		default:
			return size
		}
	}
	return size
}

func flag(r rune) bool { return r >= 0x1F1E6 && r <= 0x1F1FF }

func extends(r rune) bool {
	return unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r) || unicode.Is(unicode.Mc, r) || r == '\u200D' || r == '\u200C' ||
		r >= 0xFE00 && r <= 0xFE0F || r >= 0x1F3FB && r <= 0x1F3FF || r >= 0xE0020 && r <= 0xE007F
}

// pictograph is wider than the standard's property: a joiner before any symbol joins it.
func pictograph(r rune) bool { return r >= 0x2190 && unicode.IsSymbol(r) || r >= 0x1F000 }

// cutGraphemes returns the first n characters.
func cutGraphemes(s string, n int) string {
	pos := 0
	for ; n > 0 && pos < len(s); n-- {
		pos += first(s[pos:])
	}
	return s[:pos]
}
