package lines

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// phrases are what a line may say, in lower case, by their first bytes.
type phrases [256][]string

// read reads phrases that are parted by line ends or bars. A pair of brackets holds alternatives of a part.
func read(list string) *phrases {
	var p phrases
	depth := 0
	for one := range strings.FieldsFuncSeq(list, func(r rune) bool {
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		}
		return r == '\n' || r == '|' && depth == 0
	}) {
		for _, s := range expand(strings.Trim(one, "\t")) {
			p[s[0]] = append(p[s[0]], s)
		}
	}
	return &p
}

// expand writes the alternatives of a phrase out.
func expand(s string) []string {
	head, rest, ok := strings.Cut(s, "(")
	if !ok {
		return []string{s}
	}
	alternatives, rest, _ := strings.Cut(rest, ")")
	var out []string
	for _, tail := range expand(rest) {
		for a := range strings.SplitSeq(alternatives, "|") {
			out = append(out, head+a+tail)
		}
	}
	return out
}

// stand reports whether one of the phrases stands in a text in lower case, between borders of words.
func (p *phrases) stand(low string) bool {
	for i := range len(low) {
		if p[low[i]] != nil && border(low, i) && p.begin(low[i:]) {
			return true
		}
	}
	return false
}

// begin reports whether a text in lower case begins with one of the phrases and goes on behind the border of a word.
func (p *phrases) begin(low string) bool {
	if low == "" {
		return false
	}
	for _, s := range p[low[0]] {
		if strings.HasPrefix(low, s) && border(low, len(s)) {
			return true
		}
	}
	return false
}

// open reports whether a text in lower case begins with one of the phrases, whatever follows.
func (p *phrases) open(low string) bool {
	if low == "" {
		return false
	}
	for _, s := range p[low[0]] {
		if strings.HasPrefix(low, s) {
			return true
		}
	}
	return false
}

// border reports whether a word begins or ends at byte i. It is not the \b of regular expressions, to which "ę" is no letter:
// nothing that ends with one would ever be found, and "es" would be in "großes".
func border(s string, i int) bool {
	before, _ := utf8.DecodeLastRuneInString(s[:i])
	behind, _ := utf8.DecodeRuneInString(s[i:])
	return inWord(before) != inWord(behind)
}

func inWord(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '_'
	}
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}
