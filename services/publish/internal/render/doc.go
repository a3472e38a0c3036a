// Package render writes feeds: RSS 2.0, Atom 1.0 (RFC 4287) and JSON Feed 1.1.
//
// It is the only door to gorilla/feeds. The library's own conversion is not used, because it writes elements that
// validators refuse (a bare name in <author>, a <source> without url, random ids) and has no room for what readers
// want. Instead our types embed its exported structs and shadow the fields that are wrong or missing: of two fields with
// one name encoding/xml and encoding/json take the shallower.
// What the library has no field for, which is most of an item, is written as text, see [markup].
//
// The bytes are a function of the arguments alone: there is no clock, no version and no order of a map in them. The
// package neither chooses items nor cleans them.
package render

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"tidings.internal/services/publish/internal/item"
)

// Format is a format of feeds; its text is the ending of a feed's address.
type Format string

// The formats.
const (
	RSS  Format = "rss"
	Atom Format = "atom"
	JSON Format = "json"
)

// Formats lists all formats, in the order in which pages show them.
func Formats() []Format { return []Format{RSS, Atom, JSON} }

// MediaType is the media type without parameters.
func (f Format) MediaType() string {
	switch f {
	case RSS:
		return "application/rss+xml"
	case Atom:
		return "application/atom+xml"
	default:
		return "application/feed+json"
	}
}

// ContentType is the media type as it stands in a response.
func (f Format) ContentType() string { return f.MediaType() + "; charset=utf-8" }

// generator names the program without its version: an upgrade must not change the bytes.
const generator = "Tidings"

// Feed is what a document says of itself. All texts are clean, all addresses absolute.
type Feed struct {
	URN         string
	Title       string
	Description string
	Language    string
	Author      string
	Rights      string
	Icon, Logo  string
	Page        string // the landing page
	Self        map[Format]string
	Hubs        []string
	TTL         int       // minutes
	Created     time.Time // the date of a feed that has no items
	// Older and Newer name the pages of the archive (RFC 5005 section 4) beside this document, "" for none.
	Older, Newer string
	// Archive names the page that this document is; "" is the current document. Of a page Current is where that is.
	Archive string
	Current map[Format]string
	// Ended tells that nothing will come any more.
	Ended bool
}

// ArchivePage is the address of a page of the archive in a format.
func (f *Feed) ArchivePage(name string, format Format) string {
	return f.Page + "/archive/" + name + "." + string(format)
}

// history lists the links of the archive by their relations (RFC 5005 section 4).
func (f *Feed) history(format Format) [][2]string {
	var list [][2]string
	if f.Archive != "" {
		list = append(list, [2]string{"current", f.Current[format]})
		if f.Newer != "" {
			list = append(list, [2]string{"next-archive", f.ArchivePage(f.Newer, format)})
		}
	}
	if f.Older != "" {
		list = append(list, [2]string{"prev-archive", f.ArchivePage(f.Older, format)})
	}
	return list
}

// historySpace is the namespace of RFC 5005. It is declared only where it is used.
const historySpace = "http://purl.org/syndication/history/1.0"

// empty is an element that says everything by being there.
type empty struct{}

// Entry is an item in a feed, with the other articles of its story that stand back for it.
type Entry struct {
	*item.Item
	Also []Also
}

// Also is another article of the same story.
type Also struct {
	Title string `json:"title"`
	URL   string `json:"url"`
}

// Document writes a feed in a format.
func Document(f *Feed, entries []Entry, format Format) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(size(entries))
	var err error
	switch format {
	case RSS:
		err = writeRSS(&b, f, entries)
	case Atom:
		err = writeAtom(&b, f, entries)
	case JSON:
		err = writeJSON(&b, f, entries)
	default:
		err = fmt.Errorf("there is no format %q", format)
	}
	if err != nil {
		return nil, fmt.Errorf("render %s as %s: %w", f.Page, format, err)
	}
	return b.Bytes(), nil
}

// size is about what a document takes, a little more rather than less: a buffer that grows is copied each time.
func size(entries []Entry) int {
	n := 4 << 10
	for i := range entries {
		n += room(&entries[i])
	}
	return n
}

// room is about what an item takes.
func room(e *Entry) int { return 2<<10 + len(e.HTML)*9/8 + 2*len(e.Summary) + 200*len(e.Tags) }

// newest returns the time of the latest change, zero when there are no entries.
func newest(entries []Entry) time.Time {
	var t time.Time
	for _, e := range entries {
		if e.Updated.After(t) {
			t = e.Updated
		}
	}
	return t
}

// plain is text that a reader might take for HTML. Its special characters are written as numbers, which tells the W3C
// validator, and readers that look at the source, that they are meant.
type plain struct {
	Text string `xml:",innerxml"`
}

func text(s string) plain { return plain{numbers.Replace(s)} }

var numbers = strings.NewReplacer("&", "&#x26;", "<", "&#x3C;", ">", "&#x3E;")

// rfc3339 writes a time as Atom and JSON Feed want it.
func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339) }
