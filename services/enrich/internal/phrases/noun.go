package phrases

import (
	"strings"

	"tidings.internal/services/enrich/internal/prose"
	"tidings.internal/services/enrich/internal/words"
)

// usage is how an English word is used in a text, told by the word before it: without a lexicon that is all there is to
// tell a noun from a verb.
type usage struct {
	noun, verb int
	name       bool // with a capital inside a sentence, where not every word has one
}

// beforeNoun and beforeVerb are words behind which a noun, or a verb, is to be expected.
var (
	beforeNoun = set("a an the this that these those its our your their his her my no some any each every all both many few several more most of in for with by from on at about into through between without within and or than")
	beforeVerb = set("to can could will would shall should may might must not never you we they i he she it who don't doesn't didn't won't can't cannot let's please also just always often")
)

func set(list string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		m[w] = true
	}
	return m
}

// usages reads how the words of an English text are used, by their stems. Titles and headings, in which every word may
// have a capital, say nothing.
func usages(list []words.Word, at func(rune int) prose.Kind) map[string]*usage {
	all := map[string]*usage{}
	for i := range list {
		w := &list[i]
		if w.Stop || w.Masked || at(w.Start) == prose.Heading {
			continue
		}
		u := all[w.Stem]
		if u == nil {
			u = &usage{}
			all[w.Stem] = u
		}
		switch {
		case w.First: // a command begins so
			if !strings.HasSuffix(w.Fold, "s") {
				u.verb++
			}
			continue
		case w.Upper():
			u.name = true
		}
		switch before := list[i-1].Fold; {
		case w.Break:
		case beforeNoun[before]:
			u.noun++
		case beforeVerb[before]:
			u.verb++
		case !list[i-1].Stop: // behind an adjective or another noun, more often than behind a verb
			u.noun++
		}
	}
	return all
}

// isNoun reports whether a word is used as a noun, or as a name.
func (u *usage) isNoun() bool { return u != nil && (u.name || u.noun > 2*u.verb) }
