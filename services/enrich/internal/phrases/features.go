package phrases

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"tidings.internal/services/enrich/internal/words"
)

// Features are what the ranking knows of a candidate. Their order is that of the weights.
const (
	bias = iota
	often
	nested
	apart // often, less what stands inside longer phrases
	oneWord
	twoWords
	threeWords
	fourWords
	inTitle
	inHeading
	early
	place
	spread
	capitals
	name
	acronym
	linked
	plain
	plainEnd
	letters
	longest
	digits
	stemsOften
	rarest
	cohesion
	ending
	onceOnly
	opening
	neighbours
	features
)

// vector describes a candidate in numbers, each between about 0 and 1.
type vector [features]float64

// document holds what vectors are measured against.
type document struct {
	stems  map[string]int            // how often a stem stands in title and body
	left   map[string]map[string]int // stems that stand before a stem, and behind it
	right  map[string]map[string]int
	length int // words of the body
	log    float64
}

func newDocument(lists ...[]words.Word) *document {
	d := &document{stems: map[string]int{}, left: map[string]map[string]int{}, right: map[string]map[string]int{}}
	note := func(m map[string]map[string]int, of, by string) {
		if m[of] == nil {
			m[of] = map[string]int{}
		}
		m[of][by]++
	}
	for _, list := range lists {
		for i := range list {
			d.stems[list[i].Stem]++
			if i > 0 && !list[i].Break {
				note(d.left, list[i].Stem, list[i-1].Stem)
				note(d.right, list[i-1].Stem, list[i].Stem)
			}
		}
		d.length = len(list)
	}
	d.log = math.Log(float64(max(d.length, 2)))
	return d
}

// varied is the share of different words among those that stand beside a stem: a word that joins anything is seldom
// part of what a text is about.
func (d *document) varied(stem string) float64 {
	total, kinds := 0, len(d.left[stem])+len(d.right[stem])
	for _, side := range []map[string]int{d.left[stem], d.right[stem]} {
		for _, n := range side {
			total += n
		}
	}
	if total < 2 {
		return 0.5
	}
	return float64(kinds) / float64(total)
}

// vector measures a candidate.
func (f *finder) vector(c *candidate, d *document) vector {
	var v vector
	n := len(c.stems)
	count := float64(c.body + c.title)
	surface := c.surface()
	v[bias] = 1
	v[often] = math.Log1p(count) / 3
	v[nested] = math.Log1p(float64(f.nested[c.key])) / 3
	v[apart] = math.Log1p(math.Max(0, float64(c.body+2*c.title+c.head-f.nested[c.key]))) / 3
	v[oneWord+min(n, maxWords)-1] = 1
	v[inTitle] = math.Min(1, float64(c.title))
	v[inHeading] = math.Min(1, float64(c.head))
	v[early], v[place] = 1, 0
	if c.first >= 0 {
		v[early] = 1 - math.Min(1, float64(c.first)/float64(max(d.length, 1)))
		v[place] = math.Log1p(float64(c.first)) / 7
	}
	v[spread] = float64(c.tenths()) / 10
	v[capitals] = c.capital(surface)
	v[linked] = flag(c.stop)
	v[letters] = math.Min(1, float64(utf8.RuneCountInString(surface))/30)
	v[ending] = flag(noNoun(surface))
	v[onceOnly] = flag(count == 1)
	v[opening] = flag(c.first >= 0 && c.first < 50)
	f.words(c, d, &v)
	return v
}

// words measures the words of a candidate.
func (f *finder) words(c *candidate, d *document, v *vector) {
	n := float64(len(c.stems))
	rare, names := math.Inf(1), 0.0
	for i, s := range c.stems {
		tf := float64(d.stems[s])
		rare = math.Min(rare, tf)
		v[stemsOften] += math.Log1p(tf) / n / 3
		v[neighbours] += d.varied(s) / n
		if f.everyday[s] {
			v[plain] += 1 / n
			if i == len(c.stems)-1 {
				v[plainEnd] = 1
			}
		}
		if f.nouns[s] && !f.lower[s] {
			names++
		}
	}
	v[name] = flag(names == n)
	v[rarest] = math.Log1p(rare) / 3
	v[cohesion] = float64(c.body+c.title) / math.Max(rare, 1)
	for w := range strings.FieldsSeq(c.surface()) {
		v[longest] = math.Max(v[longest], math.Min(1, float64(utf8.RuneCountInString(w))/15))
		v[acronym] = math.Max(v[acronym], flag(isAcronym(w)))
		v[digits] = math.Max(v[digits], flag(strings.ContainsFunc(w, unicode.IsDigit)))
	}
}

// tenths is in how many tenths of the body a candidate stands.
func (c *candidate) tenths() int {
	n := 0
	for t := c.where; t > 0; t >>= 1 {
		n += int(t & 1)
	}
	return n
}

// capital is the share of words of a form that begin with a capital.
func (c *candidate) capital(form string) float64 {
	up, all := 0.0, 0.0
	for w := range strings.FieldsSeq(form) {
		all++
		if r, _ := utf8.DecodeRuneInString(w); unicode.IsUpper(r) {
			up++
		}
	}
	return up / math.Max(all, 1)
}

func isAcronym(w string) bool {
	up := 0
	for _, r := range w {
		if unicode.IsLower(r) {
			return false
		}
		if unicode.IsUpper(r) {
			up++
		}
	}
	return up >= 2
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
