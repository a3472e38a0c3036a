package words

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"tidings.internal/services/enrich/internal/memo"
)

// remembered is half of how many words of all languages are remembered: a text consists of the same few thousand words as
// the one before it, and a stem is dear. Full they hold some 5 MB.
const remembered = 1 << 14

// form is a word apart from its place: what does not depend on the text.
type form struct {
	text, fold, stem string
	stop, digit      bool
}

// lexicon is what makes forms of the words of a language.
type lexicon struct {
	stem *Stemmer
	stop map[string]bool
	// elides are the words that lose their vowel before another one and are written together with it: "l'avenue".
	elides map[string]bool
}

// elisions are those of the languages that have them.
var elisions = map[string]string{
	"fr": "l d j m t s n c qu jusqu lorsqu puisqu quoiqu",
	"it": "l d c un s m t v n dell nell all sull dall coll quell quest bell sant",
	"ca": "l d m t s n",
}

// elided returns how many bytes of a word are one that lost its vowel, 0 for none. A word that is a function word as a whole
// stays whole.
func (l *lexicon) elided(word string) int {
	if l.elides == nil {
		return 0
	}
	i := strings.IndexAny(word, "'’")
	if i <= 0 || !l.elides[Fold(word[:i])] || l.stop[Fold(word)] {
		return 0
	}
	return i
}

// form describes a word.
func (l *lexicon) form(text string) form {
	fold := Fold(text)
	first, _ := utf8.DecodeRuneInString(text)
	return form{text: text, fold: fold, stem: l.stem.Stem(fold), stop: l.stop[fold] || l.elides[fold] || scriptOf(first) == hiragana, digit: unicode.IsDigit(first)}
}

// forms remembers those of all languages.
var forms = sync.OnceValue(func() *memo.Table[*lexicon, form] { return memo.New(remembered, (*lexicon).form) })

// lexicons are those of the languages that have stems or function words. What all others have in common stands under "".
var lexicons = sync.OnceValue(func() map[string]*lexicon {
	all := map[string]*lexicon{"": {stem: NewStemmer("")}}
	for lang, stop := range stops() {
		all[lang] = &lexicon{stem: NewStemmer(lang), stop: stop}
	}
	for lang := range algorithms {
		if all[lang] == nil {
			all[lang] = &lexicon{stem: NewStemmer(lang)}
		}
	}
	for lang, list := range elisions {
		all[lang].elides = map[string]bool{}
		for w := range strings.FieldsSeq(list) {
			all[lang].elides[w] = true
		}
	}
	return all
})

func lexiconOf(lang string) *lexicon {
	all := lexicons()
	if l := all[known(lang)]; l != nil {
		return l
	}
	return all[""]
}
