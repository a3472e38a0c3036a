package lines

import (
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/dates"
)

var (
	opensByline = regexp.MustCompile(`(?i)^\s*(?:(?:ein\s+)?(?:gast)?(?:beitrag|kommentar|artikel|essay|kolumne|interview|text)\s+von|von|text|autorin|autor|by|par|por|di|door|av|af|autorzy|autor)\s*:?\s+`)
	separators  = regexp.MustCompile(`\s*[|·•/]\s*|\s+[–—-]\s+|,\s*`)
	joins       = regexp.MustCompile(`\s+(?:und|and|et|y|e|en|i|och|og|&)\s+`)
	clockTime   = regexp.MustCompile(`(?i)\b\d{1,2}[:.]\d{2}\s*(?:uhr)?\b|\buhr\b`)
	weekday     = regexp.MustCompile(`(?i)\b(?:montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag|monday|tuesday|wednesday|thursday|friday|saturday|sunday|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche)\b,?`)
	dateWord    = regexp.MustCompile(`(?i)^(?:stand|vom|am|veröffentlicht|aktualisiert|published|updated|posted on|on|le|publié le|datum)\s*:?\s*`)
	nobiliary   = map[string]bool{"von": true, "van": true, "de": true, "der": true, "den": true, "zu": true, "di": true, "da": true, "dos": true, "del": true, "la": true, "le": true, "af": true, "av": true}
	titles      = map[string]bool{"dr": true, "prof": true, "dr.": true, "prof.": true, "dipl.-ing.": true, "med.": true, "phil.": true}
	roleWords   = regexp.MustCompile(`(?i)gastaut|autor|redakt|korrespond|journalist|kolumn|berater|geschäftsführ|gründer|vorstand|leiter|trainer|coach|expert|professor|editor|reporter|correspondent|author|guest|founder|consultant|contributor|rédact|auteur|redactor|columnist`)
)

// byline reads a line of author, role and date. It is one only if a name is found and something else says so: an
// opening word, a separator with a date or a role.
func (r *Result) byline(l *Line, now time.Time) bool {
	rest := strings.TrimSpace(l.Text)
	if endsSentence(rest) && !strings.HasSuffix(rest, ".)") {
		if _, span, ok := dates.Find(rest, now); !ok || !strings.HasSuffix(rest, span) {
			return false
		}
	}
	opened := opensByline.FindString(rest)
	rest = rest[len(opened):]
	date, span, dated := dates.Find(rest, now)
	if dated {
		rest = strings.Replace(rest, span, " | ", 1)
		rest = weekday.ReplaceAllString(clockTime.ReplaceAllString(rest, " "), " ")
	}
	var people []article.Person
	var role string
	for _, part := range separators.Split(rest, -1) {
		part = strings.TrimSpace(dateWord.ReplaceAllString(strings.TrimSpace(part), ""))
		switch {
		case part == "":
		case len(people) == 0 && names(part) != nil:
			for _, n := range names(part) {
				people = append(people, article.Person{Name: n})
			}
		case role == "" && len(people) > 0 && utf8.RuneCountInString(part) <= 80:
			role = part
		case roleWords.MatchString(part):
			role = part
		default:
			if len(people) == 0 {
				return dated && r.dateline(l, rest, date)
			}
		}
	}
	if len(people) == 0 {
		return dated && r.dateline(l, rest, date)
	}
	if opened == "" && !dated && !roleWords.MatchString(role) {
		return false
	}
	if len(people) == 1 {
		people[0].Role = role
	}
	l.Class, r.Authors = Byline, people
	if dated {
		r.Date = &date
	}
	for _, p := range people {
		r.Masked = append(r.Masked, p.Name)
	}
	if role != "" {
		r.Masked = append(r.Masked, role)
	}
	return true
}

// dateline takes a line that holds a date and next to nothing else.
func (r *Result) dateline(l *Line, rest string, date time.Time) bool {
	if len(tokens(rest)) > 3 {
		return false
	}
	l.Class = Dateline
	r.Date = &date
	return true
}

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
		case unicode.IsUpper(r) && !strings.ContainsAny(p, "0123456789@:") && !roleWords.MatchString(p):
			capitals++
		default:
			return false
		}
	}
	return capitals >= 2 && len(parts) <= 6
}
