// Package metadata finds what is said about an article beside its text: title, authors, dates, categories, picture. The
// feed's word comes first; the article's own page fills the gaps.
package metadata

import (
	"context"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/dates"
	"tidings.internal/services/enrich/internal/decode"
	"tidings.internal/services/enrich/internal/dom"
	"tidings.internal/services/enrich/internal/pipeline"
)

// Step fills the article's metadata.
type Step struct{}

var _ pipeline.Step = Step{}

// Name returns "metadata".
func (Step) Name() string { return "metadata" }

// Run takes the feed's values, then the page's where the feed has none.
func (s Step) Run(_ context.Context, d *pipeline.Draft) error {
	s.Degrade(d)
	if d.Page == nil || d.Page.Tree == nil {
		return nil
	}
	p := read(d.Page)
	d.Stated = p.body
	a := &d.Article
	if a.Title == "" {
		a.Title = p.title()
	}
	if len(a.Authors) == 0 {
		a.Authors = people(p.authors)
	}
	if a.Published == nil {
		a.Published = p.date(d.Now())
	}
	if a.Image == nil {
		a.Image = p.image()
	}
	if a.Licence == "" {
		a.Licence = p.licence
	}
	a.Categories = merge(a.Categories, p.keywords)
	return nil
}

// Degrade takes the feed's values alone.
func (Step) Degrade(d *pipeline.Draft) {
	raw, a := d.Raw, &d.Article
	a.Title = line(raw.Title, article.MaxTitle)
	a.Authors = authors(raw.Authors)
	a.Categories = merge(categories(raw.Categories), nil)
	a.Published = dates.Plausible(raw.Published, d.Now())
	a.Updated = dates.Plausible(raw.Updated, d.Now())
	a.Image = picture(raw)
}

// line makes one clean line of a text.
func line(s string, limit int) string {
	s, _ = article.Cut(strings.Join(strings.Fields(decode.Clean(s)), " "), limit)
	return s
}

func authors(in []article.Person) []article.Person {
	var out []article.Person
	for _, p := range in {
		p.Name, p.Role = line(p.Name, 200), line(p.Role, 200)
		if p.Name == "" && p.Email == "" || strings.Contains(p.Name, "://") {
			continue
		}
		out = append(out, p)
	}
	return out
}

func categories(in []article.Category) []article.Category {
	var out []article.Category
	for _, c := range in {
		c.Term, c.Label = line(c.Term, 200), line(c.Label, 200)
		if c.Term != "" || c.Label != "" {
			out = append(out, c)
		}
	}
	return out
}

// merge adds keywords to categories, each once, and at most as many as an article may have.
func merge(have []article.Category, keywords []string) []article.Category {
	seen := map[string]bool{}
	var out []article.Category
	add := func(c article.Category) {
		key := strings.ToLower(c.Scheme + "\x00" + c.Term + "\x00" + c.Label)
		if !seen[key] && len(out) < article.MaxCategories {
			seen[key] = true
			out = append(out, c)
		}
	}
	for _, c := range have {
		add(c)
		seen[strings.ToLower("\x00"+c.Term+"\x00")] = true
	}
	for _, k := range keywords {
		add(article.Category{Term: k})
	}
	return out
}

func people(names []string) []article.Person {
	var out []article.Person
	for _, n := range names {
		out = append(out, article.Person{Name: n})
	}
	return out
}

// picture is the leading image of the feed's media and enclosures.
func picture(raw *article.Raw) *article.Image {
	var best *article.Image
	for _, m := range raw.Media {
		if m.Kind != "image" && m.Kind != "thumbnail" && !strings.HasPrefix(m.Type, "image/") || !web(m.URL) {
			continue
		}
		img := &article.Image{URL: m.URL, Type: m.Type, Width: m.Width, Height: m.Height, Alt: line(m.Title, 2000), Credit: line(m.Credit, 500)}
		if best == nil || m.Kind == "image" && img.Width > best.Width {
			best = img
		}
	}
	if best != nil {
		return best
	}
	for _, e := range raw.Enclosures {
		if strings.HasPrefix(e.Type, "image/") && web(e.URL) {
			return &article.Image{URL: e.URL, Type: e.Type, Bytes: e.Length}
		}
	}
	return nil
}

func web(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil
}

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
	keywords []string
	pictures []string
	licence  string
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
			p.property(n)
		case atom.Script:
			if strings.EqualFold(strings.TrimSpace(dom.Attr(n, "type")), "application/ld+json") && n.FirstChild != nil {
				p.linked(n.FirstChild.Data)
			}
		case atom.Link:
			if strings.EqualFold(dom.Attr(n, "rel"), "license") {
				p.licence = dom.Attr(n, "href")
			}
		case atom.Time:
			if v := dom.Attr(n, "datetime"); v != "" && strings.Contains(dom.Attr(n, "itemprop")+dom.Attr(n, "class"), "ublish") {
				p.dates = append(p.dates, v)
			}
		}
	}
	if len(p.authors) == 0 {
		if name := line(p.first("author", "article:author", "dc.creator", "parsely-author"), 200); name != "" && !strings.Contains(name, "://") {
			p.authors = []string{name}
		}
	}
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

// title prefers the headline that the page marks as such; a site's name behind a bar does not belong to it.
func (p *page) title() string {
	og := line(p.first("og:title", "twitter:title", "dc.title"), article.MaxTitle)
	name := og
	if name == "" {
		name = p.name
	}
	switch {
	case p.headline != "":
		return p.headline
	case p.h1 != "" && (strings.HasPrefix(name, p.h1) || strings.HasSuffix(name, p.h1)):
		return p.h1
	case name == "":
		return p.h1
	}
	return p.unsuffixed(name)
}

func (p *page) unsuffixed(title string) string {
	site := strings.ToLower(p.first("og:site_name", "application-name"))
	host := ""
	if p.base != nil {
		host = strings.TrimPrefix(strings.ToLower(p.base.Hostname()), "www.")
	}
	for _, sep := range []string{" | ", " - ", " – ", " — ", " · ", " • ", " « "} {
		if i := strings.LastIndex(title, sep); i > 0 {
			tail := strings.ToLower(strings.TrimSpace(title[i+len(sep):]))
			if tail == site || tail == host || host != "" && tail == strings.SplitN(host, ".", 2)[0] {
				return strings.TrimSpace(title[:i])
			}
		}
	}
	return title
}

// date is the first date that says when the article was published, never when it was changed.
func (p *page) date(now time.Time) *time.Time {
	list := append(append([]string(nil), p.dates...), p.first("article:published_time"), p.first("datepublished"), p.first("dc.date.issued", "dc.date", "date", "pubdate"))
	for _, s := range list {
		if t := moment(s, now); t != nil {
			return t
		}
	}
	return nil
}

func moment(s string, now time.Time) *time.Time {
	s = strings.TrimSpace(s)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05-0700", "2006-01-02T15:04:05", "2006-01-02T15:04-07:00", "2006-01-02 15:04:05", time.RFC1123Z, time.RFC1123} {
		if t, err := time.Parse(layout, s); err == nil {
			return dates.Plausible(&t, now)
		}
	}
	if t, _, ok := dates.Find(s, now); ok && utf8.RuneCountInString(s) < 60 {
		return dates.Plausible(&t, now)
	}
	return nil
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
