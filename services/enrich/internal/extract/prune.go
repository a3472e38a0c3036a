package extract

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"tidings.internal/services/enrich/internal/dom"
)

// around lists whole words of class, id, role and test attributes of what stands around a body. Each is one that
// publishers use for their own building blocks; none names one of them.
var around = func() map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq(`newsletter newsletters related recommended recommendations share sharing sharebar sharedaddy social
		socials cookie cookies consent subscribe subscription promo promotion teaser teasers advert advertisement adverts ads sponsor sponsored
		comments commentlist disqus breadcrumb breadcrumbs paywall readmore mostread popular trending authorbio sidebar widget widgets anzeige
		werbung weiterlesen kommentare pagination outbrain taboola jp-relatedposts addtoany`) {
		set[w] = true
	}
	return set
}()

// pairs are words that mean something around the body when both stand in a name.
var pairs = [][2]string{{"read", "more"}, {"most", "read"}, {"author", "bio"}, {"author", "box"}, {"author", "info"}, {"mehr", "thema"}, {"read", "next"}, {"post", "navigation"}, {"also", "like"}}

// maxPruned is the share of a document's text that a pruned element may hold: a word of the list may have found its way
// onto the body itself.
const maxPruned = 0.25

// prune takes away what is certainly not the body, before anything is measured.
func prune(root *html.Node) {
	total := dom.Length(root)
	var doomed []*html.Node
	called := map[*html.Node]string{}
	for n := range dom.Elements(root) {
		if n == root {
			continue
		}
		switch n.DataAtom {
		case atom.Html, atom.Body, atom.Main, atom.Article, atom.Head:
			continue
		case atom.Nav, atom.Button, atom.Dialog, atom.Template, atom.Select, atom.Footer, atom.Aside:
			doomed = append(doomed, n)
			continue
		case atom.Form:
			if dom.Length(n)*3 < total {
				doomed = append(doomed, n)
			}
			continue
		}
		if strings.Contains(dom.Attr(n, "itemprop"), "articleBody") {
			continue
		}
		if word := named(n); word != "" {
			called[n] = word
			doomed = append(doomed, n)
		}
	}
	layout := common(root, called)
	for _, n := range doomed {
		if n.Parent != nil && !layout[called[n]] && float64(dom.Length(n)) <= maxPruned*float64(total) {
			n.Parent.RemoveChild(n)
		}
	}
}

// common lists the words that name so much of a page that they stand for its layout and not for what surrounds the
// body: there are systems in which every block is a "widget".
func common(root *html.Node, called map[*html.Node]string) map[string]bool {
	sum := map[string]int{}
	for n, word := range called {
		inner := false
		for p := n.Parent; p != nil && p != root && !inner; p = p.Parent {
			inner = called[p] == word
		}
		if !inner {
			sum[word] += unlinked(n)
		}
	}
	limit, layout := int(maxPruned*float64(unlinked(root))), map[string]bool{}
	for word, n := range sum {
		layout[word] = n > limit
	}
	return layout
}

// named returns the word, or pair of words, in the names of an element that says it surrounds the body; "" without one.
func named(n *html.Node) string {
	for _, key := range []string{"class", "id", "role", "data-component", "data-testid"} {
		v := dom.Attr(n, key)
		if v == "" {
			continue
		}
		parts := strings.FieldsFunc(strings.ToLower(v), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		for _, p := range parts {
			if around[p] {
				return p
			}
		}
		for _, p := range pairs {
			if slices.Contains(parts, p[0]) && slices.Contains(parts, p[1]) {
				return p[0] + " " + p[1]
			}
		}
	}
	return ""
}

const (
	maxLinkShare = 0.8
	maxLinkBlock = 400 // bytes
)

// linkBlocks takes away short blocks that are hardly more than links.
func linkBlocks(root *html.Node) {
	var doomed []*html.Node
	for n := range dom.Elements(root, atom.Ul, atom.Ol, atom.Div, atom.P, atom.Section) {
		all := dom.Length(n)
		if n == root || all == 0 || all >= maxLinkBlock {
			continue
		}
		linked := 0
		for a := range dom.Elements(n, atom.A) {
			linked += dom.Length(a)
		}
		if float64(linked) > maxLinkShare*float64(all) && n.Parent != nil && dom.First(n, atom.Img) == nil {
			doomed = append(doomed, n)
		}
	}
	for _, n := range doomed {
		dom.Remove(n)
	}
}
