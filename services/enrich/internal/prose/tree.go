package prose

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"tidings.internal/services/enrich/internal/dom"
	"tidings.internal/services/enrich/internal/space"
)

// FromTree reads the text of a safe body. Captions, media and rubies are left out: they interrupt the sentence.
func FromTree(title string, root *html.Node) Text {
	r := reader{}
	if root != nil {
		r.out.b.Grow(dom.Length(root))
		r.walk(root)
		r.flush()
	}
	return r.out.Text(title)
}

type reader struct {
	out  Builder
	line strings.Builder
	kind Kind
}

// walk goes down by hand, with a stack of its own, since it must see an element's end too.
func (r *reader) walk(root *html.Node) {
	r.kind = Paragraph
	n := root
	for n != nil {
		skip := r.open(n)
		if !skip && n.FirstChild != nil {
			n = n.FirstChild
			continue
		}
		for n != nil && n != root && n.NextSibling == nil {
			if !skip {
				r.shut(n)
			}
			n, skip = n.Parent, false
		}
		if n == nil || n == root {
			return
		}
		if !skip {
			r.shut(n)
		}
		n = n.NextSibling
	}
}

func (r *reader) open(n *html.Node) (skip bool) {
	if n.Type == html.TextNode {
		r.line.WriteString(n.Data)
		return false
	}
	if n.Type != html.ElementNode {
		return false
	}
	switch n.DataAtom {
	case atom.Figcaption, atom.Script, atom.Style, atom.Iframe, atom.Video, atom.Audio, atom.Rt, atom.Rp, atom.Noscript, atom.Template:
		return true
	case atom.Br:
		r.line.WriteByte('\n')
	case atom.Td, atom.Th:
		if r.line.Len() > 0 {
			r.line.WriteString(" \t")
		}
	default:
		if dom.IsBlock(n) {
			r.flush()
			r.kind = kindOf(n, r.kind)
		}
	}
	return false
}

func (r *reader) shut(n *html.Node) {
	if n.Type == html.ElementNode && dom.IsBlock(n) && n.DataAtom != atom.Td && n.DataAtom != atom.Th {
		r.flush()
		r.kind = Paragraph
		for p := n.Parent; p != nil; p = p.Parent {
			if k := kindOf(p, ""); k != "" {
				r.kind = k
				break
			}
		}
	}
}

func kindOf(n *html.Node, otherwise Kind) Kind {
	switch n.DataAtom {
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		return Heading
	case atom.Li, atom.Dt, atom.Dd:
		return Item
	case atom.Blockquote:
		return Quote
	case atom.Pre:
		return Code
	case atom.Tr:
		return Cell
	case atom.Ul, atom.Ol, atom.Dl, atom.Div, atom.Section, atom.P, atom.Table:
		return otherwise
	}
	return otherwise
}

func (r *reader) flush() {
	text := r.line.String()
	r.line.Reset()
	if r.kind == Code {
		r.out.Add(Code, text)
		return
	}
	// Lines of one block stay lines; white space inside a line is one space.
	var lines []string
	for l := range strings.SplitSeq(text, "\n") {
		if l = space.One(l); l != "" {
			lines = append(lines, l)
		}
	}
	r.out.Add(r.kind, strings.Join(lines, "\n"))
}
