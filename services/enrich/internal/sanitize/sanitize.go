// Package sanitize makes the HTML of strangers safe to show.
//
// Two gates stand in a row. The first rebuilds the tree by a list of what may stay: it resolves links, takes trackers
// out, unwraps what is unknown and reads the attributes that hold more than one URL. The second is a bluemonday policy
// with the same list, written on its own, so that a hole in one is not a hole in both. The result is a fixed point of
// both: sanitising it again changes nothing, so no parser finds in it what this one did not see.
package sanitize

import (
	"context"
	"html"
	"net/url"
	"strings"
	"unicode/utf8"

	xhtml "golang.org/x/net/html"

	"github.com/microcosm-cc/bluemonday"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/decode"
	"tidings.internal/services/enrich/internal/dom"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/prose"
)

// Step makes HTML and text of the body that extract chose.
type Step struct{ gate *bluemonday.Policy }

var _ pipeline.Step = (*Step)(nil)

// New returns the step.
func New() *Step { return &Step{gate: policy()} }

// Name returns "sanitize".
func (*Step) Name() string { return "sanitize" }

// Run fills HTML, Text, Prose and, if there is none yet, the leading image.
func (s *Step) Run(ctx context.Context, d *pipeline.Draft) error {
	if d.Body == nil {
		d.Prose = prose.Text{Title: d.Article.Title}
		return nil
	}
	safe, root, err := s.tree(ctx, d.Body, d.Base)
	if err != nil {
		return err
	}
	d.Article.HTML = safe
	d.Prose = prose.FromTree(d.Article.Title, root)
	d.Article.Text = d.Prose.Body
	if d.Article.Image == nil {
		d.Article.Image = lead(root)
	}
	return nil
}

// Degrade writes the text of the body as escaped paragraphs: words survive, markup does not.
func (s *Step) Degrade(d *pipeline.Draft) {
	d.Prose = prose.FromTree(d.Article.Title, d.Body)
	d.Article.Text = d.Prose.Body
	d.Article.HTML = Escaped(d.Prose)
}

// HTML returns a piece of HTML made safe. Relative links resolve against base; without one they go.
func (s *Step) HTML(ctx context.Context, in string, base *url.URL) (string, error) {
	root, err := decode.Fragment(in)
	if err != nil {
		return "", err
	}
	out, _, err := s.tree(ctx, root, base)
	return out, err
}

// rounds is how often the gates run until nothing changes. Two do for all that is not made to fool them.
const rounds = 5

// tree runs the gates on a tree, which it changes, and returns the result also as the tree that was last read.
func (s *Step) tree(ctx context.Context, root *xhtml.Node, base *url.URL) (string, *xhtml.Node, error) {
	in, last := "", "" // what the second gate was given, and what it made of it
	for i := range rounds {
		if err := ctx.Err(); err != nil {
			return "", nil, err
		}
		clean(root, base)
		rendered, err := dom.Render(root)
		if err != nil {
			return "", nil, pipeline.Failf(pipeline.Failed, "render HTML: %w", err)
		}
		rendered = strings.TrimSpace(rendered)
		out := last
		if i == 0 || rendered != in { // the gate says the same of the same
			out = strings.TrimSpace(s.gate.Sanitize(rendered))
		}
		if i > 0 && out == last {
			if rendered != out {
				root, err = decode.Fragment(out)
			}
			return out, root, err
		}
		in, last = rendered, out
		if root, err = decode.Fragment(out); err != nil {
			return "", nil, err
		}
	}
	// What does not settle was made not to: only its words are let through.
	out := Escaped(prose.FromTree("", root))
	root, err := decode.Fragment(out)
	return out, root, err
}

// Escaped writes text as HTML paragraphs and headings.
func Escaped(t prose.Text) string {
	var b strings.Builder
	for _, block := range t.Blocks {
		name := "p"
		switch block.Kind {
		case prose.Heading:
			name = "h2"
		case prose.Code:
			name = "pre"
		case prose.Quote:
			name = "blockquote"
		}
		text := html.EscapeString(t.Body[block.From:block.To])
		if block.Kind != prose.Code {
			text = strings.ReplaceAll(text, "\n", "<br/>")
		}
		b.WriteString("<" + name + ">" + text + "</" + name + ">")
	}
	return b.String()
}

// lead is the first picture of a safe body that is large enough to lead an article, as far as it says.
func lead(root *xhtml.Node) *article.Image {
	for n := range dom.Elements(root) {
		if n.Data != "img" {
			continue
		}
		src := dom.Attr(n, "src")
		if !strings.HasPrefix(src, "http") || number(dom.Attr(n, "width"), 1000) < 100 || number(dom.Attr(n, "height"), 1000) < 60 {
			continue
		}
		img := &article.Image{URL: src, Width: number(dom.Attr(n, "width"), 0), Height: number(dom.Attr(n, "height"), 0)}
		if alt := strings.TrimSpace(dom.Attr(n, "alt")); utf8.RuneCountInString(alt) <= 2000 {
			img.Alt = alt
		}
		return img
	}
	return nil
}

func number(s string, otherwise int) int {
	n := 0
	for _, r := range s {
		if r < '0' || r > '9' || n > 1_000_000 {
			return otherwise
		}
		n = n*10 + int(r-'0')
	}
	if s == "" {
		return otherwise
	}
	return n
}
