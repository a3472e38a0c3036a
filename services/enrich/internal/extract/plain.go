package extract

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"tidings.internal/services/enrich/internal/dom"
	"tidings.internal/services/enrich/internal/lines"
	"tidings.internal/services/enrich/internal/pipeline"
)

// bare reports whether a tree holds no markup worth keeping: text alone, line breaks, or one pre around it all.
func bare(root *html.Node) bool {
	blocks := 0
	for n := range dom.Elements(root) {
		switch {
		case n == root || n.DataAtom == atom.Br:
		case n.DataAtom == atom.Pre, n.DataAtom == atom.Div, n.DataAtom == atom.P:
			blocks++
		default:
			return false
		}
	}
	return blocks <= 1
}

// fromText reads plain text: its lines become paragraphs, headings and lists.
func fromText(d *pipeline.Draft, p *pipeline.Part, rung string) *body {
	text := p.Text
	if p.Tree != nil {
		text = broken(p.Tree)
	}
	var in []lines.Line
	for _, l := range unwrap(text) {
		in = append(in, lines.Line{Text: l})
	}
	said := lines.Classify(d.Article.Title, in, true, d.Now())
	return &body{rung: rung, root: build(said.Lines), base: p.Base, said: said}
}

// broken reads a tree with its line breaks.
func broken(root *html.Node) string {
	var b strings.Builder
	for n := range dom.All(root) {
		switch {
		case n.Type == html.TextNode:
			b.WriteString(n.Data)
		case n.DataAtom == atom.Br:
			b.WriteByte('\n')
		}
	}
	return b.String()
}

const (
	// wrapMin and wrapMax bound the length in runes of lines that a program broke.
	wrapMin, wrapMax = 45, 100
)

// unwrap returns the lines of a text as its author meant them: lines that only a narrow screen or a mail program broke
// are put together again.
func unwrap(text string) []string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	var out []string
	for p := range strings.SplitSeq(text, "\n\n") {
		var block []string
		for l := range strings.SplitSeq(p, "\n") {
			if l = strings.TrimSpace(l); l != "" {
				block = append(block, l)
			}
		}
		if wrapped(block) {
			out = append(out, strings.Join(block, " "))
		} else {
			out = append(out, block...)
		}
	}
	return out
}

func wrapped(block []string) bool {
	if len(block) < 3 {
		return len(block) == 2 && inRange(block[0]) && !strings.ContainsAny(block[0][len(block[0])-1:], ".!?:|")
	}
	for _, l := range block[:len(block)-1] {
		if !inRange(l) {
			return false
		}
	}
	return true
}

func inRange(l string) bool {
	n := utf8.RuneCountInString(l)
	return n >= wrapMin && n <= wrapMax
}

var marker = regexp.MustCompile(`^\s*(?:[-*•‣–]|(\d{1,2})[.)])\s+`)

// build makes a tree of the lines that belong to the body.
func build(all []lines.Line) *html.Node {
	root := dom.New(atom.Div)
	var list *html.Node
	for _, l := range all {
		if !l.Class.Body() {
			continue
		}
		if l.Class != lines.Item {
			list = nil
			name := atom.P
			if l.Class == lines.Heading {
				name = atom.H2
			}
			e := dom.New(name)
			e.AppendChild(dom.TextNode(strings.TrimSpace(l.Text)))
			root.AppendChild(e)
			continue
		}
		m := marker.FindStringSubmatch(l.Text)
		name := atom.Ul
		if len(m) > 1 && m[1] != "" {
			name = atom.Ol
		}
		if list == nil || list.DataAtom != name {
			list = dom.New(name)
			root.AppendChild(list)
		}
		li := dom.New(atom.Li)
		text := l.Text
		if len(m) > 0 {
			text = text[len(m[0]):]
		}
		li.AppendChild(dom.TextNode(strings.TrimSpace(text)))
		list.AppendChild(li)
	}
	return root
}
