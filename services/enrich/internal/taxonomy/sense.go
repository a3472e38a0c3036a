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

// senses are the definitions of a vocabulary in one language as vectors of length 1, by concept. A stem counts the more
// the fewer definitions have it.
type senses struct {
	rarity  map[string]float64
	vectors map[string]vector
}

// vector is a text as weights of its stems.
type vector map[string]float64

func (v *Vocabulary) senses(lang string) *senses {
	s := &senses{rarity: map[string]float64{}, vectors: map[string]vector{}}
	counts := map[string]vector{}
	for _, id := range v.IDs() {
		if text := v.concepts[id].Definition[lang]; text != "" {
			for _, l := range v.concepts[id].Labels {
				if words.Base(l.Lang) == lang || l.Lang == "" {
					text += ", " + l.Text
				}
			}
			counts[id] = count(words.Cut(text, lang), nil)
			for stem := range counts[id] {
				s.rarity[stem]++
			}
		}
	}
	for stem, n := range s.rarity {
		s.rarity[stem] = math.Log(1 + float64(len(counts))/n)
	}
	for id, c := range counts {
		s.vectors[id] = s.weigh(c)
	}
	return s
}

// count counts the stems that say something.
func count(body, title []words.Word) vector {
	c := vector{}
	for _, w := range title {
		if !w.Stop && !w.Masked && !w.Digit {
			c[w.Stem] += inTitle
		}
	}
	for _, w := range body {
		if !w.Stop && !w.Masked && !w.Digit {
			c[w.Stem]++
		}
	}
	return c
}

// weigh makes a vector of length 1 of counts. What stands in no definition does not count.
func (s *senses) weigh(counts vector) vector {
	v := vector{}
	length := 0.0
	for _, stem := range slices.Sorted(maps.Keys(counts)) { // sums of fractions depend on their order
		if w := s.rarity[stem] * math.Log1p(counts[stem]); w > 0 {
			v[stem] = w
			length += w * w
		}
	}
	for stem := range v {
		v[stem] /= math.Sqrt(length)
	}
	return v
}

// sense is a text to compare definitions with.
type sense struct {
	senses *senses
	text   vector
}

// of takes the words of an article; those of the title count for several. It costs nothing where there are no definitions.
func (s *senses) of(title, body []words.Word) sense {
	if s == nil || len(s.vectors) == 0 {
		return sense{}
	}
	return sense{s, s.weigh(count(body, title))}
}

// near is the cosine of the text and the definition of a concept, 0 to 1.
func (t sense) near(id string) float64 {
	if t.senses == nil {
		return 0
	}
	definition, sum := t.senses.vectors[id], 0.0
	for _, stem := range slices.Sorted(maps.Keys(definition)) {
		sum += definition[stem] * t.text[stem]
	}
	return sum
}
