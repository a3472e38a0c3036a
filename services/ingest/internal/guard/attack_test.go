package guard

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"tidings.internal/services/ingest/internal/cause"
)

const rssHead = `<rss version="2.0" xmlns:x="urn:x"><channel><title>t</title>`

func declarations(prefix string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ` xmlns:%s%d="u"`, prefix, i)
	}
	return b.String()
}

// attacks are documents that a parser without a guard dies of, or nearly.
func attacks() map[string]struct {
	doc  string
	want cause.Reason
} {
	type attack = struct {
		doc  string
		want cause.Reason
	}
	nested := strings.Builder{}
	for i := range 10 {
		nested.WriteString("<x:l" + declarations(string(rune('a'+i)), 190) + ">")
	}
	return map[string]attack{
		"2.5 million unclosed elements in an extension": {rssHead + "<item>" + strings.Repeat("<x:", 2_500_000), cause.TooDeep},
		"2.5 million nested elements in an extension":   {rssHead + "<item><x:a>" + strings.Repeat("<x>", 2_500_000), cause.TooDeep},
		"900,000 levels":                       {rssHead + "<item>" + strings.Repeat("<x:abcdefg>", 900_000), cause.TooDeep},
		"depth in a skipped element":           {rssHead + strings.Repeat("<image>", 10_000), cause.TooDeep},
		"depth in content":                     {rssHead + "<item><description>" + strings.Repeat("<b>", 10_000), cause.TooDeep},
		"depth in atom content":                {`<feed xmlns="` + spaceAtom10 + `"><entry><content type="xhtml">` + strings.Repeat("<div>", 10_000), cause.TooDeep},
		"depth closed again":                   {rssHead + strings.Repeat("<x:a>", 500) + strings.Repeat("</x:a>", 500) + "</channel></rss>", cause.TooDeep},
		"depth in JSON":                        {`{"version":"https://jsonfeed.org/version/1.1","items":` + strings.Repeat("[", 2_500_000), cause.TooDeep},
		"values in JSON":                       {`{"items":[{"tags":[` + strings.Repeat("0,", 2_000_000) + `0]}]}`, cause.TooDense},
		"1,000 prefixes over 10,000 elements":  {"<rss" + declarations("p", 1000) + "><channel>" + strings.Repeat("<x/>", 10_000), cause.TooDense},
		"2,000 prefixes over 20,000 elements":  {"<rss" + declarations("p", 2000) + "><channel>" + strings.Repeat("<x/>", 20_000), cause.TooDense},
		"10 nested of 190 prefixes":            {rssHead + nested.String() + strings.Repeat("<x/>", 10_000), cause.TooDense},
		"prefixes one at a time":               {rssHead + strings.Repeat(`<x:e xmlns:q="u"/>`, 3_000), cause.TooDense},
		"60 prefixes over 100,000 elements":    {"<rss" + declarations("p", 60) + "><channel><item>" + strings.Repeat("<p1:x/>", 100_000), cause.TooDense},
		"100,000 pieces of CDATA":              {rssHead + "<item><x:e>" + strings.Repeat("<![CDATA[aaa]]>", 100_000), cause.TooDense},
		"2 MB of text, then 19,000 short runs": {rssHead + "<item><x:e>" + strings.Repeat("a", 2<<20) + strings.Repeat("<i/>b", 19_000), cause.TooDense},
		"500,000 empty elements":               {rssHead + "<item><x:e>" + strings.Repeat("<i/>", 500_000), cause.TooDense},
		"10,000 attributes":                    {rssHead + "<item><x:e" + strings.Repeat(" a='b'", 10_000) + "/>", cause.TooDense},
	}
}

func TestAttacksAreRefusedQuickly(t *testing.T) {
	t.Parallel()
	for name, a := range attacks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun := time.Now()
			_, err := Scan([]byte(a.doc))
			if got := cause.Of(err); got != a.want {
				t.Errorf("%v, want %s", err, a.want)
			}
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// oracle reads a document as the parser's tokenizer does and returns its depth and the number of its items.
func oracle(t testing.TB, data []byte) (depth, items int, err error) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(data))
	d.Strict = false
	level := 0
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return depth, items, nil
		}
		if err != nil {
			return depth, items, err
		}
		switch e := tok.(type) {
		case xml.StartElement:
			level++
			depth = max(depth, level)
			if name := strings.ToLower(e.Name.Local); name == "item" || name == "entry" {
				items++
			}
			for _, a := range e.Attr {
				if a.Name.Space == "http://www.w3.org/XML/1998/namespace" && a.Name.Local == "base" {
					t.Errorf("a base got through")
				}
			}
		case xml.EndElement:
			level--
		case xml.Comment, xml.ProcInst, xml.Directive:
			t.Errorf("%T got through", tok)
		}
	}
}

// What the guard lets through the parser reads to its end, no deeper than the guard saw: nothing hides from it.
func FuzzScan(f *testing.F) {
	for _, seed := range seeds() {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		data = bytes.ToValidUTF8(data, nil)
		data = bytes.Map(func(r rune) rune {
			if r < ' ' && r != '\n' && r != '\t' || r == 0xfffe || r == 0xffff {
				return -1
			}
			return r
		}, data)
		if bytes.Contains(data, []byte("&#")) {
			return // package decode has taken out what may not stand there
		}
		doc, err := Scan(data)
		if err != nil {
			if cause.Of(err) == cause.Ours {
				t.Fatalf("no reason in %v", err)
			}
			return
		}
		if doc.Format == JSON {
			return
		}
		depth, items, err := oracle(t, doc.Data)
		if err != nil {
			t.Fatalf("%v\nin  %q\nout %q", err, data, doc.Data)
		}
		if depth > maxDepth || items < len(doc.Items) {
			t.Fatalf("depth %d, %d items where the guard saw %d\nin  %q\nout %q", depth, items, len(doc.Items), data, doc.Data)
		}
	})
}
