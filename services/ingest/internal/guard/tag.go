package guard

import "bytes"

// tag is a start tag as it was read.
type tag struct {
	name        string // plain
	attrs       []attr
	from, to    int // the place in the document, brackets included
	selfClosing bool
	// dirty tells that a parser could read the tag differently or not at all.
	dirty bool
}

type attr struct {
	name, value []byte
	at          int // place of the name
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// endOfName gives the place after a name that starts at i.
func endOfName(b []byte, i int) int {
	for i < len(b) {
		switch b[i] {
		case ' ', '\n', '\t', '\r', '>', '/', '=', '<', '"', '\'':
			return i
		}
		i++
	}
	return i
}

// readTag reads the start tag at i, where b[i] is '<' and a name follows. It returns false when the document ends
// inside the tag.
func (s *scanner) readTag(i int) (*tag, bool, error) {
	b := s.b
	t := &s.tag
	*t = tag{from: i, attrs: t.attrs[:0]}
	j := endOfName(b, i+1)
	name, plain := s.plainName(b[i+1 : j])
	t.name, t.dirty = name, !plain
	for {
		for j < len(b) && isSpace(b[j]) {
			j++
		}
		if j >= len(b) {
			return nil, false, nil
		}
		switch b[j] {
		case '>':
			t.to = j + 1
			return t, true, nil
		case '<': // the tag was never closed, another begins
			t.to, t.dirty = j, true
			return t, true, nil
		case '/':
			if j+1 < len(b) && b[j+1] == '>' {
				t.selfClosing, t.to = true, j+2
				return t, true, nil
			}
			j, t.dirty = j+1, true
			continue
		case '=', '"', '\'':
			j, t.dirty = j+1, true
			continue
		}
		var ok bool
		if j, ok = s.readAttribute(t, j); !ok {
			return nil, false, nil
		}
		if len(t.attrs) > maxAttributes {
			return nil, false, tooDense("attributes in an element", maxAttributes)
		}
	}
}

// readAttribute reads the attribute at j and returns the place after it.
func (s *scanner) readAttribute(t *tag, j int) (int, bool) {
	b := s.b
	at := j
	j = endOfName(b, j)
	a := attr{name: b[at:j], at: at}
	if _, plain := s.plainName(a.name); !plain {
		t.dirty = true
	}
	k := j
	for k < len(b) && isSpace(b[k]) {
		k++
	}
	if k >= len(b) || b[k] != '=' { // HTML writes no value where it is the name
		a.value, t.dirty = a.name, true
		t.attrs = append(t.attrs, a)
		return j, k < len(b)
	}
	for k++; k < len(b) && isSpace(b[k]); k++ {
	}
	if k >= len(b) {
		return k, false
	}
	if q := b[k]; q == '"' || q == '\'' {
		n := bytes.IndexByte(b[k+1:], q)
		if n < 0 {
			return k, false
		}
		a.value = b[k+1 : k+1+n]
		if bytes.IndexByte(a.value, '<') >= 0 {
			t.dirty = true
		}
		t.attrs = append(t.attrs, a)
		k += n + 2
		if k < len(b) && !isSpace(b[k]) && b[k] != '>' && b[k] != '/' {
			t.dirty = true // no space before the next attribute
		}
		return k, true
	}
	end := k
	for end < len(b) && !isSpace(b[end]) && b[end] != '>' && b[end] != '<' {
		end++
	}
	a.value, t.dirty = b[k:end], true
	t.attrs = append(t.attrs, a)
	return end, end < len(b)
}
