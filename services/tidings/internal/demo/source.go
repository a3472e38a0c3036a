package demo

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"strings"
	"time"
)

// source is one of the three feeds of the origin. Each speaks another format.
type source struct {
	id, title, about, path, mime string
	render                       func(s source, base string, started time.Time, list, gone []Article) ([]byte, error)
}

func sources() []source {
	return []source{
		{"rundschau", "Rundschau am Fluss", "Berichte aus Stadt und Betrieb", "/rundschau.rss", "application/rss+xml; charset=utf-8", rss},
		{"notebook", "The Coastal Notebook", "Small stories about things that work", "/notebook.atom", "application/atom+xml; charset=utf-8", atom},
		{"kaleidoskop", "Kaleidoskop", "Stories in five languages", "/kaleidoskop.json", "application/feed+json; charset=utf-8", jsonFeed},
	}
}

func guid(a Article) string              { return "tag:demo.tidings.internal,2024:" + a.Name }
func link(base string, a Article) string { return base + "/articles/" + a.Name }

type rssFeed struct {
	XMLName xml.Name `xml:"rss"`
	Version string   `xml:"version,attr"`
	Content string   `xml:"xmlns:content,attr"`
	DC      string   `xml:"xmlns:dc,attr"`
	Channel struct {
		Title       string    `xml:"title"`
		Link        string    `xml:"link"`
		Description string    `xml:"description"`
		Items       []rssItem `xml:"item"`
	} `xml:"channel"`
}

type rssItem struct {
	Title    string   `xml:"title"`
	Link     string   `xml:"link"`
	GUID     rssGUID  `xml:"guid"`
	Date     string   `xml:"pubDate"`
	Creator  string   `xml:"dc:creator"`
	Language string   `xml:"dc:language,omitempty"`
	Category []string `xml:"category"`
	Summary  string   `xml:"description,omitempty"`
	Body     *cdata   `xml:"content:encoded"`
}

type rssGUID struct {
	Permalink bool   `xml:"isPermaLink,attr"`
	ID        string `xml:",chardata"`
}

type cdata struct {
	Text string `xml:",cdata"`
}

// rss writes no language: most feeds do not either, and enrich is to find it.
func rss(s source, base string, started time.Time, list, _ []Article) ([]byte, error) {
	f := rssFeed{Version: "2.0", Content: "http://purl.org/rss/1.0/modules/content/", DC: "http://purl.org/dc/elements/1.1/"}
	f.Channel.Title, f.Channel.Link, f.Channel.Description = s.title, base+"/", s.about
	for _, a := range list {
		i := rssItem{
			// Twice: the title of an RSS item may hold markup, and a reader decodes entities in it once more.
			Title: html.EscapeString(a.Title), Link: link(base, a), GUID: rssGUID{ID: guid(a)},
			Date: a.Published(started).Format(time.RFC1123Z), Creator: a.Author, Category: a.Tags, Summary: a.Summary,
			Body: &cdata{a.Body},
		}
		f.Channel.Items = append(f.Channel.Items, i)
	}
	return document(f)
}

type atomFeed struct {
	XMLName xml.Name      `xml:"http://www.w3.org/2005/Atom feed"`
	ID      string        `xml:"id"`
	Title   string        `xml:"title"`
	Sub     string        `xml:"subtitle"`
	Updated string        `xml:"updated"`
	Space   string        `xml:"xmlns:at,attr"`
	Links   []atomLink    `xml:"link"`
	Deleted []atomDeleted `xml:"at:deleted-entry"`
	Entries []atomEntry   `xml:"entry"`
}

// atomDeleted says that an entry was taken back (RFC 6721).
type atomDeleted struct {
	Ref  string `xml:"ref,attr"`
	When string `xml:"when,attr"`
}

type atomLink struct {
	Rel  string `xml:"rel,attr"`
	Href string `xml:"href,attr"`
}

type atomEntry struct {
	ID        string   `xml:"id"`
	Title     string   `xml:"title"`
	Links     atomLink `xml:"link"`
	Published string   `xml:"published"`
	Updated   string   `xml:"updated"`
	Author    struct {
		Name string `xml:"name"`
	} `xml:"author"`
	Categories []atomCategory `xml:"category"`
	Content    atomText       `xml:"content"`
}

type atomCategory struct {
	Term string `xml:"term,attr"`
}

type atomText struct {
	Type string `xml:"type,attr"`
	Text string `xml:",chardata"`
}

// atom gives no more of an article than how it begins, as many feeds do: the rest stands on its page.
func atom(s source, base string, started time.Time, list, gone []Article) ([]byte, error) {
	f := atomFeed{ID: "tag:demo.tidings.internal,2024:" + s.id, Title: s.title, Sub: s.about, Space: "http://purl.org/atompub/tombstones/1.0", Links: []atomLink{{"self", base + s.path}, {"alternate", base + "/"}}}
	for _, a := range gone {
		f.Deleted = append(f.Deleted, atomDeleted{guid(a), a.at.Format(time.RFC3339)})
	}
	for _, a := range list {
		at := a.Published(started).Format(time.RFC3339)
		changed := at
		if !a.edited.IsZero() {
			changed = a.edited.Format(time.RFC3339)
		}
		f.Updated = max(f.Updated, changed)
		e := atomEntry{ID: guid(a), Title: a.Title, Links: atomLink{"alternate", link(base, a)}, Published: at, Updated: changed, Content: atomText{"html", teaser(a.Body)}}
		e.Author.Name = a.Author
		for _, t := range a.Tags {
			e.Categories = append(e.Categories, atomCategory{t})
		}
		f.Entries = append(f.Entries, e)
	}
	return document(f)
}

// teaser is the first paragraph of a body.
func teaser(body string) string {
	first, _, found := strings.Cut(body, "</p>")
	if !found {
		return body
	}
	return first + " …</p>"
}

func document(v any) ([]byte, error) {
	body, err := xml.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, err
	}
	return append([]byte(xml.Header), append(body, '\n')...), nil
}

type jsonDocument struct {
	Version string     `json:"version"`
	Title   string     `json:"title"`
	Home    string     `json:"home_page_url"`
	Feed    string     `json:"feed_url"`
	About   string     `json:"description"`
	Items   []jsonItem `json:"items"`
}

type jsonItem struct {
	ID        string       `json:"id"`
	URL       string       `json:"url"`
	Title     string       `json:"title"`
	HTML      string       `json:"content_html"`
	Published string       `json:"date_published"`
	Authors   []jsonAuthor `json:"authors"`
	Tags      []string     `json:"tags"`
	Language  string       `json:"language,omitempty"`
}

type jsonAuthor struct {
	Name string `json:"name"`
}

func jsonFeed(s source, base string, started time.Time, list, _ []Article) ([]byte, error) {
	d := jsonDocument{Version: "https://jsonfeed.org/version/1.1", Title: s.title, Home: base + "/", Feed: base + s.path, About: s.about}
	for _, a := range list {
		d.Items = append(d.Items, jsonItem{
			ID: guid(a), URL: link(base, a), Title: a.Title, HTML: a.Body, Published: a.Published(started).Format(time.RFC3339),
			Authors: []jsonAuthor{{a.Author}}, Tags: a.Tags, Language: a.Language,
		})
	}
	return json.MarshalIndent(d, "", "  ")
}

// page is the article's own page. The hostile article stays hostile here: a page that was fetched for its full text
// must be cleaned as well.
func page(a Article) []byte {
	body := a.Body
	if a.Text {
		body = "<pre>" + html.EscapeString(body) + "</pre>"
	}
	var b strings.Builder
	title := html.EscapeString(a.Title)
	fmt.Fprintf(&b, "<!doctype html>\n<html lang=%q>\n<head><meta charset=\"utf-8\"><title>%s</title></head>\n<body>\n<article>\n<h1>%s</h1>\n<p>%s</p>\n%s\n</article>\n</body>\n</html>\n",
		a.Language, title, title, html.EscapeString(a.Author), body)
	return []byte(b.String())
}
