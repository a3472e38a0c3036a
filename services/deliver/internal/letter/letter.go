// Package letter writes what stands in the mails of a newsletter: the one that asks whether it was meant, and the one with the news.
//
// A letter is a subject and the same words and links twice, as text and as HTML. Whatever comes from an article is hostile: it is
// escaped in the one and folded to lines in the other, its own HTML passes bluemonday once more, and only http and https addresses become
// links. There are no pictures, neither ours nor the articles': a mail program that loads one tells its server who reads, and when.
//
// The package knows no reader, no address and no server. Equal data are equal letters.
package letter

import (
	"bytes"
	_ "embed" // for the templates
	htmltemplate "html/template"
	"strings"
	"text/template"
	"time"

	"tidings.internal/pkg/fault"
)

// Letter is what a mail says.
type Letter struct {
	Subject, Text, HTML string
}

// Heavy is the size in bytes above which a letter is worth a warning: Gmail cuts the HTML of a mail at 102 KB, and with it goes the
// link at its end by which a reader leaves.
const Heavy = 100 << 10

// Heavy reports whether a letter is larger than [Heavy].
func (l Letter) Heavy() bool { return len(l.HTML) > Heavy }

// List is the newsletter as its readers know it.
type List struct {
	// Title is what the newsletter is called.
	Title string
	// Language is that of our own words: de, or en for anything else.
	Language string
	// Imprint says who sends it, in lines of text; the law wants it in many countries.
	Imprint string
	// Home is where everything can be read, empty for none.
	Home string
}

// Confirmation asks the owner of an address whether he wants the list.
type Confirmation struct {
	List List
	// Link is the page with the button.
	Link string
	// Days is how long the link is good.
	Days int
}

// Digest is one mail with news. One of a single entry that has no Date is that of a reader who wants each at once.
type Digest struct {
	List List
	// Date stands in the subject, in the zone that it is in: the reader's. Zero for an immediate mail, whose subject is the entry's title.
	Date time.Time
	// Entries are the news, the most important first. The first fifty are shown.
	Entries []Entry
	// More is how many there are beside the entries.
	More int
	// Unsubscribe and Preferences are the reader's own pages.
	Unsubscribe, Preferences string
}

// Entry is one article.
type Entry struct {
	Title, Summary string
	// HTML is its text, which only an immediate mail shows.
	HTML string
	// URL is where it stands. One that is not http or https becomes no link.
	URL string
	// Source and Authors may be empty.
	Source  string
	Authors []string
	// Language is that of the article, empty for the list's.
	Language string
}

// maxEntries is how many entries a mail shows; the others are a number.
const maxEntries = 50

var (
	//go:embed confirm.txt
	confirmText string
	//go:embed confirm.html
	confirmHTML string
	//go:embed digest.txt
	digestText string
	//go:embed digest.html
	digestHTML string

	confirmation = parse("confirm", confirmText, confirmHTML)
	digest       = parse("digest", digestText, digestHTML)
)

// pair are the two forms of a letter.
type pair struct {
	text *template.Template
	html *htmltemplate.Template
}

func parse(name, text, html string) pair {
	return pair{
		text: template.Must(template.New(name).Option("missingkey=error").Parse(text)),
		html: htmltemplate.Must(htmltemplate.New(name).Option("missingkey=error").Parse(html)),
	}
}

// Confirm writes the mail that asks. Nothing of what a stranger typed into a form stands in it.
func Confirm(c Confirmation) (Letter, error) {
	link, ok := address(c.Link)
	if !ok {
		return Letter{}, fault.Errorf(fault.Invalid, "write confirmation: the link is no http or https address")
	}
	w := wordsOf(c.List.Language)
	v := confirmView{frame: frameOf(c.List, w), Link: link, Days: c.Days}
	v.Subject = w.ConfirmSubject + " " + v.Title
	return confirmation.write(v.Subject, v)
}

// News writes the mail with the news. Without an entry there is no mail: fault.Invalid.
func News(d Digest) (Letter, error) {
	unsubscribe, ok := address(d.Unsubscribe)
	preferences, also := address(d.Preferences)
	switch {
	case !ok || !also:
		return Letter{}, fault.Errorf(fault.Invalid, "write digest: a link to the reader's own pages is no http or https address")
	case len(d.Entries) == 0:
		return Letter{}, fault.Errorf(fault.Invalid, "write digest: there is no entry")
	}
	w := wordsOf(d.List.Language)
	v := digestView{
		frame: frameOf(d.List, w), Immediate: d.Date.IsZero() && len(d.Entries) == 1,
		Unsubscribe: unsubscribe, Preferences: preferences,
		More: max(d.More, 0) + max(len(d.Entries)-maxEntries, 0),
	}
	for i, e := range d.Entries[:min(len(d.Entries), maxEntries)] {
		v.Entries = append(v.Entries, entryOf(i+1, e, v.Language, v.Immediate))
	}
	v.Subject = v.Title
	switch {
	case v.Immediate:
		v.Subject = v.Entries[0].Title
	case !d.Date.IsZero():
		v.Date = w.date(d.Date)
		v.Subject += ": " + v.Date
	}
	return digest.write(v.Subject, v)
}

func (p pair) write(subject string, view any) (Letter, error) {
	var text, html bytes.Buffer
	if err := p.text.Execute(&text, view); err != nil {
		return Letter{}, fault.Errorf(fault.Internal, "write text of letter: %w", err)
	}
	if err := p.html.Execute(&html, view); err != nil {
		return Letter{}, fault.Errorf(fault.Internal, "write HTML of letter: %w", err)
	}
	return Letter{Subject: shorten(subject, maxSubject), Text: tidy(text.String()), HTML: html.String()}, nil
}

// tidy takes away the blank lines that parts of a template leave which have nothing to say.
func tidy(text string) string {
	for strings.Contains(text, "\n\n\n") {
		text = strings.ReplaceAll(text, "\n\n\n", "\n\n")
	}
	return strings.TrimSpace(text) + "\n"
}
