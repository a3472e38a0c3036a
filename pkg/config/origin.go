package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Origin says where a value came from. The zero Origin is a default.
type Origin struct {
	// File is the name of the configuration file as it was given, Line and Column the position in it, from 1. A Line
	// of zero means the file as a whole.
	File         string
	Line, Column int
	// Env is the name of the environment variable, when the value came from one.
	Env string
}

// String gives the origin as an operator reads it: "default", "tidings.yaml:14:5" or "env TIDINGS_NATS__URL".
func (o Origin) String() string {
	switch {
	case o.Env != "":
		if strings.ContainsFunc(o.Env, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return "env " + quote(o.Env)
		}
		return "env " + o.Env
	case o.Line > 0:
		return fmt.Sprintf("%s:%d:%d", o.File, o.Line, o.Column)
	case o.File != "":
		return o.File
	}
	return "default"
}

// A path leads to a value: strings are keys, ints are positions in a list.
type path []any

// key and index make a longer path without touching the array of p, which several callers may extend.
func (p path) key(k string) path { return append(p[:len(p):len(p)], k) }
func (p path) index(i int) path  { return append(p[:len(p):len(p)], i) }

// String gives the path as an operator reads it, such as sources[2].http.proxy. A key that is no plain word is quoted
// and cut, since it may be any text of the file.
func (p path) String() string {
	var b strings.Builder
	for _, e := range p {
		switch e := e.(type) {
		case int:
			b.WriteString("[" + strconv.Itoa(e) + "]")
		case string:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(word(e))
		}
	}
	return b.String()
}

// word quotes a key unless it consists of letters, digits, underscores and hyphens.
func word(s string) string {
	plain := s != "" && len(s) <= longest
	for _, r := range s {
		if r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			plain = false
		}
	}
	if plain {
		return s
	}
	return quote(s)
}

// longest is how many characters of a text of the file a problem repeats: enough to recognise it on one line.
const longest = 60

// quote gives a text of the file in double quotes, control characters escaped, cut when it is long.
func quote(s string) string {
	if r := []rune(s); len(r) > longest {
		s = string(r[:longest]) + "…"
	}
	return strconv.Quote(s)
}
