// Package byline reads the line that says who wrote an article and when: names, role and date, as newspapers and
// company blogs set it.
package byline

import (
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/dates"
	"tidings.internal/services/enrich/internal/words"
)

var (
	opening    = regexp.MustCompile(`(?i)^\s*(?:(?:ein\s+)?(?:gast)?(?:beitrag|kommentar|artikel|essay|kolumne|interview|text)\s+von|(?:this\s+(?:post|article|story|guide|piece)\s+(?:was|is)\s+)?(?:written|posted|published|words|article|reviewed and written)\s+by|(?:geschrieben|verfasst)\s+von|(?:écrit|rédigé|publié)\s+par|(?:escrito|publicado)\s+por|von|text|autor(?:in|en|innen)?|authors?|auteurs?|by|par|por|di|door|av|af|autorzy)\s*:?\s+`)
	separators = regexp.MustCompile(`\s*[|·•/]\s*|\s+[–—-]\s+|,\s*`)
	joins      = regexp.MustCompile(`\s+(?:und|and|et|y|e|en|i|och|og|&)\s+`)
	clockTime  = regexp.MustCompile(`(?i)\b\d{1,2}[:.]\d{2}\s*(?:uhr)?\b|\buhr\b`)
	weekday    = regexp.MustCompile(`(?i)\b(?:montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag|monday|tuesday|wednesday|thursday|friday|saturday|sunday|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche)\b,?`)
	dateWord   = regexp.MustCompile(`(?i)^(?:stand|vom|am|veröffentlicht|aktualisiert|published|updated|posted on|on|le|publié le|datum)\s*:?\s*`)
	roleWords  = regexp.MustCompile(`(?i)gastaut|autor|redakt|korrespond|journalist|kolumn|berater|geschäftsführ|gründer|vorstand|leiter|trainer|coach|expert|professor|editor|reporter|correspondent|author|guest|founder|consultant|contributor|rédact|auteur|redactor|columnist`)
	nobiliary  = map[string]bool{"von": true, "van": true, "de": true, "der": true, "den": true, "zu": true, "di": true, "da": true, "dos": true, "del": true, "la": true, "le": true, "af": true, "av": true}
	verbs      = map[string]bool{"by": true, "written": true, "posted": true, "published": true, "updated": true, "read": true, "share": true, "more": true, "about": true}
	titles     = map[string]bool{"dr": true, "prof": true, "dr.": true, "prof.": true, "dipl.-ing.": true, "med.": true, "phil.": true}
)

// maxRole is the length in runes of the longest role.
const maxRole = 80

// Line is what a line of author, role and date says.
type Line struct {
	// Authors are the persons; a single one has the line's role.
	Authors []article.Person
	// Date is midnight UTC of the day named, nil without one.
	Date *time.Time
	// Changed is set when the day named is not that of publication but of a change, and Date is nil then.
	Changed bool
	// Opened is set when the line begins with a word that only a byline begins with, "By" or "Von".
	Opened bool
	// Short is set when next to nothing but a date stands in the line.
	Short bool
}

// Sure reports whether the line is a byline by more than the shape of a name: an opening word, a date or a role.
func (l Line) Sure() bool {
	return len(l.Authors) > 0 && (l.Opened || l.Date != nil || l.Changed || roleWords.MatchString(l.Authors[0].Role))
}

// Read takes a line apart. What is a sentence has no authors, and neither has a line whose first part is no name.
func Read(text string, now time.Time) Line {
	rest := strings.TrimSpace(text)
	if words.EndsSentence(rest) && !strings.HasSuffix(rest, ".)") {
		if _, span, ok := dates.Find(rest, now); !ok || !strings.HasSuffix(rest, span) {
			return Line{}
		}
	}
	opened := opening.FindString(rest)
	rest = rest[len(opened):]
	l := Line{Opened: opened != ""}
	if date, span, ok := dates.Find(rest, now); ok {
		if before, _, _ := strings.Cut(rest, span); dates.OfChange(before) {
			l.Changed = true
		} else {
			date = dates.At(date, span, rest)
			l.Date = &date
		}
		rest = strings.Replace(rest, span, " | ", 1)
		rest = weekday.ReplaceAllString(clockTime.ReplaceAllString(rest, " "), " ")
		l.Short = len(strings.FieldsFunc(rest, notWord)) <= 3
	}
	var role string
	l.Authors, role = people(rest)
	if len(l.Authors) == 1 {
		l.Authors[0].Role = role
	}
	return l
}

// people reads names and a role, parted by bars, dots, dashes or commas.
func people(s string) (authors []article.Person, role string) {
	for _, part := range separators.Split(s, -1) {
		part = strings.TrimSpace(dateWord.ReplaceAllString(strings.TrimSpace(part), ""))
		switch found := names(part); {
		case part == "":
		case len(authors) == 0 && found != nil:
			for _, n := range found {
				authors = append(authors, article.Person{Name: n})
			}
		case role == "" && len(authors) > 0 && utf8.RuneCountInString(part) <= maxRole:
			role = part
		case roleWords.MatchString(part):
			role = part
		case len(authors) == 0:
			return nil, ""
		}
	}
	return authors, role
}

// Unopened returns a text without the word that opens a byline.
func Unopened(s string) string { return strings.TrimSpace(s[len(opening.FindString(s)):]) }

// names returns the names in a part of a byline, nil if it is anything else.
func names(part string) []string {
	var out []string
	for _, n := range joins.Split(part, -1) {
		n = strings.Trim(n, " ()")
		if !IsName(n) {
			return nil
		}
		out = append(out, n)
	}
	return out
}

// IsName reports whether a text looks like the name of one person: two to five words, each with a capital but for the
// particles of noble names, no digit.
func IsName(s string) bool {
	parts := strings.Fields(s)
	capitals := 0
	for _, p := range parts {
		r, _ := utf8.DecodeRuneInString(p)
		switch {
		case titles[strings.ToLower(p)], nobiliary[p]:
		case unicode.IsUpper(r) && !strings.ContainsAny(p, "0123456789@:") && !roleWords.MatchString(p) && !verbs[strings.ToLower(p)]:
			capitals++
		default:
			return false
		}
	}
	return capitals >= 2 && len(parts) <= 6
}

func notWord(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) }
