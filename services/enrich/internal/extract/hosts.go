package extract

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/andybalholm/cascadia"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"tidings.internal/services/enrich/internal/dom"
)

// Hosts are the operator's selectors for the pages of single hosts, by host. They win over everything that is measured.
type Hosts map[string]Selectors

// Selectors say what of a page is the body. The zero value says nothing.
type Selectors struct {
	// keep are the parts that make up the body; without any it is looked for as on other pages.
	keep []cascadia.Sel
	// drop are those that are no part of it.
	drop []cascadia.Sel
}

// ParseSelector reads a selector of CSS. Pseudo-elements are none: nothing of a page can be taken by them.
func ParseSelector(s string) (cascadia.Sel, error) {
	sel, err := cascadia.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("%q is no selector of CSS: %w", s, err)
	}
	return sel, nil
}

// NewSelectors makes the selectors of a host.
func NewSelectors(keep, drop []string) (s Selectors, err error) {
	for _, list := range []struct {
		texts []string
		into  *[]cascadia.Sel
	}{{keep, &s.keep}, {drop, &s.drop}} {
		for _, text := range list.texts {
			sel, err := ParseSelector(text)
			if err != nil {
				return Selectors{}, err
			}
			*list.into = append(*list.into, sel)
		}
	}
	return s, nil
}

// HostName is the name under which the selectors of a host stand: in small letters, without "www." and port.
func HostName(host string) string {
	if u, err := url.Parse("//" + host); err == nil {
		host = u.Hostname()
	}
	return strings.TrimPrefix(strings.ToLower(strings.TrimSpace(host)), "www.")
}

// of gives the selectors for a page.
func (h Hosts) of(base *url.URL) Selectors {
	if base == nil {
		return Selectors{}
	}
	return h[HostName(base.Host)]
}

// dropped is a page without what the operator does not want. The page itself stays as it is.
func (s Selectors) dropped(page *html.Node) *html.Node {
	if len(s.drop) == 0 {
		return page
	}
	page = dom.Clone(page)
	var doomed []*html.Node
	for n := range dom.Elements(page) {
		switch n.DataAtom {
		case atom.Html, atom.Head, atom.Body:
			continue
		}
		if matches(s.drop, n) {
			doomed = append(doomed, n)
		}
	}
	for _, n := range doomed {
		dom.Remove(n)
	}
	return page
}

// kept makes a body of the parts that the operator wants, in their order; nil when the page has none, or no text in them.
func (s Selectors) kept(page *html.Node) *html.Node {
	if len(s.keep) == 0 {
		return nil
	}
	root := dom.New(atom.Div)
	var last *html.Node // the part that is being taken: what is inside of it comes with it
	for n := range dom.Elements(page) {
		if last != nil && within(n, last) {
			continue
		}
		if matches(s.keep, n) {
			last = n
			root.AppendChild(dom.Clone(n))
		}
	}
	if dom.Length(root) == 0 {
		return nil
	}
	return root
}

func matches(list []cascadia.Sel, n *html.Node) bool {
	return slices.ContainsFunc(list, func(s cascadia.Sel) bool { return s.Match(n) })
}

func within(n, outer *html.Node) bool {
	for p := n.Parent; p != nil; p = p.Parent {
		if p == outer {
			return true
		}
	}
	return false
}
