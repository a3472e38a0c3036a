package letter

import (
	"fmt"
	"html/template"
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/net/idna"

	"tidings.internal/pkg/article"
)

// frame is what all letters have.
type frame struct {
	Words    words
	Language string
	Subject  string
	Title    string
	Home     string
	Imprint  []string
}

func frameOf(l List, w words) frame {
	f := frame{Words: w, Language: w.Language, Title: shorten(l.Title, maxTitle)}
	f.Home, _ = address(l.Home)
	for part := range strings.Lines(l.Imprint) {
		if part = line(part); part != "" {
			f.Imprint = append(f.Imprint, part)
		}
	}
	return f
}

type confirmView struct {
	frame
	Link string
	Days int
}

type digestView struct {
	frame
	Immediate                bool
	Date                     string
	Entries                  []entryView
	More                     int
	Unsubscribe, Preferences string
}

// entryView is an entry as the templates have it: each text is one line, and the body has been cleaned.
type entryView struct {
	Number         int
	Title, Summary string
	Meta           string
	URL            string
	// Language is empty where it is that of the letter.
	Language string
	// HTML and Body are the text of the article in the two forms.
	HTML template.HTML
	Body string
}

const (
	// maxTitle and maxSummary are limits of ours in bytes: the composing side cuts summaries at 600 graphemes.
	maxTitle   = 300
	maxSummary = 4 << 10
	// maxSubject is how much of a title stands in a subject; mail programs show far less.
	maxSubject = 200
	// maxAuthors are named, the others are left out.
	maxAuthors = 3
)

var languageForm = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$`)

func entryOf(number int, e Entry, language string, whole bool) entryView {
	v := entryView{Number: number, Title: shorten(e.Title, maxTitle), Summary: shorten(e.Summary, maxSummary)}
	v.URL, _ = address(e.URL)
	if v.Title == "" {
		v.Title = host(v.URL)
	}
	if e.Language != language && languageForm.MatchString(e.Language) {
		v.Language = e.Language
	}
	var said []string
	for _, text := range append([]string{e.Source}, e.Authors[:min(len(e.Authors), maxAuthors)]...) {
		if text = shorten(text, maxTitle); text != "" {
			said = append(said, text)
		}
	}
	v.Meta = strings.Join(said, " · ")
	if whole {
		v.HTML, v.Body = body(e.HTML)
	}
	if v.Body != "" {
		v.Summary = ""
	}
	return v
}

// address returns an address that may be a link, in ASCII and in the one spelling that html/template leaves as it is: both forms of a letter
// have the same.
func address(raw string) (string, bool) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return "", false
	}
	name, err := idna.Lookup.ToASCII(u.Hostname())
	if err != nil {
		name = u.Hostname() // one with an underscore, or a literal address
	}
	u.Host = strings.Replace(u.Host, u.Hostname(), name, 1)
	text := u.String()
	var out strings.Builder
	for i := range len(text) {
		c := text[i]
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~!#$&*+,/:;=?@[]", c) >= 0,
			c == '%' && i+2 < len(text) && hex(text[i+1]) && hex(text[i+2]):
			out.WriteByte(c)
		default:
			fmt.Fprintf(&out, "%%%02x", c)
		}
	}
	return out.String(), true
}

func hex(c byte) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }

// host stands in for a title that an article has not.
func host(link string) string {
	if u, err := url.Parse(link); err == nil && u.Host != "" {
		return line(u.Hostname())
	}
	return "–"
}

// line makes one line of a text: without control characters and without those that turn its direction beyond its end.
func line(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case commands(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	return strings.Join(strings.Fields(text), " ")
}

// commands reports whether a character is none that is shown: control characters, and those that turn the direction of a line (Unicode
// Standard Annex 9).
func commands(r rune) bool {
	return unicode.IsControl(r) || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069
}

// shorten makes one line of at most limit bytes, cut at a space where there is one.
func shorten(text string, limit int) string {
	text = line(text)
	short, cut := article.Cut(text, limit)
	if !cut {
		return text
	}
	if at := strings.LastIndexByte(short, ' '); at > limit/2 {
		short = short[:at]
	}
	return strings.TrimRight(short, " ,;:") + "…"
}
