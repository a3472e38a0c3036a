package taxonomy

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

const (
	skos    = "http://www.w3.org/2004/02/skos/core#"
	rdfType = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
	owlGone = "http://www.w3.org/2002/07/owl#deprecated"
	// own is the space of what SKOS has no word for: status, weight, category, rule.
	own = "urn:tidings:taxonomy:"
	// ours is the space of concepts that have no other name than their id.
	ours = "urn:tidings:concept:"
)

// String gives file:line:column and what is wrong.
func (p Problem) String() string {
	return p.File + ":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Column) + ": " + p.Text
}

type place struct {
	file      string
	line, col int
}

func (p place) problemf(format string, args ...any) Problem {
	return Problem{File: p.file, Line: p.line, Column: p.col, Text: fmt.Sprintf(format, args...)}
}

// turtle reads a file of the Turtle subset (RDF 1.1 Turtle): @prefix, @base, a, ";", ",", language tags, comments.
// Statements about blank nodes are skipped; what SKOS does not define is ignored. After a mistake it goes on behind the
// next full stop, so that all mistakes are found in one run.
func (v *Vocabulary) turtle(f File, places map[string]place) Problems {
	p := &parser{lexer: lexer{file: f.Name, text: string(f.Data), line: 1, col: 1}, prefixes: map[string]string{}, v: v, places: places, blank: map[string]bool{}}
	p.next()
	for p.tok.kind != end {
		if !p.statement() {
			p.resync()
		}
		if len(p.problems) >= 100 {
			break
		}
	}
	if n := len(p.blank); n > 0 {
		v.leftOut = append(v.leftOut, p.firstBlank.problemf("blank nodes are left out: %d, this one first", n))
	}
	return p.problems
}

type parser struct {
	lexer
	tok      token
	base     string
	prefixes map[string]string
	v        *Vocabulary
	places   map[string]place
	problems Problems
	// blank holds the blank nodes that were met: by their names, those without one by their places.
	blank      map[string]bool
	firstBlank place
}

// leaveOut counts a blank node.
func (p *parser) leaveOut(name string) {
	if len(p.blank) == 0 {
		p.firstBlank = p.tok.at
	}
	p.blank[name] = true
}

func (p *parser) next() { p.tok = p.scan() }

func (p *parser) fail(format string, args ...any) bool {
	if p.tok.kind == bad {
		format, args = "%s", []any{p.tok.text}
	}
	p.problems = append(p.problems, p.tok.at.problemf(format, args...))
	return false
}

// resync goes on behind the next full stop.
func (p *parser) resync() {
	for p.tok.kind != end && p.tok.kind != dot {
		p.next()
	}
	if p.tok.kind == dot {
		p.next()
	}
}

func (p *parser) expect(k kind, what string) bool {
	if p.tok.kind != k {
		return p.fail("expected %s, found %s", what, p.tok)
	}
	p.next()
	return true
}

func (p *parser) statement() bool {
	switch {
	case p.tok.kind == keyword && strings.EqualFold(strings.TrimPrefix(p.tok.text, "@"), "prefix"):
		sparql := p.tok.text[0] != '@'
		p.next()
		name := p.tok
		if name.kind != prefixed || !strings.HasSuffix(name.text, ":") {
			return p.fail("expected a prefix such as skos:, found %s", p.tok)
		}
		p.next()
		p.prefixes[strings.TrimSuffix(name.text, ":")] = p.absolute(p.tok.text)
		return p.expect(iri, "an address in <>") && (sparql || p.expect(dot, "a full stop"))
	case p.tok.kind == keyword && strings.EqualFold(strings.TrimPrefix(p.tok.text, "@"), "base"):
		sparql := p.tok.text[0] != '@'
		p.next()
		p.base = p.tok.text
		return p.expect(iri, "an address in <>") && (sparql || p.expect(dot, "a full stop"))
	}
	at := p.tok.at
	subject, ok := p.node()
	if !ok {
		return false
	}
	for {
		predicate := rdfType
		if p.tok.kind == keyword && p.tok.text == "a" {
			p.next()
		} else if predicate, ok = p.node(); !ok {
			return false
		}
		for {
			if !p.object(subject, predicate, at) {
				return false
			}
			if p.tok.kind != comma {
				break
			}
			p.next()
		}
		if p.tok.kind != semicolon {
			break
		}
		for p.tok.kind == semicolon {
			p.next()
		}
		if p.tok.kind == dot {
			break
		}
	}
	return p.expect(dot, "a full stop")
}

// node reads an address, written out or with a prefix.
func (p *parser) node() (string, bool) {
	switch p.tok.kind {
	case iri:
		s := p.absolute(p.tok.text)
		p.next()
		return s, true
	case prefixed:
		name, local, _ := strings.Cut(p.tok.text, ":")
		if name == "_" {
			p.leaveOut(p.tok.text)
			p.next()
			return "", true // a blank node: read and left out
		}
		base, ok := p.prefixes[name]
		if !ok {
			return "", p.fail("prefix %q is not declared", name)
		}
		p.next()
		return base + local, true
	}
	return "", p.fail("expected an address, found %s", p.tok)
}

func (p *parser) absolute(s string) string {
	if p.base != "" && !strings.Contains(s, ":") {
		return p.base + s
	}
	return s
}

func (p *parser) object(subject, predicate string, at place) bool {
	switch p.tok.kind {
	case literal:
		text, lang := p.tok.text, p.tok.lang
		p.next()
		p.value(subject, predicate, text, lang, at)
		return true
	case keyword:
		if p.tok.text == "true" || p.tok.text == "false" {
			p.value(subject, predicate, p.tok.text, "", at)
			p.next()
			return true
		}
	case number:
		p.value(subject, predicate, p.tok.text, "", at)
		p.next()
		return true
	case open:
		return p.skipBlank()
	}
	object, ok := p.node()
	if !ok {
		return false
	}
	p.link(subject, predicate, object, at)
	return true
}

// skipBlank reads over a blank node with its properties.
func (p *parser) skipBlank() bool {
	for depth := 0; p.tok.kind != end; p.next() {
		switch p.tok.kind {
		case open:
			p.leaveOut(fmt.Sprint(p.tok.at))
			depth++
		case shut:
			if depth--; depth == 0 {
				p.next()
				return true
			}
		case bad:
			return p.fail("")
		}
	}
	return p.fail("a bracket is not closed")
}

func (p *parser) concept(address string, at place) *Concept {
	c := p.v.add(slugOf(address), at, p.places)
	if c != nil && c.Address == "" && !strings.HasPrefix(address, ours) {
		c.Address = address
	}
	return c
}

// add gives the concept of an id, a new one where there is none; nil for the empty id.
func (v *Vocabulary) add(id string, at place, places map[string]place) *Concept {
	if id == "" {
		return nil
	}
	c := v.concepts[id]
	if c == nil {
		c = &Concept{ID: id}
		v.concepts[id] = c
		places[id] = at
	}
	return c
}

// labels are the kinds of labels by their predicates.
var labels = map[string]string{skos + "prefLabel": Pref, skos + "altLabel": Alt, skos + "hiddenLabel": Hidden, own + "ambiguousLabel": Ambiguous}

func (p *parser) value(subject, predicate, text, lang string, at place) {
	switch predicate {
	case skos + "prefLabel", skos + "altLabel", skos + "hiddenLabel", own + "ambiguousLabel", skos + "definition", owlGone, own + "status", own + "weight", own + "minScore", own + "category", own + "rule":
	default:
		return
	}
	c := p.concept(subject, at)
	if c == nil {
		return
	}
	text = strings.Join(strings.Fields(text), " ")
	switch {
	case labels[predicate] != "" && text == "":
		p.problems = append(p.problems, at.problemf("a label of %q is empty", c.ID))
	case labels[predicate] != "":
		c.Labels = append(c.Labels, Label{Lang: strings.ToLower(lang), Text: text, Kind: labels[predicate]})
	case predicate == skos+"definition":
		c.define(strings.ToLower(lang), text)
	case predicate == owlGone && text == "true":
		c.Status = Deprecated
	case predicate == own+"status":
		c.Status = statusOf(text)
	case predicate == own+"weight":
		if measure(&c.Weight, text) != nil {
			p.problems = append(p.problems, at.problemf("the weight %q of %q is no number", text, c.ID))
		}
	case predicate == own+"minScore":
		if measure(&c.MinScore, text) != nil {
			p.problems = append(p.problems, at.problemf("the score %q of %q is no number", text, c.ID))
		}
	case predicate == own+"category":
		c.Categories = append(c.Categories, text)
	case predicate == own+"rule":
		c.Rules = append(c.Rules, text)
	}
}

func (c *Concept) define(lang, text string) {
	if text == "" {
		return
	}
	if c.Definition == nil {
		c.Definition = map[string]string{}
	}
	c.Definition[lang] = text
}

func measure(to *float64, text string) (err error) {
	*to, err = strconv.ParseFloat(text, 64)
	return err
}

// statusOf reads a status as a person writes it.
func statusOf(text string) string {
	if text = strings.ToLower(strings.TrimSpace(text)); text == "active" {
		return Active
	}
	return text
}

func (p *parser) link(subject, predicate, object string, at place) {
	id := slugOf(object)
	switch predicate {
	case rdfType:
		if object == skos+"Concept" {
			p.concept(subject, at)
		}
	case skos + "broader":
		if c := p.concept(subject, at); c != nil && id != "" {
			c.Broader = append(c.Broader, id)
		}
	case skos + "narrower": // the same, said from above
		if c := p.concept(object, at); c != nil && slugOf(subject) != "" {
			c.Broader = append(c.Broader, slugOf(subject))
		}
	case skos + "related":
		if c := p.concept(subject, at); c != nil && id != "" {
			c.Related = append(c.Related, id)
		}
	case skos + "exactMatch":
		if c := p.concept(subject, at); c != nil && object != "" {
			c.Exact = append(c.Exact, object)
		}
	}
}

// slugOf makes an id of the last part of an address.
func slugOf(address string) string {
	if i := strings.LastIndexAny(address, "#/:"); i >= 0 {
		address = address[i+1:]
	}
	var b strings.Builder
	for _, r := range strings.ToLower(address) {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r):
			b.WriteRune(r)
		case r == '-' || r == '_' || r == '.':
			b.WriteByte('-')
		}
	}
	return strings.Trim(b.String(), "-")
}
