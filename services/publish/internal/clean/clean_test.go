package clean

import (
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"
	"github.com/google/go-cmp/cmp"
)

func TestTextDropsWhatXMLForbids(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain ü€😀":                         "plain ü€😀",
		"a\x1bb\x00c\xffd\ufffde":           "abcde",
		"c1 \u0085\u009f end":               "c1  end",
		"non\ufffe\uffffchars":              "nonchars",
		"lone \xed\xa0\x80 surrogate":       "lone  surrogate",
		"tab\tand\r\nlines\rold\nnew":       "tab\tand\nlines\nold\nnew",
		"rtl \u202b mark and joiner \u200d": "rtl \u202b mark and joiner \u200d",
	} {
		if diff := cmp.Diff(want, Text(in)); diff != "" {
			t.Errorf("Text(%q) (-want +got):\n%s", in, diff)
		}
	}
}

func TestTitleIsOneLineWithoutMarkup(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("Donaudampfschifffahrt ", 300)
	for _, c := range []struct{ in, fallback, want string }{
		{"  Two\n lines\t", "", "Two lines"},
		{"", "The first words of the summary.", "The first words of the summary."},
		{"How to use <b> and </b>", "", "How to use ‹b› and ‹/b›"},
		{"1 < 2 & 3 > 2 <3", "", "1 < 2 & 3 > 2 <3"},
		{"AT&amp;T", "", "AT&amp;T"},
	} {
		if diff := cmp.Diff(c.want, Title(c.in, c.fallback)); diff != "" {
			t.Errorf("Title(%q) (-want +got):\n%s", c.in, diff)
		}
	}
	if got := Title(long, ""); Length(got) > MaxTitle || !strings.HasSuffix(got, "fahrt…") {
		t.Errorf("Title of a long text = %q, %d graphemes", got, Length(got))
	}
}

func TestShortenCutsBetweenGraphemes(t *testing.T) {
	t.Parallel()
	family := "👨‍👩‍👧‍👦"
	for _, c := range []struct {
		in    string
		limit int
		want  string
	}{
		{"short", 10, "short"},
		{"exactly10!", 10, "exactly10!"},
		{"one two three", 9, "one two…"},
		{"one two three", 8, "one two…"},
		{"Wortungetüm", 5, "Wort…"},
		{family + family + family, 3, family + family + family},
		{family + family + family, 2, family + "…"},
		{"क्षि क्षि क्षि", 4, "क्षि क्षि…"},
		{"anything", 0, ""},
	} {
		got := Shorten(c.in, c.limit)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("Shorten(%q, %d) (-want +got):\n%s", c.in, c.limit, diff)
		}
		if Length(got) > c.limit || !utf8.ValidString(got) {
			t.Errorf("Shorten(%q, %d) = %q has %d graphemes", c.in, c.limit, got, Length(got))
		}
	}
}

func TestPersonHasNoAddress(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Jane Doe":                       "Jane Doe",
		"jane@example.org":               "",
		"jane@example.org (Jane Doe)":    "Jane Doe",
		"Jane Doe <jane@example.org>":    "Jane Doe",
		"Jane Doe, mailto:j@example.org": "Jane Doe",
		"\x1b":                           "",
	} {
		if got := Person(in); got != want {
			t.Errorf("Person(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestLinkIsAbsoluteASCII(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://example.org/a?b=c#d":                     "https://example.org/a?b=c#d",
		" HTTP://Example.ORG ":                            "http://example.org",
		"https://bücher.example/straße?q=ü#ß":             "https://xn--bcher-kva.example/stra%C3%9Fe?q=%C3%BC#%C3%9F",
		"https://example.org/a b|c?d=%zz&e=%41":           "",
		"https://example.org/a%20b|c?d={1}&e=%41":         "https://example.org/a%20b%7Cc?d=%7B1%7D&e=%41",
		"https://[2001:db8::1]:8443/x":                    "https://[2001:db8::1]:8443/x",
		"/relative":                                       "",
		"//example.org/x":                                 "",
		"javascript:alert(1)":                             "",
		"mailto:a@example.org":                            "",
		"https://user:pw@example.org/":                    "",
		"https:///x":                                      "",
		"https:example.org":                               "",
		"":                                                "",
		"https://example.org/\x00":                        "",
		"https://example.org/" + strings.Repeat("ü", 900): "",
	} {
		got, ok := Link(in)
		if in == "https://example.org/a b|c?d=%zz&e=%41" {
			// A bad escape in the query is no reason to lose an article: it is escaped.
			want = "https://example.org/a%20b%7Cc?d=%25zz&e=%41"
		}
		if got != want || ok != (want != "") {
			t.Errorf("Link(%q) = %q, %v, want %q", in, got, ok, want)
		}
		if again, _ := Link(got); again != got {
			t.Errorf("Link(%q) = %q, a second time %q", in, got, again)
		}
	}
}

func TestBody(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("<div>", 10) + "x" + strings.Repeat("</div>", 10)
	for _, c := range []struct {
		name, in, want string
		unsafe         bool
	}{
		{"as it is", `<p>Text <a href="https://example.org/">link</a></p>`, `<p>Text <a href="https://example.org/">link</a></p>`, false},
		{"empty", " \n ", "", false},
		{"script", `<p>a</p><script>alert(1)</script>`, "", true},
		{"handler", `<p onclick="x()">a</p>`, "", true},
		{"style attribute", `<p style="color:red">a</p>`, "", true},
		{"style element", `<style>p{}</style>`, "", true},
		{"relative image", `<img src="/a.png" alt="x">`, "", true},
		{"relative link", `<a href="b.html">b</a>`, "", true},
		{"javascript link", `<a href="javascript:alert(1)">b</a>`, "", true},
		{"deep", deep, "", true},
		{"nine levels", deep[5 : len(deep)-6], deep[5 : len(deep)-6], false},
		{"iframe", `<p>see <iframe src="https://video.example/1" width="3"></iframe>!</p>`,
			`<p>see <a href="https://video.example/1">https://video.example/1</a>!</p>`, false},
		{"svg", `<p><svg><title>Logo</title><path d="M0"/></svg>x</p>`, `<p>Logox</p>`, false},
		{"unknown elements", `<picture><source srcset="x 2x"/><img src="https://e.org/a.png" srcset="b 2x" alt="A"/></picture><mark>m</mark>`,
			`<img src="https://e.org/a.png" alt="A"/>m`, false},
		{"image without address", `<p><img alt="x">y</p>`, `<p>y</p>`, false},
		{"IRI", `<a href="https://ü.example/ä">x</a>`, `<a href="https://xn--tda.example/%C3%A4">x</a>`, false},
		{"characters by reference", "<p>a&#27;b&#0;c</p>\x1b", `<p>abc</p>`, false},
		{"unclosed", `<p>a<b>b`, `<p>a<b>b</b></p>`, false},
		{"comment", `<!-- x --><p>a</p>`, `<p>a</p>`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, ok := Body(c.in)
			if diff := cmp.Diff(c.want, got); diff != "" || ok == c.unsafe {
				t.Errorf("Body = %q, %v (-want +got):\n%s", got, ok, diff)
			}
			if again, _ := Body(got); again != got {
				t.Errorf("a second time %q, first %q", again, got)
			}
		})
	}
}

func TestLanguage(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"de": "de", " de-CH ": "de-CH", "und": "", "": "", "deutsch": "", "zh-Hant-TW": "zh-Hant-TW", "de_CH": ""} {
		if got := Language(in); got != want {
			t.Errorf("Language(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"", "a\x1b\x00\xff]]>", "<p>a<iframe src=https://x.y/>", "<svg><math><p onx=1>", strings.Repeat("<b>", 600), "https://ü.de/%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text := Text(s)
		if !utf8.ValidString(text) || strings.ContainsAny(text, "\x00\x1b\r\ufffd") || Text(text) != text {
			t.Errorf("Text(%q) = %q", s, text)
		}
		if title := Title(s, s); Length(title) > MaxTitle || strings.Contains(title, "\n") {
			t.Errorf("Title(%q) = %q", s, title)
		}
		if link, ok := Link(s); ok {
			if again, ok := Link(link); !ok || again != link || strings.ContainsFunc(link, func(r rune) bool { return r <= ' ' || r > '~' }) {
				t.Errorf("Link(%q) = %q, again %q", s, link, again)
			}
			if u, err := url.Parse(link); err != nil || u.String() != link {
				t.Errorf("Link(%q) = %q is written as %v: %v", s, link, u, err)
			}
		}
		if body, ok := Body(s); ok {
			if strings.Contains(body, "<script") || Text(body) != body {
				t.Errorf("Body(%q) = %q", s, body)
			}
			if _, ok := Body(body); !ok {
				t.Errorf("Body refuses its own result %q", body)
			}
		}
	})
}

// The short way over letters finds the borders that the library does.
func TestGraphemesAreThoseOfTheLibrary(t *testing.T) {
	t.Parallel()
	var pieces []string
	for r := rune(0); r <= 0x310; r++ {
		pieces = append(pieces, string(r))
	}
	pieces = append(pieces, "\xff", "\xc3", "\u0600", "क", "\u094d", "षि", "\u200d", "👩", "🚀", "🇩", "\ufe0f", "한", "\u1100", "\u1161", "…")
	check := func(s string) {
		at := 0
		for g := graphemes.FromString(s); g.Next(); {
			if at += Grapheme(s[at:]); at != g.End() {
				t.Fatalf("%q: a grapheme ends at %d, want %d", s, at, g.End())
			}
		}
		if n := Grapheme(s[at:]); n != 0 {
			t.Fatalf("%q: %d bytes more", s, n)
		}
		n := 0
		for g := graphemes.FromString(s); g.Next(); n++ {
		}
		if Length(s) != n {
			t.Fatalf("Length(%q) = %d, want %d", s, Length(s), n)
		}
	}
	for _, a := range pieces {
		for _, b := range pieces {
			check(a + b)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var s strings.Builder
		for range rng.IntN(40) {
			s.WriteString(pieces[rng.IntN(len(pieces))])
		}
		check(s.String())
	}
}

func TestLinesHaveSingleSpaces(t *testing.T) {
	t.Parallel()
	pieces := []string{"a", "ü", " ", "  ", "\n", "\t", "\u00a0", "\u2003", "\x1b", "…"}
	rng := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		var s strings.Builder
		for range rng.IntN(8) {
			s.WriteString(pieces[rng.IntN(len(pieces))])
		}
		if diff := cmp.Diff(strings.Join(strings.Fields(Text(s.String())), " "), Line(s.String())); diff != "" {
			t.Fatalf("Line(%q) (-want +got):\n%s", s.String(), diff)
		}
	}
}

// Eight bytes at a time, no character that must be dropped gets through, wherever it stands.
func TestTextFindsWhatItDropsAtEveryPlace(t *testing.T) {
	t.Parallel()
	const letters = "The tide turns at 3 ~"
	for at := range letters {
		for b := range 256 {
			s := letters[:at] + string([]byte{byte(b)}) + letters[at:]
			want := letters
			switch {
			case b == '\r':
				want = letters[:at] + "\n" + letters[at:]
			case b == '\t' || b == '\n' || ' ' <= b && b < 0x7f:
				want = s
			}
			if got := Text(s); got != want {
				t.Fatalf("Text(%q) = %q, want %q", s, got, want)
			}
		}
	}
}
