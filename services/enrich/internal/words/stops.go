package words

import (
	_ "embed"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
)

//go:embed stops.txt
var stopLists string

//go:embed everyday.txt
var everydayLists string

// The lists are read once: they are constant data that happens to be text.
var (
	stops    = sync.OnceValue(func() map[string]map[string]bool { return read(stopLists) })
	everyday = sync.OnceValue(func() map[string]map[string]bool { return read(everydayLists) })
	// commonStems are made for each language when it is first met: stemming a list takes longer than reading an article.
	commonStems = sync.OnceValue(func() map[string]func() map[string]bool {
		all := map[string]func() map[string]bool{}
		for lang, list := range everyday() {
			all[lang] = sync.OnceValue(func() map[string]bool {
				stem, set := NewStemmer(lang), map[string]bool{}
				for w := range list {
					set[stem.Stem(w)] = true
				}
				return set
			})
		}
		return all
	})
)

func read(lists string) map[string]map[string]bool {
	all := map[string]map[string]bool{}
	for line := range strings.Lines(lists) {
		lang, list, ok := strings.Cut(line, ": ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		set := map[string]bool{}
		for w := range strings.FieldsSeq(list) {
			set[Fold(w)] = true
		}
		all[lang] = set
	}
	return all
}

// Stops returns the function words of a language, folded; none for a language that has no list. The map is shared and
// must not be changed.
func Stops(lang string) map[string]bool { return stops()[known(lang)] }

// EverydayStems returns the stems of common words of the news in a language, to be shared and not changed as the words of
// [Stops].
func EverydayStems(lang string) map[string]bool {
	if stems := commonStems()[known(lang)]; stems != nil {
		return stems()
	}
	return nil
}

// known is the code under which the lists stand: the two written forms of Norwegian share one.
func known(lang string) string {
	if lang = Base(lang); lang == "nb" || lang == "nn" {
		return "no"
	}
	return lang
}

// Languages lists the codes of the languages with function words.
func Languages() iter.Seq[string] {
	return slices.Values(slices.Sorted(maps.Keys(stops())))
}
