package phrases

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// ranked returns the candidates that a person would choose by some weights with at least some chance, the likeliest first,
// none of them inside a likelier one.
func (f *finder) ranked(weights *vector, least float64) []*candidate {
	var list []*candidate
	for _, c := range f.all {
		v := f.vector(c)
		if c.chance = weights.chance(&v); c.chance >= least && !f.idle(c, &v) {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b *candidate) int { return cmp.Or(cmp.Compare(b.chance, a.chance), f.spelled(a, b)) })
	return apartFrom(list, func(c, k *candidate) bool { return within(c.stems, k.stems) })
}

// idle reports whether nobody would miss a phrase, whatever the weights say of it, since people chose such words too: one
// that never stands outside of a longer one that comes back, an English verb or adverb by its ending, German everyday
// words that the title does not have, or a run of words where sentences cannot be cut.
func (f *finder) idle(c *candidate, v *vector) bool {
	switch {
	case c.nested > 0 && v[apart] == 0, f.uncut && (len(c.stems) > 1 && !f.phrase(c) || signs(c.surface) && !short(c.surface)):
		return true
	case f.german:
		return v[plain] == 1 && c.title == 0
	case f.lang != "en" || len(c.stems) > 1:
		return false
	}
	s := c.surface
	return (s == strings.ToLower(s) || !f.stems[c.stems[0]].noun) && (strings.HasSuffix(s, "ed") || strings.HasSuffix(s, "ing") || noNoun(s))
}

// apartFrom keeps the first phrases of a list, leaving out what repeats one that is kept.
func apartFrom(list []*candidate, repeats func(c, kept *candidate) bool) []*candidate {
	var kept []*candidate
	for _, c := range list {
		if len(kept) == maxPhrases {
			break
		}
		if !slices.ContainsFunc(kept, func(k *candidate) bool { return repeats(c, k) }) {
			kept = append(kept, c)
		}
	}
	return kept
}

func rounded(x float64) float64 { return math.Round(x*1000) / 1000 }
