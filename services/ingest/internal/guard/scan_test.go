package guard

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/services/ingest/internal/cause"
)

// seeds are documents with one fault each, and some without.
func seeds() []string {
	list := []string{
		`<?xml version="1.0"?><!-- <item> --><rss><channel><item><title>a &amp; b</title></item></channel></rss> junk <rss>`,
		`<!DOCTYPE rss [<!ENTITY a "<item>"> <!ENTITY b SYSTEM 'file:///etc/passwd'>]><rss><channel><item><title>&a;&b;</title></item></channel></rss>`,
		`<rdf:RDF xmlns:rdf="` + spaceRDF + `" xmlns="` + spaceRSS10 + `"><channel/><item rdf:about="u"/><item/></rdf:RDF>`,
		`<feed xmlns="` + spaceAtom10 + `" xml:base="http://a/b/" xml:lang="de"><entry xml:base="c/"><id>x</id><content type="xhtml"><div>d</div></content></entry></feed>`,
		`<rss><channel><item><title>one</title><item><title>two</channel></rss>`,
		`<rss><channel><item><title>a < b <3 >c</title></item></b></i></channel></rss>`,
		`<rss><channel><item><a href=http://x/y title='<' checked>t</a></item></channel></rss>`,
		`<rss><channel><item><a:b></c:b></item><Item></item></channel></rss>`,
		`<rss><channel><item><description>]]> <![CDATA[ <item> ]]></description></item></channel></rss>`,
		`<rss><channel><item><title>whole</title></item><item><title>half`,
		`<rss><channel><item><title>whole</title></item><item><![CDATA[`,
		`<rss><channel><größe a="b"/><a:b:c/><:x/><y:/><-z/></channel></rss>`,
		`<rss><channel><?xml version="1.0" encoding="latin1"?><?php echo "<item>" ?></channel></rss>`,
		`<br /><b>Warning</b>: x<rss><channel/></rss>`,
		`{"version":"https://jsonfeed.org/version/1.1","items":[{"id":"}"}]} junk`,
	}
	return list
}

func TestScanOfTheSeedsGivesWhatTheParserReads(t *testing.T) {
	t.Parallel()
	for _, seed := range seeds() {
		doc, err := Scan([]byte(seed))
		if err != nil {
			t.Errorf("%v: %s", err, seed)
			continue
		}
		if doc.Format == JSON {
			continue
		}
		if _, items, err := oracle(t, doc.Data); err != nil || items != len(doc.Items) {
			t.Errorf("%v, %d items, the guard saw %d\nin  %s\nout %s", err, items, len(doc.Items), seed, doc.Data)
		}
	}
}

func TestRepairs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"well-formed stays", `<rss><channel><item a="b"/></channel></rss>`, `<rss><channel><item a="b"/></channel></rss>`},
		{"around the root", "\uFEFF <?xml version='1.0'?>\n<!-- <rss> --><rss/>  <p>junk", `<rss/>`},
		{"comment inside", `<rss><!-- a -- b --><channel/></rss>`, `<rss><channel/></rss>`},
		{"instruction inside", `<rss><?xml version="1.0" encoding="koi8-r"?><channel/></rss>`, `<rss><channel/></rss>`},
		{"end tag of nothing", `<rss></p><channel/></rss>`, `<rss><channel/></rss>`},
		{"missing end tag", `<rss><channel><title>x</channel></rss>`, `<rss><channel><title>x</title></channel></rss>`},
		{"missing end of an item", `<rss><channel><item>1<item>2</channel></rss>`, `<rss><channel><item>1</item><item>2</item></channel></rss>`},
		{"field in a field of text", `<rss><channel><title>x<link>y</link><item><title>z<item/></channel></rss>`,
			`<rss><channel><title>x</title><link>y</link><item><title>z</title></item><item/></channel></rss>`},
		{"markup in a description", `<rss><channel><item><description><title>x</title></description></item></channel></rss>`,
			`<rss><channel><item><description><title>x</title></description></item></channel></rss>`},
		{"end tag of another case", `<rss><Channel></channel></rss>`, `<rss><Channel></Channel></rss>`},
		{"end tag with rubbish", `<rss><channel></channel x="y"></rss>`, `<rss><channel></channel></rss>`},
		{"bare brackets", `<rss>1 < 2 <= 3 </rss>`, `<rss>1 &lt; 2 &lt;= 3 </rss>`},
		{"attribute without quotes", `<rss><a b=http://c/d?e=f&g e/></rss>`, `<rss><a b="http://c/d?e=f&g" e="e"/></rss>`},
		{"bracket in an attribute", `<rss><a b='<"'/></rss>`, `<rss><a b="&lt;&quot;"/></rss>`},
		{"tag that was not closed", `<rss><a b="c"<d/></a></rss>`, `<rss><a b="c"><d/></a></rss>`},
		{"end of a section without one", `<rss>a]]>b</rss>`, `<rss>a]]&gt;b</rss>`},
		{"base is masked under any prefix", `<rss xml:base="a" q:base='b' base="c"/>`, `<rss xml:bas_="a" q:bas_='b' base="c"/>`},
		{"cut in an item", `<rss><channel><item>1</item><item>2`, `<rss><channel><item>1</item></channel></rss>`},
		{"cut in a tag", `<rss><channel><item>1</item><item><title a="`, `<rss><channel><item>1</item></channel></rss>`},
		{"cut in a section", `<rss><channel><item>1</item><item><![CDATA[ 2`, `<rss><channel><item>1</item></channel></rss>`},
		{"cut between items", `<rss><channel><item>1</item> `, `<rss><channel><item>1</item> </channel></rss>`},
		{"cut in the head", `<rss><channel><title>a</title><image><url>b`, `<rss><channel><title>a</title></channel></rss>`},
	} {
		doc, err := Scan([]byte(c.in))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if diff := cmp.Diff(c.want, string(doc.Data)); diff != "" {
			t.Errorf("%s:\n%s", c.name, diff)
		}
	}
}

func TestDocumentsThatAreNoFeedsAreNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, doc string
		want      cause.Reason
	}{
		{"empty", " \n", cause.NotAFeed},
		{"text", "Hello, world", cause.NotAFeed},
		{"HTML", "<!DOCTYPE html><html><body><feed></feed>", cause.NotAFeed},
		{"HTML without a type", "<html><head><title>Login</title>", cause.NotAFeed},
		{"other XML", `<?xml version="1.0"?><opml version="2.0"><body/></opml>`, cause.UnsupportedFormat},
		{"CDF", `<channel href="x"><item/></channel>`, cause.UnsupportedFormat},
		{"root too far away", "<a>" + strings.Repeat(" ", headBytes) + "<rss/>", cause.NotAFeed},
	} {
		if _, err := Scan([]byte(c.doc)); cause.Of(err) != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}

func TestLongCommentBeforeTheRootIsSkipped(t *testing.T) {
	t.Parallel()
	doc, err := Scan([]byte("<!--" + strings.Repeat("x", 3*headBytes) + "--><rss " + strings.Repeat("a='b' ", 100) + strings.Repeat(" ", 5000) + "><channel/></rss>"))
	if err != nil || doc.Format != RSS {
		t.Errorf("%v", err)
	}
}

func TestItemsPastTheLimitAreCut(t *testing.T) {
	t.Parallel()
	doc, err := Scan([]byte("<rss><channel><title>t</title>" + strings.Repeat("<item><title>a</title></item>", MaxItems+500) + "</channel></rss>"))
	if err != nil {
		t.Fatal(err)
	}
	_, items, err := oracle(t, doc.Data)
	if err != nil || items != MaxItems || len(doc.Items) != MaxItems || !doc.Beyond || doc.Cut {
		t.Errorf("%d items, %d noted, beyond %v, cut %v, %v", items, len(doc.Items), doc.Beyond, doc.Cut, err)
	}
}

func TestSideTableKeepsWhatTheParserLoses(t *testing.T) {
	t.Parallel()
	doc, err := Scan([]byte(`<a:feed xmlns:a="` + spaceAtom10 + `" xmlns:h="http://www.w3.org/1999/xhtml" xml:lang="de" xml:base="http://example.org/x/">
<a:title type="html">A &amp;lt;b&gt;</a:title><h:title>no</h:title>
<a:entry xml:lang="fr" xml:base="y/"><a:id> HTTP://Ä/ </a:id><a:link rel="self" href="z?a&amp;b"/>
<a:content type="xhtml" xml:base="q/"><h:div>text</h:div></a:content></a:entry></a:feed>`))
	if err != nil {
		t.Fatal(err)
	}
	got := *doc
	got.Data = nil
	want := Document{
		Format: Atom,
		Head:   Element{Lang: "de", Base: "http://example.org/x/", Fields: []Field{{Name: "title", Inner: []byte("A &amp;lt;b&gt;"), Type: "html", Lang: "de", Base: "http://example.org/x/"}}},
		Items: []Element{{Lang: "fr", Base: "http://example.org/x/y/", Fields: []Field{
			{Name: "id", Inner: []byte(" HTTP://Ä/ "), Lang: "fr", Base: "http://example.org/x/y/"},
			{Name: "link", Href: "z?a&b", Rel: "self", Lang: "fr", Base: "http://example.org/x/y/"},
			{Name: "content", Inner: []byte("<h:div>text</h:div>"), Type: "xhtml", Lang: "fr", Base: "http://example.org/x/y/q/"},
		}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTextOfAFieldIsDecodedOnce(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a &amp; b":                        "a & b",
		"&amp;lt;b&amp;gt;":                "&lt;b&gt;",
		"x <![CDATA[<b>&amp;</b>]]> &lt;y": "x <b>&amp;</b> <y",
		"?a=1&copy=2;b&nbsp;&foo; &":       "?a=1&copy=2;b\u00a0&foo; &",
		"&#228;&#x1F600;":                  "ä😀",
		"<![CDATA[open":                    "open",
	} {
		if got := (&Field{Inner: []byte(in)}).Text(); got != want {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
}

func TestCutAtEachTenthKeepsWholeItems(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(`<?xml version="1.0"?><rss><channel><title>t</title>`)
	for i := range 10 {
		fmt.Fprintf(&b, "<item><title>%d</title><description><![CDATA[<p>text %d</p>]]></description></item>\n", i, i)
	}
	b.WriteString("</channel></rss>")
	whole := b.String()
	for tenth := 1; tenth < 10; tenth++ {
		part := whole[:len(whole)*tenth/10]
		doc, err := Scan([]byte(part))
		if err != nil {
			t.Errorf("%d/10: %v", tenth, err)
			continue
		}
		want := strings.Count(part, "</item>")
		if _, items, err := oracle(t, doc.Data); err != nil || items != want || len(doc.Items) != want || !doc.Cut {
			t.Errorf("%d/10: %d items, %d noted, cut %v, %v; want %d", tenth, items, len(doc.Items), doc.Cut, err, want)
		}
	}
}

func BenchmarkScan(b *testing.B) {
	doc := []byte(rssHead + strings.Repeat("<item><title>Ein Titel</title><link>https://example.org/a</link><description><![CDATA["+strings.Repeat("<p>Ein Absatz mit Text.</p>", 40)+"]]></description><pubDate>Mon, 02 Jan 2006 15:04:05 GMT</pubDate></item>\n", 300) + "</channel></rss>")
	if path := os.Getenv("TIDINGS_BENCH_DOCUMENT"); path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			b.Fatal(err)
		}
		doc = data
	}
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		if _, err := Scan(doc); err != nil {
			b.Fatal(err)
		}
	}
}
