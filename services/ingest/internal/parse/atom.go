package parse

import (
	"bytes"
	"slices"
	"strings"

	"github.com/mmcdole/gofeed/atom"

	"tidings.internal/pkg/article"
	"tidings.internal/services/ingest/internal/cause"
	"tidings.internal/services/ingest/internal/guard"
)

// atom reads Atom 0.3 and 1.0.
func (r *reader) atom() error {
	feed, err := (&atom.Parser{}).Parse(bytes.NewReader(r.scanned.Data))
	if err != nil {
		return cause.Errorf(cause.Malformed, "parse Atom: %w", err)
	}
	r.match(len(feed.Entries))
	r.doc.Version = feed.Version
	r.atomFeed(feed)
	for i, entry := range feed.Entries {
		if entry == nil {
			r.skip("broken")
			continue
		}
		r.doc.Items = append(r.doc.Items, r.atomEntry(entry, r.element(i)))
	}
	return nil
}

func (r *reader) atomFeed(in *atom.Feed) {
	head := &r.scanned.Head
	f := &r.doc.Feed
	f.ID = short(first(head.Find("id").Text(), in.ID))
	f.Title = line(r.construct(head.Find("title"), in.Title))
	f.Title, _ = article.Cut(f.Title, article.MaxTitle)
	f.Description = line(r.construct(head.Find("subtitle", "tagline", "info"), in.Subtitle))
	f.Description, _ = article.Cut(f.Description, article.MaxTitle)
	list := r.atomLinks(in.Links, head)
	f.SiteURL = r.alternate(list)
	f.SelfURL = r.linkOf(list, "self")
	if f.NextURL = r.linkOf(list, "next"); f.NextURL == "" {
		f.NextURL = r.linkOf(list, "prev-archive") // RFC 5005 section 4
	}
	for _, l := range list {
		if u := r.link(l.href, l.base); l.rel == "hub" && u != "" && !slices.Contains(f.Hubs, u) && len(f.Hubs) < maxHubs {
			f.Hubs = append(f.Hubs, u)
		}
	}
	f.Language = short(first(head.Lang, r.options.ContentLanguage))
	f.Rights = line(r.construct(head.Find("rights", "copyright"), in.Rights))
	f.Rights, _ = article.Cut(f.Rights, article.MaxTitle)
	f.Image = r.link(first(in.Logo, in.Icon), fieldBase(head, "logo"))
	f.Authors = r.atomPeople(in.Authors, nil, head.Base)
	r.deleted(extensions(in.Extensions))
}

func (r *reader) atomEntry(in *atom.Entry, side *guard.Element) Item {
	e := extensions(in.Extensions)
	it := Item{}
	it.GUID = strings.TrimSpace(in.ID)
	if f := side.Find("id"); f != nil {
		it.GUID = strings.TrimSpace(f.Text())
	}
	it.Title = line(r.construct(side.Find("title"), in.Title))
	content := ""
	if in.Content != nil {
		content = in.Content.Value
	}
	it.Content = r.construct(side.Find("content"), content)
	it.Summary = r.construct(side.Find("summary"), in.Summary)
	if it.Summary == nil {
		it.Summary = r.html(first(e.text("media", "description"), groupText(e, "description")), side.Lang, side.Base)
	}
	list := r.atomLinks(in.Links, side)
	it.Link = r.alternate(list)
	if it.Link == "" && in.Content != nil && in.Content.Src != "" {
		it.Link = r.link(in.Content.Src, side.Base)
	}
	if it.Link == "" && looksAbsolute(it.GUID) {
		it.Link = r.link(it.GUID, side.Base)
	}
	it.OriginLink = r.link(e.text("feedburner", "origLink"), side.Base)
	it.Via, it.Related = r.linkOf(list, "via"), r.linkOf(list, "related")
	it.Comments, it.Licence = r.linkOf(list, "replies"), r.linkOf(list, "license")
	for _, l := range list {
		if l.rel == "enclosure" {
			r.addEnclosure(&it.Raw, article.Enclosure{URL: r.link(l.href, l.base), Type: l.kind, Length: length(l.length), Title: l.title})
		}
	}
	r.media(&it.Raw, e, side.Base)
	it.Authors = r.atomAuthors(in, e, side)
	for _, c := range in.Categories {
		if c != nil {
			it.Categories = addCategory(it.Categories, article.Category{Term: c.Term, Scheme: c.Scheme, Label: c.Label})
		}
	}
	it.Categories = e.categories(it.Categories)
	it.PublishedRaw = first(in.Published, e.text("dc", "date"), e.text("dcterms", "issued"), e.text("dcterms", "created"))
	it.UpdatedRaw = first(in.Updated, e.text("dcterms", "modified"))
	if s := in.Source; s != nil {
		it.Origin = &article.Origin{ID: short(s.ID), Title: short(title(s.Title)), URL: r.originLink(s, side)}
		it.Rights = first(s.Rights)
	}
	it.Rights = first(line(r.construct(side.Find("rights", "copyright"), in.Rights)), it.Rights, e.text("dc", "rights"), r.doc.Feed.Rights)
	it.Language = first(side.Lang, e.text("dc", "language"), r.doc.Feed.Language)
	return it
}

// groupText gives the text of a child of media:group, where some large publishers put everything.
func groupText(e ext, name string) string {
	for _, g := range e.all("media", "group") {
		if s := child(g, name); s != "" {
			return s
		}
	}
	return ""
}

func (r *reader) originLink(s *atom.Source, side *guard.Element) string {
	for _, rel := range []string{"self", "alternate"} {
		for _, l := range s.Links {
			if l != nil && strings.EqualFold(l.Rel, rel) {
				return r.link(l.Href, side.Base)
			}
		}
	}
	return ""
}

// atomAuthors finds who wrote an entry: its own authors, else those of the feed it was taken from, else the feed's
// (RFC 4287 section 4.2.1).
func (r *reader) atomAuthors(in *atom.Entry, e ext, side *guard.Element) []article.Person {
	authors, contributors := in.Authors, in.Contributors
	if len(authors) == 0 && in.Source != nil {
		authors = in.Source.Authors
	}
	list := people(r.atomPeople(authors, contributors, side.Base))
	if len(authors) == 0 {
		var more people
		for _, x := range e.all("dc", "creator") {
			more.read("", x.Value)
		}
		if len(more) == 0 {
			more = slices.Clone(r.doc.Feed.Authors)
		}
		for _, p := range list {
			more.add(p)
		}
		list = more
	}
	return list
}

func (r *reader) atomPeople(authors, contributors []*atom.Person, base string) []article.Person {
	var list people
	for i, p := range append(slices.Clone(authors), contributors...) {
		if p == nil {
			continue
		}
		role := ""
		if i >= len(authors) {
			role = "contributor"
		}
		one := article.Person{Name: oneLine(title(p.Name)), Email: strings.TrimSpace(p.Email), URL: r.link(p.URI, base), Role: role}
		if one.Email == "" {
			if parsed, ok := person(p.Name, role); ok {
				one.Name, one.Email = parsed.Name, parsed.Email
			}
		}
		list.add(one)
	}
	return list
}

// atomLink is a link with its base and the bytes that the document gave it.
type atomLink struct{ href, base, rel, kind, title, length string }

// atomLinks takes the parser's links and puts the exact address back, which the parser writes anew.
func (r *reader) atomLinks(in []*atom.Link, side *guard.Element) []atomLink {
	var exact []guard.Field
	for _, f := range side.Fields {
		if f.Name == "link" {
			exact = append(exact, f)
		}
	}
	list := make([]atomLink, 0, len(in))
	for i, l := range in {
		if l == nil {
			continue
		}
		one := atomLink{href: l.Href, base: side.Base, rel: strings.ToLower(strings.TrimSpace(l.Rel)), kind: strings.ToLower(l.Type), title: l.Title, length: l.Length}
		if len(exact) == len(in) {
			one.href, one.base = exact[i].Href, exact[i].Base
		}
		list = append(list, one)
	}
	return list
}

// alternate finds the address of the page: of several the one that says that it is HTML.
func (r *reader) alternate(list []atomLink) string {
	for _, wanted := range []func(l atomLink) bool{
		func(l atomLink) bool { return strings.HasPrefix(l.kind, "text/html") },
		func(l atomLink) bool { return strings.Contains(l.kind, "html") || l.kind == "" },
		func(atomLink) bool { return true },
	} {
		for _, l := range list {
			if l.rel == "alternate" && wanted(l) {
				if u := r.link(l.href, l.base); u != "" {
					return u
				}
			}
		}
	}
	return ""
}

func (r *reader) linkOf(list []atomLink, rel string) string {
	for _, l := range list {
		if l.rel == rel {
			if u := r.link(l.href, l.base); u != "" {
				return u
			}
		}
	}
	return ""
}
