package render

import (
	"encoding/xml"
	"html"
	"io"
	"strconv"

	"github.com/gorilla/feeds"
)

// rfc822 is the form of dates in RSS 2.0, with a year of four digits. GMT is right by RFC 822 section 5; the time zone
// "UTC" is not in it.
const rfc822 = "Mon, 02 Jan 2006 15:04:05 GMT"

type rssRoot struct {
	XMLName xml.Name `xml:"rss"`
	Version string   `xml:"version,attr"`
	Atom    string   `xml:"xmlns:atom,attr"`
	Content string   `xml:"xmlns:content,attr"`
	DC      string   `xml:"xmlns:dc,attr"`
	DCTerms string   `xml:"xmlns:dcterms,attr"`
	Media   string   `xml:"xmlns:media,attr"`
	History string   `xml:"xmlns:fh,attr,omitempty"`
	Channel *rssChannel
}

type rssChannel struct {
	XMLName xml.Name `xml:"channel"`
	feeds.RssFeed
	Title       plain       `xml:"title"`
	Description plain       `xml:"description"`
	Category    *struct{}   `xml:"category"` // the library has room for one only
	Links       []rssLink   `xml:"atom:link"`
	Archive     *empty      `xml:"fh:archive"`
	Items       []*rssItem  `xml:"item"`
	Image       *rssPicture `xml:"image"`
}

type rssPicture struct {
	XMLName xml.Name `xml:"image"`
	feeds.RssImage
	Title plain `xml:"title"`
}

type rssLink struct {
	Href string `xml:"href,attr"`
	Rel  string `xml:"rel,attr"`
	Type string `xml:"type,attr,omitempty"`
}

// rssItem takes link, enclosure, guid and date from the library; everything else is written as [markup].
type rssItem struct {
	XMLName xml.Name `xml:"item"`
	feeds.RssItem
	// Title and Description of the library are never left out.
	Title       *struct{} `xml:"title"`
	Description *struct{} `xml:"description"`
	More        []byte    `xml:",innerxml"`
}

// FeedXml lets [feeds.WriteXML] write the document.
func (r *rssRoot) FeedXml() any { return r }

func writeRSS(w io.Writer, f *Feed, entries []Entry) error {
	c := &rssChannel{Title: text(f.Title), Description: text(f.Description)}
	c.Link, c.Language, c.Copyright = f.Page, f.Language, f.Rights
	c.Generator, c.Docs, c.Ttl = generator, "https://www.rssboard.org/rss-specification", f.TTL
	if t := newest(entries); !t.IsZero() {
		c.LastBuildDate = t.UTC().Format(rfc822)
	}
	if f.Logo != "" {
		c.Image = &rssPicture{RssImage: feeds.RssImage{Url: f.Logo, Link: f.Page}, Title: text(f.Title)}
	}
	c.Links = append(c.Links, rssLink{f.Self[RSS], "self", RSS.MediaType()})
	for _, hub := range f.Hubs {
		c.Links = append(c.Links, rssLink{Href: hub, Rel: "hub"})
	}
	for _, other := range []Format{Atom, JSON} {
		c.Links = append(c.Links, rssLink{f.Self[other], "alternate", other.MediaType()})
	}
	for _, l := range f.history(RSS) {
		c.Links = append(c.Links, rssLink{l[1], l[0], RSS.MediaType()})
	}
	for i := range entries {
		c.Items = append(c.Items, newRSSItem(&entries[i]))
	}
	root := &rssRoot{
		Version: "2.0", Atom: "http://www.w3.org/2005/Atom", Content: "http://purl.org/rss/1.0/modules/content/",
		DC: "http://purl.org/dc/elements/1.1/", DCTerms: "http://purl.org/dc/terms/", Media: mediaSpace, Channel: c,
	}
	if f.Archive != "" {
		root.History, c.Archive = historySpace, &empty{}
	}
	return feeds.WriteXML(root, w)
}

func newRSSItem(e *Entry) *rssItem {
	i := &rssItem{More: make([]byte, 0, room(e))}
	i.Link, i.Guid = e.URL, &feeds.RssGuid{Id: e.ID, IsPermaLink: "false"}
	i.PubDate = e.Published.UTC().Format(rfc822)
	if n := e.Enclosure; n != nil {
		i.Enclosure = &feeds.RssEnclosure{Url: n.URL, Length: strconv.FormatInt(n.Bytes, 10), Type: n.Type}
	}
	m := (*markup)(&i.More)
	m.plain(3, "title", e.Title)
	// The description stands before the content: some readers show whichever comes last.
	if e.Summary != "" {
		m.element(3, "description", html.EscapeString(e.Summary))
	}
	m.html(3, "content:encoded", e.HTML)
	m.element(3, "atom:updated", rfc3339(e.Updated))
	m.element(3, "dcterms:modified", rfc3339(e.Updated))
	// A category has no attributes: some readers make objects of one with a domain.
	for _, t := range e.Tags {
		m.element(3, "category", t.Label)
	}
	// There is no author: RSS wants an e-mail address there, which we do not publish.
	for _, a := range e.Authors {
		m.element(3, "dc:creator", a.Name)
	}
	if e.Language != "" {
		m.element(3, "dc:language", e.Language)
	}
	if e.Source.FeedURL != "" {
		m.element(3, "source", e.Source.Title, "url", e.Source.FeedURL)
	}
	m.media(3, e)
	return i
}
