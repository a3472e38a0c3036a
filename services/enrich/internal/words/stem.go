package words

import (
	"strings"
	"unicode/utf8"

	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/danish"
	"github.com/blevesearch/snowballstem/dutch"
	"github.com/blevesearch/snowballstem/english"
	"github.com/blevesearch/snowballstem/finnish"
	"github.com/blevesearch/snowballstem/french"
	"github.com/blevesearch/snowballstem/german"
	"github.com/blevesearch/snowballstem/hungarian"
	"github.com/blevesearch/snowballstem/italian"
	"github.com/blevesearch/snowballstem/norwegian"
	"github.com/blevesearch/snowballstem/portuguese"
	"github.com/blevesearch/snowballstem/romanian"
	"github.com/blevesearch/snowballstem/russian"
	"github.com/blevesearch/snowballstem/spanish"
	"github.com/blevesearch/snowballstem/swedish"
	"github.com/blevesearch/snowballstem/turkish"
)

// Stemmer cuts endings off.
type Stemmer struct {
	stem func(*snowballstem.Env) bool
	// polish: snowball has no algorithm for it.
	polish bool
}

// polishEndings are those of nouns and adjectives, the longest first.
var polishEndings = []string{"owie", "ami", "ach", "ego", "emu", "ymi", "imi", "ów", "om", "em", "ym", "im", "ych", "ich", "iej", "ie", "ej", "ą", "ę", "y", "i", "a", "e", "o", "u"}

// polish cuts the ending of a noun off where four letters stay, and takes the vowel that changes with it for one.
func polish(fold string) string {
	for _, e := range polishEndings {
		if rest, ok := strings.CutSuffix(fold, e); ok && utf8.RuneCountInString(rest) >= 4 {
			fold = rest
			break
		}
	}
	return strings.ReplaceAll(fold, "ó", "o")
}

// NewStemmer returns the stemmer of a language (BCP 47; what follows the first hyphen does not count). A language
// without one leaves words as they are.
func NewStemmer(lang string) *Stemmer {
	return &Stemmer{stem: algorithms[Base(lang)], polish: Base(lang) == "pl"}
}

// Stem returns the stem of a folded word.
func (s *Stemmer) Stem(fold string) string {
	if len(fold) < 3 || len(fold) > 64 {
		return fold
	}
	if s.stem == nil {
		if s.polish {
			return polish(fold)
		}
		return fold
	}
	env := snowballstem.NewEnv(fold)
	s.stem(env)
	if got := env.Current(); got != "" {
		return got
	}
	return fold
}

// Base returns the language of a tag without region and script.
func Base(lang string) string {
	if !strings.ContainsFunc(lang, func(r rune) bool { return r < 'a' || r > 'z' }) {
		return lang // as most are
	}
	lang, _, _ = strings.Cut(strings.ReplaceAll(strings.ToLower(lang), "_", "-"), "-")
	return lang
}

// algorithms are those of snowball, by language.
var algorithms = map[string]func(*snowballstem.Env) bool{
	"da": danish.Stem, "de": german.Stem, "en": english.Stem, "es": spanish.Stem, "fi": finnish.Stem, "fr": french.Stem, "hu": hungarian.Stem,
	"it": italian.Stem, "nl": dutch.Stem, "no": norwegian.Stem, "nb": norwegian.Stem, "nn": norwegian.Stem, "pt": portuguese.Stem,
	"ro": romanian.Stem, "ru": russian.Stem, "sv": swedish.Stem, "tr": turkish.Stem,
}
