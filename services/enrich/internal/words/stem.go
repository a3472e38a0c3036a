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

// Stemmer cuts endings off. It remembers what it was asked, and serves one goroutine.
type Stemmer struct {
	stem func(*snowballstem.Env) bool
	seen map[string]string
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
	return &Stemmer{stem: algorithm(Base(lang)), seen: map[string]string{}, polish: Base(lang) == "pl"}
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
	if got, ok := s.seen[fold]; ok {
		return got
	}
	env := snowballstem.NewEnv(fold)
	s.stem(env)
	got := env.Current()
	if got == "" {
		got = fold
	}
	s.seen[fold] = got
	return got
}

// Base returns the language of a tag without region and script.
func Base(lang string) string {
	lang, _, _ = strings.Cut(strings.ReplaceAll(strings.ToLower(lang), "_", "-"), "-")
	return lang
}

func algorithm(lang string) func(*snowballstem.Env) bool {
	switch lang {
	case "da":
		return danish.Stem
	case "de":
		return german.Stem
	case "en":
		return english.Stem
	case "es":
		return spanish.Stem
	case "fi":
		return finnish.Stem
	case "fr":
		return french.Stem
	case "hu":
		return hungarian.Stem
	case "it":
		return italian.Stem
	case "nl":
		return dutch.Stem
	case "no", "nb", "nn":
		return norwegian.Stem
	case "pt":
		return portuguese.Stem
	case "ro":
		return romanian.Stem
	case "ru":
		return russian.Stem
	case "sv":
		return swedish.Stem
	case "tr":
		return turkish.Stem
	}
	return nil
}
