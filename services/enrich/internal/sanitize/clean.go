package sanitize

import (
	"net/url"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"tidings.internal/services/enrich/internal/decode"
	"tidings.internal/services/enrich/internal/dom"
)

// allowed lists the elements that stay, with their attributes. lang and dir may stand on any.
var allowed = map[atom.Atom]string{
	atom.P: "", atom.Br: "", atom.Hr: "", atom.H2: "", atom.H3: "", atom.H4: "", atom.H5: "", atom.H6: "",
	atom.Ul: "", atom.Ol: "start reversed", atom.Li: "", atom.Dl: "", atom.Dt: "", atom.Dd: "",
	atom.Blockquote: "cite", atom.Q: "", atom.Em: "", atom.Strong: "", atom.B: "", atom.I: "", atom.U: "", atom.S: "", atom.Del: "",
	atom.Ins: "", atom.Mark: "", atom.Small: "", atom.Sub: "", atom.Sup: "", atom.Abbr: "title", atom.Time: "datetime",
	atom.Code: "class", atom.Pre: "class", atom.Kbd: "", atom.Samp: "", atom.Var: "", atom.Cite: "", atom.Span: "",
	atom.Figure: "", atom.Figcaption: "", atom.Picture: "", atom.Source: "src srcset sizes type media", atom.Img: "src srcset sizes alt width height",
	atom.Video: "src poster controls width height", atom.Audio: "src controls",
	atom.Table: "", atom.Caption: "", atom.Thead: "", atom.Tbody: "", atom.Tfoot: "", atom.Tr: "", atom.Th: "colspan rowspan scope", atom.Td: "colspan rowspan",
	atom.A: "href title rel", atom.Details: "", atom.Summary: "", atom.Ruby: "", atom.Rt: "", atom.Rp: "",
	atom.Iframe: "src width height sandbox loading referrerpolicy allowfullscreen",
}

// gone lists the elements that go with all they hold; any other that is not allowed leaves its content.
var gone = map[atom.Atom]bool{
	atom.Script: true, atom.Style: true, atom.Template: true, atom.Object: true, atom.Embed: true, atom.Applet: true, atom.Svg: true,
	atom.Input: true, atom.Button: true, atom.Select: true, atom.Textarea: true, atom.Option: true, atom.Datalist: true, atom.Base: true,
	atom.Meta: true, atom.Link: true, atom.Head: true, atom.Title: true, atom.Frame: true, atom.Frameset: true, atom.Noframes: true,
	atom.Canvas: true, atom.Area: true, atom.Map: true, atom.Dialog: true, atom.Param: true, atom.Track: true, atom.Keygen: true,
	atom.Math: true, atom.Xmp: true, atom.Plaintext: true, atom.Noembed: true, atom.Progress: true, atom.Meter: true,
}

// renamed gives old elements their modern name.
var renamed = map[atom.Atom]atom.Atom{atom.H1: atom.H2, atom.Strike: atom.S, atom.Tt: atom.Code, atom.Big: atom.Strong, atom.Dir: atom.Ul, atom.Menu: atom.Ul, atom.Listing: atom.Pre}

// clean rebuilds a tree in place.
func clean(root *html.Node, base *url.URL) {
	images := map[string]bool{}
	for _, n := range collect(root) {
		if n == root || !attached(n, root) {
			continue
		}
		switch {
		case n.Type == html.TextNode:
		case n.Type != html.ElementNode:
			dom.Remove(n)
		default:
			element(n, base, images)
		}
	}
	for _, n := range collect(root) {
		if n != root && n.Type == html.ElementNode && n.Parent != nil {
			if _, ok := allowed[n.DataAtom]; !ok {
				loosen(n)
			}
		}
	}
	wrap(root)
	empty(root)
}

func collect(root *html.Node) []*html.Node {
	var all []*html.Node
	for n := range dom.All(root) {
		all = append(all, n)
	}
	return all
}

// attached reports whether a node still hangs in the tree: an ancestor may have been removed before it was reached.
func attached(n, root *html.Node) bool {
	for n != nil && n != root {
		n = n.Parent
	}
	return n == root
}

func element(n *html.Node, base *url.URL, images map[string]bool) {
	switch n.Data {
	case "amp-img":
		dom.Rename(n, atom.Img)
	case "amp-iframe":
		dom.Rename(n, atom.Iframe)
	case "amp-video":
		dom.Rename(n, atom.Video)
	}
	if to, ok := renamed[n.DataAtom]; ok {
		dom.Rename(n, to)
	}
	switch {
	case n.Namespace != "" || gone[n.DataAtom]:
		if n.DataAtom == atom.Math {
			n.Parent.InsertBefore(dom.TextNode(dom.Attr(n, "alttext")), n)
		}
		dom.Remove(n)
		return
	case n.DataAtom == atom.Noscript:
		promote(n, base, images)
		return
	case n.DataAtom == atom.Iframe:
		frame(n, base)
		return
	case n.DataAtom == atom.Img:
		lazy(n)
		if tracker(n, base) {
			dom.Remove(n)
			return
		}
	}
	attributes(n, base)
	switch n.DataAtom {
	case atom.Img:
		src := dom.Attr(n, "src")
		if src == "" && dom.Attr(n, "srcset") == "" {
			dom.Remove(n)
			return
		}
		images[src] = true
	case atom.Video, atom.Audio:
		n.Attr = append(n.Attr, html.Attribute{Key: "controls"})
	case atom.A, atom.Span:
		if len(n.Attr) == 0 {
			dom.Unwrap(n)
		}
	}
}

// promote takes the pictures out of a noscript element, which the parser kept as text, unless they are there already.
func promote(n *html.Node, base *url.URL, images map[string]bool) {
	var inner strings.Builder
	for c := range dom.All(n) {
		if c.Type == html.TextNode {
			inner.WriteString(c.Data)
		}
	}
	if root, err := decode.Fragment(inner.String()); err == nil {
		for _, img := range collect(root) {
			if img.Type != html.ElementNode || img.DataAtom != atom.Img {
				continue
			}
			lazy(img)
			if tracker(img, base) {
				continue
			}
			attributes(img, base)
			if src := dom.Attr(img, "src"); src != "" && !images[src] {
				images[src] = true
				img.Parent.RemoveChild(img)
				n.Parent.InsertBefore(img, n)
			}
		}
	}
	dom.Remove(n)
}

// loosen takes a container away without gluing together what stood in different lines: one without blocks becomes a
// paragraph, and the text that stands loose between the blocks of another is wrapped.
func loosen(n *html.Node) {
	if !dom.IsBlock(n) {
		dom.Unwrap(n)
		return
	}
	if !dom.HasBlock(n) && n.Parent != nil && n.Parent.DataAtom != atom.P {
		n.Attr = direction(n)
		dom.Rename(n, atom.P)
		return
	}
	wrap(n)
	dom.Unwrap(n)
}

// wrap puts runs of loose inline content of a container into paragraphs.
func wrap(container *html.Node) {
	var p *html.Node
	for c := container.FirstChild; c != nil; {
		next := c.NextSibling
		switch {
		case dom.IsBlock(c) || c.Type == html.ElementNode && dom.HasBlock(c) || c.DataAtom == atom.Iframe:
			p = nil
		case p == nil && c.Type == html.TextNode && strings.TrimSpace(c.Data) == "":
		default:
			if p == nil {
				p = dom.New(atom.P)
				container.InsertBefore(p, c)
			}
			container.RemoveChild(c)
			p.AppendChild(c)
		}
		c = next
	}
}

// empty removes what has become empty, innermost first.
func empty(root *html.Node) {
	all := collect(root)
	for i := len(all) - 1; i > 0; i-- {
		n := all[i]
		if n.Type != html.ElementNode || n.FirstChild != nil && !blank(n) {
			continue
		}
		switch n.DataAtom {
		case atom.P, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Ul, atom.Ol, atom.Li, atom.Dl, atom.Figure, atom.Figcaption, atom.Blockquote,
			atom.Em, atom.Strong, atom.B, atom.I, atom.U, atom.S, atom.A, atom.Span, atom.Picture, atom.Small, atom.Sub, atom.Sup, atom.Mark, atom.Q,
			atom.Table, atom.Tbody, atom.Thead, atom.Tfoot, atom.Details, atom.Summary, atom.Code, atom.Cite:
			if n.FirstChild != nil && n.Parent != nil && !dom.IsBlock(n) {
				n.Parent.InsertBefore(dom.TextNode(" "), n) // the space between two words may stand inside
			}
			dom.Remove(n)
		}
	}
}

// blank reports whether an element holds nothing but white space and line breaks.
func blank(n *html.Node) bool {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type == html.TextNode && strings.TrimSpace(c.Data) == "" || c.DataAtom == atom.Br {
			continue
		}
		return false
	}
	return true
}
