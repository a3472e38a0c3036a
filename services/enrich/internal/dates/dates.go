// Package dates reads the dates that people write into bylines: day first, months by name in several languages, years
// of two digits. It never guesses: what it does not know whole is no date.
package dates

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

func month(word string) (time.Month, bool) {
	word = strings.ToLower(strings.TrimSuffix(word, "."))
	for i, names := range monthNames {
		for name := range strings.FieldsSeq(names) {
			if word == name {
				return time.Month(i + 1), true
			}
		}
	}
	return 0, false
}

var monthNames = [12]string{
	"januar jan jänner january janvier enero gennaio januari janeiro stycznia styczeń",
	"februar feb feber february février fevrier febrero febbraio februari fevereiro lutego luty",
	"märz maerz mär mrz march mar mars marzo maart março marca marzec",
	"april apr avril abril aprile kwietnia kwiecień",
	"mai may mayo maggio mei maio maja maj",
	"juni jun june juin junio giugno junho czerwca czerwiec",
	"juli jul july juillet julio luglio julho lipca lipiec",
	"august aug août agosto augustus sierpnia sierpień",
	"september sept sep septembre septiembre settembre setembro września wrzesień",
	"oktober okt october oct octobre octubre ottobre outubro października październik",
	"november nov novembre noviembre novembro listopada listopad",
	"dezember dez december dec décembre diciembre dicembre dezembro grudnia grudzień",
}

var (
	numeric  = regexp.MustCompile(`(?:^|[^\d.])(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4}|\d{2})(?:$|[^\d.]|\.(?:$|\D))`)
	iso      = regexp.MustCompile(`(?:^|\D)(\d{4})[-./](\d{2})[-./](\d{2})(?:$|\D)`)
	slashed  = regexp.MustCompile(`(?:^|[^\d/])(\d{1,2})/(\d{1,2})/(\d{4})(?:$|[^\d/])`)
	dayFirst = regexp.MustCompile(`(?:^|[^\d.])(\d{1,2})\.?\s+(?:de\s+)?(\p{L}{3,}\.?)\s+(?:de\s+)?(\d{4})(?:$|\D)`)
	dayLast  = regexp.MustCompile(`(?:^|\P{L})(\p{L}{3,}\.?)\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})(?:$|\D)`)
)

// Find returns the first date in a text as midnight UTC, and the part of the text that it is. now decides the century
// of a year of two digits, at most one year ahead, and what "vor 3 Stunden" means, which is an instant.
func Find(text string, now time.Time) (date time.Time, span string, ok bool) {
	for _, f := range []struct {
		form             *regexp.Regexp
		year, month, day int
	}{{iso, 1, 2, 3}, {numeric, 3, 2, 1}, {dayFirst, 3, 2, 1}, {dayLast, 3, 1, 2}, {slashed, 3, 2, 1}, {slashed, 3, 1, 2}} {
		m := f.form.FindStringSubmatchIndex(text)
		if m == nil {
			continue
		}
		part := func(i int) string { return text[m[2*i]:m[2*i+1]] }
		y, _ := strconv.Atoi(part(f.year))
		if len(part(f.year)) == 2 {
			if y += 2000; y > now.Year()+1 {
				y -= 100
			}
		}
		mon, known := month(part(f.month))
		if n, err := strconv.Atoi(part(f.month)); err == nil {
			mon, known = time.Month(n), true
		}
		d, _ := strconv.Atoi(part(f.day))
		date = time.Date(y, mon, d, 0, 0, 0, 0, time.UTC)
		if f.form == slashed && d <= 12 {
			continue // 3/4/2025 is a day in March or in April: only a day above twelve tells
		}
		if !known || date.Day() != d || date.Month() != mon || y < 1900 {
			continue
		}
		first, last := min(m[2], m[4], m[6]), max(m[3], m[5], m[7])
		return date, text[first:last], true
	}
	return relative(text, now)
}

// Plausible returns t in UTC when it can be the date of an article that was fetched at now, else nil: dates before
// 1995 and more than a day ahead are those of broken software.
func Plausible(t *time.Time, now time.Time) *time.Time {
	if t == nil || t.Year() < 1995 || t.After(now.Add(24*time.Hour)) {
		return nil
	}
	return new(t.UTC())
}
