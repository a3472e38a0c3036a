package clean

import (
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// maxLevels is how deep elements may lie within one another: MSN takes fewer than ten.
const maxLevels = 9

// Body checks the HTML of an article and gives it in the form that no reader warns of. ok is false when it holds what a
// sanitised body never holds: a script, a style, an event handler, a relative address, or ten levels of elements. Then
// something is wrong upstream and the body must not be passed on.
//
// Players, drawings and formulas become links or text, and elements and attributes that some reader does not know are
// taken away around their text.
func Body(s string) (body string, ok bool) {
	s = Text(s)
	if strings.TrimSpace(s) == "" {
		return "", true
	}
	root := &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body}
	nodes, err := html.ParseFragment(strings.NewReader(s), root)
	if err != nil {
		return "", false // deeper than the parser follows
	}
	for _, n := range nodes {
		root.AppendChild(n)
	}
	if !tidy(root, 0) {
		return "", false
	}
	var b strings.Builder
	for n := root.FirstChild; n != nil; n = n.NextSibling {
		if html.Render(&b, n) != nil {
			return "", false
		}
	}
	// Once more: the parser has decoded character references such as &#27;.
	return strings.TrimSpace(Text(b.String())), true
}

// tidy works on the children of a node. It reports whether all of them may be passed on.
func tidy(parent *html.Node, level int) bool {
	for n := parent.FirstChild; n != nil; {
		next := n.NextSibling
		switch n.Type {
		case html.TextNode:
		case html.ElementNode:
			first, ok := element(parent, n, level)
			if !ok {
				return false
			}
			if first != nil {
				next = first
			}
		default: // comments and the like
			parent.RemoveChild(n)
		}
		n = next
	}
	return true
}

// element tidies one element. When the element was taken away around its content, first is where to go on.
func element(parent, n *html.Node, level int) (first *html.Node, ok bool) {
	name := n.Data
	switch {
	case slices.Contains(forbidden, name), !attributes(n):
		return nil, false
	case n.Namespace != "": // svg, math: their text stays
		return unwrap(parent, n), true
	case slices.Contains(players, name):
		return replace(parent, n), true
	case name == "img" && attribute(n, "src") == "":
		parent.RemoveChild(n)
		return nil, true
	case !slices.Contains(elements, name):
		return unwrap(parent, n), true
	}
	if level+1 > maxLevels {
		return nil, false
	}
	return nil, tidy(n, level+1)
}

// unwrap puts the children of n in its place and returns the first of them, or what follows n when it has none.
func unwrap(parent, n *html.Node) *html.Node {
	first := n.NextSibling
	for c := n.FirstChild; c != nil; c = n.FirstChild {
		n.RemoveChild(c)
		parent.InsertBefore(c, n)
		if first == n.NextSibling {
			first = c
		}
	}
	parent.RemoveChild(n)
	return first
}

// replace puts a link in the place of a player and returns it. Its text is the address, the only thing known of it.
func replace(parent, n *html.Node) *html.Node {
	address := attribute(n, "src")
	if address == "" {
		address = attribute(n, "data")
	}
	link, ok := Link(address)
	if !ok {
		return unwrap(parent, n)
	}
	a := &html.Node{Type: html.ElementNode, Data: "a", DataAtom: atom.A, Attr: []html.Attribute{{Key: "href", Val: link}}}
	a.AppendChild(&html.Node{Type: html.TextNode, Data: link})
	parent.InsertBefore(a, n)
	parent.RemoveChild(n)
	return a
}

// attributes drops the attributes of n that readers do not know and makes its addresses ASCII. It reports whether the
// element may be passed on.
func attributes(n *html.Node) bool {
	ok := true
	n.Attr = slices.DeleteFunc(n.Attr, func(a html.Attribute) bool {
		if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
			ok = false
		}
		return a.Namespace != "" || !slices.Contains(known, a.Key) && !slices.Contains(players, n.Data)
	})
	for i := range n.Attr {
		a := &n.Attr[i]
		if !slices.Contains(addresses, a.Key) {
			continue
		}
		value, good := address(n.Data, a.Val)
		if !good {
			ok = false
		}
		a.Val = value
	}
	return ok
}

// address checks an address within a body. It must be absolute: readers resolve a relative one against whatever page
// they show the item on.
func address(element, value string) (string, bool) {
	value = strings.TrimSpace(value)
	switch lower := strings.ToLower(value); {
	case value == "":
		return "", true
	case element == "a" && strings.HasPrefix(lower, "mailto:"):
		return Text(value), true
	case element == "img" && strings.HasPrefix(lower, "data:image/"):
		return Text(value), true
	}
	return Link(value)
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key && a.Namespace == "" {
			return a.Val
		}
	}
	return ""
}

var (
	forbidden = []string{"script", "style", "link", "meta", "base", "noscript", "template", "frame", "frameset"}
	players   = []string{"iframe", "embed", "object"}
	addresses = []string{"href", "src", "poster", "cite"}
	// elements are what the W3C feed validator accepts in content, without forms and frames.
	elements = []string{
		"a", "abbr", "address", "article", "aside", "audio", "b", "big", "blockquote", "br", "caption", "cite", "code",
		"col", "colgroup", "dd", "del", "details", "dfn", "div", "dl", "dt", "em", "figcaption", "figure", "footer",
		"h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "i", "img", "ins", "kbd", "li", "nav", "ol", "p", "pre", "q",
		"s", "samp", "section", "small", "span", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead",
		"time", "tr", "u", "ul", "var", "video",
	}
	known = []string{
		"abbr", "align", "alt", "cite", "class", "colspan", "controls", "datetime", "dir", "height", "href", "hreflang",
		"lang", "poster", "rel", "rowspan", "scope", "span", "src", "start", "title", "type", "width",
	}
)
