package compose

import (
	"iter"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"tidings.internal/services/publish/internal/item"
)

// hashtags writes at most n hashtags of a list, the channel's own number when none is given.
func (c *Channel) hashtags(tags []Tag, n ...int) string {
	most := c.Hashtags
	if len(n) > 0 {
		most = n[0]
	}
	var out, seen []string // seen in lower case
	for _, t := range tags {
		if len(out) >= most {
			break
		}
		key := strings.ToLower(t.hashtag)
		if key == "" || slices.Contains(seen, key) {
			continue
		}
		out, seen = append(out, "#"+t.hashtag), append(seen, key)
	}
	return strings.Join(out, " ")
}

// Hashtags gives the places of the hashtags of a finished text, each without its sign: runs of letters, marks, numbers and _
// behind a # at the begin of the text or behind white space (\s of RE2). Whether such a run is a tag, and what may follow
// it, every network says for itself.
func Hashtags(text string) iter.Seq2[int, int] {
	return func(yield func(start, end int) bool) {
		for at := 0; ; {
			n := strings.IndexByte(text[at:], '#')
			if n < 0 {
				return
			}
			start := at + n + 1
			at = start
			if start > 1 && !strings.ContainsRune("\t\n\f\r ", rune(text[start-2])) {
				continue
			}
			end := start
			for end < len(text) {
				r, size := utf8.DecodeRuneInString(text[end:])
				if !unicode.In(r, unicode.L, unicode.M, unicode.N) && r != '_' {
					break
				}
				end += size
			}
			if at = end; end > start && !yield(start, end) {
				return
			}
		}
	}
}

// hashtag writes a tag as one word without the sign: each word of the label with a capital, the rest of it as it
// stands, so that umlauts and acronyms stay. Only letters, marks, digits and _ are kept; without a letter it is none.
func hashtag(t item.Tag) string {
	source := strings.TrimPrefix(t.Hashtag, "#")
	if source == "" {
		source = t.Label
	}
	inWord := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r) || r == '_' }
	var b strings.Builder
	letter := false
	for word := range strings.FieldsFuncSeq(source, func(r rune) bool { return !inWord(r) }) {
		for i, r := range word {
			if i == 0 {
				r = unicode.ToUpper(r)
			}
			letter = letter || unicode.IsLetter(r)
			b.WriteRune(r)
		}
	}
	if !letter || b.Len() > 200 {
		return ""
	}
	return b.String()
}
