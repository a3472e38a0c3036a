package compose

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"text/template"
	"time"
	"unicode"
	"unicode/utf8"

	"tidings.internal/services/publish/internal/clean"
)

// maxOutput is what a template may write, in bytes: more than any network takes.
const maxOutput = 64 << 10

// Tag is a tag as templates see it: printed it is its label.
type Tag struct {
	Label   string
	hashtag string
}

// String gives the label.
func (t Tag) String() string { return t.Label }

// Fields are what a template may use. All texts are plain.
type Fields struct {
	Title     string
	Summary   string
	URL       string
	Tags      []Tag
	Authors   []string
	Source    string
	Published time.Time
	Language  string
	Channel   string
	Site      string
}

// NewFields gives the fields of an input. Each text passes through escape, by which a network takes the meaning out of
// characters that would call for somebody; nil leaves them as they are.
func NewFields(in Input, escape func(string) string) Fields {
	if escape == nil {
		escape = func(s string) string { return s }
	}
	f := Fields{
		Title: escape(in.Item.Title), Summary: escape(in.Item.Summary), URL: in.Link, Source: escape(in.Item.Source.Title),
		Published: in.Item.Published, Language: in.Item.Language, Channel: in.Channel.ID, Site: in.Channel.site.Title,
	}
	f.Tags, f.Authors = make([]Tag, 0, len(in.Item.Tags)), make([]string, 0, len(in.Item.Authors))
	for _, t := range in.Item.Tags {
		f.Tags = append(f.Tags, Tag{escape(t.Label), hashtag(t)})
	}
	for _, a := range in.Item.Authors {
		f.Authors = append(f.Authors, escape(a.Name))
	}
	return f
}

// mentionForm is an @ that would call for somebody.
var mentionForm = regexp.MustCompile(`(^|[^\w/=])@(\w)`)

// Unmention writes the @ of a mention in its full width: it reads the same, also aloud, and calls nobody. An address
// such as jane@example.org calls nobody either and stays.
func Unmention(s string) string {
	if !strings.Contains(s, "@") { // nearly every text
		return s
	}
	return mentionForm.ReplaceAllString(s, "$1＠$2")
}

// parse reads a template. Its functions are a closed list: none of them reaches outside of the article.
func (c *Channel) parse(text string) (*template.Template, error) {
	t, err := template.New("template").Option("missingkey=error").Funcs(template.FuncMap{
		"hashtags": c.hashtags, "truncate": truncate, "words": firstWords, "sentence": sentences, "plain": clean.Plain,
		"upper": strings.ToUpper, "lower": strings.ToLower, "trim": strings.TrimSpace,
		"replace": func(old, new, s string) string { return strings.ReplaceAll(s, old, new) },
		"join":    join, "default": fallback, "date": date, "host": host, "utm": c.utm,
		"quote": func(s string) string { return "“" + s + "”" },
	}).Parse(text)
	if err != nil {
		return nil, &Error{TemplateError, readable(err)}
	}
	return t, nil
}

var (
	placeForm = regexp.MustCompile(`^template: template:(\d+)(?::\d+)?: (?:executing "template" at )?`)
	fieldForm = regexp.MustCompile(`can't evaluate field (\w+) in type compose\.\w+`)
)

// readable takes the names of Go types out of an error of text/template, whose reader is an operator.
func readable(err error) error {
	text := placeForm.ReplaceAllString(err.Error(), "line $1: ")
	return errors.New(fieldForm.ReplaceAllString(text, "there is no $1; articles have Title, Summary, URL, Tags, Authors, Source, Published, Language, Channel and Site"))
}

// apply runs the template and tidies the result: no white space at the ends of lines, at most one empty line on end,
// since a field that is empty leaves its line breaks behind.
func (c *Channel) apply(f Fields) (string, error) {
	out := &limit{most: maxOutput}
	out.Grow(min(len(f.Title)+len(f.Summary)+len(f.URL)+200, maxOutput)) // what most templates write
	if err := c.template.Execute(out, f); err != nil {
		return "", &Error{TemplateError, readable(err)}
	}
	return tidy(out.String()), nil
}

// tidy takes out of a text what a reader does not see.
func tidy(text string) string {
	text = strings.TrimSpace(clean.Text(text))
	if isTidy(text) {
		return text
	}
	lines := strings.Split(text, "\n")
	kept := lines[:0]
	for _, l := range lines {
		l = strings.TrimRightFunc(l, unicode.IsSpace)
		if l == "" && (len(kept) == 0 || kept[len(kept)-1] == "") {
			continue
		}
		kept = append(kept, l)
	}
	return strings.TrimSpace(strings.Join(kept, "\n"))
}

// isTidy reports whether in a trimmed text no line ends in white space and no two lines on end are empty, as in nearly
// every text.
func isTidy(text string) bool {
	for at := 0; ; at++ {
		n := strings.IndexByte(text[at:], '\n')
		if n < 0 {
			return true
		}
		at += n
		if r, _ := utf8.DecodeLastRuneInString(text[:at]); r != '\n' && unicode.IsSpace(r) || strings.HasPrefix(text[at:], "\n\n\n") {
			return false
		}
	}
}

func truncate(n int, s string) string { return clean.Shorten(s, n) }

func firstWords(n int, s string) string {
	words := strings.Fields(s)
	if len(words) <= n {
		return s
	}
	return strings.Join(first(words, n), " ") + "…"
}

// sentences gives the first n sentences.
func sentences(n int, s string) string {
	end := 0
	for range n {
		next := sentenceEnd(s, end)
		if next < 0 {
			return s
		}
		end = next
	}
	return s[:end]
}

// sentenceEnd returns the end of the first sentence that ends behind a position, or -1. An end is a mark of its own,
// followed by a space; one behind a single letter or digit is taken for an abbreviation or a date ("z. B.", "1. Mai").
func sentenceEnd(s string, from int) int {
	var r, last, other rune // the one in hand and the two before it
	for at := from; at < len(s); other, last = last, r {
		var size int
		r, size = utf8.DecodeRuneInString(s[at:])
		at += size
		switch r {
		case '。', '！', '？': // no space follows these
			return at
		case '.', '!', '?', '…':
		default:
			continue
		}
		if next, size := utf8.DecodeRuneInString(s[at:]); size > 0 && !unicode.IsSpace(next) {
			continue
		}
		if r == '.' && (unicode.IsDigit(last) || unicode.IsLetter(last) && !unicode.IsLetter(other)) {
			continue
		}
		return at
	}
	return -1
}

func join(separator string, list any) (string, error) {
	var words []string
	switch l := list.(type) {
	case []string:
		words = l
	case []Tag:
		for _, t := range l {
			words = append(words, t.Label)
		}
	default:
		return "", fmt.Errorf("join takes .Tags or .Authors")
	}
	return strings.Join(words, separator), nil
}

func fallback(other, s string) string {
	if s == "" {
		return other
	}
	return s
}

func date(layout string, t time.Time) string { return t.UTC().Format(layout) }

func host(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(u.Hostname(), "www.")
}

// utm puts marks on a link, for a template that wants others than the channel's.
func (c *Channel) utm(source, medium, campaign, link string) string {
	marks := c.UTM
	marks.Source, marks.Medium, marks.Campaign = source, medium, campaign
	return mark(link, marks)
}
