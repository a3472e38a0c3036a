package guard

import (
	"slices"
	"strings"
)

// startTag takes an element into account.
func (s *scanner) startTag(t *tag) error {
	if s.elements++; s.elements > maxElements {
		return tooDense("elements", maxElements)
	}
	_, local, prefixed := strings.Cut(t.name, ":")
	if !prefixed {
		local = t.name
	}
	s.closeForgotten(strings.ToLower(local), t.from)
	if len(s.stack) >= maxDepth {
		return tooDeep()
	}
	e := open{name: t.name, local: local, at: t.from, after: t.to, bound: len(s.spaces)}
	if len(s.stack) > 0 {
		up := &s.stack[len(s.stack)-1]
		e.lang, e.base, e.foreign = up.lang, up.base, up.foreign
	}
	if err := s.attributes(t, &e); err != nil {
		return err
	}
	if s.scopeSum += len(s.spaces); s.scopeSum > maxScopeSum {
		return tooDense("namespace prefixes in force over all elements", maxScopeSum)
	}
	s.place(t, &e)
	if s.beyond {
		s.cut(t.from, s.stack)
		return nil
	}
	if t.dirty {
		s.repair(t.from, t.to, s.rewrite(t))
	}
	if t.selfClosing {
		s.leave(&e, t.to)
		s.spaces = s.spaces[:e.bound]
		return nil
	}
	s.stack = append(s.stack, e)
	return nil
}

// plainText are elements of the formats that hold text and no markup. A sibling or an item inside one means that its
// end tag was forgotten; a description or content may hold anything.
var plainText = map[string]bool{
	"title": true, "link": true, "guid": true, "pubdate": true, "author": true, "category": true, "comments": true,
	"language": true, "id": true, "updated": true, "published": true, "issued": true, "modified": true,
}

// closeForgotten closes what the element of a name cannot stand in: an item inside an item, a field inside a field of
// plain text.
func (s *scanner) closeForgotten(name string, at int) {
	item := name == "item" || name == "entry"
	if !item && !wanted[name] && !plainText[name] {
		return
	}
	n := len(s.stack)
	for n > 2 && !s.stack[n-1].item && !s.stack[n-1].top && plainText[strings.ToLower(s.stack[n-1].local)] &&
		!s.stack[n-1].foreign && (s.format == RSS || s.stack[n-1].local != "author") {
		n--
	}
	if n == 0 || !s.stack[n-1].item && !s.stack[n-1].top {
		return
	}
	if item && s.stack[n-1].item && strings.EqualFold(name, s.stack[n-1].local) {
		n--
	}
	s.closeTo(n, at)
}

// attributes reads what holds for the element and all within: namespaces, language, base.
func (s *scanner) attributes(t *tag, e *open) error {
	for _, a := range t.attrs {
		name := string(a.name)
		switch {
		case name == "xmlns" || strings.HasPrefix(name, "xmlns:"):
			if s.prefixes++; s.prefixes > maxPrefixes {
				return tooDense("namespace declarations", maxPrefixes)
			}
			prefix := strings.TrimPrefix(strings.TrimPrefix(name, "xmlns"), ":")
			s.spaces = append(s.spaces, binding{prefix, strings.TrimSpace(string(a.value))})
			if len(s.spaces) > maxScope {
				return tooDense("namespace declarations in force", maxScope)
			}
		case name == "xml:lang":
			e.lang = text(a.value)
		case masked(a.name):
			if name == "xml:base" {
				e.base = resolveBase(e.base, text(a.value))
			}
			if !t.dirty {
				s.edit(a.at+len(a.name)-1, a.at+len(a.name), "_")
			}
		}
	}
	return nil
}

// place finds out what the element is to the feed: the feed itself, an item, a child worth noting, or foreign.
func (s *scanner) place(t *tag, e *open) {
	depth := len(s.stack)
	space := s.space(t.name)
	if depth == 0 {
		e.top = s.format == Atom
		s.native = s.nativeSpaces(space)
		s.head.Lang, s.head.Base = e.lang, e.base
		return
	}
	native := slices.Contains(s.native, space)
	up := &s.stack[depth-1]
	name := strings.ToLower(e.local)
	switch {
	case s.format == RSS && native && name == "channel" && depth == 1:
		e.top = true
		s.head.Lang, s.head.Base = e.lang, e.base
	case s.isItem(native, name, depth):
		s.openItem(t, e, depth)
	case up.item || up.top:
		e.foreign = !native && !(name == "encoded" && space == spaceContent)
		// The parser keeps the words of an XHTML body and loses its markup.
		if !e.foreign && wanted[name] || up.item && name == "body" && space == spaceXHTML {
			s.note(t, e, name, up)
		}
	case depth == 1 && !native:
		e.foreign = true
	}
}

func (s *scanner) isItem(native bool, name string, depth int) bool {
	if !native {
		return false
	}
	up := &s.stack[depth-1]
	if s.format == Atom {
		return name == "entry" && up.top
	}
	return name == "item" && (up.top || depth == 1)
}

func (s *scanner) openItem(t *tag, e *open, depth int) {
	if len(s.items)+len(s.rootward) >= MaxItems {
		s.beyond = true
		return
	}
	e.item = true
	s.itemFrom = t.from
	list := s.list()
	if s.format == RSS && depth == 1 {
		list = &s.rootward
	}
	*list = append(*list, Element{Lang: e.lang, Base: e.base})
	s.current = &(*list)[len(*list)-1]
	for _, a := range t.attrs {
		if _, local, _ := strings.Cut(string(a.name), ":"); local == "about" || string(a.name) == "about" {
			s.current.About = text(a.value)
		}
	}
}

// list is where the open item stands.
func (s *scanner) list() *[]Element {
	if n := len(s.rootward); n > 0 && s.current == &s.rootward[n-1] {
		return &s.rootward
	}
	return &s.items
}

// note keeps a child of a feed or item in the side table.
func (s *scanner) note(t *tag, e *open, name string, up *open) {
	of := &s.head
	if up.item {
		of = s.current
	}
	if of == nil || len(of.Fields) >= maxFields {
		return
	}
	f := Field{Name: name, Lang: e.lang, Base: e.base}
	for _, a := range t.attrs {
		value := func() string { return text(a.value) }
		switch string(a.name) {
		case "type":
			f.Type = strings.ToLower(strings.TrimSpace(value()))
		case "mode":
			f.Mode = strings.ToLower(strings.TrimSpace(value()))
		case "href":
			f.Href = value()
		case "url":
			if f.Href == "" {
				f.Href = value()
			}
		case "src":
			f.Src = value()
		case "rel":
			f.Rel = value()
		}
	}
	of.Fields = append(of.Fields, f)
	e.of, e.field = &of.Fields, len(of.Fields)
}

// endTag reads the end tag at i and returns the place after it. One that closes nothing is dropped; one that closes
// more than the innermost element gets the missing ones before it, so that no parser has to guess.
func (s *scanner) endTag(i int) int {
	b := s.b
	j := endOfName(b, i+2)
	name, plain := s.plainName(b[i+2 : j])
	k := j
	for k < len(b) && isSpace(b[k]) {
		k++
	}
	clean := plain && k < len(b) && b[k] == '>'
	for k < len(b) && b[k] != '>' && b[k] != '<' {
		k++
	}
	if k < len(b) && b[k] == '>' {
		k++
	}
	at := s.matching(name)
	if at < 0 {
		s.repair(i, k, "")
		return k
	}
	s.closeTo(at+1, i)
	e := &s.stack[at]
	if !clean || e.name != name {
		s.repair(i, k, "</"+e.name+">")
	}
	s.pop(i)
	return k
}

// matching finds the open element that an end tag means: of the same name, else of the same local name, else of that
// name in another case. -1 when there is none.
func (s *scanner) matching(name string) int {
	_, local, prefixed := strings.Cut(name, ":")
	if !prefixed {
		local = name
	}
	for _, same := range []func(e *open) bool{
		func(e *open) bool { return e.name == name },
		func(e *open) bool { return e.local == local },
		func(e *open) bool { return strings.EqualFold(e.local, local) },
	} {
		for i := len(s.stack) - 1; i >= 0; i-- {
			if same(&s.stack[i]) {
				return i
			}
		}
	}
	return -1
}

// closeTo closes open elements until n are left, as if their end tags stood at a place.
func (s *scanner) closeTo(n, at int) {
	for len(s.stack) > n {
		s.repair(at, at, "</"+s.stack[len(s.stack)-1].name+">")
		s.pop(at)
	}
}

// pop closes the innermost element, whose text ended at from.
func (s *scanner) pop(from int) {
	e := s.stack[len(s.stack)-1]
	s.stack = s.stack[:len(s.stack)-1]
	s.leave(&e, from)
	s.spaces = s.spaces[:e.bound]
}

// leave completes what was noted of an element.
func (s *scanner) leave(e *open, from int) {
	if e.field > 0 {
		f := &(*e.of)[e.field-1]
		if from > e.after {
			f.Inner = s.b[e.after:from]
		}
	}
	if e.item {
		s.current = nil
	}
}

// space resolves the prefix of a name. A prefix that nobody declared stands for itself, as it does in encoding/xml.
func (s *scanner) space(name string) string {
	prefix, _, found := strings.Cut(name, ":")
	if !found {
		prefix = ""
	}
	for i := len(s.spaces) - 1; i >= 0; i-- {
		if s.spaces[i].prefix == prefix {
			return s.spaces[i].space
		}
	}
	return prefix
}

// nativeSpaces lists the namespaces that the parser takes for the format's own, given that of the root. A made-up one
// on the root of RSS counts, too: every plain element is in it then.
func (s *scanner) nativeSpaces(root string) []string {
	if s.format == Atom {
		return []string{"", spaceAtom10, spaceAtom03}
	}
	list := []string{"", "rss", "rdf", spaceRDF, spaceRSS10, spaceRSS09, spaceRSS09b}
	if root != spaceAtom10 && root != spaceAtom03 && root != spaceContent {
		list = append(list, root)
	}
	return list
}
