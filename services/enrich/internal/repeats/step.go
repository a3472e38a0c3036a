package repeats

import (
	"context"
	"math"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"tidings.internal/services/enrich/internal/dom"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/space"
)

const (
	// maxGone is the share of a text that may go at most: what stands everywhere may be all that there is.
	maxGone = 0.4
	// minWords is the length in words of a paragraph that is compared; shorter ones come back by chance. Items of lists
	// and quotations come back more easily, as the ingredients of recipes do.
	minWords, minItem = 4, 8
)

// Step takes out of a body what its host puts into many, and writes down what the body holds.
type Step struct {
	// Known gives the knowledge in force; nil is none.
	Known func() *Known
}

var _ pipeline.Step = Step{}

// Name returns "repeats".
func (Step) Name() string { return "repeats" }

// Run notes the blocks of the whole body, also those that go: what is known must not be forgotten because it works.
func (s Step) Run(ctx context.Context, d *pipeline.Draft) error {
	host := Host(d.Article.URL)
	if host == "" || d.Body == nil {
		return nil
	}
	var known map[uint64]int
	if s.Known != nil {
		known = s.Known().of(host)
	}
	var hashes []uint64
	if d.Raw.Title == "" { // of the page; a feed's title is what its author wrote
		if rest, suffix := split(d.Article.Title); suffix != "" && !strings.ContainsAny(suffix, "0123456789") { // "Part 4" names no site
			h := hashTitle(suffix)
			hashes = append(hashes, h)
			if known[h] > 0 {
				d.Article.Title = rest
			}
		}
	}
	root := d.Body
	list := blocks(root)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if gone := doomed(list, known, dom.Length(root)); len(gone) > 0 {
		// The tree is shared with the draft that is kept in case of a failure: only a copy may change. Its blocks stand
		// in the same order.
		root = dom.Clone(root)
		copied := leaves(root)
		for _, i := range gone {
			dom.Remove(copied[i])
		}
	}
	for _, b := range list {
		if b.compared {
			hashes = append(hashes, b.hash)
		}
	}
	d.Body, d.Article.Blocks = root, pack(hashes)
	return nil
}

// Degrade notes nothing: the article teaches nothing.
func (Step) Degrade(d *pipeline.Draft) { d.Article.Blocks = nil }

// leaves lists the blocks that hold no other block, but of a very long body the first and the last.
func leaves(root *html.Node) []*html.Node {
	var out []*html.Node
	for n := range dom.Elements(root) {
		if n != root && dom.IsBlock(n) && !dom.HasBlock(n) {
			out = append(out, n)
		}
	}
	if len(out) > 2*maxEdge {
		out = slices.Concat(out[:maxEdge], out[len(out)-maxEdge:])
	}
	return out
}

// maxEdge is how many blocks at the beginning and at the end of a body are looked at: a book has its text in between.
const maxEdge = 500

// block is an innermost block of a body.
type block struct {
	length   int // of its text in bytes
	hash     uint64
	heading  bool
	compared bool
}

// blocks reads the innermost blocks. Cells and code are never compared: a table has its words in common with the next one
// and says something else.
func blocks(root *html.Node) []block {
	var out []block
	for _, n := range leaves(root) {
		text := dom.Text(n)
		b := block{length: len(text)}
		least := minWords
		for p := n; p != nil && p != root; p = p.Parent {
			switch p.DataAtom {
			case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
				b.heading = true
			case atom.Li, atom.Dd, atom.Blockquote:
				least = max(least, minItem)
			case atom.Table, atom.Pre, atom.Figure, atom.Figcaption, atom.Template:
				least = math.MaxInt
			}
		}
		if b.compared = space.Count(text) >= least; b.compared {
			b.hash = hashBlock(text)
		}
		out = append(out, b)
	}
	return out
}

// doomed lists the blocks that go: those that are known, the most frequent first, up to the share of the text of so many
// bytes that may go. A heading goes only with what stands below it.
func doomed(list []block, known map[uint64]int, total int) []int {
	if len(known) == 0 {
		return nil
	}
	var candidates []int
	for i, b := range list {
		if b.compared && !b.heading && known[b.hash] > 0 {
			candidates = append(candidates, i)
		}
	}
	order(candidates, func(i int) int { return known[list[i].hash] })
	left := int(maxGone * float64(total))
	gone := map[int]bool{}
	for _, i := range candidates {
		if list[i].length <= left {
			gone[i] = true
			left -= list[i].length
		}
	}
	for i := len(list) - 1; i >= 0; i-- {
		b := list[i]
		if b.heading && b.compared && known[b.hash] > 0 && b.length <= left && (i == len(list)-1 || gone[i+1]) {
			gone[i] = true
			left -= b.length
		}
	}
	var out []int
	for i := range list {
		if gone[i] {
			out = append(out, i)
		}
	}
	return out
}
