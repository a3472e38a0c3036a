// Package feedcheck checks feeds by the rules of the W3C feed validator, RFC 4287 and JSON Feed 1.1, warnings
// included. It reads the bytes with parsers of its own and shares no code with what writes them.
//
// Tests hold our feeds to it, and "tidings feeds check" those that are served. It knows the rules that feeds of ours could
// break, not all that exist; each has a broken document among its own tests, so that a rule which sees nothing is noticed.
package feedcheck

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Problem is a rule that a document breaks.
type Problem struct {
	Rule  string `json:"rule"`
	Where string `json:"where"`
	Text  string `json:"text"`
}

// String gives the problem on one line.
func (p Problem) String() string { return fmt.Sprintf("%s: %s: %s", p.Rule, p.Where, p.Text) }

// Expect is what the checker knows of a document beside its bytes.
type Expect struct {
	// Self is the address under which the document is served.
	Self string
	// Now is the time at which it is read: a date after it lies in the future.
	Now time.Time
}

// RSS checks a document of RSS 2.0.
func RSS(doc []byte, e Expect) []Problem { return run(doc, e, (*checker).rss) }

// Atom checks a document of Atom 1.0.
func Atom(doc []byte, e Expect) []Problem { return run(doc, e, (*checker).atom) }

// JSON checks a document of JSON Feed 1.1.
func JSON(doc []byte, e Expect) []Problem { return run(doc, e, (*checker).json) }

type checker struct {
	Expect
	doc      []byte
	problems []Problem
	ids      map[string]bool
}

func run(doc []byte, e Expect, check func(*checker)) []Problem {
	c := &checker{Expect: e, doc: doc, ids: map[string]bool{}}
	if !utf8.Valid(doc) {
		c.add("BadCharacters", "document", "it is not UTF-8")
		return c.problems
	}
	for i, r := range string(doc) {
		if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || 0x7f <= r && r <= 0x9f || r == 0xfffd || r == 0xfffe || r == 0xffff {
			c.add("BadCharacters", fmt.Sprintf("byte %d", i), "it holds %U", r)
		}
	}
	check(c)
	return c.problems
}

func (c *checker) add(rule, where, format string, args ...any) {
	c.problems = append(c.problems, Problem{rule, where, fmt.Sprintf(format, args...)})
}

// link checks an absolute address.
func (c *checker) link(where, value string, schemes ...string) {
	u, err := url.Parse(value)
	switch {
	case strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("<>\"{}|\\^`", r) }):
		c.add("InvalidURI", where, "%q holds characters that no URI has", value)
	case err != nil || u.Scheme == "":
		c.add("RelativeURI", where, "%q is not absolute", value)
	case len(schemes) == 0 && (u.Scheme != "http" && u.Scheme != "https" || u.Host == ""):
		c.add("InvalidURI", where, "%q is not an http address", value)
	case len(schemes) > 0 && !slices.Contains(schemes, u.Scheme):
		c.add("InvalidURI", where, "%q has none of the schemes %v", value, schemes)
	}
}

// id checks that an identifier is there and used once.
func (c *checker) id(where, value string) {
	if value == "" {
		c.add("MissingId", where, "it is empty")
		return
	}
	if c.ids[value] {
		c.add("DuplicateId", where, "%q is used before", value)
	}
	c.ids[value] = true
}

var languageForm = regexp.MustCompile(`^[a-zA-Z]{2,3}(-[A-Za-z0-9]{2,8})*$`)

func (c *checker) language(where, value string) {
	if !languageForm.MatchString(value) {
		c.add("BadLanguage", where, "%q is no language code", value)
	}
}

// date checks a date against the form and against what is likely.
func (c *checker) date(where, value, layout string) {
	t, err := time.Parse(layout, value)
	if err != nil {
		c.add("BadDate", where, "%q is not in the form %q", value, layout)
		return
	}
	// time.Parse ignores the weekday.
	if strings.HasPrefix(layout, "Mon") && !strings.HasPrefix(value, t.Weekday().String()[:3]) {
		c.add("BadWeekday", where, "%q was a %s", value, t.Weekday())
	}
	if t.Year() < 1980 {
		c.add("ImplausibleDate", where, "%q is too long ago", value)
	}
	if t.After(c.Now) {
		c.add("FutureDate", where, "%q lies in the future", value)
	}
}

var (
	mediaForm = regexp.MustCompile(`^[a-z]+/[a-zA-Z0-9][a-zA-Z0-9.+-]*$`)
	tagForm   = regexp.MustCompile(`</?[a-zA-Z][^<>]*>`)
	refForm   = regexp.MustCompile(`&(amp|lt|gt|quot|apos|nbsp|copy|auml|ouml|uuml|szlig|hellip|ndash|mdash|#[0-9]+);`)
)

func (c *checker) mediaType(where, value string) {
	if !mediaForm.MatchString(value) {
		c.add("BadMediaType", where, "%q is no media type", value)
	}
}

// noHTML checks text that readers may take for HTML. raw is how it stands in the document, empty for JSON.
func (c *checker) noHTML(where, value, raw string) {
	if tag := tagForm.FindString(value); tag != "" {
		c.add("ContainsHTML", where, "%q looks like a tag", tag)
	}
	if ref := refForm.FindString(value); ref != "" && strings.Contains(raw, "&amp;") {
		c.add("ContainsHTML", where, "%q looks like a character reference", ref)
	}
}
