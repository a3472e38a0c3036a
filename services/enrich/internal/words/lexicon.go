package words

import (
	"sync"
	"unicode"
	"unicode/utf8"

	"tidings.internal/services/enrich/internal/memo"
)

// form is a word apart from its place: what does not depend on the text.
type form struct {
	text, fold, stem string
	stop, digit      bool
}

// lexicon remembers the forms of a language: a text consists of the same few thousand words as the one before it, and a
// stem is dear.
type lexicon = memo.Table[form]

// lexicons are made for each language when it is first met. What languages without stems and lists have in common stands
// under "".
var lexicons = sync.OnceValue(func() map[string]func() *lexicon {
	all := map[string]func() *lexicon{"": newLexicon("")}
	for lang := range stops() {
		all[lang] = newLexicon(lang)
	}
	for lang := range algorithms {
		all[lang] = newLexicon(lang)
	}
	return all
})

func newLexicon(lang string) func() *lexicon {
	return sync.OnceValue(func() *lexicon {
		stem, stop := NewStemmer(lang), Stops(lang)
		return memo.New(func(text string) form {
			fold := Fold(text)
			first, _ := utf8.DecodeRuneInString(text)
			return form{text: text, fold: fold, stem: stem.Stem(fold), stop: stop[fold], digit: unicode.IsDigit(first)}
		})
	})
}

func lexiconOf(lang string) *lexicon {
	all := lexicons()
	if of, ok := all[known(lang)]; ok {
		return of()
	}
	return all[""]()
}
