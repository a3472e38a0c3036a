package phrases

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// sure returns the best of the candidates that come back or are names, none of them inside a better one or around it.
func (f *finder) sure() []*candidate {
	var list []*candidate
	for _, c := range f.all {
		if c.score = f.score(c); c.score >= minScore {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b *candidate) int { return cmp.Or(cmp.Compare(b.score, a.score), f.spelled(a, b)) })
	return apartFrom(list, func(c, k *candidate) bool { return within(c.stems, k.stems) || within(k.stems, c.stems) })
}

// nest notes for the parts of a phrase that comes back how often they stand in it: "trains" says little of its own in a
// text about night trains.
func (f *finder) nest(c *candidate) {
	n := len(c.stems)
	if n < 2 || c.body+c.title < 2 || f.uncut && !f.phrase(c) {
		return
	}
	for i := range n {
		for j := i + 1; j <= n; j++ {
			if part := f.found[keyOf(c.stems[i:j])]; part != nil && part != c {
				part.nested = max(part.nested, c.body+2*c.title+c.head)
			}
		}
	}
}

// apart is how often a phrase stands outside of longer ones, the title counted twice and headings once more.
func (c *candidate) apart() int { return c.body + 2*c.title + c.head - c.nested }

// score is between 0 and 1: how often, how early, how long, and whether title or headings have it.
func (f *finder) score(c *candidate) float64 {
	often := float64(c.apart())
	n := len(c.stems)
	if n == 1 {
		if !f.single(c) {
			return 0
		}
		often *= 0.8
	} else {
		often *= []float64{0, 0, 1.3, 1.2, 1}[n]
	}
	if n > 1 && !f.phrase(c) {
		return 0
	}
	if c.stop {
		often *= 0.7
	}
	for _, s := range c.stems {
		switch {
		case !f.stems[s].everyday:
		case n == 1:
			often *= 0.3
		default:
			often *= 0.8
		}
	}
	if c.title > 0 {
		often *= 1.5
	}
	early := 1.0
	if c.first >= 0 {
		early = 1.2 - 0.5*math.Min(1, float64(c.first)/math.Max(100, float64(len(f.body))))
	}
	v := often * early
	return v / (v + 4)
}

// phrase reports whether several words are one phrase. A run of words that stands once, in the title or elsewhere, is as
// likely a piece of a sentence, verb and all; only what comes back is known to belong together, or what is written like
// a name.
//
// Where nobody knows the function words of a language what comes back is as likely a piece of a sentence as well.
func (f *finder) phrase(c *candidate) bool {
	if !f.uncut && (c.body > 1 || c.body == 1 && c.title > 0) {
		return true
	}
	for i, s := range c.stems {
		if !f.stems[s].name() || f.german && i == 0 {
			return false
		}
	}
	return true
}

// single reports whether one word alone may be a phrase: a noun that comes back, or a name.
func (f *finder) single(c *candidate) bool {
	if c.body+c.title < 2 {
		return false
	}
	s, stem := c.surface, &f.stems[c.stems[0]]
	long := utf8.RuneCountInString(s)
	switch {
	case signs(s):
		return short(s) && c.body > 0 && (c.title > 0 || c.body > 2)
	case long < 3:
		return false
	case f.uncut:
		return c.body > 0 && c.title > 0 && long >= 4 || stem.name()
	}
	if f.german {
		return true
	}
	capital := s != strings.ToLower(s)
	if f.usage != nil && (!f.usage[stem.text].isNoun() || !capital && noNoun(s)) {
		return false
	}
	if f.lang != "en" && long >= 5 && c.title > 0 && c.body > 0 {
		return true // where endings change much, a word seldom comes back in the same form
	}
	return long >= 5 && (c.body >= 3 || c.title > 0 && c.body >= 2) || capital && stem.name()
}

// A word of Chinese characters or of Katakana has this many, or it is one too common or a whole part of a sentence, which
// Chinese does not cut into words.
const minSign, maxSign = 2, 8

// signs reports whether a phrase is written so.
func signs(s string) bool {
	first, _ := utf8.DecodeRuneInString(s)
	return unicode.In(first, unicode.Han, unicode.Katakana)
}

func short(s string) bool {
	n := utf8.RuneCountInString(s)
	return n >= minSign && n <= maxSign
}

// noNoun reports whether an English word is by its ending an adverb, or one of the comparatives that look like nouns.
func noNoun(s string) bool {
	switch s {
	case "longer", "later", "earlier", "sooner", "larger", "smaller", "higher", "lower", "older", "younger", "harder", "easier", "cheaper":
		return true
	}
	return strings.HasSuffix(s, "ly") && len(s) > 6
}
