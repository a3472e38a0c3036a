package lines

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"tidings.internal/services/enrich/internal/words"
)

var (
	numbered = regexp.MustCompile(`^\s*(\d{1,2})[.)]\s+\S`)
	bullet   = regexp.MustCompile(`^\s*(?:[-*•‣–]|\d{1,2}[.)])\s+\S`)
	ruled    = regexp.MustCompile(`^[\s*_\-–—=~#•·.+]{3,}$`)
)

const (
	maxHeading   = 12 // words
	minParagraph = 12 // words of what may stand below a heading
)

// headings finds numbered headings, and in plain text those that only their shape tells.
func (r *Result) headings(plain bool) {
	r.numbered()
	for i := range r.Lines {
		l := &r.Lines[i]
		switch {
		case l.Class != Paragraph || l.Fixed:
		case l.Marked:
			l.Class = Heading
		case ruled.MatchString(l.Text) && strings.TrimSpace(l.Text) != "":
			l.Class = Divider
		case plain && bullet.MatchString(l.Text):
			l.Class = Item
		case plain && l.words > 0 && l.words <= maxHeading && capital(l.Text) && !words.EndsSentence(l.Text) && !strings.HasSuffix(l.Text, ":") &&
			i > 0 && r.below(i):
			l.Class = Heading
		}
	}
}

// numbered makes headings of lines "1. ..." that rise from one, each short, without a full stop, above a paragraph.
// Numbered lines that follow each other are a list and are left alone.
func (r *Result) numbered() {
	var found []int
	want := 1
	for i := range r.Lines {
		l := &r.Lines[i]
		m := numbered.FindStringSubmatch(l.Text)
		if m == nil || l.Class != Paragraph || l.Fixed {
			continue
		}
		if n, _ := strconv.Atoi(m[1]); n != want || l.words > maxHeading+1 || words.EndsSentence(l.Text) || !r.below(i) {
			continue
		}
		found = append(found, i)
		want++
	}
	if len(found) < 2 {
		return
	}
	for _, i := range found {
		r.Lines[i].Class = Heading
	}
}

// below reports whether a paragraph stands below line i.
func (r *Result) below(i int) bool {
	for _, l := range r.Lines[i+1:] {
		if l.words == 0 || l.Class == Repeated {
			continue
		}
		return l.words >= minParagraph && !numbered.MatchString(l.Text)
	}
	return false
}

func capital(s string) bool {
	for _, r := range s {
		if unicode.IsLetter(r) {
			return unicode.IsUpper(r)
		}
		if unicode.IsDigit(r) {
			return true
		}
	}
	return false
}
