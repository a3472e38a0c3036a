// Package page writes the HTML that people see: the landing page of a feed and the index of all feeds, and the list of
// feeds as OPML.
//
// Pages have no script, no picture from elsewhere and one style sheet of ours, which their Content-Security-Policy
// holds them to. Every text in them is escaped by html/template. Addresses within a page are relative, so that it works
// behind any proxy; those that readers copy are absolute.
package page

import (
	"bytes"
	_ "embed" // for the templates and the style sheet
	"encoding/xml"
	"fmt"
	"html/template"
	"time"

	"tidings.internal/services/publish/internal/feed"
	"tidings.internal/services/publish/internal/render"
)

// Policy is the Content-Security-Policy of all pages.
const Policy = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// Style is the style sheet, served as style.css beside the index.
//
//go:embed style.css
var Style []byte

//go:embed feed.html
var feedText string

//go:embed index.html
var indexText string

var functions = template.FuncMap{
	"day":  func(t time.Time) string { return t.UTC().Format("2 January 2006") },
	"iso":  func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"type": func(f render.Format) string { return f.MediaType() },
	"name": name,
	"head": func(f *feed.Feed) *render.Feed { return &f.Head },
	"self": func(f *render.Feed, format render.Format) string { return f.Self[format] },
}

var (
	feedPage  = template.Must(template.New("feed").Funcs(functions).Parse(feedText))
	indexPage = template.Must(template.New("index").Funcs(functions).Parse(indexText))
)

func name(f render.Format) string {
	switch f {
	case render.RSS:
		return "RSS"
	case render.Atom:
		return "Atom"
	default:
		return "JSON Feed"
	}
}

// Feed writes the landing page of a feed. index says whether search engines may list it.
func Feed(f *render.Feed, entries []render.Entry, index bool) ([]byte, error) {
	return write(feedPage, map[string]any{"Feed": f, "Entries": entries, "Index": index, "Formats": render.Formats()})
}

// List is a newsletter as the index shows it.
type List struct {
	Path                         string // of its page, relative to the index
	Title, Description, Language string
}

// Index writes the list of feeds, and of the newsletters if there are any.
func Index(title, description, language string, feeds []*feed.Feed, lists []List) ([]byte, error) {
	return write(indexPage, map[string]any{
		"Title": title, "Description": description, "Language": language, "Feeds": feeds, "Lists": lists, "Formats": render.Formats(),
	})
}

func write(t *template.Template, data any) ([]byte, error) {
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return nil, fmt.Errorf("write page %s: %w", t.Name(), err)
	}
	return b.Bytes(), nil
}

type opml struct {
	XMLName  xml.Name  `xml:"opml"`
	Version  string    `xml:"version,attr"`
	Title    string    `xml:"head>title"`
	Outlines []outline `xml:"body>outline"`
}

type outline struct {
	Type     string `xml:"type,attr"`
	Text     string `xml:"text,attr"`
	Title    string `xml:"title,attr"`
	XMLURL   string `xml:"xmlUrl,attr"`
	HTMLURL  string `xml:"htmlUrl,attr"`
	Language string `xml:"language,attr,omitempty"`
	Version  string `xml:"version,attr"`
}

// OPML writes the list of feeds for readers that subscribe to all at once (OPML 2.0).
func OPML(title string, feeds []*feed.Feed) ([]byte, error) {
	o := opml{Version: "2.0", Title: title}
	for _, f := range feeds {
		o.Outlines = append(o.Outlines, outline{"rss", f.Head.Title, f.Head.Title, f.Head.Self[render.RSS], f.Head.Page, f.Head.Language, "RSS2"})
	}
	body, err := xml.MarshalIndent(o, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write OPML: %w", err)
	}
	return append([]byte(xml.Header), append(body, '\n')...), nil
}
