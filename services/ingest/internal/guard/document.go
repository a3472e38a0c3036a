package guard

import (
	"bytes"
	"net/url"
	"strings"

	"tidings.internal/services/ingest/internal/cause"
)

// Format is the family of a document.
type Format string

// The formats.
const (
	RSS  Format = "rss" // with RSS 0.9 and 1.0, whose root is rdf:RDF
	Atom Format = "atom"
	JSON Format = "json"
)

// Document is a scanned document, fit for the parser.
type Document struct {
	Format Format
	// Data is the root element alone, or the JSON text.
	Data []byte
	// Head notes what stands at the top of the feed, Items what stands in each item, in the parser's order.
	Head  Element
	Items []Element
	// Cut tells that the document ended before its root did; an item that was open then is left out.
	Cut bool
	// Beyond tells that items past [MaxItems] were cut off.
	Beyond bool
	// Repairs counts the places that were not well-formed.
	Repairs int
}

// Element is what the side table keeps of a feed or an item.
type Element struct {
	Lang, Base string // in force, Base as written and perhaps relative
	About      string // rdf:about
	Fields     []Field
}

// Field is a child of a feed or item with what the parser loses of it.
type Field struct {
	// Name is the local name in lower case. Only native elements, content:encoded and xhtml:body are kept.
	Name string
	// Inner is the text between the tags, byte for byte.
	Inner          []byte
	Type, Mode     string
	Href, Rel, Src string
	Lang, Base     string
}

// Find gives the first field of a name, nil when there is none.
func (e *Element) Find(names ...string) *Field {
	for _, name := range names {
		for i := range e.Fields {
			if e.Fields[i].Name == name {
				return &e.Fields[i]
			}
		}
	}
	return nil
}

// Scan reads a document that is clean UTF-8. The error is a *cause.Error.
func Scan(data []byte) (*Document, error) {
	trimmed := bytes.TrimLeft(data, " \t\r\n\uFEFF")
	if len(trimmed) == 0 {
		return nil, cause.Errorf(cause.NotAFeed, "scan document: it is empty")
	}
	if trimmed[0] == '{' {
		return scanJSON(trimmed)
	}
	s := &scanner{b: data, names: map[string]name{}}
	if err := s.root(); err != nil {
		return nil, err
	}
	if err := s.run(); err != nil {
		return nil, err
	}
	return s.document(), nil
}

// wanted are the fields that the side table keeps: those of which the parser loses type, base, or bytes.
var wanted = map[string]bool{
	"title": true, "subtitle": true, "tagline": true, "rights": true, "copyright": true, "summary": true, "content": true,
	"description": true, "encoded": true, "id": true, "guid": true, "link": true, "info": true, "icon": true, "logo": true,
	"enclosure": true, "comments": true,
}

// resolveBase gives the base that holds inside an element with an xml:base (RFC 3986 section 5). Both may be relative;
// whoever knows the document's own address resolves the rest.
func resolveBase(outer, own string) string {
	own = strings.TrimSpace(own)
	u, err := url.Parse(own)
	if err != nil || own == "" {
		return outer
	}
	base, err := url.Parse(outer)
	if err != nil || outer == "" {
		return own
	}
	if !base.IsAbs() && !u.IsAbs() && base.Host == "" && base.Path != "" && base.Path[0] != '/' {
		// Two relative paths: net/url would make the result absolute.
		joined := base.ResolveReference(u)
		joined.Path = strings.TrimPrefix(joined.Path, "/")
		return joined.String()
	}
	return base.ResolveReference(u).String()
}
