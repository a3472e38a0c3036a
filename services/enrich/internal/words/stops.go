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

// The lists are read once: they are constant data that happens to be text.
var stops = sync.OnceValue(func() map[string]map[string]bool {
	all := map[string]map[string]bool{}
	for line := range strings.Lines(stopLists) {
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
})

// Stops returns the function words of a language, folded; none for a language that has no list. The map is shared and
// must not be changed.
func Stops(lang string) map[string]bool {
	lang = Base(lang)
	if lang == "nb" || lang == "nn" {
		lang = "no"
	}
	return stops()[lang]
}

// Languages lists the codes of the languages with function words.
func Languages() iter.Seq[string] {
	return slices.Values(slices.Sorted(maps.Keys(stops())))
}
