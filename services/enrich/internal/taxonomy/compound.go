package taxonomy

import (
	"slices"
	"unicode/utf8"

	"tidings.internal/services/enrich/internal/words"
)

// shortest is how many letters a part of a German compound has at least, so that "Bank" is not met in "Bankett", and
// longest how many bytes a compound has at most.
const shortest, longest = 5, 64

// compounds keeps the labels that German compounds are made of, one of each concept. What is ambiguous by itself is no
// sign in a compound, and what several concepts share does not say which of them is meant.
func (m *Matcher) compounds(nouns map[string][]meaning) {
	for stem, labels := range nouns {
		var kept []meaning
		for _, label := range labels {
			doubted := slices.ContainsFunc(labels, func(o meaning) bool { return o.concept == label.concept && o.vague })
			there := slices.ContainsFunc(kept, func(o meaning) bool { return o.concept == label.concept })
			if !doubted && !there {
				kept = append(kept, label)
			}
		}
		if len(kept) > 1 {
			for i := range kept {
				kept[i].vague = true
			}
		}
		if len(kept) > 0 {
			m.nouns[stem] = kept
		}
	}
}

// compound finds the labels at the two ends of a German compound, of several the longest: "Solarenergie" is a kind of
// "Energie", and "Energiepreise" has to do with it.
func (m *Matcher) compound(list []words.Word, i int) (hits []hit, ok bool) {
	w := &list[i]
	if w.Masked || !w.Upper() || w.Acronym() || len(w.Stem) < 2*shortest-1 || len(w.Fold) > longest {
		return nil, false
	}
	met := func(labels []meaning, weight float64, vague bool) {
		for _, label := range labels {
			label.vague = label.vague || vague
			hits = append(hits, hit{meaning: label, from: i, to: i + 1, weight: weight, how: "compound"})
		}
	}
	for at := range w.Stem {
		if at >= 3 && len(w.Stem)-at >= shortest {
			if labels := m.nouns[w.Stem[at:]]; labels != nil {
				met(labels, byHead, false)
				break
			}
		}
	}
	if len(hits) > 0 {
		return hits, true
	}
	for at := len(w.Fold) - shortest + 1; at >= shortest; at-- {
		if utf8.RuneStart(w.Fold[at]) {
			if labels := m.nouns[w.Fold[:at]]; labels != nil {
				met(labels, byModifier, true)
				break
			}
		}
	}
	return hits, len(hits) > 0
}

// joining are the words between two German words of which the first leaves its end to the other.
var joining = map[string]bool{"und": true, "oder": true, "sowie": true, "bzw": true, "beziehungsweise": true, "wie": true, "noch": true}

// leastEnd is how many letters the end has at least that two words share.
const leastEnd = 4

// hanging finds the labels of which the end stands in the word behind: "Ein- und Ausfuhr" is Einfuhr as well.
func (m *Matcher) hanging(list []words.Word, text, lang string) (hits []hit) {
	if words.Base(lang) != "de" {
		return nil
	}
	for i := 0; i+2 < len(list); i++ {
		w, end := &list[i], &list[i+2]
		if !w.Upper() || w.Masked || w.To >= len(text) || text[w.To] != '-' || !joining[list[i+1].Fold] || end.Break || len(end.Fold) > longest {
			continue
		}
		for _, label := range m.whole(w.Fold, end.Fold) {
			h := hit{meaning: label, from: i, to: i + 3, weight: byPref, how: label.kind}
			if label.kind != Pref {
				h.weight = byAlt
			}
			hits = append(hits, h)
		}
	}
	return hits
}

// whole looks for a label that begins with one word and ends as another does, the longest end first.
func (m *Matcher) whole(begin, word string) []meaning {
	stem := words.NewStemmer("de")
	for at := range word {
		if at > 0 && utf8.RuneCountInString(word[at:]) >= leastEnd {
			if labels := m.nouns[stem.Stem(begin+word[at:])]; labels != nil {
				return labels
			}
		}
	}
	return nil
}
