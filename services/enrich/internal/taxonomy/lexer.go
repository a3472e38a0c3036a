package taxonomy

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type kind int

const (
	end kind = iota
	bad
	iri
	prefixed
	literal
	keyword
	number
	dot
	comma
	semicolon
	open
	shut
)

type token struct {
	kind kind
	text string
	lang string
	at   place
}

func (t token) String() string {
	switch t.kind {
	case end:
		return "the end of the file"
	case dot, comma, semicolon, open, shut:
		return strconv.Quote(t.text)
	default:
		text := t.text
		if utf8.RuneCountInString(text) > 40 {
			text = string([]rune(text)[:40]) + "…"
		}
		return strconv.Quote(text)
	}
}

// lexer cuts Turtle into tokens and counts lines and columns, columns in characters.
type lexer struct {
	file      string
	text      string
	pos       int
	line, col int
}

func (l *lexer) peek() rune {
	r, size := utf8.DecodeRuneInString(l.text[l.pos:])
	if size == 0 {
		return -1
	}
	return r
}

func (l *lexer) advance() rune {
	r, size := utf8.DecodeRuneInString(l.text[l.pos:])
	l.pos += size
	if r == '\n' {
		l.line, l.col = l.line+1, 1
	} else {
		l.col++
	}
	return r
}

func (l *lexer) scan() token {
	for l.pos < len(l.text) {
		if r := l.peek(); r == '#' {
			for l.pos < len(l.text) && l.peek() != '\n' {
				l.advance()
			}
		} else if unicode.IsSpace(r) || r == '\uFEFF' {
			l.advance()
		} else {
			break
		}
	}
	t := token{at: place{l.file, l.line, l.col}}
	if l.pos >= len(l.text) {
		return t
	}
	switch r := l.peek(); r {
	case '<':
		return l.address(t)
	case '"', '\'':
		return l.quoted(t)
	case '.', ',', ';', '[', ']', '(', ')':
		l.advance()
		t.text = string(r)
		t.kind = map[rune]kind{'.': dot, ',': comma, ';': semicolon, '[': open, ']': shut, '(': open, ')': shut}[r]
		return t
	}
	return l.word(t)
}

func (l *lexer) address(t token) token {
	l.advance()
	start := l.pos
	for l.pos < len(l.text) {
		switch r := l.peek(); {
		case r == '>':
			t.kind, t.text = iri, l.text[start:l.pos]
			l.advance()
			return t
		case r == '\n' || r == ' ':
			t.kind, t.text = bad, "an address in <> is not closed"
			return t
		}
		l.advance()
	}
	t.kind, t.text = bad, "an address in <> is not closed"
	return t
}

// quoted reads a text in one or three quotation marks, and the language or type behind it.
func (l *lexer) quoted(t token) token {
	mark := string(l.advance())
	long := strings.HasPrefix(l.text[l.pos:], mark+mark)
	if long {
		l.advance()
		l.advance()
		mark += mark + mark
	}
	var b strings.Builder
	for {
		if l.pos >= len(l.text) || !long && l.peek() == '\n' {
			t.kind, t.text = bad, "a text in quotation marks is not closed"
			return t
		}
		if strings.HasPrefix(l.text[l.pos:], mark) {
			for range len(mark) {
				l.advance()
			}
			break
		}
		r := l.advance()
		if r == '\\' {
			var ok bool
			if r, ok = l.escape(); !ok {
				t.kind, t.text = bad, "an unknown escape stands in a text"
				return t
			}
		}
		b.WriteRune(r)
	}
	t.kind, t.text = literal, b.String()
	if l.peek() == '@' {
		l.advance()
		start := l.pos
		for r := l.peek(); r == '-' || r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)); r = l.peek() {
			l.advance()
		}
		t.lang = l.text[start:l.pos]
	} else if strings.HasPrefix(l.text[l.pos:], "^^") {
		l.advance()
		l.advance()
		l.scan() // the type does not matter: labels are texts
	}
	return t
}

func (l *lexer) escape() (rune, bool) {
	if l.pos >= len(l.text) {
		return 0, false
	}
	r := l.advance()
	digits := map[rune]int{'u': 4, 'U': 8}[r]
	if digits > 0 {
		if l.pos+digits > len(l.text) {
			return 0, false
		}
		n, err := strconv.ParseUint(l.text[l.pos:l.pos+digits], 16, 32)
		if err != nil || !utf8.ValidRune(rune(n)) {
			return 0, false
		}
		for range digits {
			l.advance()
		}
		return rune(n), true
	}
	plain, ok := map[rune]rune{'t': '\t', 'n': '\n', 'r': '\r', 'b': '\b', 'f': '\f', '"': '"', '\'': '\'', '\\': '\\'}[r]
	return plain, ok
}

// word reads a keyword, a number or a name with a prefix. A full stop at its end belongs to the statement.
func (l *lexer) word(t token) token {
	start := l.pos
	for l.pos < len(l.text) {
		r := l.peek()
		if unicode.IsSpace(r) || strings.ContainsRune(`<>"',;[]()#`, r) {
			break
		}
		if r == '.' {
			next, _ := utf8.DecodeRuneInString(l.text[l.pos+1:])
			if l.pos+1 >= len(l.text) || !unicode.IsLetter(next) && !unicode.IsDigit(next) && next != '_' && next != '-' {
				break
			}
		}
		l.advance()
	}
	t.text = l.text[start:l.pos]
	switch {
	case t.text == "":
		t.kind, t.text = bad, "unexpected character "+strconv.QuoteRune(l.advance())
	case strings.HasPrefix(t.text, "@") || t.text == "a" || t.text == "true" || t.text == "false" || strings.EqualFold(t.text, "prefix") || strings.EqualFold(t.text, "base"):
		t.kind = keyword
	case strings.Contains(t.text, ":"):
		t.kind = prefixed
	case strings.Trim(t.text, "+-.0123456789eE") == "":
		t.kind = number
	default:
		t.kind, t.text = bad, "unexpected word "+strconv.Quote(t.text)
	}
	return t
}
