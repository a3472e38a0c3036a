package extract

import (
	"strings"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"tidings.internal/services/enrich/internal/dom"
	"tidings.internal/services/enrich/internal/lines"
)

// minKept is the share of the words that must stay when lines are dropped by what they say: a page of short notices
// that all look like a biography is no biography.
const minKept = 0.5

// readTree classifies the innermost blocks of a tree as lines and takes out of it what is not the body.
func readTree(root *html.Node, title string, now time.Time) lines.Result {
	nodes, in := leaves(root)
	said := lines.Classify(title, in, false, now)
	kept, total := 0, 0
	for i := range said.Lines {
		n := len(strings.Fields(said.Lines[i].Text))
		total += n
		if said.Lines[i].Class.Body() {
			kept += n
		}
	}
	if float64(kept) < minKept*float64(total) {
		return lines.Result{Title: said.Title, Authors: said.Authors, Date: said.Date, Masked: said.Masked}
	}
	end := ending(said.Lines)
	for i, n := range nodes {
		switch class := said.Lines[i].Class; {
		case !class.Body() && i == end:
			removeAfter(root, n)
			dom.Remove(n)
		case !class.Body():
			dom.Remove(n)
		case class == lines.Heading && n.DataAtom != atom.H2 && n.DataAtom != atom.H3 && n.DataAtom != atom.H4 && n.DataAtom != atom.H5 && n.DataAtom != atom.H6:
			dom.Rename(n, atom.H2)
			n.Attr = nil
		}
	}
	return said
}

// ending is the first of the lines that end the article, -1 when there are none.
func ending(all []lines.Line) int {
	end := -1
	for i := len(all) - 1; i >= 0; i-- {
		switch all[i].Class {
		case lines.Divider, lines.Promo, lines.Name, lines.Bio, lines.Profile, lines.Call, lines.Credit, lines.Tail:
			end = i
			continue
		}
		break
	}
	return end
}

// leaves lists the blocks of a tree that hold no other block, with what they say.
func leaves(root *html.Node) ([]*html.Node, []lines.Line) {
	var nodes []*html.Node
	var in []lines.Line
	for n := range dom.Elements(root) {
		if n == root || !dom.IsBlock(n) || dom.HasBlock(n) || under(n, root) {
			continue
		}
		l := lines.Line{Text: dom.Text(n)}
		switch n.DataAtom {
		case atom.Hr:
			l.Text = "* * *"
		case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
			l.Marked = true
		case atom.P, atom.Div, atom.Address, atom.Center, atom.Section, atom.Header:
		default:
			l.Fixed = true
		}
		for p := n.Parent; p != nil && p != root; p = p.Parent {
			switch p.DataAtom {
			case atom.Ul, atom.Ol, atom.Blockquote, atom.Table, atom.Dl, atom.Figure:
				l.Fixed = true
			}
		}
		nodes, in = append(nodes, n), append(in, l)
	}
	return nodes, in
}

// under reports whether a block stands in something that has no lines: a caption, code.
func under(n, root *html.Node) bool {
	for p := n; p != nil && p != root; p = p.Parent {
		if p.DataAtom == atom.Figcaption || p.DataAtom == atom.Template {
			return true
		}
	}
	return false
}

// removeAfter takes the pictures and frames behind a node away: the portrait of an author whose biography went.
func removeAfter(root, from *html.Node) {
	behind := false
	var doomed []*html.Node
	for n := range dom.Elements(root) {
		if n == from {
			behind = true
			continue
		}
		if !behind {
			continue
		}
		switch n.DataAtom {
		case atom.Img, atom.Figure, atom.Picture, atom.Iframe, atom.Video, atom.Audio:
			doomed = append(doomed, n)
		}
	}
	for _, n := range doomed {
		dom.Remove(n)
	}
}
