// Package opml reads and writes lists of feeds as OPML (opml.org/spec2.opml), the form in which readers exchange them.
//
// It is a list of feeds and nothing else: what an outline says beyond its address, title, language and the folders that
// it lies in is left out, unless it is said in our own namespace ([Namespace]), in which a list that was written here is
// read back as it was.
package opml

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html/charset"

	"tidings.internal/pkg/fault"
)

// What a list may hold. A folder's name becomes a tag.
const (
	MaxBytes    = 10 << 20
	MaxOutlines = 100_000
	maxDepth    = 50
	maxText     = 500
)

// Namespace is that of the attributes that other readers do not know: id, tags, every, fulltext, syndicate, rights,
// websub, deletions and filters, in the words of the section sources of the configuration.
const Namespace = "urn:tidings:opml:1"

// Outline is one feed of a list, or an outline that looks like one and is not taken.
type Outline struct {
	Title    string
	URL      string
	Language string
	Tags     []string // the folders that it lies in, and its categories
	// Own are the attributes of [Namespace].
	Own map[string]string
	// Line is where it stands in the file, 0 for one that was not read.
	Line int
	// Skipped says why it is not taken: it names another list, or a feed that the list has before.
	Skipped string
}

// Read returns the feeds of a list in their order. A list that is none, too large or too deep is refused as a whole:
// half of one would look like all of it.
func Read(r io.Reader) ([]Outline, error) {
	in := &io.LimitedReader{R: r, N: MaxBytes + 1}
	d := xml.NewDecoder(in)
	d.Strict = false
	d.Entity = xml.HTMLEntity
	d.CharsetReader = charset.NewReaderLabel
	l := reader{seen: map[string]int{}}
	for {
		t, err := d.Token()
		switch {
		case in.N <= 0:
			return nil, fault.Errorf(fault.TooLarge, "read the list of sources: it is larger than %d MB", MaxBytes>>20)
		case errors.Is(err, io.EOF) && !l.root:
			return nil, fault.Errorf(fault.Invalid, "read the list of sources: it is no OPML")
		case errors.Is(err, io.EOF):
			return l.list, nil
		case err != nil:
			line, column := d.InputPos()
			return nil, fault.Errorf(fault.Invalid, "read the list of sources: line %d, column %d: %w", line, column, err)
		}
		l.line, _ = d.InputPos()
		if err := l.token(t); err != nil {
			return nil, err
		}
	}
}

type reader struct {
	root    bool
	line    int
	folders []string // names of the outlines around, "" for one without
	list    []Outline
	seen    map[string]int
}

func (l *reader) token(t xml.Token) error {
	switch t := t.(type) {
	case xml.StartElement:
		name := strings.ToLower(t.Name.Local)
		switch {
		case name == "opml":
			l.root = true
		case !l.root:
			return fault.Errorf(fault.Invalid, "read the list of sources: it is no OPML but begins with <%.40q>", t.Name.Local)
		case name == "outline":
			return l.outline(t.Attr)
		}
	case xml.Directive:
		// A list needs no document type. Its entities are how a small file becomes a large one.
		return fault.Errorf(fault.Invalid, "read the list of sources: line %d: a document type is not taken", l.line)
	case xml.EndElement:
		if strings.EqualFold(t.Name.Local, "outline") && len(l.folders) > 0 {
			l.folders = l.folders[:len(l.folders)-1]
		}
	}
	return nil
}

func (l *reader) outline(attrs []xml.Attr) error {
	a, own := map[string]string{}, map[string]string(nil)
	for _, x := range attrs {
		switch x.Name.Space {
		case "":
			a[strings.ToLower(x.Name.Local)] = strings.TrimSpace(x.Value)
		case Namespace:
			if own == nil {
				own = map[string]string{}
			}
			own[x.Name.Local] = x.Value
		}
	}
	title := a["text"]
	if title == "" {
		title = a["title"]
	}
	if len(l.folders) == maxDepth {
		return fault.Errorf(fault.Invalid, "read the list of sources: its folders lie more than %d deep", maxDepth)
	}
	kind := strings.ToLower(a["type"])
	if a["xmlurl"] == "" && kind != "rss" && kind != "link" && kind != "include" {
		l.folders = append(l.folders, clip(title))
		return nil
	}
	l.folders = append(l.folders, "") // a feed within a feed is no folder of it
	if len(l.list) == MaxOutlines {
		return fault.Errorf(fault.TooLarge, "read the list of sources: it names more than %d feeds", MaxOutlines)
	}
	if u, err := url.Parse(a["xmlurl"]); title == "" && err == nil {
		title = u.Host
	}
	o := Outline{Title: clip(title), URL: a["xmlurl"], Language: a["language"], Tags: l.tags(a["category"]), Own: own, Line: l.line}
	first, again := l.seen[o.URL]
	switch {
	case o.URL == "" && kind != "rss":
		o.Skipped = "it points to another list, which is not followed"
	case again:
		o.Skipped = fmt.Sprintf("it names the feed of line %d once more; its folders became tags there", l.list[first].Line)
		for _, t := range o.Tags {
			if !slices.Contains(l.list[first].Tags, t) {
				l.list[first].Tags = append(l.list[first].Tags, t)
			}
		}
	case o.URL != "":
		l.seen[o.URL] = len(l.list)
	}
	l.list = append(l.list, o)
	return nil
}

// tags are the folders around, and categories: "news,/topics/rail" is news and rail (OPML 2.0, "category").
func (l *reader) tags(categories string) []string {
	var out []string
	add := func(t string) {
		if t = clip(strings.TrimSpace(t)); t != "" && !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	for _, f := range l.folders {
		add(f)
	}
	for c := range strings.SplitSeq(categories, ",") {
		add(c[strings.LastIndexByte(strings.TrimRight(c, "/"), '/')+1:])
	}
	return out
}

// clip bounds a text and makes one line of it.
func clip(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "")), " ")
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "")
	}
	return s
}

type document struct {
	XMLName xml.Name  `xml:"opml"`
	Version string    `xml:"version,attr"`
	Own     string    `xml:"xmlns:tidings,attr"`
	Title   string    `xml:"head>title"`
	Body    []outline `xml:"body>outline"`
}

type outline struct {
	Type     string     `xml:"type,attr"`
	Text     string     `xml:"text,attr"`
	Title    string     `xml:"title,attr"`
	URL      string     `xml:"xmlUrl,attr"`
	Language string     `xml:"language,attr,omitempty"`
	Category string     `xml:"category,attr,omitempty"`
	Own      []xml.Attr `xml:",any,attr"`
}

// Write writes a list that [Read] reads back as it is.
func Write(w io.Writer, list []Outline) error {
	doc := document{Version: "2.0", Own: Namespace, Title: "Sources"}
	for _, o := range list {
		var tags []string
		for _, t := range o.Tags {
			// A comma and a slash mean something in a category.
			tags = append(tags, strings.NewReplacer(",", " ", "/", " ").Replace(t))
		}
		line := outline{Type: "rss", Text: o.Title, Title: o.Title, URL: o.URL, Language: o.Language, Category: strings.Join(tags, ",")}
		for _, name := range slices.Sorted(maps.Keys(o.Own)) {
			line.Own = append(line.Own, xml.Attr{Name: xml.Name{Local: "tidings:" + name}, Value: o.Own[name]})
		}
		doc.Body = append(doc.Body, line)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return fmt.Errorf("write the list of sources: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}
