// Package space is about the white space between words, whatever its kind: line ends, tabs, the wide spaces of Unicode.
package space

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// One puts one space where the words of a text have other white space between them, and takes away what stands around
// them. Most texts have none of it and come back as they are.
func One(s string) string {
	if one(s) {
		return s
	}
	var w Writer
	w.Grow(len(s))
	w.Write(s)
	return w.String()
}

// one reports whether a text is as [One] leaves it.
func one(s string) bool {
	last := ' '
	for _, r := range s {
		if r != ' ' && unicode.IsSpace(r) || r == ' ' && last == ' ' {
			return false
		}
		last = r
	}
	return s == "" || last != ' '
}

// Count is the number of words between white space.
func Count(s string) int {
	n := 0
	for range strings.FieldsSeq(s) {
		n++
	}
	return n
}

// Writer puts a text together as [One] leaves it. What is written without white space in between is one word.
type Writer struct {
	b   strings.Builder
	gap bool
}

// Grow makes room for so many bytes.
func (w *Writer) Grow(n int) { w.b.Grow(n) }

// Gap parts what is written next from what stands there.
func (w *Writer) Gap() { w.gap = true }

// Write appends a piece of text.
func (w *Writer) Write(s string) {
	start := 0
	for i := 0; i < len(s); {
		r, size := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
		}
		if unicode.IsSpace(r) {
			w.run(s[start:i])
			w.gap, start = true, i+size
		}
		i += size
	}
	w.run(s[start:])
}

// run appends what has no white space.
func (w *Writer) run(s string) {
	if s == "" {
		return
	}
	if w.gap && w.b.Len() > 0 {
		w.b.WriteByte(' ')
	}
	w.gap = false
	w.b.WriteString(s)
}

// String returns what was written.
func (w *Writer) String() string { return w.b.String() }
