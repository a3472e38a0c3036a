package entities

import (
	"strings"
	"unicode/utf8"

	"tidings.internal/services/enrich/internal/words"
)

// In German every noun has a capital, so a capital alone shows no name. What does: letters that are not those of German
// words, capitals throughout, and the place behind a word of saying that follows what was said.
const (
	// foreignPair is what must speak against German letters in a run of capitals, in nats, and foreignFirst in one that
	// opens a sentence, where the first word may be any.
	foreignPair, foreignFirst = 5, 4
	// foreignWord is the same of one word: of the first of a run, which is no noun before a name then ("Onkel Ali"), or
	// of one alone behind a preposition.
	foreignWord = 2
	// maxForeign is how many words such a run has at most: a longer one is a title or a quotation in another language.
	maxForeign = 3
	// minAcronym is the length in letters of the shortest acronym that counts as a name.
	minAcronym = 3
)

// nounEndings are those of German nouns that are no names.
var nounEndings = []string{"ung", "ungen", "heit", "heiten", "keit", "keiten", "schaft", "schaften", "tion", "tionen", "ismus", "ität", "nis", "nisse",
	"ling", "linge", "tum", "ment", "mente", "eur", "anz", "enz", "innen", "erin", "ern", "chen", "lein", "strasse"}

// german reads a German name at word i that no list knows.
func (f *finder) german(list []words.Word, i int) (from, to int, rule string) {
	n := f.run(list, i, maxForeign+2)
	if f.lang != "de" || n == 0 || i+n < len(list) && list[i+n].Glued {
		return 0, 0, ""
	}
	for k := 1; k < n; k++ {
		if list[i+k].Glued {
			return 0, 0, ""
		}
	}
	w, before := &list[i], ""
	if i > 0 && !w.Break && !w.First {
		before = list[i-1].Fold
	}
	switch {
	case n == 1 && f.acronym(list, i):
		return i, i + 1, "acronym"
	case f.known.said[before] && list[i-1].Break && n <= maxForeign && f.noNouns(list[i:i+n]):
		return i, i + n, "said"
	case n == 1 && f.known.bare[before] && !f.noun(w) && f.foreign(list[i:i+1]) >= foreignWord:
		return i, i + 1, "letters"
	case w.First && n == 2 && f.noNouns(list[i:i+n]) && f.foreign(list[i:i+n]) >= foreignFirst:
		return i, i + n, "letters"
	case w.First:
		return 0, 0, ""
	}
	if n > 2 && (f.noun(w) || f.foreign(list[i:i+1]) < foreignWord) {
		i, n = i+1, n-1 // what the name is of
	}
	if n >= 2 && n <= maxForeign && f.noNouns(list[i:i+n]) && f.foreign(list[i:i+1]) >= foreignWord && f.foreign(list[i:i+n]) >= foreignPair {
		return i, i + n, "letters"
	}
	return 0, 0, ""
}

// acronym reports whether a word in capitals stands for an organisation: not for a thing that everybody calls so, and not
// in a line that is written in capitals.
func (f *finder) acronym(list []words.Word, i int) bool {
	w := &list[i]
	return w.Acronym() && utf8.RuneCountInString(w.Text) >= minAcronym && !f.known.things[w.Text] && !strings.ContainsAny(w.Text, "0123456789'’") &&
		(i == 0 || !list[i-1].Acronym()) && (i+1 == len(list) || !list[i+1].Acronym())
}

// foreign is what speaks against some words being German by their letters.
func (f *finder) foreign(list []words.Word) float64 {
	var small []string
	for i := range list {
		small = append(small, strings.ToLower(list[i].Text))
	}
	return f.letters.Against("de", small...)
}

func (f *finder) noNouns(list []words.Word) bool {
	for i := range list {
		if f.noun(&list[i]) {
			return false
		}
	}
	return true
}

// noun reports whether a German word with a capital is known to be no name.
func (f *finder) noun(w *words.Word) bool {
	if words.EverydayStems("de")[w.Stem] || f.known.offices[w.Text] || f.known.heads[w.Text] {
		return true
	}
	for _, e := range nounEndings {
		if strings.HasSuffix(w.Fold, e) && len(w.Fold) > len(e)+2 {
			return true
		}
	}
	return false
}
