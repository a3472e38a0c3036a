package dates

import (
	"strconv"
	"strings"
)

// clockOrBoth reads a clock, or a date and a clock joined by a T: 2006-01-02T15:04:05.5+01:00.
func (p *parser) clockOrBoth(t string) bool {
	if p.hasTime {
		return false
	}
	i := strings.IndexAny(t, "Tt")
	if i < 0 {
		return p.clockWithZone(t)
	}
	if i == 0 || i+1 >= len(t) || !p.number(t[:i]) {
		return false
	}
	return p.clockWithZone(t[i+1:])
}

// clockWithZone reads 15:04:05.5, with a zone written right behind it.
func (p *parser) clockWithZone(t string) bool {
	end := strings.IndexFunc(t, func(r rune) bool { return !(r >= '0' && r <= '9' || r == ':' || r == '.') })
	if end < 0 {
		return p.clock(t)
	}
	if !p.clock(t[:end]) {
		return false
	}
	rest := t[end:]
	if lower := strings.ToLower(rest); lower == "am" || lower == "pm" {
		p.pm, p.am = lower == "pm", lower == "am"
		return true
	}
	var ok bool
	if rest[0] == '+' || rest[0] == '-' {
		_, ok = p.numericZone(rest, "")
	} else {
		_, ok = p.namedZone(rest, "")
	}
	return ok
}

// clock reads 15:04, 15:04:05 or 15:04:05.123.
func (p *parser) clock(t string) bool {
	whole, fraction, _ := strings.Cut(t, ".")
	parts := strings.Split(whole, ":")
	if len(parts) == 4 { // 15:04:05:123
		fraction, parts = parts[3], parts[:3]
	}
	if len(parts) < 2 || len(parts) > 3 {
		return false
	}
	for i, field := range []*int{&p.hour, &p.min, &p.sec}[:len(parts)] {
		n, err := strconv.Atoi(parts[i])
		if err != nil || len(parts[i]) > 2 || n < 0 {
			return false
		}
		*field = n
	}
	if fraction != "" {
		if !allDigits(fraction) {
			return false
		}
		p.nano, _ = strconv.Atoi((fraction + "000000000")[:9])
	}
	p.hasTime = true
	return true
}

// numericZone reads +01:00, +0100, +1, or GMT's +01 followed by 00.
func (p *parser) numericZone(t, _ string) (used int, ok bool) {
	if p.hasZone {
		return 0, false
	}
	sign := 1
	if t[0] == '-' {
		sign = -1
	}
	digits := strings.ReplaceAll(t[1:], ":", "")
	if !allDigits(digits) || len(digits) > 4 {
		return 0, false
	}
	if len(digits) <= 2 {
		digits += "00"
	}
	n, _ := strconv.Atoi(digits)
	if n/100 > 14 || n%100 > 59 { // the farthest zone is UTC+14
		return 0, false
	}
	p.offset, p.hasZone = sign*(n/100*3600+n%100*60), true
	return 0, true
}

// namedZone reads the name of a zone. A name that stands for several zones in the world is read as feeds mean it; one
// that nobody knows makes the whole date unreadable, since taking it for UTC would be a guess.
func (p *parser) namedZone(t, next string) (used int, ok bool) {
	name := strings.ToUpper(strings.Trim(t, "."))
	for _, prefix := range []string{"GMT", "UTC", "UT", "Z"} {
		if rest := strings.TrimPrefix(name, prefix); rest != name && len(rest) > 1 && (rest[0] == '+' || rest[0] == '-') {
			return p.numericZone(rest, "")
		}
	}
	hours, known := zones[name]
	if !known || p.hasZone {
		return 0, false
	}
	if hours == 0 && len(next) > 1 && (next[0] == '+' || next[0] == '-') { // GMT +0100
		_, ok := p.numericZone(next, "")
		return 1, ok
	}
	p.offset, p.hasZone = int(hours*3600), true
	return 0, true
}

// zones are the names of RFC 822 section 5.1 and the European, Asian and Pacific ones that feeds write, in hours east.
// IST, BST and AST stand for several zones and are left out. MST is the American one, as in RFC 822.
var zones = map[string]float64{
	"Z": 0, "UT": 0, "UTC": 0, "GMT": 0, "WET": 0,
	"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
	"CET": 1, "MET": 1, "MEZ": 1, "WEST": 1, "CEST": 2, "MEST": 2, "MESZ": 2, "EET": 2, "EEST": 3, "MSK": 3, "MSD": 4,
	"JST": 9, "KST": 9, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
}

// months maps names and their short forms, English and German, in lower case.
var months = map[string]int{
	"january": 1, "jan": 1, "januar": 1, "jänner": 1, "jän": 1,
	"february": 2, "feb": 2, "februar": 2, "febr": 2, "feber": 2,
	"march": 3, "mar": 3, "märz": 3, "mär": 3, "mrz": 3, "maerz": 3,
	"april": 4, "apr": 4,
	"may": 5, "mai": 5,
	"june": 6, "jun": 6, "juni": 6,
	"july": 7, "jul": 7, "juli": 7,
	"august": 8, "aug": 8,
	"september": 9, "sep": 9, "sept": 9,
	"october": 10, "oct": 10, "oktober": 10, "okt": 10,
	"november": 11, "nov": 11,
	"december": 12, "dec": 12, "dezember": 12, "dez": 12,
}

func monthOf(lower string) int { return months[strings.Trim(lower, ".")] }

// weekdays are skipped, right or wrong: a feed that errs in them errs in nothing else.
var weekdays = map[string]bool{
	"mon": true, "tue": true, "tues": true, "wed": true, "thu": true, "thur": true, "thurs": true, "fri": true, "sat": true, "sun": true,
	"monday": true, "tuesday": true, "wednesday": true, "thursday": true, "friday": true, "saturday": true, "sunday": true,
	"mo": true, "di": true, "mi": true, "do": true, "fr": true, "sa": true, "so": true,
	"montag": true, "dienstag": true, "mittwoch": true, "donnerstag": true, "freitag": true, "samstag": true, "sonnabend": true, "sonntag": true,
	"die": true, "mit": true, "don": true, "fre": true, "sam": true, "son": true,
}

func isWeekday(lower string) bool { return weekdays[strings.Trim(lower, ".")] }
