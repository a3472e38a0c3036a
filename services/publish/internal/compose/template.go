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
	"tidings.internal/services/publish/internal/item"
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
	if err := c.template.Execute(out, f); err != nil {
		return "", &Error{TemplateError, readable(err)}
	}
	return tidy(out.String()), nil
}

// tidy takes out of a text what a reader does not see.
func tidy(text string) string {
	lines := strings.Split(clean.Text(text), "\n")
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
		if !strings.ContainsRune(".!?…。！？", r) {
			continue
		}
		if strings.ContainsRune("。！？", r) {
			return at
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

// hashtags writes at most n hashtags of a list, the channel's own number when none is given.
func (c *Channel) hashtags(tags []Tag, n ...int) string {
	most := c.Hashtags
	if len(n) > 0 {
		most = n[0]
	}
	var out []string
	seen := map[string]bool{}
	for _, t := range tags {
		key := strings.ToLower(t.hashtag)
		if t.hashtag == "" || seen[key] || len(out) >= most {
			continue
		}
		seen[key] = true
		out = append(out, "#"+t.hashtag)
	}
	return strings.Join(out, " ")
}

// hashtag writes a tag as one word without the sign: each word of the label with a capital, the rest of it as it
// stands, so that umlauts and acronyms stay. Only letters, marks, digits and _ are kept; without a letter it is none.
func hashtag(t item.Tag) string {
	source := strings.TrimPrefix(t.Hashtag, "#")
	if source == "" {
		source = t.Label
	}
	inWord := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r) || r == '_' }
	var b strings.Builder
	letter := false
	for word := range strings.FieldsFuncSeq(source, func(r rune) bool { return !inWord(r) }) {
		runes := []rune(word)
		runes[0] = unicode.ToUpper(runes[0])
		for _, r := range runes {
			letter = letter || unicode.IsLetter(r)
		}
		b.WriteString(string(runes))
	}
	if !letter || b.Len() > 200 {
		return ""
	}
	return b.String()
}
