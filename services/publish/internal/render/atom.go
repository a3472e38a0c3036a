package render

import (
	"cmp"
	"encoding/xml"
	"io"

	"github.com/gorilla/feeds"
)

type atomFeed struct {
	XMLName xml.Name `xml:"feed"`
	feeds.AtomFeed
	Media     string           `xml:"xmlns:media,attr"`
	History   string           `xml:"xmlns:fh,attr,omitempty"`
	Lang      string           `xml:"xml:lang,attr,omitempty"`
	Title     plain            `xml:"title"`
	Subtitle  *plain           `xml:"subtitle"`
	Rights    *plain           `xml:"rights"`
	Generator string           `xml:"generator"`
	Archive   *empty           `xml:"fh:archive"`
	Links     []feeds.AtomLink `xml:"link"`
	Entries   []*atomEntry     `xml:"entry"`
}

// atomEntry takes id and dates from the library; everything else is written as [markup].
type atomEntry struct {
	XMLName xml.Name `xml:"entry"`
	feeds.AtomEntry
	Lang  string    `xml:"xml:lang,attr,omitempty"`
	Title *struct{} `xml:"title"` // the library's is never left out
	More  []byte    `xml:",innerxml"`
}

// FeedXml lets [feeds.WriteXML] write the document.
func (a *atomFeed) FeedXml() any { return a }

func writeAtom(w io.Writer, f *Feed, entries []Entry) error {
	a := &atomFeed{Media: mediaSpace, Lang: f.Language, Title: text(f.Title), Subtitle: some(f.Description), Rights: some(f.Rights), Generator: generator}
	a.Xmlns, a.Id = "http://www.w3.org/2005/Atom", f.URN
	a.Icon, a.Logo = f.Icon, f.Logo
	updated := newest(entries)
	if updated.IsZero() {
		updated = f.Created
	}
	a.Updated = rfc3339(updated)
	a.Author = &feeds.AtomAuthor{AtomPerson: feeds.AtomPerson{Name: cmp.Or(f.Author, f.Title)}}
	a.Links = append(a.Links, link(f.Self[Atom], "self", Atom.MediaType()), link(f.Page, "alternate", "text/html"))
	for _, other := range []Format{RSS, JSON} {
		a.Links = append(a.Links, link(f.Self[other], "alternate", other.MediaType()))
	}
	for _, hub := range f.Hubs {
		a.Links = append(a.Links, link(hub, "hub", ""))
	}
	for _, l := range f.history(Atom) {
		a.Links = append(a.Links, link(l[1], l[0], Atom.MediaType()))
	}
	if f.Archive != "" {
		a.History, a.Archive = historySpace, &empty{}
	}
	for i := range entries {
		a.Entries = append(a.Entries, newAtomEntry(&entries[i]))
	}
	return feeds.WriteXML(a, w)
}

func newAtomEntry(e *Entry) *atomEntry {
	x := &atomEntry{Lang: e.Language, More: make([]byte, 0, room(e))}
	x.Id, x.Published, x.Updated = e.ID, rfc3339(e.Published), rfc3339(e.Updated)
	m := (*markup)(&x.More)
	m.plain(2, "title", e.Title)
	m.element(2, "link", "", "href", e.URL, "rel", "alternate", "type", "text/html", "hreflang", e.Language)
	if n := e.Enclosure; n != nil {
		m.element(2, "link", "", "href", n.URL, "rel", "enclosure", "type", n.Type, "length", number(n.Bytes), "title", n.Title)
	}
	for _, also := range e.Also {
		m.element(2, "link", "", "href", also.URL, "rel", "related", "type", "text/html", "title", also.Title)
	}
	for _, a := range e.Authors {
		m.open(2, "author")
		m.element(3, "name", a.Name)
		if a.URL != "" {
			m.element(3, "uri", a.URL)
		}
		m.end(2, "author")
	}
	for _, t := range e.Tags {
		m.element(2, "category", "", "term", t.Term, "scheme", t.Scheme, "label", t.Label)
	}
	m.plain(2, "rights", e.Rights)
	m.plain(2, "summary", e.Summary)
	m.html(2, "content", e.HTML, "type", "html")
	m.media(2, e)
	m.atomSource(e)
	return x
}

// atomSource names the feed that an entry came from (RFC 4287 section 4.2.11). Its date is that of the entry: the
// source's own moves at every poll and would change the bytes without any change of content.
func (m *markup) atomSource(e *Entry) {
	m.open(2, "source")
	m.element(3, "id", e.Source.URN)
	m.plain(3, "title", e.Source.Title)
	m.element(3, "updated", rfc3339(e.Updated))
	m.plain(3, "rights", e.Source.Rights)
	if e.Source.FeedURL != "" {
		m.element(3, "link", "", "href", e.Source.FeedURL, "rel", "self")
	}
	if e.Source.SiteURL != "" {
		m.element(3, "link", "", "href", e.Source.SiteURL, "rel", "alternate", "type", "text/html")
	}
	m.end(2, "source")
}

func link(href, rel, mediaType string) feeds.AtomLink {
	return feeds.AtomLink{Href: href, Rel: rel, Type: mediaType}
}

// some is text that is left out when it is empty.
func some(s string) *plain {
	if s == "" {
		return nil
	}
	return new(text(s))
}
