package render

import (
	"strconv"
	"strings"
)

// markup is what stands in an item beside the elements of the library: XML written straight to bytes, since going through
// reflection for each of an item's thirty elements and forty attributes takes longer than all of its text. It is put in as
// inner XML, so it brings its own line breaks, in the form of encoding/xml.
//
// The texts of items are clean ([clean.Text]): nothing in them is forbidden in XML, and five characters are escaped.
type markup []byte

// escape is that of encoding/xml, so that a text looks alike wherever it stands.
var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;", "\t", "&#x9;", "\n", "&#xA;", "\r", "&#xD;")

// open begins an element on a line of its own at a depth. Of its attributes, which are names and values in turns, those
// without a value are left out.
func (m *markup) open(depth int, name string, attributes ...string) {
	b := append(*m, '\n')
	for range depth {
		b = append(b, "  "...)
	}
	b = append(append(b, '<'), name...)
	for i := 0; i < len(attributes); i += 2 {
		if attributes[i+1] != "" {
			b = append(append(append(b, ' '), attributes[i]...), `="`...)
			b = append(append(b, escape.Replace(attributes[i+1])...), '"')
		}
	}
	*m = append(b, '>')
}

func (m *markup) close(name string) {
	*m = append(append(append(*m, "</"...), name...), '>')
}

// end is [markup.close] on a line of its own.
func (m *markup) end(depth int, name string) {
	b := append(*m, '\n')
	for range depth {
		b = append(b, "  "...)
	}
	*m = b
	m.close(name)
}

// element writes an element whose content is text.
func (m *markup) element(depth int, name, content string, attributes ...string) {
	m.open(depth, name, attributes...)
	*m = append(*m, escape.Replace(content)...)
	m.close(name)
}

// plain writes text that a reader might take for HTML, see [text]; none where there is none.
func (m *markup) plain(depth int, name, content string) {
	if content == "" {
		return
	}
	m.open(depth, name)
	*m = append(*m, text(content).Text...)
	m.close(name)
}

// html writes HTML as CDATA, which takes a fraction of the time of escaping it as text.
func (m *markup) html(depth int, name, content string, attributes ...string) {
	if content == "" {
		return
	}
	m.open(depth, name, attributes...)
	*m = append(*m, "<![CDATA["...)
	*m = append(*m, strings.ReplaceAll(content, "]]>", "]]]]><![CDATA[>")...)
	*m = append(*m, "]]>"...)
	m.close(name)
}

// mediaSpace is the name space of Media RSS.
const mediaSpace = "http://search.yahoo.com/mrss/"

// media writes the lead image by Media RSS 1.5.1.
func (m *markup) media(depth int, e *Entry) {
	i := e.Image
	if i == nil {
		return
	}
	m.open(depth, "media:content", "url", i.URL, "fileSize", number(i.Bytes), "type", i.Type, "medium", "image", "width", number(int64(i.Width)), "height", number(int64(i.Height)))
	if i.Alt != "" {
		m.element(depth+1, "media:description", i.Alt, "type", "plain")
	}
	if i.Credit != "" {
		m.element(depth+1, "media:credit", i.Credit)
	}
	m.element(depth+1, "media:thumbnail", "", "url", i.URL)
	m.end(depth, "media:content")
}

// number writes a quantity, nothing for one that is not known.
func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}
