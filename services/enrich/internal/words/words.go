// Package words cuts text into words, knows their stems and finds where sentences end. It knows grammar, not meaning:
// what a word is worth is the business of phrases and taxonomy.
package words

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"tidings.internal/services/enrich/internal/memo"
)

// Word is one word of a text. A compound with hyphens is several words that are glued: what is written
// "E-Mail-Marketing", "E-Mail Marketing" or "E Mail Marketing" is then the same to whoever compares.
type Word struct {
	Text string // as written
	Fold string // for comparison: lower case, ß as ss
	Stem string // of Fold, in the language of the text
	// Start and End are offsets in runes, [Start, End).
	Start, End int
	// From and To are the same in bytes.
	From, To int
	// Glued is set when a hyphen joins the word to the one before it.
	Glued bool
	// First is set on the first word of a sentence, a line or a quotation.
	First bool
	// Break is set when more than a space, a hyphen or a quotation mark stands between the word and the one before it.
	Break bool
	Stop  bool // a function word
	// Masked is set on a word that says nothing about the subject: the author's name.
	Masked bool
	Digit  bool // begins with a digit
}

// Upper reports whether the word begins with a capital letter.
func (w *Word) Upper() bool {
	r, _ := utf8.DecodeRuneInString(w.Text)
	return unicode.IsUpper(r) || unicode.IsTitle(r)
}

// Acronym reports whether the word is written in capitals throughout: two or more letters, no small one.
func (w *Word) Acronym() bool {
	letters := 0
	for _, r := range w.Text {
		if unicode.IsLower(r) {
			return false
		}
		if unicode.IsUpper(r) {
			letters++
		}
	}
	return letters >= 2
}

// Fold prepares a word for comparison: NFC, lower case, ß as ss, the curly apostrophe straight.
func Fold(s string) string {
	plain, lower := true, true
	for i := range len(s) {
		c := s[i]
		plain = plain && c < utf8.RuneSelf
		lower = lower && !('A' <= c && c <= 'Z')
	}
	switch {
	case plain && lower: // as most words are: nothing to make
		return s
	case plain:
		return strings.ToLower(s)
	}
	s = strings.ToLower(norm.NFC.String(s))
	if strings.ContainsAny(s, "ß’") {
		s = straight.Replace(s)
	}
	return s
}

var straight = strings.NewReplacer("ß", "ss", "’", "'")

// Cut takes a text apart in the order of its words. lang decides stems, function words and abbreviations; an unknown
// one gives words without them.
func Cut(text, lang string) []Word {
	if text == "" {
		return nil
	}
	c := cutter{forms: forms(), lexicon: lexiconOf(lang), stops: newStops(lang), words: make([]Word, 0, len(text)/usualWord+1), first: true}
	c.run(text)
	return c.words
}

// usualWord is how many bytes a word takes in a text, with the space behind it, if it is a short one.
const usualWord = 6

type cutter struct {
	forms   *memo.Table[*lexicon, form]
	lexicon *lexicon
	stops   fullStops
	words   []Word
	first   bool
}

func (c *cutter) run(text string) {
	rune0, pos := 0, 0 // rune and byte offset
	brk, glue := true, false
	for pos < len(text) {
		r, size := utf8.DecodeRuneInString(text[pos:])
		if !inWord(r) {
			if r == '\n' || c.stops.end(text, pos, r) {
				c.first, brk = true, true
			}
			switch {
			case r == '-' || r == '‐' || r == '‑':
				// A hyphen glues when it stands between two letters: "Ein- und" and " - " do not.
				next, _ := utf8.DecodeRuneInString(text[pos+size:])
				glue = len(c.words) > 0 && c.words[len(c.words)-1].End == rune0 && inWord(next)
				brk = brk || !glue && r == '-' && !prevIsWord(text, pos)
			case opensQuote(r) && !prevIsWord(text, pos) && nextIsWord(text, pos+size):
				c.first = true // the mark that opens in one language closes in another
			case unicode.IsSpace(r) || closesQuote(r):
			default:
				brk = true
				if r == ':' || r == '•' || r == '–' || r == '—' {
					c.first = true
				}
			}
			pos += size
			rune0++
			continue
		}
		end, runes := wordEnd(text, pos)
		if n := c.lexicon.elided(text[pos:end]); n > 0 {
			end, runes = pos+n, utf8.RuneCountInString(text[pos:pos+n])
		}
		c.add(text, Word{Start: rune0, End: rune0 + runes, From: pos, To: end, Glued: glue && !brk, Break: brk})
		pos, rune0 = end, rune0+runes
		brk, glue = false, false
	}
}

// add appends a word of which the place is known.
func (c *cutter) add(text string, w Word) {
	f := c.forms.Of(c.lexicon, text[w.From:w.To])
	w.Text, w.Fold, w.Stem, w.Stop, w.Digit = f.text, f.fold, f.stem, f.stop, f.digit
	w.First, c.first = c.first, false
	c.words = append(c.words, w)
}

func prevIsWord(text string, pos int) bool {
	r, _ := utf8.DecodeLastRuneInString(text[:pos])
	return inWord(r)
}

func nextIsWord(text string, pos int) bool {
	r, _ := utf8.DecodeRuneInString(text[pos:])
	return inWord(r)
}

func inWord(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	}
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}

// The scripts in whose texts nothing stands between words. In Japanese they change where a word ends and its endings begin.
const (
	other = iota
	han
	hiragana
	katakana
)

func scriptOf(r rune) int {
	switch {
	case r < 0x3005: // the first of them
		return other
	case r < 0x3041 || r > 0x30FF:
		if unicode.Is(unicode.Han, r) {
			return han
		}
		return other
	case r < 0x30A0:
		return hiragana
	}
	return katakana
}

// wordEnd returns where the word at pos ends, and how many runes it has. Inside a word may stand an apostrophe, and
// between digits a point or comma.
func wordEnd(text string, pos int) (end, runes int) {
	digit, script := false, other
	for pos < len(text) {
		if c := text[pos] | ('a' - 'A'); 'a' <= c && c <= 'z' && script == other { // as most letters are
			digit = false
			pos++
			runes++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[pos:])
		if now := scriptOf(r); runes > 0 && now != script {
			break
		} else if runes == 0 {
			script = now
		}
		if !inWord(r) {
			next, _ := utf8.DecodeRuneInString(text[pos+size:])
			apostrophe := (r == '\'' || r == '’') && unicode.IsLetter(next) && runes > 0
			number := (r == '.' || r == ',') && digit && unicode.IsDigit(next)
			if !apostrophe && !number {
				break
			}
		}
		digit = unicode.IsDigit(r)
		pos += size
		runes++
	}
	return pos, runes
}

func opensQuote(r rune) bool {
	return r == '„' || r == '“' || r == '"' || r == '»' || r == '«' || r == '‚' || r == '‘' || r == '\''
}

func closesQuote(r rune) bool {
	return opensQuote(r) || r == '”' || r == '’' || r == '›' || r == '‹'
}

// Tokens returns the runs of letters and digits of a text, folded: what is left of it when only the words count.
func Tokens(text string) []string {
	fold := Fold(text)
	list := make([]string, 0, len(fold)/usualWord+1)
	start := -1
	for i, r := range fold {
		switch in := inWord(r); {
		case in && start < 0:
			start = i
		case !in && start >= 0:
			list = append(list, fold[start:i])
			start = -1
		}
	}
	if start >= 0 {
		list = append(list, fold[start:])
	}
	return list
}

// Count is how many [Tokens] a text has.
func Count(text string) int {
	n, within := 0, false
	for _, r := range text {
		in := inWord(r)
		if in && !within {
			n++
		}
		within = in
	}
	return n
}

// Mask marks every place where one of the names stands, word for word.
func Mask(list []Word, names []string) {
	for _, name := range names {
		want := Cut(name, "")
		if len(want) == 0 {
			continue
		}
		for i := 0; i+len(want) <= len(list); i++ {
			n := 0
			for n < len(want) && list[i+n].Fold == want[n].Fold {
				n++
			}
			for j := 0; n == len(want) && j < n; j++ {
				list[i+j].Masked = true
			}
		}
	}
}

// Doc is an article in words.
type Doc struct {
	Lang        string
	Title, Body []Word
}

// NewDoc cuts title and body and masks names in both.
func NewDoc(title, body, lang string, masked []string) *Doc {
	d := &Doc{Lang: lang, Title: Cut(title, lang), Body: Cut(body, lang)}
	Mask(d.Title, masked)
	Mask(d.Body, masked)
	return d
}
