package metadata

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/dom"
)

// A scene is what a reader sees of a page around its headline, which is where authors and date stand.
type scene struct {
	blocks []string // the lines, top to bottom
	marks  []mark
	head   int // index of the headline's block, -1 without one
}

// mark is an element whose own names say that it holds an author or a date.
type mark struct {
	n     *html.Node
	kind  kind
	block int    // index of the block that it begins in
	lead  string // text before it in that block
}

type kind int

const (
	authorMark kind = iota
	dateMark
)

// How many lines before and behind the headline belong to it, and the longest line that may hold a byline.
const (
	linesBefore = 12
	linesBehind = 25
	maxLine     = 160
	maxBlocks   = 20_000
	maxMarks    = 500
	maxShort    = 2 << 10 // bytes of an element that may be a line once its white space is collapsed
)

// foreign lists words in names of elements that hold other articles, or what readers wrote.
var foreign = set(`comment comments commentlist disqus respond reply related recommended recommendations sidebar teaser teasers
	popular trending newsletter subscribe subscription cookie cookies consent breadcrumb breadcrumbs pagination kommentare weiterlesen
	mostread readmore promo advert anzeige werbung`)

// authorWords and dateWords are words by which publishers name the elements of their bylines.
var (
	authorWords = set(`author authors byline autor autoren autorin auteur auteurs autore writer writers contributor contributors verfasser redakteur
		authorname bylines creator`)
	dateWords = set(`date datum dates published publish publishdate pubdate postdate dateline posted time datetime timestamp
		publicationtime veröffentlicht fecha datepublished publication`)
	publishWords = set(`published publish publishdate pubdate publicationtime datepublished publication posted veröffentlicht`)
	// todayWords name elements that show the reader's date.
	todayWords  = set(`today todays current heute`)
	changeWords = set(`modified updated update changed aktualisiert geändert revised reviewed edited datemodified lastmod lastupdated`)
)

func set(list string) map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		out[w] = true
	}
	return out
}

// look walks the page once. title is the best title known, by which the headline is found.
func look(root *html.Node, title string) *scene {
	s := &scene{head: -1}
	hidden, layout := map[*html.Node]bool{}, around(root)
	var text strings.Builder
	var current *html.Node
	best, level := 0.0, 0
	flush := func() {
		if t := strings.Join(strings.Fields(text.String()), " "); t != "" {
			s.blocks = append(s.blocks, t)
		}
		text.Reset()
	}
	for n := range dom.All(root) {
		if hidden[n.Parent] || n.Type == html.ElementNode && unseen(n, layout) {
			hidden[n] = true
			continue
		}
		switch n.Type {
		case html.TextNode:
			if c := container(n); c != current {
				flush()
				current = c
			}
			text.WriteString(n.Data)
			text.WriteByte(' ')
		case html.ElementNode:
			if dom.IsBlock(n) || n.DataAtom == atom.Br {
				flush()
			}
			if score, rank := heads(n, title); score > best || score == best && score > 0 && rank > level {
				best, level, s.head = score, rank, len(s.blocks)
			}
			for _, k := range kinds(n) {
				if len(s.marks) == maxMarks {
					break
				}
				s.marks = append(s.marks, mark{n: n, kind: k, block: len(s.blocks), lead: strings.TrimSpace(text.String())})
			}
		}
		if len(s.blocks) > maxBlocks {
			break
		}
	}
	flush()
	return s
}

// near reports whether a block stands by the headline; on a page without one, at its beginning.
func (s *scene) near(block int) bool {
	from := max(s.head, 0)
	return block >= from-linesBefore && block <= from+linesBehind
}

// beside returns the marks of a kind by the headline: those behind it first, as [scene.window] does.
func (s *scene) beside(k kind) (out []mark) {
	for _, behind := range []bool{true, false} {
		for _, m := range s.marks {
			if m.kind == k && s.near(m.block) && (m.block >= s.head) == behind {
				out = append(out, m)
			}
		}
	}
	return out
}

// window returns the lines by the headline: those behind it first, since the byline is there more often.
func (s *scene) window() []int {
	var out []int
	from := max(s.head, 0)
	for i := from; i < min(from+linesBehind, len(s.blocks)); i++ {
		out = append(out, i)
	}
	for i := from - 1; i >= max(from-linesBefore, 0); i-- {
		out = append(out, i)
	}
	return slices.DeleteFunc(out, func(i int) bool { return len(s.blocks[i]) > maxLine })
}

// before is the line before a block when it is short enough to introduce it: "Published", "Last updated".
func (s *scene) before(i int) string {
	if i < 1 || i > len(s.blocks) || len(s.blocks[i-1]) > 40 {
		return ""
	}
	return s.blocks[i-1]
}

// container is the block element that a text stands in.
func container(n *html.Node) *html.Node {
	for n = n.Parent; n != nil && !dom.IsBlock(n); n = n.Parent {
	}
	return n
}

// unseen reports whether an element holds nothing that says who wrote this article: scripts, navigation, other
// articles, comments. What is in layout surrounds the headline.
func unseen(n *html.Node, layout map[*html.Node]bool) bool {
	switch n.DataAtom {
	case atom.Script, atom.Style, atom.Template, atom.Noscript, atom.Head, atom.Iframe, atom.Svg, atom.Object, atom.Textarea, atom.Select,
		atom.Nav, atom.Footer, atom.Button, atom.Dialog:
		return n.DataAtom != atom.Footer || n.Parent == nil || !within(n, atom.Article)
	case atom.Body, atom.Main, atom.Article, atom.Html:
		return false
	}
	return !layout[n] && has(names(n, "class", "id"), foreign)
}

// around lists what a headline stands in. A layout "with a sidebar" has it beside the article: what holds the headline is
// no sidebar itself.
func around(root *html.Node) map[*html.Node]bool {
	out := map[*html.Node]bool{}
	for h := range dom.Elements(root, atom.H1) {
		if dom.Length(h) == 0 {
			continue
		}
		for n := h; n != nil && !out[n]; n = n.Parent {
			out[n] = true
		}
	}
	return out
}

func within(n *html.Node, name atom.Atom) bool {
	for n = n.Parent; n != nil; n = n.Parent {
		if n.DataAtom == name {
			return true
		}
	}
	return false
}

// kinds tells what an element says of itself.
func kinds(n *html.Node) (out []kind) {
	rel := strings.ToLower(dom.Attr(n, "rel"))
	own := names(n, "class", "itemprop", "id", "data-testid")
	if rel == "author" || has(own, authorWords) || n.DataAtom == atom.A && toPerson(dom.Attr(n, "href")) {
		out = append(out, authorMark)
	}
	if n.DataAtom == atom.Time || has(own, dateWords) {
		out = append(out, dateMark)
	}
	return out
}

// toPerson reports whether an address leads to the page of somebody who writes: a part of its path says so, and another
// one follows.
func toPerson(href string) bool {
	path, _, _ := strings.Cut(href, "?")
	parts := strings.Split(strings.TrimSuffix(path, "/"), "/")
	return len(parts) > 1 && has(parts[:len(parts)-1], personPaths)
}

var personPaths = set("author authors autor autoren autorin auteur auteurs team people contributor contributors writer writers profile redaktion")

// names splits the values of attributes into lower-case words, at humps too: "postAuthor-name" is post, author, name.
func names(n *html.Node, keys ...string) []string {
	var out []string
	for _, key := range keys {
		v := dom.Attr(n, key)
		if v == "" || len(v) > 1000 {
			continue
		}
		out = append(out, humps(v)...)
	}
	return out
}

func humps(v string) []string {
	var out []string
	for part := range strings.FieldsFuncSeq(v, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		out = append(out, strings.ToLower(part))
		start, lower := 0, false
		for i, r := range part {
			if unicode.IsUpper(r) && lower {
				out = append(out, strings.ToLower(part[start:i]))
				start = i
			}
			lower = unicode.IsLower(r)
		}
		if start > 0 {
			out = append(out, strings.ToLower(part[start:]))
		}
	}
	return out
}

func has(words []string, set map[string]bool) bool {
	return slices.ContainsFunc(words, func(w string) bool { return set[w] })
}

// heads tells how much of the title an element's text shares, and how high its rank is.
func heads(n *html.Node, title string) (score float64, rank int) {
	switch n.DataAtom {
	case atom.H1:
		rank = 2
	case atom.H2, atom.H3:
		rank = 1
	default:
		return 0, 0
	}
	text := line(dom.Text(n), article.MaxTitle)
	if text == "" {
		return 0, 0
	}
	score = shared(text, title)
	if rank == 2 {
		score = max(score, 0.1)
	}
	return score, rank
}

// shared is the part of the words of two titles that both have.
func shared(a, b string) float64 {
	x, y := strings.Fields(strings.ToLower(a)), strings.Fields(strings.ToLower(b))
	if len(x) == 0 || len(y) == 0 {
		return 0
	}
	count := map[string]int{}
	for _, w := range x {
		count[w]++
	}
	common := 0
	for _, w := range y {
		if count[w] > 0 {
			count[w]--
			common++
		}
	}
	return float64(2*common) / float64(len(x)+len(y))
}

// short returns the text of an element, "" when it is longer than a byline. It reads no more than that.
func short(n *html.Node) string {
	var b strings.Builder
	for c := range dom.All(n) {
		if c.Type != html.TextNode || unseenText(c) {
			continue
		}
		if b.Len()+len(c.Data) > maxShort {
			return ""
		}
		b.WriteString(c.Data + " ")
	}
	t := strings.Join(strings.Fields(b.String()), " ")
	if len(t) > maxLine {
		return ""
	}
	return t
}

func unseenText(n *html.Node) bool {
	switch n.Parent.DataAtom {
	case atom.Script, atom.Style, atom.Noscript, atom.Svg, atom.Title:
		return true
	}
	return false
}
