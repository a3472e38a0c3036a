package guard

import (
	"bytes"
	"strings"
)

// edit replaces the bytes [from, to) of the document. Edits are made in the order of the document and do not overlap.
type edit struct {
	from, to int
	text     string
}

func (s *scanner) edit(from, to int, text string) {
	s.edits = append(s.edits, edit{from, to, text})
}

// repair is an edit that counts as a fault of the document.
func (s *scanner) repair(from, to int, text string) {
	s.repairs++
	s.edit(from, to, text)
}

// cut ends the document at a place outside of any open element but those that stay open, which are closed.
func (s *scanner) cut(at int, keep []open) {
	for len(s.edits) > 0 && s.edits[len(s.edits)-1].to > at {
		s.edits = s.edits[:len(s.edits)-1]
	}
	s.end = at
	var b strings.Builder
	for i := len(keep) - 1; i >= 0; i-- {
		b.WriteString("</" + keep[i].name + ">")
	}
	s.tail = b.String()
}

// bytes gives the repaired document: the root element alone.
func (s *scanner) bytes() []byte {
	if len(s.edits) == 0 && s.tail == "" {
		return s.b[s.start:s.end]
	}
	var b bytes.Buffer
	b.Grow(s.end - s.start + 16*len(s.edits) + len(s.tail))
	at := s.start
	for _, e := range s.edits {
		if e.from < at || e.to > s.end {
			continue
		}
		b.Write(s.b[at:e.from])
		b.WriteString(e.text)
		at = e.to
	}
	b.Write(s.b[at:s.end])
	b.WriteString(s.tail)
	return b.Bytes()
}

// name is a name as it is used here, and whether the document wrote it so.
type name struct {
	plain string
	ok    bool
}

// plainName makes a name that every XML parser accepts: ASCII letters and digits with at most one colon inside
// (Namespaces in XML 1.0 section 3). ok tells that the name was one already.
func (s *scanner) plainName(raw []byte) (plain string, ok bool) {
	if n, known := s.names[string(raw)]; known {
		return n.plain, n.ok
	}
	n := name{ok: len(raw) > 0}
	var b strings.Builder
	colon := bytes.IndexByte(raw, ':')
	for i, c := range raw {
		first := i == 0 || i == colon+1 && colon > 0
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_':
		case !first && (c >= '0' && c <= '9' || c == '-' || c == '.'):
		case c == ':' && i == colon && i > 0 && i < len(raw)-1:
		default:
			c, n.ok = '_', false
		}
		b.WriteByte(c)
	}
	n.plain = b.String()
	if len(s.names) < maxNames {
		s.names[string(raw)] = n
	}
	return n.plain, n.ok
}

// maxNames bounds the memory for names: a real document has some dozens.
const maxNames = 1000

func nameStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

var attributeEscape = strings.NewReplacer("<", "&lt;", `"`, "&quot;")

// rewrite builds a start tag anew from what could be read of it.
func (s *scanner) rewrite(t *tag) string {
	var b strings.Builder
	b.WriteString("<" + t.name)
	for _, a := range t.attrs {
		name, _ := s.plainName(a.name)
		if masked(a.name) {
			name = maskName(name)
		}
		b.WriteString(" " + name + `="` + attributeEscape.Replace(string(a.value)) + `"`)
	}
	if t.selfClosing {
		b.WriteByte('/')
	}
	b.WriteByte('>')
	return b.String()
}

// masked reports whether an attribute is a base that the parser would apply: it resolves by rules of its own and parses
// all content anew for it. Any prefix may be bound to the namespace of xml.
func masked(name []byte) bool {
	return len(name) > 5 && bytes.HasSuffix(name, []byte(":base"))
}

func maskName(name string) string { return name[:len(name)-1] + "_" }
