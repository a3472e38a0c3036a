// Package headlines holds headlines by language, written for tests and measurements. The word lists of the detector hold
// none of them.
package headlines

import (
	_ "embed" // for the parts
	"strings"
)

//go:embed phrases.txt
var phrases string

// Set makes headlines of all parts, every third of them, by language code.
func Set() map[string][]string {
	parts := map[string][][]string{}
	lang := ""
	for line := range strings.Lines(phrases) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			lang = strings.Trim(line, "[]")
		default:
			parts[lang] = append(parts[lang], strings.Split(line, " | "))
		}
	}
	list := map[string][]string{}
	for lang, p := range parts {
		n := 0
		for _, who := range p[0] {
			for _, what := range p[1] {
				for _, how := range p[2] {
					if n++; n%3 == 0 {
						list[lang] = append(list[lang], who+" "+what+" "+how)
					}
				}
			}
		}
	}
	return list
}

// Short is the first words of a text.
func Short(text string, words int) string {
	f := strings.Fields(text)
	return strings.Join(f[:min(len(f), words)], " ")
}
