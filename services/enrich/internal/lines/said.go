package lines

import "strings"

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

// border reports whether a word of ASCII begins or ends at byte i, as \b does in a regular expression.
func border(s string, i int) bool {
	return (i > 0 && inWord(s[i-1])) != (i < len(s) && inWord(s[i]))
}

func inWord(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '_'
}
