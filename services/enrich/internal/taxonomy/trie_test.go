package taxonomy

import (
	"testing"

	"tidings.internal/services/enrich/internal/words"
)

// FuzzLabel: the filter in front of a node hides no label, and lets none through that is not there.
func FuzzLabel(f *testing.F) {
	f.Add("Künstliche Intelligenz", "Die KI und die künstliche Intelligenz", "de")
	f.Add("EU", "eu EU Eu", "en")
	f.Add("a", "a \xff b", "")
	f.Fuzz(func(t *testing.T, label, text, lang string) {
		root := &node{next: map[string]*node{}}
		root.insert("c", Label{Lang: lang, Text: label, Kind: Pref}, words.Cut(label, lang), false)
		root.sieve()
		for key := range root.next {
			if root.child(key) == nil {
				t.Errorf("the label %q is hidden by its first word %q", label, key)
			}
		}
		list := words.Cut(text, lang)
		for i := range list {
			if w := &list[i]; root.child(w.Stem) != root.next[w.Stem] || root.child(exact(w.Text)) != root.next[exact(w.Text)] {
				t.Errorf("%q is found beside the label %q, or is not", w.Text, label)
			}
			if hits, ok := root.at(list, i, words.Base(lang)); ok != (len(hits) > 0) || ok && hits[0].to > len(list) {
				t.Errorf("%q is met as %v in %d words", label, hits, len(list))
			}
		}
	})
}
