package extract

import (
	"context"
	"net/url"
	"strings"

	"codeberg.org/readeck/go-readability/v2"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"tidings.internal/services/enrich/internal/dom"
	"tidings.internal/services/enrich/internal/pipeline"
)

const (
	// sure is the length in bytes, and sureShare the share of the page's text outside links, from which a body that was
	// found behind the pruning is not doubted.
	sure      = 1000
	sureShare = 0.3
	// plainShare is how long it must be against what is found without pruning: else the pruning took the body away.
	plainShare = 0.5
	// markedShare is how long it must be against the prose of what the page marks as its body: readability gives up
	// where the body is in many containers side by side.
	markedShare = 0.5
)

// fromPage reads the article's own page, of which tree is what counts. It returns nil when nothing there looks like a body.
//
// The first pass works on the pruned page. Only when its result is in doubt the page is read as it came, and only when
// that gives no body either what the page says of itself is asked: each is a step down in what surrounds the body.
func fromPage(ctx context.Context, d *pipeline.Draft, tree *html.Node) (*body, error) {
	doc := dom.Clone(tree)
	prune(doc)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	best := readable(d, doc)
	if n := length(best); n < sure || float64(n) < sureShare*float64(unlinked(tree)) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if plain := readable(d, tree); n <= enough && length(plain) > n || float64(n) < plainShare*float64(length(plain)) {
			best = plain
		}
	}
	if marked := markedBody(doc); marked != nil && float64(length(best)) < markedShare*float64(unlinked(marked)) {
		best = wrap(marked)
		linkBlocks(best)
	}
	for _, next := range []func() *html.Node{
		func() *html.Node { return stated(d.Stated) },
		func() *html.Node { return wrap(markedBody(doc)) },
		func() *html.Node { return wrap(markedBody(tree)) },
		func() *html.Node { return wrap(densest(doc)) },
	} {
		if length(best) > enough {
			break
		}
		if other := next(); length(other) > max(enough, length(best)) {
			best = other
		}
	}
	if length(best) == 0 {
		return nil, ctx.Err()
	}
	return fromTree(d, best, d.Page.Base, FromPage), ctx.Err()
}

// readable asks readability for the body of a document, which stays as it is; nil when it finds none.
func readable(d *pipeline.Draft, doc *html.Node) *html.Node {
	base := d.Page.Base
	if base == nil {
		base = &url.URL{}
	}
	parser := readability.NewParser()
	parser.KeepClasses = true // of code: the language; the sanitiser drops the others
	found, err := parser.ParseAndMutate(dom.Clone(doc), base)
	if err != nil || found.Node == nil {
		return nil
	}
	root := wrap(found.Node)
	atoms(root)
	linkBlocks(root)
	return root
}

// atoms makes the atoms of the elements say what their names say. Readability makes and renames elements by the name
// alone, and whoever asks an atom does not see the paragraphs that it made.
func atoms(root *html.Node) {
	for n := range dom.Elements(root) {
		n.DataAtom = atom.Lookup([]byte(n.Data))
	}
}

func wrap(n *html.Node) *html.Node {
	if n == nil {
		return nil
	}
	root := dom.New(atom.Div)
	root.AppendChild(dom.Clone(n))
	return root
}

func length(n *html.Node) int {
	if n == nil {
		return 0
	}
	return dom.Length(n)
}

// unlinked is the length of a page's text outside its links.
func unlinked(doc *html.Node) int {
	n := dom.Length(doc)
	for a := range dom.Elements(doc, atom.A) {
		n -= dom.Length(a)
	}
	return n
}

// stated makes a tree of a body that stands as plain text in the page's linked data.
func stated(text string) *html.Node {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	root := dom.New(atom.Div)
	for l := range strings.Lines(text) {
		if l = strings.TrimSpace(l); l != "" {
			p := dom.New(atom.P)
			p.AppendChild(dom.TextNode(l))
			root.AppendChild(p)
		}
	}
	return root
}

// markedBody is the element that the page itself names as the body.
func markedBody(doc *html.Node) *html.Node {
	var best *html.Node
	rank := 0
	for n := range dom.Elements(doc) {
		r := 0
		switch {
		case dom.Attr(n, "itemprop") == "articleBody":
			r = 3
		case n.DataAtom == atom.Article:
			r = 2
		case n.DataAtom == atom.Main || dom.Attr(n, "role") == "main":
			r = 1
		}
		if r > rank || r == rank && r > 0 && dom.Length(n) > dom.Length(best) {
			best, rank = n, r
		}
	}
	return best
}

// minParagraph is the length in bytes of a paragraph that is prose and no label.
const minParagraph = 80

// densest is the element whose own paragraphs hold the most prose.
func densest(doc *html.Node) *html.Node {
	prose := map[*html.Node]int{}
	var best *html.Node
	for p := range dom.Elements(doc, atom.P) {
		if n := unlinked(p); n >= minParagraph && p.Parent != nil {
			if prose[p.Parent] += n; prose[p.Parent] > prose[best] {
				best = p.Parent
			}
		}
	}
	return best
}
