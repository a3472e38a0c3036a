package origintest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// document is an answer before a step spoils it.
type document struct {
	status       int
	contentType  string
	body         []byte
	etag         string
	lastModified time.Time
}

// document renders the feed as it is now.
func (f *Feed) document(format Format) document {
	f.mu.Lock()
	defer f.mu.Unlock()
	var d document
	switch format {
	case RSS:
		d.contentType, d.body = "application/rss+xml; charset=utf-8", f.rss()
	case Atom:
		d.contentType, d.body = "application/atom+xml; charset=utf-8", f.atom()
	case JSON:
		d.contentType, d.body = "application/feed+json", f.json()
	}
	if f.etag {
		sum := sha256.Sum256(d.body)
		d.etag = `"` + hex.EncodeToString(sum[:8]) + `"`
	}
	if f.lastModified {
		d.lastModified = f.changed.Truncate(time.Second)
	}
	return d
}

// write answers r, with 304 where a validator matches. If-None-Match wins over If-Modified-Since (RFC 9110 section
// 13.2.2), which matters here since two edits often fall into one second.
func (d document) write(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	d.head(h)
	if d.fresh(r) {
		h.Del("Content-Type")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if d.status != 0 {
		w.WriteHeader(d.status)
	}
	_, _ = w.Write(d.body) // a client that went away is no concern of ours
}

func (d document) head(h http.Header) {
	h.Set("Content-Type", d.contentType)
	if d.etag != "" {
		h.Set("Etag", d.etag)
	}
	if !d.lastModified.IsZero() {
		h.Set("Last-Modified", d.lastModified.UTC().Format(http.TimeFormat))
	}
}

func (d document) fresh(r *http.Request) bool {
	if tag := r.Header.Get("If-None-Match"); tag != "" {
		return d.etag != "" && tag == d.etag
	}
	since, err := http.ParseTime(r.Header.Get("If-Modified-Since"))
	return err == nil && !d.lastModified.IsZero() && !d.lastModified.After(since)
}

func (f *Feed) rss() []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	b.WriteString(`<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/">` + "\n<channel>\n")
	element(&b, "title", f.title)
	element(&b, "link", f.origin.URL("/"))
	element(&b, "description", f.title)
	element(&b, "language", f.language)
	for _, it := range f.items {
		b.WriteString("<item>\n")
		element(&b, "title", it.Title)
		element(&b, "link", it.URL)
		if it.ID != "" {
			fmt.Fprintf(&b, "<guid isPermaLink=\"%t\">%s</guid>\n", it.ID == it.URL, escape(it.ID))
		}
		element(&b, "description", it.Summary)
		element(&b, "content:encoded", it.Content)
		element(&b, "dc:creator", it.Author)
		element(&b, "dc:language", it.Language)
		for _, t := range it.Tags {
			element(&b, "category", t)
		}
		if !it.Published.IsZero() {
			element(&b, "pubDate", it.Published.Format(time.RFC1123Z))
		}
		if it.Enclosure != "" {
			fmt.Fprintf(&b, "<enclosure url=\"%s\" type=\"%s\" length=\"0\"/>\n", escape(it.Enclosure), escape(it.EnclosureType))
		}
		b.WriteString("</item>\n")
	}
	b.WriteString("</channel>\n</rss>\n")
	return b.Bytes()
}

func (f *Feed) atom() []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	b.WriteString(`<feed xmlns="http://www.w3.org/2005/Atom"`)
	if f.language != "" {
		fmt.Fprintf(&b, ` xml:lang="%s"`, escape(f.language))
	}
	b.WriteString(">\n")
	element(&b, "title", f.title)
	element(&b, "id", "tag:origin.test,2026:"+f.name)
	element(&b, "updated", f.latest().Format(time.RFC3339))
	fmt.Fprintf(&b, "<link rel=\"self\" href=\"%s\"/>\n", escape(f.URL(Atom)))
	for _, it := range f.items {
		b.WriteString("<entry")
		if it.Language != "" {
			fmt.Fprintf(&b, ` xml:lang="%s"`, escape(it.Language))
		}
		b.WriteString(">\n")
		element(&b, "title", it.Title)
		element(&b, "id", it.ID)
		if it.URL != "" {
			fmt.Fprintf(&b, "<link rel=\"alternate\" href=\"%s\"/>\n", escape(it.URL))
		}
		if it.Enclosure != "" {
			fmt.Fprintf(&b, "<link rel=\"enclosure\" href=\"%s\" type=\"%s\"/>\n", escape(it.Enclosure), escape(it.EnclosureType))
		}
		if it.Author != "" {
			fmt.Fprintf(&b, "<author><name>%s</name></author>\n", escape(it.Author))
		}
		if !it.Published.IsZero() {
			element(&b, "published", it.Published.Format(time.RFC3339))
		}
		element(&b, "updated", it.at().Format(time.RFC3339))
		for _, t := range it.Tags {
			fmt.Fprintf(&b, "<category term=\"%s\"/>\n", escape(t))
		}
		markup(&b, "summary", it.Summary)
		markup(&b, "content", it.Content)
		b.WriteString("</entry>\n")
	}
	b.WriteString("</feed>\n")
	return b.Bytes()
}

func (f *Feed) json() []byte {
	type author struct {
		Name string `json:"name"`
	}
	type attachment struct {
		URL  string `json:"url"`
		Type string `json:"mime_type"`
	}
	type item struct {
		ID          string       `json:"id"`
		URL         string       `json:"url,omitempty"`
		Title       string       `json:"title,omitempty"`
		Summary     string       `json:"summary,omitempty"`
		Content     string       `json:"content_html"`
		Language    string       `json:"language,omitempty"`
		Tags        []string     `json:"tags,omitempty"`
		Authors     []author     `json:"authors,omitempty"`
		Published   string       `json:"date_published,omitempty"`
		Updated     string       `json:"date_modified,omitempty"`
		Attachments []attachment `json:"attachments,omitempty"`
	}
	items := make([]item, 0, len(f.items))
	for _, it := range f.items {
		o := item{
			ID: it.ID, URL: it.URL, Title: it.Title, Summary: it.Summary, Content: it.Content, Language: it.Language,
			Tags: it.Tags,
		}
		if it.Author != "" {
			o.Authors = []author{{it.Author}}
		}
		if !it.Published.IsZero() {
			o.Published = it.Published.Format(time.RFC3339)
		}
		if !it.Updated.IsZero() {
			o.Updated = it.Updated.Format(time.RFC3339)
		}
		if it.Enclosure != "" {
			o.Attachments = []attachment{{it.Enclosure, it.EnclosureType}}
		}
		items = append(items, o)
	}
	b, err := json.Marshal(map[string]any{
		"version": "https://jsonfeed.org/version/1.1", "title": f.title, "language": f.language,
		"home_page_url": f.origin.URL("/"), "feed_url": f.URL(JSON), "items": items,
	})
	if err != nil {
		panic("render JSON Feed: " + err.Error()) // strings and slices of them cannot fail
	}
	return append(b, '\n')
}

// latest is the newest time of any item, so that the document depends on its items alone.
func (f *Feed) latest() time.Time {
	newest := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	for _, it := range f.items {
		if at := it.at(); at.After(newest) {
			newest = at
		}
	}
	return newest
}

// at is when the item last changed by its own word.
func (it Item) at() time.Time {
	if it.Updated.IsZero() {
		return it.Published
	}
	return it.Updated
}

// element writes an element with text; markup one with HTML as Atom wants it. Empty ones are left out.
func element(b *bytes.Buffer, name, text string) {
	if text != "" {
		fmt.Fprintf(b, "<%s>%s</%s>\n", name, escape(text), name)
	}
}

func markup(b *bytes.Buffer, name, html string) {
	if html != "" {
		fmt.Fprintf(b, "<%s type=\"html\">%s</%s>\n", name, escape(html), name)
	}
}

// escape makes text fit for XML. Text that XML cannot hold, such as a NUL, goes out as U+FFFD.
func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder does not fail
	return b.String()
}
