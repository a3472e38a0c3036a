package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// parse makes the tree of a text: its top node, or nil for a text without one. The problem has a position but no file.
// A syntax error ends the reading, so there is at most one.
func parse(data []byte) (*yaml.Node, *Problem) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if p := unreadable(data); p != nil {
		return nil, p
	}
	var documents []yaml.Node
	if err := yaml.Load(data, &documents, yaml.WithAllDocuments()); err != nil {
		return nil, syntax(err, data)
	}
	if len(documents) == 0 {
		return nil, nil
	}
	if len(documents) > 1 {
		second := top(&documents[1])
		return nil, &Problem{
			Origin: Origin{Line: second.Line, Column: second.Column},
			Text:   `a second document begins here, after a line "---"; the configuration is one document`,
		}
	}
	n := top(&documents[0])
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return nil, nil
	}
	return n, nil
}

// top is the value of a document.
func top(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		return n.Content[0]
	}
	return n
}

// unreadable finds bytes that no YAML text holds. The library refuses them without a position.
func unreadable(data []byte) *Problem {
	line, column := 1, 1
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		text := ""
		switch {
		case i == 0 && (bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff})):
			text = "the file is UTF-16; save it as UTF-8"
		case r == utf8.RuneError && size == 1:
			text = fmt.Sprintf("the byte 0x%02x is not UTF-8; save the file as UTF-8", data[i])
		case r == 0:
			text = "a NUL byte stands here; the file is damaged, or it is no text"
		case r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f || r == 0xfffe || r == 0xffff:
			text = fmt.Sprintf("the control character U+%04X stands here; remove it", r)
		}
		if text != "" {
			return &Problem{Origin: Origin{Line: line, Column: column}, Text: text}
		}
		if column++; r == '\n' {
			line, column = line+1, 1
		}
		i += size
	}
	return nil
}

// syntax turns an error of the library into a sentence of ours.
func syntax(err error, data []byte) *Problem {
	e, ok := errors.AsType[*yaml.LoadError](err)
	if !ok {
		return &Problem{Text: "the file is not YAML: " + strings.TrimPrefix(err.Error(), "yaml: ")}
	}
	mark := e.Mark
	at := character(data, mark)
	begun := fmt.Sprintf("in line %d", e.ContextMark.Line)
	var text string
	switch m := e.Message; {
	case strings.Contains(m, " tab") || at == '\t' && strings.HasPrefix(m, "found character that cannot start"):
		text = "a tab indents this line; YAML wants spaces"
	case strings.HasPrefix(m, "found character that cannot start"):
		text = fmt.Sprintf("a value cannot begin with %q; put it in quotes", at)
	case strings.HasPrefix(m, "mapping values are not allowed"):
		text = `a ": " cannot stand here; correct the indentation, or put the text in quotes`
	case strings.Contains(m, "',' or ']'"):
		mark, text = e.ContextMark, `the list that begins here with "[" is not closed by "]", or lacks a comma`
	case strings.Contains(m, "',' or '}'"):
		mark, text = e.ContextMark, `the block that begins here with "{" is not closed by "}", or lacks a comma`
	case strings.HasPrefix(m, "found unexpected end of stream") && strings.Contains(e.ContextMsg, "quoted"):
		mark, text = e.ContextMark, "the quote that opens here is not closed"
	case strings.HasPrefix(m, "did not find expected node content"):
		text = "a value is missing here"
	case strings.HasPrefix(m, "did not find expected key"):
		text = "a key is wanted here, indented as the others of its block, which begins " + begun
	case strings.Contains(m, "'-' indicator"):
		text = `an entry with "- " is wanted here, indented as the others of its list, which begins ` + begun
	case strings.HasPrefix(m, "unknown anchor"):
		text = "the alias names no anchor that stands before it"
	case strings.Contains(m, "incompatible YAML document"), strings.Contains(e.ContextMsg, "directive"):
		text = `a line that begins with "%" is a directive of YAML and has no place here`
	case strings.HasPrefix(m, "found unknown escape character"):
		text = `a backslash in double quotes begins an escape that does not exist; use single quotes`
	default:
		text = "the file is not YAML here: " + strings.TrimPrefix(m, "yaml: ")
	}
	return &Problem{Origin: Origin{Line: max(mark.Line, 0), Column: max(mark.Column, 0)}, Text: text}
}

// character is what stands at a mark, 0 past the end.
func character(data []byte, m yaml.Mark) rune {
	lines := strings.Split(string(data), "\n")
	if m.Line < 1 || m.Line > len(lines) {
		return 0
	}
	if line := []rune(lines[m.Line-1]); m.Column >= 1 && m.Column <= len(line) {
		return line[m.Column-1]
	}
	return 0
}
