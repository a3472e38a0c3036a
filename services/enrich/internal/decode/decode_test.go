package decode

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/pipeline/pipelinetest"
)

func TestConform(t *testing.T) {
	t.Parallel()
	pipelinetest.Conform(t, Step{})
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	german := "<p>Größe und Übung – „Straße“</p>"
	latin, err := charmap.Windows1252.NewEncoder().String(german)
	if err != nil {
		t.Fatal(err)
	}
	nihon := "<html><head><title>市長が新しいプールを開設しました</title></head><body>" + strings.Repeat("これは日本語の文章です。市長が新しいプールを開設しました。", 20)
	sjis, err := japanese.ShiftJIS.NewEncoder().String(nihon)
	if err != nil {
		t.Fatal(err)
	}
	utf16, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(german)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, in, contentType, want string }{
		{"UTF-8", german, "text/html; charset=utf-8", german},
		{"UTF-8 labelled ISO-8859-1", german, "text/html; charset=iso-8859-1", german},
		{"windows-1252 labelled UTF-8", latin, "text/html; charset=utf-8", german},
		{"windows-1252 labelled ISO-8859-1", latin, "text/html; charset=ISO-8859-1", german},
		{"windows-1252 without label", latin, "text/html", german},
		{"label in a meta element", `<meta charset="windows-1252">` + latin, "text/html", `<meta charset="windows-1252">` + german},
		{"Shift_JIS without label", sjis, "text/html", nihon},
		{"Shift_JIS by header", sjis, "text/html; charset=Shift_JIS", nihon},
		{"UTF-16 by mark", utf16, "", german},
		{"UTF-8 with mark", "\xEF\xBB\xBF" + german, "", german},
		{"one broken character", strings.Repeat(german, 60) + "\xff", "", strings.Repeat(german, 60) + "\uFFFD"},
		{"empty", "", "", ""},
	} {
		if got := UTF8([]byte(c.in), c.contentType); got != c.want {
			t.Errorf("%s: %.80q, want %.80q", c.name, got, c.want)
		}
	}
}

// A page comes out the same with the right label, with the wrong one of an unconfigured server, and with none.
func TestTwelveEncodingsUnderThreeLabels(t *testing.T) {
	t.Parallel()
	german := strings.Repeat("<p>Größe und Übung: die Straße über den Fluss ist für alle geöffnet, sagte sie.</p>", 8)
	polish := strings.Repeat("<p>Zażółć gęślą jaźń, powiedziała burmistrz miasta i otworzyła nową ścieżkę rowerową.</p>", 8)
	russian := "<p>Мэр города открыла новый бассейн, сообщила пресс-служба администрации в среду. Строительство началось два года назад, когда городской совет " +
		"выделил деньги на ремонт старого здания у реки.</p><p>По словам чиновников, вход для детей будет бесплатным до конца месяца.</p>"
	greek := strings.Repeat("<p>Η δήμαρχος της πόλης άνοιξε τη νέα πισίνα, ανακοίνωσε το γραφείο τύπου.</p>", 8)
	nihon := strings.Repeat("<p>これは日本語の文章です。市長が新しいプールを開設しました。</p>", 12)
	for _, c := range []struct {
		label string
		code  encoding.Encoding
		text  string
	}{
		{"utf-8", encoding.Nop, german}, {"utf-16le", unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), german},
		{"utf-16be", unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), german}, {"windows-1252", charmap.Windows1252, german},
		{"windows-1250", charmap.Windows1250, polish}, {"windows-1251", charmap.Windows1251, russian}, {"koi8-r", charmap.KOI8R, russian},
		{"iso-8859-7", charmap.ISO8859_7, greek}, {"shift_jis", japanese.ShiftJIS, nihon}, {"euc-jp", japanese.EUCJP, nihon},
		{"utf-32le", utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM), german}, {"utf-32be with its mark", utf32.UTF32(utf32.BigEndian, utf32.UseBOM), german},
		{"utf-32le with its mark", utf32.UTF32(utf32.LittleEndian, utf32.UseBOM), german},
		{"gb18030", simplifiedchinese.GB18030, strings.Repeat("<p>市长周三宣布新的游泳池开放，许多市民参加了开幕式。</p>", 12)},
		{"euc-kr", korean.EUCKR, strings.Repeat("<p>시장은 수요일에 새로운 수영장을 개장했다고 발표했다.</p>", 12)},
	} {
		in, err := c.code.NewEncoder().String(c.text)
		if err != nil {
			t.Fatal(err)
		}
		wrong := "text/html; charset=utf-8"
		if c.label == "utf-8" {
			wrong = "text/html; charset=iso-8859-1"
		}
		for _, contentType := range []string{"text/html; charset=" + c.label, wrong, "text/html"} {
			if got := UTF8([]byte(in), contentType); got != c.text {
				t.Errorf("%s as %q: %.80q", c.label, contentType, got)
			}
		}
	}
}

func TestDeepInputKeepsItsWords(t *testing.T) {
	t.Parallel()
	value := strings.Repeat("<div>", 600) + "<p>Tief</p><p>unten</p><script>x()</script>" + strings.Repeat("</div>", 600)
	d := pipeline.NewDraft(&article.Raw{ID: "a", Content: &article.Text{Value: value, Type: article.TextHTML}}, nil)
	if err := (Step{}).Run(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if d.Content.Tree != nil || d.Content.Text != "Tief\n\nunten" || len(d.Article.Degraded) != 1 || d.Article.Degraded[0] != "decode:too_deep" {
		t.Errorf("text %q, degraded %v", d.Content.Text, d.Article.Degraded)
	}
}

func TestCleanTakesOutWhatNobodySees(t *testing.T) {
	t.Parallel()
	if got, want := Clean("A\u00ADb\u200Bc\x00\r\nd\u202Ee\u202C e\u0301 👩\u200D👧"), "Abc\nde é 👩\u200D👧"; got != want {
		t.Errorf("Clean = %q, want %q", got, want)
	}
}

func FuzzFragment(f *testing.F) {
	f.Add("<p>a<table><td>b")
	f.Fuzz(func(t *testing.T, s string) {
		if Guard(s) != nil {
			Strip(s)
			return
		}
		if root, err := Fragment(Clean(s)); err == nil && root == nil {
			t.Fatal("no tree and no error")
		}
	})
}

// A page says in its head where its links begin. What a text in it says is not the site's word.
func TestAPageDeclaresItsLanguage(t *testing.T) {
	t.Parallel()
	for page, want := range map[string]string{
		`<html lang="de-AT"><head><meta property="og:locale" content="en_US"></head>`:  "de-AT",
		`<html xml:lang="fr"><head></head>`:                                            "fr",
		`<html lang=" "><head><meta property="og:locale" content="de_DE"></head>`:      "de_DE",
		`<html><head><meta http-equiv="Content-Language" content="sv"></head>`:         "sv",
		`<html><head></head><body><meta property="og:locale" content="de_DE"></body>`:  "",
		`<html><head><meta property="og:locale:alternate" content="pl_PL"></head><p>x`: "",
	} {
		d := pipeline.NewDraft(&article.Raw{ID: "a", Page: &article.Page{URL: "https://example.org/", Status: 200}}, []byte(page))
		if err := (Step{}).Run(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if d.Page.Lang != want {
			t.Errorf("%s: %q, want %q", page, d.Page.Lang, want)
		}
	}
}

func TestOnlyTheHeadOfAPageNamesItsBase(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"<html><head></head><body><p>x</p></body></html>":                                                    "https://example.org/a/page",
		`<html><head><base href="/b/"></head><body><base href="https://evil.example/"></body></html>`:        "https://example.org/b/",
		`<html><head><title>x</title></head><body><p>x</p><base href="https://evil.example/"></body></html>`: "https://example.org/a/page",
	} {
		part, err := document([]byte(text), &article.Page{URL: "https://example.org/", FinalURL: "https://example.org/a/page", ContentType: "text/html"})
		if err != nil || part.Base.String() != want {
			t.Errorf("%s has the base %v, want %s: %v", text, part.Base, want, err)
		}
	}
}

// Bytes without a label that are as much one charset as another.
func TestAGuessIsTheSameEachTime(t *testing.T) {
	t.Parallel()
	in := []byte("\xad\xfb\x98\xef\x8dKo\xfc\x18\x8c")
	want := UTF8(in, "")
	for range 500 {
		if got := UTF8(in, ""); got != want {
			t.Fatalf("read as %q, then as %q", want, got)
		}
	}
}

// Servers call a picture, an archive or a PDF a page. The article is then what the feed gave, and says why.
func TestWhatIsNoTextIsNoPage(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	noise := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.IntN(256))
		}
		return string(b)
	}
	for name, c := range map[string]struct {
		body        string
		contentType string
		page        bool
	}{
		"noise":             {noise(200_000), "text/html; charset=utf-8", false},
		"noise, no label":   {noise(200_000), "", false},
		"noise as latin":    {noise(200_000), "text/html; charset=iso-8859-1", false},
		"noise as japanese": {noise(200_000), "text/html; charset=shift_jis", false},
		"a PDF":             {"%PDF-1.7\n1 0 obj\n<< /Length 60000 >>\nstream\n" + noise(60_000) + "endstream", "text/html", false},
		"mostly NUL":        {"<html>" + strings.Repeat("\x00", 1000), "text/html; charset=utf-8", false},
		"a page":            {"<html><body><p>Größe</p>", "text/html", true},
		"a spoilt page":     {"<html><body><p>" + strings.Repeat("Words and words, \x00 and \x1b[1m more of them. ", 40), "text/html", true},
		"an empty page":     {"", "text/html", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw := article.Raw{ID: "a", Content: &article.Text{Value: "<p>What the feed says.</p>", Type: article.TextHTML}, Page: &article.Page{ContentType: c.contentType}}
			d := pipeline.NewDraft(&raw, []byte(c.body))
			if err := (Step{}).Run(t.Context(), d); err != nil {
				t.Fatal(err)
			}
			if (d.Page != nil) != c.page || slices.Contains(d.Article.Degraded, "decode:undecodable") == c.page || d.Content == nil {
				t.Errorf("a page: %t, degraded %q", d.Page != nil, d.Article.Degraded)
			}
		})
	}
}
