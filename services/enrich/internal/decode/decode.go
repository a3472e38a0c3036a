// Package decode makes text of bytes and trees of text, within limits: what comes from outside may be of any encoding,
// any size and any depth.
package decode

import (
	"cmp"
	"context"
	"net/url"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/dom"
	"tidings.internal/services/enrich/internal/pipeline"
)

const (
	// MaxBytes is the longest input that is parsed.
	MaxBytes = 5 << 20
	// MaxNodes and MaxDepth bound a tree. golang.org/x/net/html itself refuses more than 512 open elements.
	MaxNodes = 60_000
	MaxDepth = 500
)

// Step parses content, summary and page of a draft. An input that cannot be parsed within the limits is taken as text
// without structure, so that its words are not lost.
type Step struct{}

var _ pipeline.Step = Step{}

// Name returns "decode".
func (Step) Name() string { return "decode" }

// Run fills Page, Content and Summary. A damaged input is reported after all three were read, as long as one of them
// can be used: the step then degrades nothing but says why.
func (Step) Run(ctx context.Context, d *pipeline.Draft) error {
	base := parseURL(d.Raw.URL)
	content, err := text(d.Raw.Content, base)
	if err != nil {
		content = plain(d.Raw.Content, base)
	}
	d.Content = content
	if ctx.Err() != nil {
		return ctx.Err()
	}
	summary, serr := text(d.Raw.Summary, base)
	if serr != nil {
		summary = plain(d.Raw.Summary, base)
	}
	d.Summary = summary
	if d.PageBody == nil || d.Raw.Page == nil {
		note(d, err, serr)
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	page, perr := document(d.PageBody, d.Raw.Page)
	d.Page = page
	note(d, err, serr, perr)
	return nil
}

// note marks the article for what could be read in part only. It is no failure of the step: the text is there.
func note(d *pipeline.Draft, errs ...error) {
	for _, err := range errs {
		if err != nil {
			d.Mark(Step{}.Name(), pipeline.ReasonOf(err))
		}
	}
}

// Degrade takes the feed's texts without structure.
func (Step) Degrade(d *pipeline.Draft) {
	base := parseURL(d.Raw.URL)
	d.Content, d.Summary, d.Page = plain(d.Raw.Content, base), plain(d.Raw.Summary, base), nil
}

// text parses one text of the feed.
func text(t *article.Text, base *url.URL) (*pipeline.Part, error) {
	if t.Empty() {
		return nil, nil
	}
	value := Clean(t.Value)
	part := &pipeline.Part{Base: resolve(base, t.Base), Lang: t.Lang}
	if t.Type == article.TextPlain || t.Type == "" {
		part.Text = value
		return part, nil
	}
	if err := Guard(value); err != nil {
		return nil, err
	}
	root, err := Fragment(value)
	if err != nil {
		return nil, err
	}
	part.Tree = root
	return part, nil
}

// plain is a text whose markup is taken out without building a tree.
func plain(t *article.Text, base *url.URL) *pipeline.Part {
	if t.Empty() {
		return nil
	}
	value := Clean(t.Value)
	if t.Type == article.TextHTML || t.Type == article.TextXHTML {
		value = Strip(value)
	}
	return &pipeline.Part{Text: value, Base: resolve(base, t.Base), Lang: t.Lang}
}

// document parses a whole page. There is none where what came is no text: then the article is what the feed gave.
func document(body []byte, p *article.Page) (*pipeline.Part, error) {
	var large error
	if len(body) > MaxBytes {
		body, large = body[:MaxBytes], pipeline.Failf(pipeline.TooLarge, "read page: longer than %d bytes", MaxBytes)
	}
	source := UTF8(body, p.ContentType)
	if binary(source) {
		return nil, pipeline.Failf(pipeline.Undecodable, "read page: what came as %q is no text", p.ContentType)
	}
	source = Clean(source)
	address := p.FinalURL
	if address == "" {
		address = p.URL
	}
	part := &pipeline.Part{Base: parseURL(address)}
	if err := Guard(source); err != nil {
		part.Text = Strip(source)
		return part, err
	}
	root, err := html.Parse(strings.NewReader(source))
	if err == nil {
		err = checkTree(root)
	}
	if err != nil {
		part.Text = Strip(source)
		return part, pipeline.Failf(pipeline.TooDeep, "parse page: %w", err)
	}
	part.Tree = root
	if e := dom.First(root, atom.Html); e != nil {
		part.Lang = cmp.Or(strings.TrimSpace(dom.Attr(e, "lang")), strings.TrimSpace(dom.Attr(e, "xml:lang")))
	}
	// One in the body is not the site's word: it came in with a text, and would lead all links elsewhere.
	if head := dom.First(root, atom.Head); head != nil {
		part.Lang = cmp.Or(part.Lang, locale(head))
		if e := dom.First(head, atom.Base); e != nil {
			part.Base = resolve(part.Base, dom.Attr(e, "href"))
		}
	}
	return part, large
}

// locale is the language that the head of a page names where its first element is silent.
func locale(head *html.Node) string {
	for n := range dom.Elements(head, atom.Meta) {
		if strings.EqualFold(dom.Attr(n, "property"), "og:locale") || strings.EqualFold(dom.Attr(n, "http-equiv"), "content-language") {
			if lang := strings.TrimSpace(dom.Attr(n, "content")); lang != "" {
				return lang
			}
		}
	}
	return ""
}

// Fragment parses a piece of HTML under a div of its own.
func Fragment(s string) (*html.Node, error) {
	root := dom.New(atom.Div)
	nodes, err := html.ParseFragment(strings.NewReader(s), dom.New(atom.Body))
	if err != nil {
		return nil, pipeline.Failf(pipeline.TooDeep, "parse HTML: %w", err)
	}
	for _, n := range nodes {
		root.AppendChild(n)
	}
	if err := checkTree(root); err != nil {
		return nil, err
	}
	return root, nil
}

// checkTree measures what the parser made: it adds elements of its own, so that a guard before it is not enough.
func checkTree(root *html.Node) error {
	nodes, depth := 0, 0
	for n := root; n != nil; {
		if nodes++; nodes > MaxNodes {
			return pipeline.Failf(pipeline.TooManyNodes, "parse HTML: more than %d nodes", MaxNodes)
		}
		if depth > MaxDepth {
			return pipeline.Failf(pipeline.TooDeep, "parse HTML: deeper than %d", MaxDepth)
		}
		if n.FirstChild != nil {
			n, depth = n.FirstChild, depth+1
			continue
		}
		for n != root && n.NextSibling == nil {
			n, depth = n.Parent, depth-1
		}
		if n == root {
			return nil
		}
		n = n.NextSibling
	}
	return nil
}

// Guard counts tags and their depth before anything is built of them. It errs on the side of the parser: an element
// that is never closed counts as open to the end unless it is one that HTML closes by itself.
func Guard(s string) error {
	if len(s) > MaxBytes {
		return pipeline.Failf(pipeline.TooLarge, "read HTML: longer than %d bytes", MaxBytes)
	}
	z := html.NewTokenizer(strings.NewReader(s))
	nodes, depth := 0, 0
	for {
		switch z.Next() {
		case html.ErrorToken:
			return nil
		case html.StartTagToken:
			nodes++
			if name, _ := z.TagName(); !closesItself(atom.Lookup(name)) {
				depth++
			}
		case html.EndTagToken:
			if name, _ := z.TagName(); !closesItself(atom.Lookup(name)) {
				depth = max(0, depth-1)
			}
		case html.TextToken, html.SelfClosingTagToken:
			nodes++
		}
		if nodes > MaxNodes {
			return pipeline.Failf(pipeline.TooManyNodes, "read HTML: more than %d nodes", MaxNodes)
		}
		if depth > MaxDepth {
			return pipeline.Failf(pipeline.TooDeep, "read HTML: deeper than %d", MaxDepth)
		}
	}
}

// closesItself lists elements that never hold others or that the next one of their kind closes.
func closesItself(a atom.Atom) bool {
	switch a {
	case atom.Area, atom.Base, atom.Br, atom.Col, atom.Embed, atom.Hr, atom.Img, atom.Input, atom.Link, atom.Meta, atom.Param,
		atom.Source, atom.Track, atom.Wbr, atom.P, atom.Li, atom.Dt, atom.Dd, atom.Option, atom.Tr, atom.Td, atom.Th, atom.Tbody, atom.Thead:
		return true
	}
	return false
}

// Strip takes the markup out of HTML without building a tree. Blocks become paragraphs.
func Strip(s string) string {
	z := html.NewTokenizer(strings.NewReader(s))
	var b strings.Builder
	mute := atom.Atom(0)
	for {
		switch z.Next() {
		case html.ErrorToken:
			return squeeze(b.String())
		case html.TextToken:
			if mute == 0 {
				b.Write(z.Text())
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			name, _ := z.TagName()
			a := atom.Lookup(name)
			if a == atom.Script || a == atom.Style || a == atom.Template || a == atom.Title {
				mute = a
			}
			gap(&b, a)
		case html.EndTagToken:
			name, _ := z.TagName()
			a := atom.Lookup(name)
			if a == mute {
				mute = 0
			}
			gap(&b, a)
		}
	}
}

func gap(b *strings.Builder, a atom.Atom) {
	switch {
	case a == atom.Br:
		b.WriteByte('\n')
	case dom.IsBlock(&html.Node{Type: html.ElementNode, DataAtom: a}):
		b.WriteString("\n\n")
	}
}

// squeeze leaves one space inside a line and one blank line between paragraphs, and decodes entities.
func squeeze(s string) string {
	var out []string
	for p := range strings.SplitSeq(html.UnescapeString(s), "\n\n") {
		if p = strings.Join(strings.Fields(p), " "); p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, "\n\n")
}

func parseURL(s string) *url.URL {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil || !u.IsAbs() || u.Host == "" {
		return nil
	}
	return u
}

// resolve returns the base that a text names, itself resolved against where the text came from.
func resolve(base *url.URL, named string) *url.URL {
	named = strings.TrimSpace(named)
	if named == "" || !utf8.ValidString(named) {
		return base
	}
	if base == nil {
		return parseURL(named)
	}
	u, err := base.Parse(named)
	if err != nil || u.Host == "" {
		return base
	}
	return u
}
