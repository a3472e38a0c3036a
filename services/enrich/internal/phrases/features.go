package phrases

import (
	"math"
	"math/bits"
	"strings"
	"unicode"
	"unicode/utf8"
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
	position
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

// logs holds what the logarithm of a small count and one more is: nearly all counts are small, and there are many.
var logs = func() (l [256]float64) {
	for i := range l {
		l[i] = math.Log1p(float64(i))
	}
	return l
}()

func log1p(n int) float64 {
	if n < len(logs) {
		return logs[n]
	}
	return math.Log1p(float64(n))
}

// vector measures a candidate.
func (f *finder) vector(c *candidate) (v vector) {
	n, length := len(c.stems), len(f.body)
	v[bias] = 1
	v[often] = log1p(c.body+c.title) / 3
	v[nested] = log1p(c.nested) / 3
	v[apart] = log1p(max(0, c.apart())) / 3
	v[oneWord+min(n, maxWords)-1] = 1
	v[inTitle] = math.Min(1, float64(c.title))
	v[inHeading] = math.Min(1, float64(c.head))
	v[early], v[position] = 1, 0
	if c.first >= 0 {
		v[early] = 1 - math.Min(1, float64(c.first)/float64(max(length, 1)))
		v[position] = log1p(c.first) / 7
	}
	v[spread] = float64(bits.OnesCount16(c.where)) / 10
	v[linked] = flag(c.stop)
	v[ending] = flag(noNoun(c.surface))
	v[onceOnly] = flag(c.body+c.title == 1)
	v[opening] = flag(c.first >= 0 && c.first < 50)
	f.words(c, &v)
	c.letters(&v)
	return v
}

// words measures the words of a candidate by their stems.
func (f *finder) words(c *candidate, v *vector) {
	n := float64(len(c.stems))
	rare, names := math.MaxInt, 0
	for i, number := range c.stems {
		s := &f.stems[number]
		rare = min(rare, s.count)
		v[stemsOften] += log1p(s.count) / n / 3
		v[neighbours] += s.varied() / n
		if s.everyday {
			v[plain] += 1 / n
			if i == len(c.stems)-1 {
				v[plainEnd] = 1
			}
		}
		if s.name() {
			names++
		}
	}
	v[name] = flag(names == len(c.stems))
	v[rarest] = log1p(rare) / 3
	v[cohesion] = float64(c.body+c.title) / math.Max(float64(rare), 1)
}

// letters measures the words of a candidate as they are written.
func (c *candidate) letters(v *vector) {
	v[letters] = math.Min(1, float64(utf8.RuneCountInString(c.surface))/30)
	up, all := 0.0, 0.0
	for w := range strings.FieldsSeq(c.surface) {
		all++
		if r, _ := utf8.DecodeRuneInString(w); unicode.IsUpper(r) {
			up++
		}
		v[longest] = math.Max(v[longest], math.Min(1, float64(utf8.RuneCountInString(w))/15))
		v[acronym] = math.Max(v[acronym], flag(isAcronym(w)))
		v[digits] = math.Max(v[digits], flag(strings.ContainsFunc(w, unicode.IsDigit)))
	}
	v[capitals] = up / math.Max(all, 1) // the share of words that begin with one
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
