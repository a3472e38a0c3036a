package lines

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"tidings.internal/services/enrich/internal/words"
)

// A company puts the same paragraph about itself below each of its releases, under a line that names it: "Über die Muster
// AG". It is told from a heading of the article by the paragraph, which begins with the same name and says what a company is.
var (
	aboutFirm = regexp.MustCompile(`(?i)^(?:(?:über|about|à propos d[eu]s?|sobre|acerca de|informazioni su|over|om|o firmie)\s+|à propos d[’'])(.+?)\s*:?$`)
	// ourselves is what stands instead of a name.
	ourselves = regexp.MustCompile(`(?i)^(?:uns|das unternehmen|us|the company|nous|nosotros|ons|oss)$`)
	firmWords = regexp.MustCompile(`(?i)\b(?:gmbh|ag|se|kg|kgaa|inc|ltd|llc|plc|s\.?a|unternehmens?|unternehmensgruppe|konzern|hersteller|anbieter|dienstleister|` +
		`mitarbeite(?:r|rn|nde|nden|rinnen)|sitz|gegründet|führende[rs]?|weltweit|company|companies|provider|manufacturer|employees|employs|founded|` +
		`headquartered|leading|worldwide|entreprise|fournisseur|fond|salari|empresa|fundada|proveedor|azienda)`)
)

const (
	// maxFirm is the length in words of the line that names a company, and firmNear in how many words of the paragraph its
	// name comes.
	maxFirm  = 10
	firmNear = 8
	// firmLines is how many paragraphs a company has for itself at most.
	firmLines = 3
)

// firm marks the line that names a company, and the paragraphs behind it that are about it, from line i on.
func (r *Result) firm(i int, class []Class) {
	l := &r.Lines[i]
	if l.Fixed || l.words > maxFirm+maxEnding {
		return
	}
	head, rest := strings.TrimSpace(l.Text), ""
	if before, behind, ok := strings.Cut(head, ": "); ok {
		head, rest = before, behind
	}
	m := aboutFirm.FindStringSubmatch(head)
	if m == nil || words.Count(head) > maxFirm || rest == "" && words.EndsSentence(head) {
		return
	}
	if rest != "" {
		if describes(m[1], rest) {
			class[i] = Bio
		}
		return
	}
	for j := i + 1; j < len(r.Lines) && j <= i+firmLines; j++ {
		next := &r.Lines[j]
		if next.Fixed || next.Marked || next.words > maxEnding || len(next.Text) > maxEndingBytes || j == i+1 && !describes(m[1], next.Text) {
			return
		}
		class[i], class[j] = Profile, Bio
	}
}

// describes reports whether a paragraph is about the company of a name: one such word may stand anywhere, two do not.
func describes(name, paragraph string) bool {
	if len(firmWords.FindAllString(paragraph, 2)) < 2 {
		return false
	}
	if ourselves.MatchString(name) {
		return true
	}
	fields := strings.Fields(paragraph)
	opening := map[string]bool{}
	for _, w := range words.Tokens(strings.Join(fields[:min(firmNear, len(fields))], " ")) {
		opening[w] = true
	}
	named := false
	for w := range strings.FieldsSeq(name) {
		if r, _ := utf8.DecodeRuneInString(w); !unicode.IsUpper(r) && !unicode.IsDigit(r) {
			continue // "die", "the"
		}
		for _, token := range words.Tokens(w) {
			if !opening[token] {
				return false
			}
			named = true
		}
	}
	return named
}
