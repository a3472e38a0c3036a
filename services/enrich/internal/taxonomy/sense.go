package taxonomy

import (
	"maps"
	"math"
	"slices"

	"tidings.internal/services/enrich/internal/words"
)

// neighbours lists for each concept those that are broader, narrower or related: what is met of them tells which meaning
// a word has.
func (v *Vocabulary) neighbours() map[string][]string {
	near := map[string][]string{}
	join := func(a, b string) {
		if v.concepts[a] != nil && v.concepts[b] != nil && a != b && !slices.Contains(near[a], b) {
			near[a] = append(near[a], b)
		}
	}
	for _, id := range v.IDs() {
		for _, other := range slices.Concat(v.concepts[id].Broader, v.concepts[id].Related) {
			join(id, other)
			join(other, id)
		}
	}
	return near
}

// senses are the definitions of a vocabulary in one language, with the labels, as vectors of length 1, by concept. A stem
// counts the more the fewer definitions have it.
type senses struct {
	numbers map[string]int // of the stems
	rarity  []float64      // by number
	vectors map[string][]weighted
}

// weighted is a stem with its weight in a text.
type weighted struct {
	stem   int
	weight float64
}

func (v *Vocabulary) senses(lang string) *senses {
	s := &senses{numbers: map[string]int{}, vectors: map[string][]weighted{}}
	texts := map[string][]words.Word{}
	for _, id := range v.IDs() {
		text := v.concepts[id].defined(lang)
		if text == "" {
			continue
		}
		for _, l := range v.concepts[id].Labels {
			if words.Base(l.Lang) == lang || l.Lang == "" {
				text += ", " + l.Text
			}
		}
		texts[id] = words.Cut(text, lang)
		seen := map[string]bool{}
		for _, w := range texts[id] {
			if tells(&w) && !seen[w.Stem] {
				seen[w.Stem] = true
				n, known := s.numbers[w.Stem]
				if !known {
					n = len(s.rarity)
					s.numbers[w.Stem], s.rarity = n, append(s.rarity, 0)
				}
				s.rarity[n]++
			}
		}
	}
	for stem, n := range s.rarity {
		s.rarity[stem] = math.Log(1 + float64(len(texts))/n)
	}
	counts := make([]float64, len(s.rarity))
	for id, text := range texts {
		s.vectors[id] = s.vector(nil, text, counts)
		for _, w := range s.vectors[id] {
			counts[w.stem] = 0
		}
	}
	return s
}

// defined gives the definition in a language, whatever the country, else the one for all languages.
func (c *Concept) defined(lang string) string {
	for _, l := range slices.Sorted(maps.Keys(c.Definition)) {
		if l != "" && words.Base(l) == lang {
			return c.Definition[l]
		}
	}
	return c.Definition[""]
}

// tells reports whether a word says something about a subject.
func tells(w *words.Word) bool { return !w.Stop && !w.Masked && !w.Digit }

// vector makes a vector of length 1 of a text, in the order in which its stems stand there: sums of fractions depend on
// their order. What stands in no definition does not count; words of the title count for several. counts has a zero for
// each stem, and has the weights in the end.
func (s *senses) vector(title, body []words.Word, counts []float64) []weighted {
	var list []weighted
	count := func(text []words.Word, times float64) {
		for i := range text {
			w := &text[i]
			if !tells(w) {
				continue
			}
			n, known := s.numbers[w.Stem]
			if !known {
				continue
			}
			if counts[n] == 0 {
				list = append(list, weighted{stem: n})
			}
			counts[n] += times
		}
	}
	count(title, inTitle)
	count(body, 1)
	length := 0.0
	for i := range list {
		w := &list[i]
		w.weight = s.rarity[w.stem] * math.Log1p(counts[w.stem])
		length += w.weight * w.weight
	}
	for i := range list {
		list[i].weight /= math.Sqrt(length)
		counts[list[i].stem] = list[i].weight
	}
	return list
}

// sense is a text to hold definitions against.
type sense struct {
	senses *senses
	text   []float64 // the weights of the stems, by number
}

// of takes the words of an article. It costs nothing where there are no definitions.
func (s *senses) of(title, body []words.Word) sense {
	if s == nil || len(s.vectors) == 0 {
		return sense{}
	}
	text := make([]float64, len(s.rarity))
	s.vector(title, body, text)
	return sense{s, text}
}

// near is the cosine of the text and the definition of a concept, 0 to 1.
func (t sense) near(id string) float64 {
	if t.senses == nil {
		return 0
	}
	sum := 0.0
	for _, w := range t.senses.vectors[id] {
		sum += w.weight * t.text[w.stem]
	}
	return sum
}
