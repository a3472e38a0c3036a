package metadata

import (
	"net/url"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/dom"
	"tidings.internal/services/enrich/internal/pipeline"
)

// page is what an article's own page says.
type page struct {
	base *url.URL
	meta map[string]string
	name string // <title>
	h1   string

	headline string // from JSON-LD
	body     string // likewise, plain text
	authors  []string
	dates    []string
	changes  []string // when it was last changed
	keywords []string
	pictures []string
	licence  string
	webPage  []string // dates of the page that linked data has apart from those of the article
	house    string   // the publisher's name
	things   []map[string]any
	scene    *scene
}

func read(part *pipeline.Part) *page {
	p := &page{base: part.Base, meta: map[string]string{}}
	for n := range dom.Elements(part.Tree) {
		switch n.DataAtom {
		case atom.Title:
			if p.name == "" {
				p.name = line(dom.Text(n), article.MaxTitle)
			}
		case atom.H1:
			if p.h1 == "" {
				p.h1 = line(dom.Text(n), article.MaxTitle)
			}
		case atom.Meta:
			// A framework that takes any name for a property writes scripts as such, too.
			if strings.HasSuffix(strings.ToLower(dom.Attr(n, "name")), ":ld+json") {
				p.linked(dom.Attr(n, "content"))
				continue
			}
			p.property(n)
		case atom.Script:
			if strings.EqualFold(strings.TrimSpace(dom.Attr(n, "type")), "application/ld+json") && n.FirstChild != nil {
				p.linked(n.FirstChild.Data)
			}
		case atom.Link:
			if strings.EqualFold(dom.Attr(n, "rel"), "license") {
				p.licence = dom.Attr(n, "href")
			}
		}
	}
	p.describeAll()
	p.scene = look(part.Tree, p.title())
	return p
}

func (p *page) property(n *html.Node) {
	key := dom.Attr(n, "property")
	if key == "" {
		key = dom.Attr(n, "name")
	}
	if key == "" {
		key = dom.Attr(n, "itemprop")
	}
	key = strings.ToLower(strings.TrimSpace(key))
	value := strings.TrimSpace(dom.Attr(n, "content"))
	if key == "" || value == "" || len(value) > 8<<10 {
		return
	}
	switch key {
	case "article:tag":
		p.keyword(value)
	case "keywords", "news_keywords":
		for k := range strings.SplitSeq(value, ",") {
			p.keyword(k)
		}
	}
	if _, ok := p.meta[key]; !ok {
		p.meta[key] = value
	}
}

func (p *page) keyword(k string) {
	if k = line(k, 100); k != "" && len(p.keywords) < 50 {
		p.keywords = append(p.keywords, k)
	}
}

func (p *page) first(names ...string) string {
	for _, n := range names {
		if v := p.meta[n]; v != "" {
			return v
		}
	}
	return ""
}

func (p *page) image() *article.Image {
	for _, address := range append([]string{p.first("og:image:secure_url", "og:image", "og:image:url"), p.first("twitter:image", "twitter:image:src")}, p.pictures...) {
		if u := p.resolve(address); u != "" {
			return &article.Image{URL: u, Alt: line(p.first("og:image:alt", "twitter:image:alt"), 2000)}
		}
	}
	return nil
}

func (p *page) resolve(address string) string {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || address == "" {
		return ""
	}
	if p.base != nil {
		u = p.base.ResolveReference(u)
	}
	if s := u.String(); web(s) && len(s) <= article.MaxURL {
		return s
	}
	return ""
}
