package taxonomy

import (
	"slices"
	"strings"

	"tidings.internal/services/enrich/internal/words"
)

// node is a place in the trie of the labels of a language, by the stems of their words.
type node struct {
	next map[string]*node
	ends []meaning
	keys filter // of next
}

// filter says of most keys that a node does not have that it does not, without a look into the map: no label begins with
// most words of a text. It is nil where the map is small.
type filter []uint64

// filterBits is the logarithm of how many bits a filter has.
const filterBits = 15

// place is the bit of a key, which is not empty.
func (filter) place(key string) (word, bit uint32) {
	n := len(key)
	h := uint32(key[0]) | uint32(key[n/2])<<8 | uint32(key[n-1])<<16 | uint32(n)<<24
	h = h * 0x9E3779B1 >> (32 - filterBits)
	return h / 64, h % 64
}

// child is the node behind a word, nil for none.
func (n *node) child(key string) *node {
	if n.keys != nil {
		if word, bit := n.keys.place(key); n.keys[word]>>bit&1 == 0 {
			return nil
		}
	}
	return n.next[key]
}

// sieve makes the filter of a node that has all its children.
func (n *node) sieve() {
	n.keys = make(filter, 1<<filterBits/64)
	for key := range n.next {
		word, bit := n.keys.place(key)
		n.keys[word] |= 1 << bit
	}
}

// meaning is a label that ends at a node of the trie.
type meaning struct {
	concept string
	kind    string
	folds   []string // the label's own words
	label   string   // the same with a space between them
	upper   bool     // its last word is written with a capital
	vague   bool     // it means other things as often
	common  bool     // it is one word that stands in every second text
}

// maxLabel is how many words a label has that is looked for.
const maxLabel = 6

// insert puts a label into the trie. One without words, or with too many, is left out.
func (n *node) insert(id string, l Label, label []words.Word, common bool) meaning {
	if len(label) == 0 || len(label) > maxLabel {
		return meaning{}
	}
	m := meaning{concept: id, kind: l.Kind, upper: label[len(label)-1].Upper(), vague: l.Kind == Ambiguous}
	m.common = common
	for i := range label {
		key := label[i].Stem
		if label[i].Acronym() {
			key = exact(label[i].Text)
		}
		m.folds = append(m.folds, label[i].Fold)
		child := n.next[key]
		if child == nil {
			child = &node{next: map[string]*node{}}
			n.next[key] = child
		}
		n = child
	}
	m.label = strings.Join(m.folds, " ")
	n.ends = append(n.ends, m)
	return m
}

// everyday reports whether a label is one word that stands in every second text.
func everyday(l Label, label []words.Word, lang string) bool {
	return l.Kind != Pref && len(label) == 1 && !label[0].Acronym() && words.EverydayStems(lang)[label[0].Stem]
}

// exact is the key of an acronym: "KI" is not "ki" and "IT" is not "it".
func exact(text string) string { return "=" + text }

// at returns the meanings of the longest label that begins at word i of a text in a language without a region. Several
// concepts may share it.
func (n *node) at(list []words.Word, i int, lang string) ([]hit, bool) {
	var best []hit
	for j := i; j < len(list); j++ {
		w := &list[j]
		if w.Masked || j > i && w.Break {
			break
		}
		var child *node
		if w.Acronym() {
			child = n.child(exact(w.Text))
		}
		if child == nil {
			if child = n.child(w.Stem); child == nil {
				break
			}
		}
		n = child
		var here []hit
		for _, m := range n.ends {
			h, ok := m.met(list, i, j+1, lang)
			if !ok {
				continue
			}
			// Two labels of one concept that share their stems ("museum", "museums") are met once, the better way.
			k := slices.IndexFunc(here, func(o hit) bool { return o.concept == h.concept })
			switch {
			case k < 0:
				here = append(here, h)
			default:
				// What is said to be ambiguous is, also where it is the preferred label.
				vague := slices.Equal(h.folds, here[k].folds) && (h.vague || here[k].vague)
				if h.weight > here[k].weight {
					here[k] = h
				}
				here[k].vague = here[k].vague || vague
			}
		}
		if len(here) > 1 {
			for k := range here {
				here[k].vague = true // which of them is meant is not said
			}
		}
		if len(here) > 0 {
			best = here
		}
	}
	return best, len(best) > 0
}

// met weighs a label against the words that were found for it.
func (m meaning) met(list []words.Word, from, to int, lang string) (hit, bool) {
	last := &list[to-1]
	if m.upper && lang == "de" && !last.Upper() {
		return hit{}, false // "Recht" is a noun, "recht" is not
	}
	h := hit{meaning: m, from: from, to: to, weight: byPref, how: m.kind}
	if m.kind != Pref {
		h.weight = byAlt
	}
	for i, fold := range m.folds {
		if got := list[from+i].Fold; got != fold {
			if lang == "en" && !sameNoun(got, fold) || lang == "" && !sameNoun(got, fold) && !inflected(got, fold) {
				return hit{}, false
			}
			h.how, h.weight = "stem", min(h.weight, byStem)
		}
	}
	if list[from].Glued || to < len(list) && list[to].Glued {
		h.how, h.weight = "compound", byPart
	}
	return h, true
}
