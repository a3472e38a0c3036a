// Package extract finds the body of an article: in the feed's own content, on the article's page, or in plain text. It
// takes away what stands around the body and never adds a word.
package extract

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/dates"
	"tidings.internal/services/enrich/internal/dom"
	"tidings.internal/services/enrich/internal/lines"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/words"
)

// The rungs of the ladder, best first: how the body was found.
const (
	FromPage    = "page"
	FromFeed    = "feed"
	FromText    = "text"
	FromSummary = "summary"
	FromTitle   = "title"
)

const (
	// enough is the length in bytes from which a text counts as a body of its own.
	enough = 250
	// feedShare is how long the feed's content must be against the page's to be taken: it has no page around it.
	feedShare = 0.8
)

// Step chooses the body. Hosts may be nil.
type Step struct{ Hosts Hosts }

var (
	_ pipeline.Step = Step{}
	_ pipeline.Slow = Step{}
)

// Name returns "extract".
func (Step) Name() string { return "extract" }

// Times gives the step two budgets: a page is the largest thing that is read.
func (Step) Times() int { return 2 }

// Run goes down the ladder and takes the first rung that holds.
func (s Step) Run(ctx context.Context, d *pipeline.Draft) error {
	feed := fromFeed(d)
	best, walled := feed, false
	if d.Page != nil && d.Page.Tree != nil && usable(d.Raw.Page) {
		of := s.Hosts.of(d.Page.Base)
		tree := of.dropped(d.Page.Tree)
		page, err := (*body)(nil), error(nil)
		if root := of.kept(tree); root != nil {
			best = chosen(d, root)
		} else if page, err = fromPage(ctx, d, tree); err != nil {
			return err
		}
		if page != nil && better(page, feed) {
			if walled = wall(page.root, d.Article.Title); !walled {
				best = page
			}
		}
	} else if n := feed.length(); d.Page != nil && usable(d.Raw.Page) && n < enough && (len(d.Page.Text) > enough || n == 0 && d.Page.Text != "") {
		best = fromText(d, d.Page, FromPage)
	}
	best.take(d)
	if best.rung == FromTitle || walled && best.rung == FromSummary {
		d.Mark(s.Name(), pipeline.Empty)
	}
	return nil
}

// Degrade takes the feed's own text as it is.
func (Step) Degrade(d *pipeline.Draft) {
	b := &body{rung: FromTitle, root: dom.New(atom.Div)}
	for _, c := range []struct {
		part *pipeline.Part
		rung string
	}{{d.Content, FromFeed}, {d.Summary, FromSummary}} {
		if c.part == nil {
			continue
		}
		b.rung, b.base = c.rung, c.part.Base
		if b.root = dom.Clone(c.part.Tree); b.root == nil {
			b.root = dom.New(atom.Div)
			b.root.AppendChild(dom.TextNode(c.part.Text))
		}
		break
	}
	b.take(d)
}

// body is one candidate.
type body struct {
	rung string
	root *html.Node
	base *url.URL
	said lines.Result
}

func (b *body) length() int { return dom.Length(b.root) }

func usable(p *article.Page) bool {
	return p != nil && p.Error == "" && (p.Status == 0 || p.Status >= 200 && p.Status < 300)
}

// better reports whether the page's body is to be taken instead of the feed's.
func better(page, feed *body) bool {
	p, f := page.length(), feed.length()
	switch {
	case p < enough && f > 0:
		return false
	case float64(f) >= feedShare*float64(p):
		return false
	case f >= enough && !overlap(dom.Text(page.root), dom.Text(feed.root)):
		return false // a consent wall, a login, another article
	}
	return true
}

// overlap reports whether two texts have four words in a row in common.
func overlap(a, b string) bool {
	shingles := map[string]bool{}
	fa, fb := strings.Fields(words.Fold(a)), strings.Fields(words.Fold(b))
	const n = 4
	for i := 0; i+n <= len(fa); i++ {
		shingles[strings.Join(fa[i:i+n], " ")] = true
	}
	for i := 0; i+n <= len(fb); i++ {
		if shingles[strings.Join(fb[i:i+n], " ")] {
			return true
		}
	}
	return false
}

// take makes a candidate the body of the draft, with what its lines said about the article.
func (b *body) take(d *pipeline.Draft) {
	d.Body, d.Base = b.root, b.base
	a := &d.Article
	a.Extract = b.rung
	if a.Title == "" {
		a.Title = strings.TrimSpace(b.said.Title)
	}
	switch {
	case len(a.Authors) == 0:
		a.Authors = b.said.Authors
	case len(b.said.Authors) > 0:
		a.Authors = slices.Clone(a.Authors)
		for i := range a.Authors {
			for _, p := range b.said.Authors {
				if a.Authors[i].Role == "" && strings.EqualFold(a.Authors[i].Name, p.Name) {
					a.Authors[i].Role = p.Role
				}
			}
		}
	}
	if a.Published == nil {
		a.Published = dates.Plausible(b.said.Date, d.Now())
	}
	masked := slices.Clone(b.said.Masked)
	for _, p := range a.Authors {
		if p.Name != "" && !slices.Contains(masked, p.Name) {
			masked = append(masked, p.Name)
		}
	}
	d.Masked = masked
	d.Dropped = nil
	for _, l := range b.said.Lines {
		if !l.Class.Body() {
			d.Dropped = append(d.Dropped, pipeline.Dropped{Text: l.Text, Class: string(l.Class)})
		}
	}
}

// fromFeed is the body that the feed itself gives.
func fromFeed(d *pipeline.Draft) *body {
	for _, c := range []struct {
		part *pipeline.Part
		rung string
	}{{d.Content, FromFeed}, {d.Summary, FromSummary}} {
		p := c.part
		if p == nil {
			continue
		}
		var b *body
		if p.Tree == nil || bare(p.Tree) {
			rung := c.rung
			if rung == FromFeed {
				rung = FromText
			}
			b = fromText(d, p, rung)
		} else {
			b = fromTree(d, dom.Clone(p.Tree), p.Base, c.rung)
		}
		if b.length() > 0 || dom.First(b.root, atom.Img) != nil || dom.First(b.root, atom.Iframe) != nil {
			return b
		}
	}
	return &body{rung: FromTitle, root: dom.New(atom.Div)}
}

// chosen is the body that the operator chose. Its lines are read for who wrote it and when, and nothing is measured.
func chosen(d *pipeline.Draft, root *html.Node) *body {
	b := &body{rung: FromPage, root: root, base: d.Page.Base}
	b.said = readTree(root, d.Article.Title, d.Now())
	return b
}

// fromTree cleans a tree and reads its lines.
func fromTree(d *pipeline.Draft, root *html.Node, base *url.URL, rung string) *body {
	prune(root)
	b := &body{rung: rung, root: root, base: base}
	b.said = readTree(root, d.Article.Title, d.Now())
	return b
}
