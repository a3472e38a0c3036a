package parse

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/unicode"

	"tidings.internal/pkg/article"
	"tidings.internal/services/ingest/internal/cause"
	"tidings.internal/services/ingest/internal/decode"
)

// whole is a document around items.
func whole(items string) string {
	return `<?xml version="1.0"?><rss version="2.0" xmlns:x="urn:x"><channel><title>t</title>` + items + `</channel></rss>`
}

const plainItem = `<item><title>Eins</title><link>https://example.org/1</link></item>`

// Whatever a stranger sends ends in a document or in a reason, within the time and memory that a poll may cost, and the
// process lives.
func TestHostileDocumentsAreBounded(t *testing.T) {
	for _, c := range []struct {
		name  string
		doc   string
		want  cause.Reason // "" for a document
		check func(t *testing.T, d *Document)
	}{
		{"2.5 million nested tags", whole("<item>" + strings.Repeat("<x:a>", 2_500_000)), cause.TooDeep, nil},
		{"10,000 levels in content", whole("<item><description>" + strings.Repeat("<b>", 10_000) + "</description></item>"), cause.TooDeep, nil},
		{"10,000 levels of escaped content", whole("<item><description>" + strings.Repeat("&lt;b&gt;", 10_000) + "</description></item>"), "", nil},
		{"10,000 levels of xhtml", `<feed xmlns="http://www.w3.org/2005/Atom"><entry><content type="xhtml">` + strings.Repeat("<div>", 10_000), cause.TooDeep, nil},
		{"10,000 levels of html in atom", `<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>1</id><content type="html">` + strings.Repeat("&lt;div&gt;", 100_000) + `</content></entry></feed>`, "", nil},
		{"JSON of 2.5 million levels", `{"version":"https://jsonfeed.org/version/1.1","items":` + strings.Repeat("[", 2_500_000), cause.TooDeep, nil},
		{"100,000 pieces of CDATA", whole("<item><x:e>" + strings.Repeat("<![CDATA[aaa]]>", 100_000) + "</x:e></item>"), cause.TooDense, nil},
		{"a million items", whole(strings.Repeat("<item/>", 1_000_000)), "", func(t *testing.T, d *Document) {
			if !d.Partial || d.Skipped["empty"] != 2000 {
				t.Errorf("partial %v, skipped %v", d.Partial, d.Skipped)
			}
		}},
		{"a title of 19 MB", whole("<item><link>https://example.org/1</link><title>" + strings.Repeat("ä b ", 19<<20/5) + "</title></item>"), "", func(t *testing.T, d *Document) {
			if it := d.Items[0]; len(it.Title) > article.MaxTitle || fmt.Sprint(it.Truncated) != "[title]" {
				t.Errorf("%d bytes of title, truncated %v", len(it.Title), it.Truncated)
			}
		}},
		{"10,000 categories", whole("<item><title>a</title>" + strings.Repeat("<category>c</category>", 5000) + categories(5000) + "</item>"), "", func(t *testing.T, d *Document) {
			if it := d.Items[0]; len(it.Categories) != article.MaxCategories || fmt.Sprint(it.Truncated) != "[categories]" {
				t.Errorf("%d categories, truncated %v", len(it.Categories), it.Truncated)
			}
		}},
		{"content of 15 MB", whole("<item><title>a</title><description>" + strings.Repeat("&lt;p&gt;Wort&lt;/p&gt; ", 600_000) + "</description></item>"), "", func(t *testing.T, d *Document) {
			if it := d.Items[0]; len(it.Content.Value) > article.MaxContent || fmt.Sprint(it.Truncated) != "[content]" {
				t.Errorf("%d bytes of content, truncated %v", len(it.Content.Value), it.Truncated)
			}
		}},
		{"a billion laughs", `<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><rss><channel>` +
			`<item><title>&b;</title><link>https://example.org/1</link></item></channel></rss>`, "", func(t *testing.T, d *Document) {
			if got := d.Items[0].Title; got != "&b;" {
				t.Errorf("title %q", got)
			}
		}},
		{"external entity", `<?xml version="1.0"?><?xml-stylesheet href="file:///etc/passwd"?><!DOCTYPE rss SYSTEM "file:///etc/passwd" [<!ENTITY % p SYSTEM "http://10.0.0.1/"> %p; <!ENTITY e SYSTEM "file:///etc/passwd">]>` +
			`<rss><channel><item><title>x&e;y</title></item></channel></rss>`, "", func(t *testing.T, d *Document) {
			if got := d.Items[0].Title; got != "x&e;y" {
				t.Errorf("title %q", got)
			}
		}},
		{"UTF-16 that hides a type declaration", utf16(`<!DOCTYPE rss [<!ENTITY a "<item><title>evil</title></item>">]>` + whole(plainItem+"&a;")), "", func(t *testing.T, d *Document) {
			if len(d.Items) != 1 || d.Items[0].Title != "Eins" {
				t.Errorf("items %+v", d.Items)
			}
		}},
		{"overlong markup", whole("<item><title>\xc0\xbcb> ä ö ü</title></item>"), "", func(t *testing.T, d *Document) {
			if got := d.Items[0].Title; strings.Contains(got, "<") {
				t.Errorf("title %q", got)
			}
		}},
		{"60 KB of comment before the root", "<!--" + strings.Repeat(" rss ", 12_000) + "-->" + whole(plainItem), "", one},
		{"a long root tag", strings.Replace(whole(plainItem), "<rss ", "<rss "+strings.Repeat(`a="b" `, 150)+strings.Repeat(" ", 5000), 1), "", one},
		{"two roots", whole(plainItem) + whole(plainItem), "", one},
		{"warnings of a script around", "<br />\n<b>Notice</b>: x<br />" + whole(plainItem) + "<br />\n<b>Fatal</b>", "", one},
		{"links that are none", whole(`<item><title>a</title><link>javascript:alert(1)</link><enclosure url="data:text/html,x"/><comments>file:///etc/passwd</comments></item>` +
			`<item><title>b</title><link>//example.net/x</link></item><item><title>c</title><link>https://example.org/` + strings.Repeat("x", 64<<10) + `</link></item>` +
			"<item><title>d</title><link>https://example.org/a&#13;&#10;Set-Cookie: x</link></item>"), "", func(t *testing.T, d *Document) {
			var links []string
			for _, it := range d.Items {
				links = append(links, it.Link)
			}
			if got := fmt.Sprintf("%q", links); got != `["" "https://example.net/x" "" ""]` || d.Skipped["bad_link"] != 5 || len(d.Items[0].Enclosures) != 0 {
				t.Errorf("links %s, skipped %v", got, d.Skipped)
			}
		}},
		{"a date that is a command", whole(`<item><title>a</title><pubDate>` + strings.Repeat("9", 10_000) + `</pubDate></item>`), "", func(t *testing.T, d *Document) {
			if it := d.Items[0]; it.Published != nil || len(it.PublishedRaw) > maxDate {
				t.Errorf("published %v, raw %d bytes", it.Published, len(it.PublishedRaw))
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			begun := time.Now()
			text, _, err := decode.Text([]byte(c.doc), "")
			var doc *Document
			if err == nil {
				doc, err = Read(text, Options{URL: "https://feeds.example.org/", Now: now})
			}
			took := time.Since(begun)
			runtime.ReadMemStats(&after)
			if got := cause.Of(err); got != c.want {
				t.Fatalf("%v, want %q", err, c.want)
			}
			// Wide bounds: they catch what explodes, not what is slow on a busy machine.
			if allocated := (after.TotalAlloc - before.TotalAlloc) >> 20; allocated > 2048 || took > 20*time.Second {
				t.Errorf("%d MB allocated in %v", allocated, took)
			}
			if c.check != nil {
				c.check(t, doc)
			}
		})
	}
}

func one(t *testing.T, d *Document) {
	t.Helper()
	if len(d.Items) != 1 || d.Items[0].Link != "https://example.org/1" {
		t.Errorf("items %+v", d.Items)
	}
}

func categories(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "<category>c%d</category>", i)
	}
	return b.String()
}

func utf16(s string) string {
	b, _ := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(s) // every string can be written so
	return b
}

// A document cut anywhere gives every item that was whole, and nothing else.
func TestCutDocumentsGiveTheirWholeItems(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(i int) (string, string, string){
		"rss": func(i int) (string, string, string) {
			return `<rss><channel><title>t</title>`, fmt.Sprintf("<item><title>%d</title><guid>g%d</guid><description>&lt;p&gt;x&lt;/p&gt;</description></item>", i, i), "</item" // the bracket is not missed
		},
		"atom": func(i int) (string, string, string) {
			return `<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>`, fmt.Sprintf("<entry><title>%d</title><id>g%d</id><content type='xhtml'><div><p>x</p></div></content></entry>", i, i), "</entry"
		},
		"json": func(i int) (string, string, string) {
			return `{"version":"https://jsonfeed.org/version/1.1","title":"t","items":[`, fmt.Sprintf(`{"id":"g%d","title":"%d","content_text":"x"},`, i, i), "},"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			head, _, end := make(0)
			b.WriteString(head)
			for i := range 10 {
				_, item, _ := make(i)
				b.WriteString(item)
			}
			doc := b.Bytes()
			for n := 1; n < len(doc); n++ {
				want := bytes.Count(doc[:n], []byte(end))
				if name == "json" && bytes.HasSuffix(doc[:n], []byte("}")) {
					want++ // the comma is no part of it
				}
				d, err := Read(doc[:n], Options{URL: "https://example.org/", Now: now})
				if want == 0 {
					continue
				}
				if err != nil || len(d.Items) != want || !d.Partial {
					t.Fatalf("cut at %d: %v, %d items, want %d", n, err, len(d.Items), want)
				}
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(whole(plainItem)))
	f.Add([]byte(`<feed xmlns="http://www.w3.org/2005/Atom" xml:base="a/"><entry xml:lang="x"><title type="html">&lt;b</title><content type="xhtml"><div xml:base="b"><a href="c"/></div></content></entry></feed>`))
	f.Add([]byte(`{"version":"https://jsonfeed.org/version/1.1","items":[{"id":1,"tags":"a","author":[]},null,7]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		text, _, err := decode.Text(data, "")
		if err != nil {
			return
		}
		begun := time.Now()
		d, err := Read(text, Options{URL: "https://example.org/a/b", Now: now})
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
		if err != nil {
			if cause.Of(err) == cause.Ours {
				t.Fatalf("no reason in %v", err)
			}
			if strings.Contains(err.Error(), "gave up") {
				t.Fatal(err)
			}
			return
		}
		for _, it := range d.Items {
			if len(it.Title) > article.MaxTitle || it.Link != "" && !looksAbsolute(it.Link) {
				t.Fatalf("item %+v", it)
			}
		}
	})
}

// The body of an item may be a piece of XHTML in a namespace of its own.
func TestAnXHTMLBodyKeepsItsMarkup(t *testing.T) {
	t.Parallel()
	for name, item := range map[string]string{
		"default namespace": `<body xmlns="http://www.w3.org/1999/xhtml" xml:lang="de"><p>Ein <b>Text</b></p></body>`,
		"prefix":            `<xhtml:body xmlns:xhtml="http://www.w3.org/1999/xhtml" xml:lang="de"><xhtml:p>Ein <xhtml:b>Text</xhtml:b></xhtml:p></xhtml:body>`,
	} {
		doc, err := Read([]byte(`<rss version="2.0"><channel><item>`+item+`<description>kurz</description></item></channel></rss>`), Options{URL: "https://example.org/"})
		if err != nil || len(doc.Items) != 1 || doc.Items[0].Content == nil {
			t.Errorf("%s: %+v, %v", name, doc, err)
			continue
		}
		if c := doc.Items[0].Content; strings.TrimSpace(c.Value) != "<p>Ein <b>Text</b></p>" || c.Lang != "de" || c.Type != article.TextXHTML || doc.Items[0].Summary == nil || doc.Items[0].Summary.Value != "kurz" {
			t.Errorf("%s: %+v, %+v", name, c, doc.Items[0].Summary)
		}
	}
}
