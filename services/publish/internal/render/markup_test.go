package render

import (
	"bytes"
	"encoding/xml"
	"testing"

	"tidings.internal/services/publish/internal/clean"
)

// FuzzTextsAreWrittenAsTheStandardLibraryDoes compares what is written here for the sake of speed with the encoders that it
// stands in for.
func FuzzTextsAreWrittenAsTheStandardLibraryDoes(f *testing.F) {
	for _, s := range []string{"", `"`, `a "b" \c`, "<p>x</p>\n\t\r]]>", "]]]]>>", "&amp;'\"", "\u2028\u2029", `\u0000`, `"\u0000"`, "Grüße 😀"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		s := clean.Text(raw)
		var want, got bytes.Buffer
		if err := encode(&want, s); err != nil {
			t.Fatal(err)
		}
		writeQuoted(&got, s)
		if want := bytes.TrimSuffix(want.Bytes(), []byte("\n")); !bytes.Equal(got.Bytes(), want) {
			t.Errorf("JSON %s, want %s", got.Bytes(), want)
		}
		type cdata struct {
			XMLName xml.Name `xml:"e"`
			Lang    string   `xml:"lang,attr,omitempty"`
			HTML    string   `xml:",cdata"`
		}
		type chars struct {
			XMLName xml.Name `xml:"e"`
			Lang    string   `xml:"lang,attr,omitempty"`
			Text    string   `xml:",chardata"`
		}
		var text, html markup
		text.element(1, "e", s, "lang", s)
		html.html(1, "e", s, "lang", s)
		for got, value := range map[*markup]any{&text: chars{Lang: s, Text: s}, &html: cdata{Lang: s, HTML: s}} {
			want, err := xml.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			if len(*got) > 0 && string(*got) != "\n  "+string(want) {
				t.Errorf("XML %q, want %q", *got, want)
			}
		}
	})
}
