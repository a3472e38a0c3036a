package letter

import (
	"html/template"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// gate is what the text of an article may have in a mail: words, their order and links. No pictures, no styles, no classes, no forms; what mail
// programs do not know loses its mark and keeps its words.
var gate = func() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "hr", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "dl", "dt", "dd", "blockquote", "pre", "code",
		"em", "strong", "b", "i", "s", "sub", "sup", "table", "thead", "tbody", "tr", "th", "td")
	p.AllowAttrs("href").OnElements("a")
	p.AllowURLSchemes("http", "https")
	p.RequireParseableURLs(true)
	p.AllowRelativeURLs(false)
	return p
}()

// body cleans the HTML of an article once more and tells the same in plain text. Both are empty when nothing is left, or when it lies deeper than
// the parser follows.
func body(raw string) (template.HTML, string) {
	safe := strings.TrimSpace(gate.Sanitize(strings.ToValidUTF8(raw, "\uFFFD")))
	root := &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body}
	nodes, err := html.ParseFragment(strings.NewReader(safe), root)
	if err != nil {
		return "", ""
	}
	var p plain
	for _, n := range nodes {
		p.node(n)
	}
	text := tidy(p.out.String())
	if strings.TrimSpace(text) == "" {
		return "", ""
	}
	return template.HTML(safe), strings.TrimSpace(text) // bluemonday has just made it
}

// plain writes a tree as text.
type plain struct {
	out strings.Builder
	pre int // depth within pre, where white space stays
}

// blocks are the elements that stand in paragraphs of their own; lines begin a line.
var (
	blocks = map[atom.Atom]bool{
		atom.P: true, atom.H2: true, atom.H3: true, atom.H4: true, atom.H5: true, atom.H6: true, atom.Ul: true, atom.Ol: true,
		atom.Dl: true, atom.Blockquote: true, atom.Pre: true, atom.Table: true, atom.Hr: true,
	}
	lines = map[atom.Atom]bool{atom.Br: true, atom.Li: true, atom.Dt: true, atom.Dd: true, atom.Tr: true}
)

func (p *plain) node(n *html.Node) {
	switch {
	case n.Type == html.TextNode && p.pre > 0:
		p.out.WriteString(shown(n.Data))
		return
	case n.Type == html.TextNode:
		p.words(n.Data)
		return
	case blocks[n.DataAtom]:
		p.out.WriteString("\n\n")
		defer p.out.WriteString("\n\n")
	case lines[n.DataAtom]:
		p.out.WriteString("\n")
	}
	switch n.DataAtom {
	case atom.Li:
		p.out.WriteString("- ")
	case atom.Td, atom.Th:
		defer p.out.WriteString(" ")
	case atom.Hr:
		p.out.WriteString("* * *")
	case atom.Pre:
		p.pre++
		defer func() { p.pre-- }()
	}
	before := p.out.Len()
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		p.node(c)
	}
	if n.DataAtom != atom.A {
		return
	}
	for _, a := range n.Attr {
		if a.Key == "href" && strings.TrimSpace(p.out.String()[before:]) != a.Val {
			p.out.WriteString(" <" + a.Val + ">")
		}
	}
}

// words writes text as a browser would: white space is one space, and control characters are none of the writer's business.
func (p *plain) words(text string) {
	folded := line(text)
	so := p.out.String()
	if starts := text != "" && strings.TrimLeft(text, " \t\r\n") != text; starts && so != "" && !strings.HasSuffix(so, "\n") && !strings.HasSuffix(so, " ") {
		p.out.WriteString(" ")
	}
	p.out.WriteString(folded)
	if folded != "" && strings.TrimRight(text, " \t\r\n") != text {
		p.out.WriteString(" ")
	}
}

// shown leaves white space as it is and takes out what commands.
func shown(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && commands(r) {
			return -1
		}
		return r
	}, text)
}
