package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhatIsNoYAMLIsSaidWithItsPosition(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"second document", "log: {}\n---\nlog: {}\n", `3:1: a second document begins here, after a line "---"; the configuration is one document`},
		{"NUL", "log: {}\nsite: {title: a\x00b}\n", `2:16: a NUL byte stands here; the file is damaged, or it is no text`},
		{"control character", "log: {}\n# \x07\n", `2:3: the control character U+0007 stands here; remove it`},
		{"not UTF-8", "site: {title: Gr\xfc\xdfe}\n", `1:17: the byte 0xfc is not UTF-8; save the file as UTF-8`},
		{"UTF-16", "\xff\xfel\x00", `1:1: the file is UTF-16; save it as UTF-8`},
		{"tab", "log:\n\tlevel: info\n", `2:1: a tab indents this line; YAML wants spaces`},
		{"tab in a list", "sources:\n  - id: a\n\t- id: b\n", `3:1: a tab indents this line; YAML wants spaces`},
		{"tab in a text", "site:\n  title: |\n    a\n\tb\n", `4:1: a tab indents this line; YAML wants spaces`},
		{"list not closed", "ingest:\n  words: [a,\n  word: b\n", `2:10: the list that begins here with "[" is not closed by "]", or lacks a comma`},
		{"block not closed", "log: {level: info\nsite: {}\n", `1:6: the block that begins here with "{" is not closed by "}", or lacks a comma`},
		{"quote not closed", "site:\n  title: \"Kundennah\n  url: x\n", `2:10: the quote that opens here is not closed`},
		{"colon", "site: {}\ningest: {word: a}\nlog: level: info\n", `3:11: a ": " cannot stand here; correct the indentation, or put the text in quotes`},
		{"indentation", "site:\n  title: a\n url: b\n", `3:2: a key is wanted here, indented as the others of its block, which begins in line 1`},
		{"indentation of a list", "sources:\n  - id: a\n - id: b\n", `3:2: a key is wanted here, indented as the others of its block, which begins in line 1`},
		{"sign", "site: {title: @x}\n", `1:15: a value cannot begin with '@'; put it in quotes`},
		{"backtick", "site:\n  title: `x`\n", "2:10: a value cannot begin with '`'; put it in quotes"},
		{"escape", `site: {title: "C:\path"}`, `1:18: a backslash in double quotes begins an escape that does not exist; use single quotes`},
		{"alias", "site: {title: *title}\n", `1:15: the alias names no anchor that stands before it`},
		{"directive", "%YAML 1.2\n---\nsite: {}\n", `1:1: a line that begins with "%" is a directive of YAML and has no place here`},
		{"hole in a list", "ingest: {words: [a, , b]}\n", `1:21: a value is missing here`},
		{"a text", "hello\n", `1:1: the file wants sections such as site: and sources:, and here is a single value`},
		{"a list", "- a\n", `1:1: the file wants sections such as site: and sources:, and here is a list`},
		{"a list as key", "? [a]\n: b\n", `1:3: a key is a word, and here is a list`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			doc, _ := load("tidings.yaml", c.text)
			if diff := cmp.Diff([]string{"tidings.yaml:" + c.want}, problems(doc)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWindowsLinesAndAMarkAtTheStartAreFine(t *testing.T) {
	t.Parallel()
	doc, s := load("tidings.yaml", "\ufeff"+strings.ReplaceAll("ingest:\n  word: größer\n  cont: 1\n", "\n", "\r\n"))
	if s.Word != "größer" {
		t.Errorf("word = %q", s.Word)
	}
	want := []string{`tidings.yaml:3:3: ingest.cont: unknown key; did you mean "count"?`}
	if diff := cmp.Diff(want, problems(doc)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}
