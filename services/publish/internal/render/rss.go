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

type rssItem struct {
	XMLName xml.Name `xml:"item"`
	feeds.RssItem
	Title plain `xml:"title"`
	// Description stands before the content: some readers show whichever comes last.
	Description string            `xml:"description,omitempty"`
	Content     *feeds.RssContent `xml:"content:encoded"`
	Updated     string            `xml:"atom:updated"`
	Modified    string            `xml:"dcterms:modified"`
	// Category has no attributes: some readers make objects of a category with a domain.
	Category []string   `xml:"category"`
	Creator  []string   `xml:"dc:creator"`
	Language string     `xml:"dc:language,omitempty"`
	Source   *rssSource `xml:"source"`
	Media    *media     `xml:"media:content"`
	// Author stays nil: RSS wants an e-mail address there, which we do not publish.
	Author *struct{} `xml:"author"`
}

type rssSource struct {
	URL   string `xml:"url,attr"`
	Title string `xml:",chardata"`
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
	i := &rssItem{Title: text(e.Title), Description: html.EscapeString(e.Summary)}
	i.Link, i.Guid = e.URL, &feeds.RssGuid{Id: e.ID, IsPermaLink: "false"}
	i.PubDate = e.Published.UTC().Format(rfc822)
	i.Updated, i.Modified = rfc3339(e.Updated), rfc3339(e.Updated)
	if e.HTML != "" {
		i.Content = &feeds.RssContent{Content: e.HTML}
	}
	for _, t := range e.Tags {
		i.Category = append(i.Category, t.Label)
	}
	for _, a := range e.Authors {
		i.Creator = append(i.Creator, a.Name)
	}
	i.Language = e.Language
	if e.Source.FeedURL != "" {
		i.Source = &rssSource{e.Source.FeedURL, e.Source.Title}
	}
	if n := e.Enclosure; n != nil {
		i.Enclosure = &feeds.RssEnclosure{Url: n.URL, Length: strconv.FormatInt(n.Bytes, 10), Type: n.Type}
	}
	i.Media = newMedia(e)
	return i
}

// mediaSpace is the name space of Media RSS.
const mediaSpace = "http://search.yahoo.com/mrss/"

// media is the lead image by Media RSS 1.5.1.
type media struct {
	URL         string      `xml:"url,attr"`
	FileSize    int64       `xml:"fileSize,attr,omitempty"`
	Type        string      `xml:"type,attr,omitempty"`
	Medium      string      `xml:"medium,attr"`
	Width       int         `xml:"width,attr,omitempty"`
	Height      int         `xml:"height,attr,omitempty"`
	Description *mediaText  `xml:"media:description"`
	Credit      string      `xml:"media:credit,omitempty"`
	Thumbnail   *mediaThumb `xml:"media:thumbnail"`
}

type mediaText struct {
	Type string `xml:"type,attr"`
	Text string `xml:",chardata"`
}

type mediaThumb struct {
	URL string `xml:"url,attr"`
}

func newMedia(e *Entry) *media {
	m := e.Image
	if m == nil {
		return nil
	}
	out := &media{
		URL: m.URL, FileSize: m.Bytes, Type: m.Type, Medium: "image", Width: m.Width, Height: m.Height,
		Credit: m.Credit, Thumbnail: &mediaThumb{m.URL},
	}
	if m.Alt != "" {
		out.Description = &mediaText{"plain", m.Alt}
	}
	return out
}
