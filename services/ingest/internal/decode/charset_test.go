package decode

import (
	"bytes"
	"fmt"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"

	"tidings.internal/services/ingest/internal/cause"
)

const (
	german   = "Größe, Maße und Straßenbäume: was Käufer über Öl müssen wissen und warum das Ärger macht"
	russian  = "Это обычный русский текст о новостях, который нужен для проверки кодировки документа"
	japan    = "これは文字コードを調べるための日本語の文章です。ニュースの記事を読みます。"
	korea    = "이것은 문자 인코딩을 확인하기 위한 한국어 문장입니다. 뉴스 기사를 읽습니다."
	taiwan   = "這是一個用來檢查字元編碼的繁體中文句子，我們在這裡閱讀新聞文章。"
	mainland = "这是一个用来检查字符编码的简体中文句子，我们在这里阅读新闻文章。"
)

func encode(t testing.TB, enc encoding.Encoding, s string) []byte {
	t.Helper()
	b, err := enc.NewEncoder().Bytes([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Every encoding is read whether it is labelled rightly or not at all; one with a label that cannot be right is read,
// too, where the bytes show what they are.
func TestEncodings(t *testing.T) {
	t.Parallel()
	u16 := func(e unicode.Endianness, b unicode.BOMPolicy) encoding.Encoding { return unicode.UTF16(e, b) }
	for _, c := range []struct {
		label string
		enc   encoding.Encoding
		text  string
	}{
		{"utf-8", unicode.UTF8, german},
		{"utf-8", unicode.UTF8BOM, german},
		{"utf-16", u16(unicode.BigEndian, unicode.UseBOM), german},
		{"utf-16", u16(unicode.LittleEndian, unicode.UseBOM), german},
		{"utf-16le", u16(unicode.LittleEndian, unicode.IgnoreBOM), russian},
		{"utf-16be", u16(unicode.BigEndian, unicode.IgnoreBOM), russian},
		{"utf-32be", utf32.UTF32(utf32.BigEndian, utf32.UseBOM), german},
		{"utf-32le", utf32.UTF32(utf32.LittleEndian, utf32.UseBOM), german},
		{"utf-32le", utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM), german},
		{"utf-32be", utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM), german},
		{"windows-1252", charmap.Windows1252, german},
		{"iso-8859-1", charmap.ISO8859_1, german},
		{"iso-8859-15", charmap.ISO8859_15, german},
		{"windows-1251", charmap.Windows1251, russian},
		{"koi8-r", charmap.KOI8R, russian},
		{"shift_jis", japanese.ShiftJIS, japan},
		{"euc-jp", japanese.EUCJP, japan},
		{"iso-2022-jp", japanese.ISO2022JP, japan},
		{"euc-kr", korean.EUCKR, korea},
		{"big5", traditionalchinese.Big5, taiwan},
		{"gb2312", simplifiedchinese.GBK, mainland},
		{"gb18030", simplifiedchinese.GB18030, mainland},
	} {
		for _, where := range []string{"http", "declared", "bare", "wrongly utf-8"} {
			t.Run(c.label+"/"+where, func(t *testing.T) {
				t.Parallel()
				head, contentType := "<?xml version='1.0'?>", "application/rss+xml"
				switch where {
				case "http":
					contentType = fmt.Sprintf("text/xml; charset=%q", c.label)
				case "declared":
					head = fmt.Sprintf("<?xml version='1.0' encoding='%s'?>", c.label)
				case "wrongly utf-8":
					contentType = "text/xml; charset=utf-8"
				}
				body := c.text + " " + c.text + " " + c.text
				doc := head + "<rss><title>" + body + "</title></rss>"
				got, name, err := Text(encode(t, c.enc, doc), contentType)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(doc, string(got)); diff != "" {
					t.Errorf("read as %s:\n%s", name, diff)
				}
			})
		}
	}
}

func TestValidUTF8WinsOverAnyLabel(t *testing.T) {
	t.Parallel()
	doc := "<?xml version='1.0' encoding='iso-8859-1'?><rss>" + german + "</rss>"
	got, _, err := Text([]byte(doc), "text/xml; charset=windows-1251")
	if err != nil || string(got) != doc {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestUTF7IsRefused(t *testing.T) {
	t.Parallel()
	for _, contentType := range []string{"text/xml; charset=utf-7", "text/xml"} {
		_, _, err := Text([]byte("<?xml version='1.0' encoding='UTF-7'?>+ADw-!DOCTYPE+AD4-"), contentType)
		if cause.Of(err) != cause.UnsupportedCharset {
			t.Errorf("%s: %v, want unsupported_charset", contentType, err)
		}
	}
}

func TestSpoiltBytesBecomeReplacementCharacters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"clean", "<a>ä &#228; &#x1F600;\t\r\n</a>", "<a>ä &#228; &#x1F600;\t\r\n</a>"},
		{"control characters go", "a\x00b\x0bc\x1fd", "abcd"},
		{"overlong slash", "ä\xc0\xafö", "ä\uFFFD\uFFFDö"},
		{"lone surrogate", "ä\xed\xa0\x80ö", "ä\uFFFD\uFFFD\uFFFDö"},
		{"noncharacters", "\uFFFE\uFFFF\uFFFD", "\uFFFD\uFFFD\uFFFD"},
		{"references to them", "&#0;&#x0;&#000000000000000000000000000000000000000000000000000000000000000000011;&#xD800;&#65535;&#1114112;&#99999999999999999999;", "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD"},
		{"no references", "&#; &#x; &#abc; &# 1; &amp;#0", "&#; &#x; &#abc; &# 1; &amp;#0"},
	} {
		if got := string(Clean([]byte(c.in))); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestLabelledUTF8KeepsItsGoodCharacters(t *testing.T) {
	t.Parallel()
	got, name, err := Text([]byte("<rss>Größe Maße Öl \xff Straße</rss>"), "text/xml; charset=utf-8")
	if want := "<rss>Größe Maße Öl \uFFFD Straße</rss>"; err != nil || name != "utf-8" || string(got) != want {
		t.Errorf("got %q as %s, %v; want %q", got, name, err, want)
	}
	// The document was cut inside a character: that is no reason to doubt the rest.
	got, _, err = Text([]byte("<rss>Größe \xc3"), "")
	if want := "<rss>Größe \uFFFD"; err != nil || string(got) != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

// Whatever comes out is UTF-8 without a character that XML forbids, and reading it again changes nothing.
func FuzzText(f *testing.F) {
	f.Add([]byte("<rss>"+german+"</rss>"), "text/xml; charset=latin1")
	f.Add([]byte("\xff\xfe<\x00a\x00>\x00"), "")
	f.Add([]byte("\x1b$B$3$l$O"), "text/xml; charset=iso-2022-jp")
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		got, _, err := Text(body, contentType)
		if err != nil {
			if cause.Of(err) == cause.Ours {
				t.Fatalf("no reason in %v", err)
			}
			return
		}
		if !utf8.Valid(got) || !bytes.Equal(Clean(got), got) {
			t.Fatalf("not clean: %q", got)
		}
	})
}

// Bytes without a label that are as much one charset as another: a document that was another one at each poll would be a
// revision each time.
func TestAGuessIsTheSameEachTime(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"\xe5\xda\xc3\xf2\xd8\xd8 \xfc\xd3\xf8\xdbo\xb1o",
		"\xc8\xde\xba\xd5\xabsa\xcd \xf4\xcc",
		"\xd9\xbd\xb0\xcb\xfai\xed\xf3\xc3\xd6\xfe\xe9\xc1\xac \xd7",
	} {
		_, want := detect([]byte(in))
		for range 500 {
			if _, got := detect([]byte(in)); got != want {
				t.Fatalf("%x is guessed to be %q, then %q", in, want, got)
			}
		}
	}
}
