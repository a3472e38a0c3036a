package selection

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
)

// The limits of a query.
const (
	maxTerms = 8
	maxBytes = 200
)

// Query is a search for words: all of them (crm blog), a phrase ("new work"), none (-advert), or one of two (a OR b).
// Words are compared folded and whole. There are no patterns: a query costs the same whatever it says.
type Query struct {
	groups []group // all must match
}

// group is a list of terms of which one must match.
type group struct {
	terms []string // folded, one space between words and at both ends
	not   bool
}

// ParseQuery reads a query; an empty text gives nil.
func ParseQuery(text string) (*Query, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	if len(text) > maxBytes {
		return nil, fmt.Errorf("it has %d bytes; %d are allowed", len(text), maxBytes)
	}
	tokens, err := split(text)
	if err != nil {
		return nil, err
	}
	q, terms, or := &Query{}, 0, false
	for i, t := range tokens {
		if t.word == "OR" && !t.quoted {
			if i == 0 || or || i == len(tokens)-1 || len(q.groups) == 0 || q.groups[len(q.groups)-1].not {
				return nil, fmt.Errorf("OR wants a word on each side")
			}
			or = true
			continue
		}
		not := false
		if !t.quoted {
			t.word, not = strings.CutPrefix(t.word, "-")
		} else {
			not = t.not
		}
		term := words(Fold(t.word))
		if term == "" {
			return nil, fmt.Errorf("%q is no word", t.word)
		}
		if terms++; terms > maxTerms {
			return nil, fmt.Errorf("it has more than %d words", maxTerms)
		}
		switch {
		case or && not:
			return nil, fmt.Errorf("OR and - cannot be joined")
		case or:
			last := &q.groups[len(q.groups)-1]
			last.terms = append(last.terms, term)
		default:
			q.groups = append(q.groups, group{[]string{term}, not})
		}
		or = false
	}
	return q, nil
}

type token struct {
	word        string
	quoted, not bool
}

// split takes a query apart at spaces and quotation marks.
func split(text string) ([]token, error) {
	var list []token
	for {
		text = strings.TrimLeftFunc(text, unicode.IsSpace)
		if text == "" {
			return list, nil
		}
		rest, not := strings.CutPrefix(text, "-\"")
		if !not {
			rest, not = strings.CutPrefix(text, "\"")
			if !not {
				end := strings.IndexFunc(text, unicode.IsSpace)
				if end < 0 {
					end = len(text)
				}
				list = append(list, token{word: text[:end]})
				text = text[end:]
				continue
			}
			not = false
		}
		phrase, after, ok := strings.Cut(rest, "\"")
		if !ok {
			return nil, fmt.Errorf("a quotation mark is not closed")
		}
		list = append(list, token{phrase, true, not})
		text = after
	}
}

// Match reports whether a text that was folded meets the query.
func (q *Query) Match(text string) bool {
	text = words(text)
	for _, g := range q.groups {
		found := false
		for _, t := range g.terms {
			found = found || strings.Contains(text, t)
		}
		if found == g.not {
			return false
		}
	}
	return true
}

// words leaves letters, marks and digits with one space between words and at both ends, so that a search for a term
// finds whole words only. It is empty when there is none.
func words(s string) string {
	list := strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) })
	if len(list) == 0 {
		return ""
	}
	return " " + strings.Join(list, " ") + " "
}

// Fold makes texts comparable: without case, without diacritics, ß as ss.
func Fold(s string) string {
	s = strings.ReplaceAll(strings.ToLower(s), "ß", "ss")
	// A transformer has a state of its own, so it is made for each call.
	out, _, err := transform.String(transform.Chain(norm.NFD, runes.Remove(runes.In(unicode.Mn)), norm.NFC), s)
	if err != nil {
		return s
	}
	return out
}
