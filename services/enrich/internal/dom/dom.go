// Package dom holds what several steps do to trees of golang.org/x/net/html: walk, clone, read text. Walks are
// iterative, since the depth of a tree is the choice of whoever wrote the page.
package dom

import (
	"iter"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"tidings.internal/services/enrich/internal/space"
)

// All walks a tree in document order, the root first. The node that was yielded may be changed or removed, but its
// place among its siblings is read after the loop body ran: remove a node only with [Remove] and after its successor
// was collected, or collect first and change after.
func All(root *html.Node) iter.Seq[*html.Node] {
	return func(yield func(*html.Node) bool) {
		for n := root; n != nil; n = next(n, root) {
			if !yield(n) {
				return
			}
		}
	}
}

func next(n, root *html.Node) *html.Node {
	if n.FirstChild != nil {
		return n.FirstChild
	}
	return after(n, root)
}

// after gives the node behind the whole of n.
func after(n, root *html.Node) *html.Node {
	for n != root && n != nil {
		if n.NextSibling != nil {
			return n.NextSibling
		}
		n = n.Parent
	}
	return nil
}

// Elements walks the elements with one of the given names, or all of them when none is given.
func Elements(root *html.Node, names ...atom.Atom) iter.Seq[*html.Node] {
	return func(yield func(*html.Node) bool) {
		for n := range All(root) {
			if n.Type != html.ElementNode {
				continue
			}
			match := len(names) == 0
			for _, a := range names {
				match = match || n.DataAtom == a
			}
			if match && !yield(n) {
				return
			}
		}
	}
}

// First returns the first element of a name, or nil.
func First(root *html.Node, name atom.Atom) *html.Node {
	for n := range Elements(root, name) {
		return n
	}
	return nil
}

// Attr returns the value of an attribute.
func Attr(n *html.Node, name string) string {
	v, _ := Has(n, name)
	return v
}

// Has returns the value of an attribute and whether there is one.
func Has(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Namespace == "" && a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

// Clone copies a tree.
func Clone(root *html.Node) *html.Node {
	if root == nil {
		return nil
	}
	type pair struct{ from, to *html.Node }
	top := one(root)
	stack := []pair{{root, top}}
	for len(stack) > 0 {
		p := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for c := p.from.FirstChild; c != nil; c = c.NextSibling {
			copied := one(c)
			p.to.AppendChild(copied)
			if c.FirstChild != nil {
				stack = append(stack, pair{c, copied})
			}
		}
	}
	return top
}

func one(n *html.Node) *html.Node {
	return &html.Node{Type: n.Type, DataAtom: n.DataAtom, Data: n.Data, Namespace: n.Namespace, Attr: append([]html.Attribute(nil), n.Attr...)}
}

// New makes an element.
func New(name atom.Atom) *html.Node {
	return &html.Node{Type: html.ElementNode, DataAtom: name, Data: name.String()}
}

// TextNode makes a text node.
func TextNode(s string) *html.Node { return &html.Node{Type: html.TextNode, Data: s} }

// Remove takes a node out of its tree.
func Remove(n *html.Node) {
	if n.Parent != nil {
		n.Parent.RemoveChild(n)
	}
}

// Unwrap puts the children of a node in its place.
func Unwrap(n *html.Node) {
	p := n.Parent
	if p == nil {
		return
	}
	for c := n.FirstChild; c != nil; c = n.FirstChild {
		n.RemoveChild(c)
		p.InsertBefore(c, n)
	}
	p.RemoveChild(n)
}

// Rename makes an element another one.
func Rename(n *html.Node, name atom.Atom) { n.DataAtom, n.Data = name, name.String() }

// silent holds no text that a reader sees.
func silent(n *html.Node) bool {
	if n.Type == html.CommentNode {
		return true
	}
	switch n.DataAtom {
	case atom.Script, atom.Style, atom.Template, atom.Noscript, atom.Head, atom.Iframe, atom.Svg, atom.Object, atom.Textarea, atom.Select:
		return n.Type == html.ElementNode
	}
	return false
}

// Text returns the text of a tree, blocks and line breaks as one space each, white space collapsed.
func Text(root *html.Node) string {
	if c := root.FirstChild; c != nil && c.NextSibling == nil && c.Type == html.TextNode {
		return space.One(c.Data) // as in most blocks
	}
	var w space.Writer
	for n := root; n != nil; {
		if silent(n) && n != root {
			n = after(n, root)
			continue
		}
		if n.Type == html.TextNode {
			w.Write(n.Data)
		} else if IsBlock(n) || n.DataAtom == atom.Br {
			w.Gap()
		}
		n = next(n, root)
	}
	return w.String()
}

// Length is the number of bytes of text in a tree without white space at its ends, a cheap measure of its weight.
func Length(root *html.Node) int {
	n := 0
	for c := root; c != nil; {
		if silent(c) && c != root {
			c = after(c, root)
			continue
		}
		if c.Type == html.TextNode {
			n += len(strings.TrimSpace(c.Data))
		}
		c = next(c, root)
	}
	return n
}

// IsBlock reports whether an element begins a line of its own.
func IsBlock(n *html.Node) bool {
	if n.Type != html.ElementNode {
		return n.Type == html.DocumentNode
	}
	switch n.DataAtom {
	case atom.Address, atom.Article, atom.Aside, atom.Blockquote, atom.Body, atom.Caption, atom.Center, atom.Dd, atom.Details,
		atom.Dialog, atom.Div, atom.Dl, atom.Dt, atom.Fieldset, atom.Figcaption, atom.Figure, atom.Footer, atom.Form,
		atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Header, atom.Hgroup, atom.Hr, atom.Html, atom.Li,
		atom.Main, atom.Nav, atom.Ol, atom.P, atom.Pre, atom.Section, atom.Summary, atom.Table, atom.Tbody, atom.Td,
		atom.Tfoot, atom.Th, atom.Thead, atom.Tr, atom.Ul:
		return true
	}
	return false
}

// HasBlock reports whether an element has a block below it.
func HasBlock(n *html.Node) bool {
	for c := range All(n) {
		if c != n && IsBlock(c) {
			return true
		}
	}
	return false
}

// Render writes the children of a node as HTML.
func Render(root *html.Node) (string, error) {
	var b strings.Builder
	size := 0
	for n := range All(root) {
		size += len(n.Data) + len("</>") // hardly more: most of a body is text
	}
	b.Grow(size)
	for c := root.FirstChild; c != nil; c = c.NextSibling {
		if err := html.Render(&b, c); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}
