// Package lines tells what the lines of an article are: headline, byline, heading, paragraph, or one of the things that
// stand at its end and do not belong to it. It works on the words alone, so that it serves plain text and HTML alike,
// and it names no site.
package lines

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/words"
)

// Class is what a line is.
type Class string

// The classes. Those from Notice to Dateline and from Divider on are not part of the body.
const (
	Paragraph Class = "paragraph"
	Heading   Class = "heading"
	Item      Class = "item"
	Notice    Class = "notice" // what the text is, above its headline: a press release
	Headline  Class = "headline"
	Repeated  Class = "repeated"
	Byline    Class = "byline"
	Dateline  Class = "dateline"
	Divider   Class = "divider"
	Promo     Class = "promo"
	Name      Class = "name"
	Bio       Class = "bio"
	Profile   Class = "profile"
	Call      Class = "call"
	Credit    Class = "credit"
	Tail      Class = "tail" // behind one of the others at the end
)

// Body reports whether a line of the class is part of the body.
func (c Class) Body() bool { return c == Paragraph || c == Heading || c == Item }

// Line is one line, with what is known of it from markup.
type Line struct {
	Text string
	// Marked is set when markup says that the line is a heading, Fixed when it must stay what it is: a quotation,
	// code, a list.
	Marked, Fixed bool
	Class         Class

	words int
}

// Result is what the lines say about the article beside the body.
type Result struct {
	Lines   []Line
	Title   string // of the headline, when a title was not known
	Authors []article.Person
	Date    *time.Time
	// Masked holds names and roles from byline and biography.
	Masked []string
}

// headZone is how many lines may hold headline and byline.
const headZone = 8

// maxHeadline is the length in words of the longest headline that is told by its shape.
const maxHeadline = 20

// maxByline is the length in bytes of the longest byline.
const maxByline = 500

// tailShare is the part of the words behind which the end of an article may begin.
const tailShare = 0.65

// Classify tells what each line is. title may be empty. plain is set for text without markup, where headings and the
// headline can be told by their shape only.
func Classify(title string, in []Line, plain bool, now time.Time) Result {
	r := Result{Lines: slices.Clone(in)}
	for i := range r.Lines {
		l := &r.Lines[i]
		l.words = words.Count(l.Text)
		l.Class = Paragraph
	}
	r.Title = title
	head := r.head(plain, now)
	r.repeated(head)
	r.agency()
	r.headings(plain)
	r.lone()
	r.tail()
	return r
}

// head finds headline, byline and dateline, and returns the number of the first line behind them.
func (r *Result) head(plain bool, now time.Time) int {
	end, first := 0, 0
	for i := range r.Lines {
		l := &r.Lines[i]
		if i >= headZone {
			break
		}
		switch {
		case l.Fixed:
		case i == first && notice(l):
			l.Class = Notice
			end, first = i+1, i+1
		case r.Title == "" && plain && i == first && i+1 < len(r.Lines) && shapedAsHeadline(l):
			l.Class, r.Title = Headline, strings.TrimSpace(l.Text)
			end = i + 1
		case i == end && l.words > 0 && same(words.Tokens(r.Title), l):
			l.Class = Headline
			end = i + 1
		case i <= end+1 && len(r.Authors) == 0 && l.words <= 25 && len(l.Text) <= maxByline:
			if r.byline(l, now) {
				end = i + 1
			}
		}
		if l.Class == Paragraph && l.words > 60 {
			break
		}
	}
	return end
}

func shapedAsHeadline(l *Line) bool {
	return l.words > 0 && l.words <= maxHeadline && !words.EndsSentence(l.Text)
}

// notices are what a text calls itself above its headline.
var notices = read(`pressemitteilung|presseinformation|pressemeldung|medienmitteilung|press release|news release|media release|for immediate release
	communiqué de presse|communiqué|comunicado de prensa|nota de prensa|comunicato stampa|persbericht|komunikat prasowy|informacja prasowa`)

// maxNotice is the length in words of a notice, with a number behind it.
const maxNotice = 6

// notice reports whether a line says nothing but what the text is. With a word more it may be a headline.
func notice(l *Line) bool {
	low := strings.ToLower(strings.TrimSpace(l.Text))
	if l.words == 0 || l.words > maxNotice || !notices.begin(low) {
		return false
	}
	for _, s := range notices[low[0]] {
		if rest, ok := strings.CutPrefix(low, s); ok && !strings.ContainsFunc(rest, unicode.IsLetter) {
			return true
		}
	}
	return false
}

// repeated drops the headline where it stands in the text again.
func (r *Result) repeated(from int) {
	title := words.Tokens(r.Title)
	if len(title) < 3 {
		return
	}
	for i := from; i < len(r.Lines); i++ {
		if l := &r.Lines[i]; !l.Fixed && same(title, l) {
			l.Class = Repeated
		}
	}
}

// lone drops credits and copyright lines wherever they stand.
func (r *Result) lone() {
	for i := range r.Lines {
		if l := &r.Lines[i]; l.Class == Paragraph && !l.Fixed && l.words <= 15 && credit(l.Text) {
			l.Class = Credit
		}
	}
}

// same reports whether a line is a title: equal in at least nine of ten of its tokens, and three of four of its own.
func same(title []string, l *Line) bool {
	if all := float64(len(title)); l.words == 0 || float64(l.words) < 0.9*all || all < 0.75*float64(l.words) {
		return false
	}
	count := map[string]int{}
	for _, t := range title {
		count[t]++
	}
	common := 0
	for _, t := range words.Tokens(l.Text) {
		if count[t] > 0 {
			count[t]--
			common++
		}
	}
	return float64(common) >= 0.9*float64(len(title)) && float64(common) >= 0.75*float64(l.words)
}
