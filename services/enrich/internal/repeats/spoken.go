package repeats

import (
	"cmp"
	"slices"
	"strings"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/enrich/internal/space"
)

// The limits of what is remembered of sources. All at their limit hold 25 MB.
const (
	// MaxSources is how many sources are remembered, those with the newest articles.
	MaxSources = 16384
	// lastArticles is how many articles of each source.
	lastArticles = 50
	// fewest is how many articles make a habit.
	fewest = 5
	// sure is the confidence from which on the language of an article counts, if it has so many words: of fewer it was told by
	// what was declared and by the habit itself.
	sure, sureWords = 0.9, 5
)

// code is that of a language, two or three letters, the zero value for none.
type code [3]byte

func codeOf(lang string) code {
	var c code
	if len(lang) < 2 || len(lang) > len(c) || lang == article.Undetermined || strings.Trim(lang, "abcdefghijklmnopqrstuvwxyz") != "" {
		return code{}
	}
	copy(c[:], lang)
	return c
}

func (c code) String() string { return strings.TrimRight(string(c[:]), "\x00") }

// voice holds the languages of the last articles of a source, by sequence.
type voice struct {
	name   string
	newest uint64
	list   []said
}

type said struct {
	article, sequence uint64
	code              code
}

// voices holds those of all sources, by their ids.
type voices map[string]*voice

// surely gives the language of an article where its text tells it, else "".
func surely(a *article.Article) string {
	text, _ := article.Cut(a.Title+" "+a.Text, 1000) // a longer one has the words
	if a.Language.Confidence < sure || a.TextBlob == nil && space.Count(text) < sureWords {
		return ""
	}
	return a.Language.Code
}

// learn takes an article in the place of its former revision.
func (v voices) learn(s Seen) {
	key := sum(s.Article)
	v.forget(s.Source, func(a said) bool { return a.article == key })
	c := codeOf(s.Language)
	if s.Source == "" || c == (code{}) {
		return
	}
	of := v[s.Source]
	if of == nil {
		of = &voice{name: s.Source}
		v[s.Source] = of
	}
	a := said{article: key, sequence: s.Sequence, code: c}
	at, _ := slices.BinarySearchFunc(of.list, a, func(a, b said) int { return cmp.Compare(a.sequence, b.sequence) })
	of.list = slices.Insert(of.list, at, a)
	of.newest = max(of.newest, s.Sequence)
	if len(of.list) > lastArticles {
		of.list = slices.Delete(of.list, 0, 1)
	}
	if len(v) > MaxSources {
		v.forgetOldest()
	}
}

func (v voices) forget(source string, which func(said) bool) {
	if of := v[source]; of != nil {
		if of.list = slices.DeleteFunc(of.list, which); len(of.list) == 0 {
			delete(v, source)
		}
	}
}

// forgetOldest drops the source whose newest article is the oldest, the first by name of several.
func (v voices) forgetOldest() {
	var old *voice
	for _, of := range v {
		if old == nil || cmp.Or(cmp.Compare(of.newest, old.newest), cmp.Compare(of.name, old.name)) < 0 {
			old = of
		}
	}
	delete(v, old.name)
}

// known counts the languages of the sources that have a habit.
func (v voices) known() map[string]map[string]int {
	out := map[string]map[string]int{}
	for name, of := range v {
		if len(of.list) < fewest {
			continue
		}
		out[name] = map[string]int{}
		for _, a := range of.list {
			out[name][a.code.String()]++
		}
	}
	return out
}

// checkSpoken refuses counts that no memory makes.
func checkSpoken(sources map[string]map[string]int) error {
	for _, counts := range sources {
		all := 0
		for lang, n := range counts {
			if codeOf(lang) == (code{}) || n < 1 || n > lastArticles {
				return fault.Errorf(fault.Malformed, "read knowledge: a source has %d articles in the language %.10q", n, lang)
			}
			all += n
		}
		if all < fewest || all > lastArticles {
			return fault.Errorf(fault.Malformed, "read knowledge: the languages of %d articles of a source", all)
		}
	}
	return nil
}

// Spoken counts the languages of the last articles of a source, as far as they are sure; nil for a source without a habit.
func (k *Known) Spoken(source string) map[string]int {
	if k == nil {
		return nil
	}
	return k.sources[source]
}
