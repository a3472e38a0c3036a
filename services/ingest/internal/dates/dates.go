// Package dates reads the dates that feeds write: RFC 822 and 1123, RFC 3339, W3C date and time, ctime, plain digits,
// and the common slips in all of them, with month names in English and German.
//
// What it cannot read for certain it does not read: an unknown zone, a date like 03/04/2020 that nothing decides, a
// year before feeds existed. The caller keeps the text. The package knows no clock; [Plausible] is given one.
package dates

import (
	"strconv"
	"strings"
	"time"
)

// Order is how a document writes dates of three numbers.
type Order int

// The orders.
const (
	Unknown Order = iota
	DayFirst
	MonthFirst
)

// Parse reads a date and gives it in UTC. order decides dates of three numbers that do not decide themselves.
func Parse(text string, order Order) (time.Time, bool) {
	// Most dates are written as RFC 3339 has it, and it leaves nothing to find out.
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.UTC(), true
	}
	return read(text, order)
}

// read reads a date word by word.
func read(text string, order Order) (time.Time, bool) {
	tokens := split(text)
	if len(tokens) == 0 {
		return time.Time{}, false
	}
	p := parser{order: order}
	for i := 0; i < len(tokens); i++ {
		n, ok := p.take(tokens, i)
		if !ok {
			return time.Time{}, false
		}
		i += n
	}
	return p.result()
}

// OrderOf finds the order that the dates of a document show: one with a first or second number above 12 decides for
// all. Dates that contradict one another decide nothing.
func OrderOf(texts []string) Order {
	order := Unknown
	for _, text := range texts {
		for _, t := range split(text) {
			a, b, _, ok := slashed(t)
			if !ok {
				continue
			}
			found := Unknown
			switch {
			case a > 12 && b <= 12:
				found = DayFirst
			case b > 12 && a <= 12:
				found = MonthFirst
			}
			if found != Unknown && order != Unknown && found != order {
				return Unknown
			}
			if found != Unknown {
				order = found
			}
		}
	}
	return order
}

// Plausible reports whether a date may stand on an item: not before 1995, when there were no feeds, and not more than a
// day ahead of now.
func Plausible(t, now time.Time) bool {
	return t.Year() >= 1995 && !t.After(now.Add(24*time.Hour))
}

// maxText is the longest text that is looked at; the longest date has 40 characters.
const maxText = 100

// apart sets the words of a date apart.
var apart = strings.NewReplacer(",", " ", "\u00a0", " ", "(", " (", ")", ") ", "\t", " ", "\n", " ", "\r", " ")

// split cuts a text into words, numbers with their separators, and signs of zones.
func split(text string) []string {
	text = strings.TrimSpace(text)
	if len(text) > maxText {
		return nil
	}
	return strings.Fields(apart.Replace(text))
}

// parser collects what the tokens of a date say.
type parser struct {
	order            Order
	year, month, day int
	hour, min, sec   int
	nano             int
	offset           int // seconds east of UTC
	hasYear, hasTime bool
	hasZone, pm, am  bool
}

// take reads the token at i and tells how many of the following it used.
func (p *parser) take(tokens []string, i int) (used int, ok bool) {
	t := tokens[i]
	lower := strings.ToLower(strings.Trim(t, "."))
	next := ""
	if i+1 < len(tokens) {
		next = tokens[i+1]
	}
	switch {
	case t[0] == '(':
		return 0, true // the name of a zone that was given in numbers
	case isWeekday(lower), lower == "um", lower == "uhr", lower == "at", lower == "-" && !p.hasTime, lower == "den", lower == "of":
		return 0, true
	case lower == "am" && !p.hasTime: // German: on
		return 0, true
	case lower == "am" || lower == "pm" || lower == "a.m" || lower == "p.m":
		p.pm, p.am = lower[0] == 'p', lower[0] == 'a'
		return 0, p.hasTime
	case monthOf(lower) > 0:
		return 0, p.set(&p.month, monthOf(lower))
	case strings.Contains(t, ":") && isDigit(t[0]):
		return 0, p.clockOrBoth(t)
	case p.hasTime && !p.hasZone && (t[0] == '+' || t[0] == '-'):
		return p.numericZone(t, next)
	case isDigit(t[0]):
		return 0, p.number(t)
	case p.hasTime && !p.hasZone:
		return p.namedZone(t, next)
	case len(p.pieces(t)) > 1: // 02-Jan-2006, Mon,02Jan
		return 0, p.joined(t)
	}
	return 0, false
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func (p *parser) set(field *int, v int) bool {
	if *field != 0 {
		return false
	}
	*field = v
	return true
}

func (p *parser) setYear(text string) bool {
	n, err := strconv.Atoi(text)
	if err != nil || p.hasYear {
		return false
	}
	// Two digits: RFC 2822 section 4.3.
	switch {
	case len(text) == 2 && n < 50:
		n += 2000
	case len(text) == 2, len(text) == 3:
		n += 1900
	}
	p.year, p.hasYear = n, true
	return true
}

// number reads a token that begins with a digit and holds no clock.
func (p *parser) number(t string) bool {
	if a, b, c, ok := slashed(t); ok {
		return p.three(a, b, c, t)
	}
	digits := strings.TrimRight(strings.ToLower(t), ".stndrh") // 1st, 2nd, 3rd, 4th, 5.
	if !allDigits(digits) {
		return len(p.pieces(t)) > 1 && p.joined(t)
	}
	n, _ := strconv.Atoi(digits)
	switch {
	case len(digits) == 14 && !p.hasYear: // 20060102150405
		return p.number(digits[:8]) && p.clock(digits[8:10]+":"+digits[10:12]+":"+digits[12:])
	case len(digits) == 8 && !p.hasYear:
		y, m, d := digits[:4], digits[4:6], digits[6:]
		p.month, _ = strconv.Atoi(m)
		p.day, _ = strconv.Atoi(d)
		return p.setYear(y)
	case len(digits) == 4:
		return p.setYear(digits)
	case len(digits) <= 2 && p.day == 0 && n >= 1 && n <= 31:
		p.day = n
		return true
	case len(digits) <= 3 && p.day != 0:
		return p.setYear(digits)
	}
	return false
}

// pieces cuts a token at hyphens, slashes, dots, and where letters meet digits.
func (p *parser) pieces(t string) []string {
	var list []string
	start, kind := 0, func(c byte) int {
		switch {
		case isDigit(c):
			return 1
		case c == '-' || c == '/' || c == '.' || c == '_':
			return 0
		}
		return 2
	}
	for i := 1; i <= len(t); i++ {
		if i == len(t) || kind(t[i]) != kind(t[start]) {
			if kind(t[start]) != 0 {
				list = append(list, t[start:i])
			}
			start = i
		}
	}
	return list
}

// joined reads a date in one word: 2006-01-02, 02-Jan-2006, 2006-01, 2.1.2006, 2006-01-02T15, Mon,02Jan2006.
func (p *parser) joined(t string) bool {
	parts := p.pieces(t)
	if len(parts) > 6 {
		return false
	}
	if y := parts[0]; len(y) == 4 && allDigits(y) && !p.hasYear && (len(parts) == 2 || len(parts) == 3) && allDigits(strings.Join(parts, "")) {
		month, _ := strconv.Atoi(parts[1])
		day := 1
		if len(parts) == 3 {
			day, _ = strconv.Atoi(parts[2])
		}
		p.month, p.day = month, day
		return p.setYear(y)
	}
	for _, part := range parts {
		lower := strings.ToLower(part)
		switch {
		case isWeekday(lower):
		case monthOf(lower) > 0:
			if !p.set(&p.month, monthOf(lower)) {
				return false
			}
		case !allDigits(part) || !p.number(part):
			return false
		}
	}
	return len(parts) > 1
}

// three reads a date of three numbers in an order that they or the document decide. A date with dots is German.
func (p *parser) three(a, b, c int, t string) bool {
	if p.hasYear || p.day != 0 || p.month != 0 {
		return false
	}
	order := p.order
	switch {
	case strings.Contains(t, "."):
		order = DayFirst
	case a > 12:
		order = DayFirst
	case b > 12:
		order = MonthFirst
	case a == b:
		order = DayFirst // the same either way
	}
	switch order {
	case DayFirst:
		p.day, p.month = a, b
	case MonthFirst:
		p.month, p.day = a, b
	default:
		return false
	}
	text := strconv.Itoa(c)
	if len(text) < 2 {
		text = "0" + text
	}
	return p.setYear(text)
}

// slashed takes a date of three numbers apart whose year is last.
func slashed(t string) (a, b, c int, ok bool) {
	for _, sep := range []string{"/", ".", "-"} {
		parts := strings.Split(t, sep)
		if len(parts) != 3 || len(parts[0]) > 2 || len(parts[1]) > 2 || len(parts[2]) != 2 && len(parts[2]) != 4 {
			continue
		}
		if !allDigits(parts[0]) || !allDigits(parts[1]) || !allDigits(parts[2]) {
			continue
		}
		a, _ = strconv.Atoi(parts[0])
		b, _ = strconv.Atoi(parts[1])
		c, _ = strconv.Atoi(parts[2])
		return a, b, c, true
	}
	return 0, 0, 0, false
}

func allDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func (p *parser) result() (time.Time, bool) {
	if !p.hasYear || p.month < 1 || p.month > 12 || p.day < 1 || p.day > 31 {
		return time.Time{}, false
	}
	if p.pm && p.hour < 12 {
		p.hour += 12
	}
	if p.am && p.hour == 12 {
		p.hour = 0
	}
	if p.hour == 24 && p.min == 0 && p.sec == 0 {
		p.day, p.hour = p.day+1, 0 // midnight at the end of the day (ISO 8601)
		t := time.Date(p.year, time.Month(p.month), p.day, 0, 0, 0, 0, time.FixedZone("", p.offset))
		return t.UTC(), true
	}
	if p.hour > 23 || p.min > 59 || p.sec > 60 {
		return time.Time{}, false
	}
	t := time.Date(p.year, time.Month(p.month), p.day, p.hour, p.min, p.sec, p.nano, time.FixedZone("", p.offset))
	if t.Day() != p.day && p.sec < 60 {
		return time.Time{}, false // 31 February
	}
	return t.UTC(), true
}
