package render

import (
	"cmp"
	"encoding/xml"
	"io"
	"strconv"

	"github.com/gorilla/feeds"
)

type atomFeed struct {
	XMLName xml.Name `xml:"feed"`
	feeds.AtomFeed
	Media     string       `xml:"xmlns:media,attr"`
	History   string       `xml:"xmlns:fh,attr,omitempty"`
	Lang      string       `xml:"xml:lang,attr,omitempty"`
	Title     plain        `xml:"title"`
	Subtitle  *plain       `xml:"subtitle"`
	Rights    *plain       `xml:"rights"`
	Generator string       `xml:"generator"`
	Archive   *empty       `xml:"fh:archive"`
	Links     []atomLink   `xml:"link"`
	Entries   []*atomEntry `xml:"entry"`
}

type atomEntry struct {
	XMLName xml.Name `xml:"entry"`
	feeds.AtomEntry
	Lang     string              `xml:"xml:lang,attr,omitempty"`
	Title    plain               `xml:"title"`
	Links    []atomLink          `xml:"link"`
	Author   []*feeds.AtomAuthor `xml:"author"`
	Category []atomCategory      `xml:"category"`
	Rights   *plain              `xml:"rights"`
	Summary  *plain              `xml:"summary"`
	Content  *atomContent        `xml:"content"`
	Media    *media              `xml:"media:content"`
	Source   *atomSource         `xml:"source"`
}

type atomLink struct {
	XMLName xml.Name `xml:"link"`
	feeds.AtomLink
	Hreflang string `xml:"hreflang,attr,omitempty"`
	Title    string `xml:"title,attr,omitempty"`
}

type atomCategory struct {
	Term   string `xml:"term,attr"`
	Scheme string `xml:"scheme,attr,omitempty"`
	Label  string `xml:"label,attr,omitempty"`
}

// atomContent is HTML as CDATA: escaping it as text takes several times as long.
type atomContent struct {
	Type string `xml:"type,attr"`
	HTML string `xml:",cdata"`
}

type atomSource struct {
	ID      string     `xml:"id"`
	Title   plain      `xml:"title"`
	Updated string     `xml:"updated"`
	Rights  *plain     `xml:"rights"`
	Links   []atomLink `xml:"link"`
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
	x := &atomEntry{Lang: e.Language, Title: text(e.Title), Rights: some(e.Rights), Summary: some(e.Summary), Media: newMedia(e)}
	x.Id, x.Published, x.Updated = e.ID, rfc3339(e.Published), rfc3339(e.Updated)
	alternate := link(e.URL, "alternate", "text/html")
	alternate.Hreflang = e.Language
	x.Links = append(x.Links, alternate)
	if n := e.Enclosure; n != nil {
		l := link(n.URL, "enclosure", n.Type)
		l.Title = n.Title
		if n.Bytes > 0 {
			l.Length = strconv.FormatInt(n.Bytes, 10)
		}
		x.Links = append(x.Links, l)
	}
	for _, also := range e.Also {
		l := link(also.URL, "related", "text/html")
		l.Title = also.Title
		x.Links = append(x.Links, l)
	}
	for _, a := range e.Authors {
		x.Author = append(x.Author, &feeds.AtomAuthor{AtomPerson: feeds.AtomPerson{Name: a.Name, Uri: a.URL}})
	}
	for _, t := range e.Tags {
		x.Category = append(x.Category, atomCategory{t.Term, t.Scheme, t.Label})
	}
	if e.HTML != "" {
		x.Content = &atomContent{"html", e.HTML}
	}
	x.Source = newAtomSource(e)
	return x
}

// newAtomSource names the feed that an entry came from (RFC 4287 section 4.2.11). Its date is that of the entry: the
// source's own moves at every poll and would change the bytes without any change of content.
func newAtomSource(e *Entry) *atomSource {
	s := &atomSource{ID: e.Source.URN, Title: text(e.Source.Title), Updated: rfc3339(e.Updated), Rights: some(e.Source.Rights)}
	if e.Source.FeedURL != "" {
		s.Links = append(s.Links, link(e.Source.FeedURL, "self", ""))
	}
	if e.Source.SiteURL != "" {
		s.Links = append(s.Links, link(e.Source.SiteURL, "alternate", "text/html"))
	}
	return s
}

func link(href, rel, mediaType string) atomLink {
	return atomLink{AtomLink: feeds.AtomLink{Href: href, Rel: rel, Type: mediaType}}
}

// some is text that is left out when it is empty.
func some(s string) *plain {
	if s == "" {
		return nil
	}
	return new(text(s))
}
