package taxonomy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"tidings.internal/services/enrich/internal/words"
)

// Rule is an expression over the words of an article:
//
//	elektro* AND (auto OR "electric car")   words by their stems, the beginning of words, phrases
//	=Apple AND NOT (title: pie)             exactly as written; negation; one field: title, lead or body
//	chip NEAR/5 fabrik                      within five words of each other
//	veto lotto                              against the concept instead of for it
//
// Two expressions beside each other are joined by AND, which binds closer than OR. The operators are written in capitals.
type Rule struct {
	Veto bool
	root *expression
}

type operator int

const (
	opTerm operator = iota
	opAnd
	opOr
	opNot
	opNear
	opField
)

type expression struct {
	op       operator
	children []*expression
	field    string // of opField
	distance int    // of opNear
	// A term: one word or several, compared exactly, by their beginning, or by their stems.
	text          string
	exact, prefix bool
}

// ParseRule reads a rule. Its error is a sentence for a person.
func ParseRule(text string) (Rule, error) {
	var r Rule
	tokens, err := ruleTokens(text)
	if err != nil {
		return r, err
	}
	if len(tokens) > 0 && tokens[0] == "veto" {
		r.Veto, tokens = true, tokens[1:]
	}
	p := &ruleParser{tokens: tokens}
	if r.root, err = p.or(0); err != nil {
		return r, err
	}
	if p.pos < len(tokens) {
		return r, fmt.Errorf("%q is not expected here", p.peek())
	}
	return r, nil
}

// ruleTokens cuts a rule: brackets, phrases with their marks, fields with their colon, words.
func ruleTokens(text string) ([]string, error) {
	var tokens []string
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimLeftFunc(text, unicode.IsSpace) {
		switch {
		case text[0] == '(' || text[0] == ')':
			tokens, text = append(tokens, text[:1]), text[1:]
		case text[0] == '"':
			end := strings.IndexByte(text[1:], '"')
			if end < 0 {
				return nil, errors.New("a quotation mark is not closed")
			}
			tokens, text = append(tokens, text[:end+2]), text[end+2:]
		default:
			end := strings.IndexFunc(text, func(r rune) bool { return unicode.IsSpace(r) || r == '(' || r == ')' || r == '"' })
			if end < 0 {
				end = len(text)
			}
			if i := strings.IndexByte(text[:end], ':'); i >= 0 {
				end = i + 1
			}
			tokens, text = append(tokens, text[:end]), text[end:]
		}
	}
	return tokens, nil
}

type ruleParser struct {
	tokens []string
	pos    int
}

// maxNested is how deep brackets may stand in each other.
const maxNested = 50

func (p *ruleParser) peek() string {
	if p.pos < len(p.tokens) {
		return p.tokens[p.pos]
	}
	return ""
}

func (p *ruleParser) or(depth int) (*expression, error) {
	return p.list(opOr, depth, func() bool { return p.take("OR") }, p.and)
}

func (p *ruleParser) and(depth int) (*expression, error) {
	more := func() bool {
		next := p.peek()
		return p.take("AND") || next != "" && next != ")" && next != "OR"
	}
	return p.list(opAnd, depth, more, p.not)
}

func (p *ruleParser) list(op operator, depth int, more func() bool, part func(int) (*expression, error)) (*expression, error) {
	first, err := part(depth)
	if err != nil {
		return nil, err
	}
	all := []*expression{first}
	for more() {
		next, err := part(depth)
		if err != nil {
			return nil, err
		}
		all = append(all, next)
	}
	if len(all) == 1 {
		return first, nil
	}
	return &expression{op: op, children: all}, nil
}

func (p *ruleParser) take(token string) bool {
	if p.peek() != token {
		return false
	}
	p.pos++
	return true
}

func (p *ruleParser) not(depth int) (*expression, error) {
	if !p.take("NOT") {
		return p.near(depth)
	}
	if depth > maxNested {
		return nil, errors.New("it is nested too deep")
	}
	e, err := p.not(depth + 1)
	if err != nil {
		return nil, err
	}
	return &expression{op: opNot, children: []*expression{e}}, nil
}

func (p *ruleParser) near(depth int) (*expression, error) {
	left, err := p.one(depth)
	if err != nil {
		return nil, err
	}
	for strings.HasPrefix(p.peek(), "NEAR/") {
		distance, err := strconv.Atoi(strings.TrimPrefix(p.peek(), "NEAR/"))
		if err != nil || distance < 1 || distance > 100 {
			return nil, fmt.Errorf("%q is not NEAR/ and a number of words between 1 and 100", p.peek())
		}
		p.pos++
		right, err := p.one(depth)
		if err != nil {
			return nil, err
		}
		left = &expression{op: opNear, distance: distance, children: []*expression{left, right}}
	}
	return left, nil
}

func (p *ruleParser) one(depth int) (*expression, error) {
	token := p.peek()
	switch {
	case depth > maxNested:
		return nil, errors.New("it is nested too deep")
	case token == "":
		return nil, errors.New("a word is missing at the end")
	case token == ")" || token == "AND" || token == "OR" || strings.HasPrefix(token, "NEAR/"):
		return nil, fmt.Errorf("a word is missing before %q", token)
	}
	p.pos++
	switch {
	case token == "(":
		e, err := p.or(depth + 1)
		if err != nil {
			return nil, err
		}
		if !p.take(")") {
			return nil, errors.New("a bracket is not closed")
		}
		return e, nil
	case strings.HasSuffix(token, ":"):
		field := strings.TrimSuffix(token, ":")
		if field != "title" && field != "lead" && field != "body" {
			return nil, fmt.Errorf("%q is none of the fields title, lead, body", field)
		}
		e, err := p.one(depth + 1)
		if err != nil {
			return nil, err
		}
		return &expression{op: opField, field: field, children: []*expression{e}}, nil
	}
	return term(token)
}

func term(token string) (*expression, error) {
	e := &expression{text: strings.Trim(token, `"`)}
	if token[0] != '"' {
		if e.exact = strings.HasPrefix(token, "="); e.exact {
			e.text = token[1:]
		}
		if !e.exact && strings.HasSuffix(token, "*") {
			e.prefix, e.text = true, strings.TrimSuffix(token, "*")
		}
	}
	if n := len(words.Cut(e.text, "")); n == 0 || e.prefix && n > 1 {
		return nil, fmt.Errorf("%q holds no word that could be looked for", token)
	}
	return e, nil
}

// span is a place of an article: words [from, to) of a field.
type span struct {
	title    bool
	from, to int
}

// text is what a rule is held against.
type text struct {
	title, body []words.Word
	lang        string
}

// Holds tells whether the rule holds, and the places that made it so.
func (r Rule) holds(t *text) (bool, []span) { return r.root.holds(t, "") }

func (e *expression) holds(t *text, field string) (bool, []span) {
	switch e.op {
	case opAnd:
		var all []span
		for _, c := range e.children {
			ok, found := c.holds(t, field)
			if !ok {
				return false, nil
			}
			all = append(all, found...)
		}
		return true, all
	case opOr:
		var all []span
		any := false
		for _, c := range e.children {
			ok, found := c.holds(t, field)
			any, all = any || ok, append(all, found...)
		}
		return any, all
	case opNot:
		ok, _ := e.children[0].holds(t, field)
		return !ok, nil
	case opField:
		return e.children[0].holds(t, e.field)
	case opNear:
		return e.close(t, field)
	}
	found := e.find(t, field)
	return len(found) > 0, found
}

// close finds places of both sides that stand near each other.
func (e *expression) close(t *text, field string) (bool, []span) {
	_, left := e.children[0].holds(t, field)
	_, right := e.children[1].holds(t, field)
	slices.SortFunc(right, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var found []span
	for _, l := range left {
		i, _ := slices.BinarySearchFunc(right, l.from-e.distance-16, func(s span, from int) int { return cmp.Compare(s.from, from) })
		for ; i < len(right) && right[i].from <= l.to+e.distance; i++ {
			r := right[i]
			if r.title == l.title && r.from-l.to < e.distance && l.from-r.to < e.distance && (r.from >= l.to || l.from >= r.to) {
				found = append(found, l, r)
				break
			}
		}
	}
	return len(found) > 0, found
}

// find looks for a term.
func (e *expression) find(t *text, field string) []span {
	want := words.Cut(e.text, t.lang)
	var found []span
	look := func(list []words.Word, title bool) {
		for i := 0; i+len(want) <= len(list); i++ {
			if e.meets(want, list[i:]) {
				found = append(found, span{title, i, i + len(want)})
			}
		}
	}
	if field == "" || field == "title" {
		look(t.title, true)
	}
	switch field {
	case "", "body":
		look(t.body, false)
	case "lead":
		look(t.body[:min(leadWords, len(t.body))], false)
	}
	return found
}

func (e *expression) meets(want, list []words.Word) bool {
	for i := range want {
		w := &list[i]
		ok := !w.Masked && (i == 0 || !w.Break)
		switch {
		case e.exact:
			ok = ok && w.Text == want[i].Text
		case e.prefix:
			ok = ok && strings.HasPrefix(w.Fold, want[i].Fold)
		default:
			ok = ok && (w.Stem == want[i].Stem || w.Fold == want[i].Fold)
		}
		if !ok {
			return false
		}
	}
	return true
}
