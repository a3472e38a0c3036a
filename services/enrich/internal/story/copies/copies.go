// Package copies makes texts, and of each the copies that become of a report on its way from one site to the next: it
// measures how many of them are recognised. It knows nothing of how they are.
package copies

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
)

// Writer makes texts of which nothing but the common words and the closing words of their house are in common. Words
// come as often as in languages (Zipf), so that unrelated texts share some shingles, as they do.
type Writer struct {
	r     *rand.Rand
	words []string
	zipf  *rand.Zipf
}

// NewWriter returns a writer; the same seed gives the same texts.
func NewWriter(seed uint64) *Writer {
	r := rand.New(rand.NewPCG(seed, 11))
	w := &Writer{r: r, zipf: rand.NewZipf(r, 1.05, 2.7, 7999)}
	for range 8000 {
		var b strings.Builder
		for range 1 + r.IntN(4) {
			b.WriteByte("bdfgklmnprstvz"[r.IntN(14)])
			b.WriteByte("aeiou"[r.IntN(5)])
		}
		w.words = append(w.words, b.String())
	}
	return w
}

// Sentence has 6 to 25 words.
func (w *Writer) Sentence() string {
	list := make([]string, 6+w.r.IntN(20))
	for i := range list {
		if list[i] = w.words[w.zipf.Uint64()]; w.r.IntN(40) == 0 {
			list[i] = fmt.Sprint(w.r.IntN(3000))
		}
	}
	return strings.Join(list, " ") + "."
}

// Text has about so many words.
func (w *Writer) Text(words int) string {
	var list []string
	for n := 0; n < words; {
		s := w.Sentence()
		n += len(strings.Fields(s))
		list = append(list, s)
	}
	return strings.Join(list, " ")
}

// Texts are n texts of 60 to some 2,000 words, most often about 350; the last 30 words of each are those of one of 20
// houses.
func (w *Writer) Texts(n int) []string {
	var houses, out []string
	for range 20 {
		houses = append(houses, w.Sentence()+" "+w.Sentence())
	}
	for range n {
		text := w.Text(max(60, int(350*math.Exp(0.6*w.r.NormFloat64()))))
		out = append(out, text+" "+houses[w.r.IntN(len(houses))])
	}
	return out
}

// part is the first share of a text, in whole words.
func part(s string, share float64) string {
	list := strings.Fields(s)
	return strings.Join(list[:int(share*float64(len(list)))], " ")
}

// sentences cuts a text behind full stops.
func sentences(s string) []string { return strings.SplitAfter(s, ". ") }

// alterations are what becomes of reports.
var alterations = []struct {
	name  string
	alter func(w *Writer, s string) string
}{
	{"another headline", func(_ *Writer, s string) string { return s }},
	{"5 % of the words", func(w *Writer, s string) string {
		list := strings.Fields(s)
		for i := range list {
			if w.r.IntN(20) == 0 {
				list[i] = w.words[w.r.IntN(len(w.words))]
			}
		}
		return strings.Join(list, " ")
	}},
	{"updated by 20 %", func(w *Writer, s string) string {
		list := sentences(s)
		for i := range list {
			if w.r.IntN(5) == 0 {
				list[i] = w.Sentence() + " "
			}
		}
		return strings.Join(list, "")
	}},
	{"cut to 60 %", func(_ *Writer, s string) string { return part(s, 0.6) }},
	{"cut to 30 %", func(_ *Writer, s string) string { return part(s, 0.3) }},
	{"shuffled", func(w *Writer, s string) string {
		list := sentences(strings.TrimSpace(s) + " ")
		w.r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		return strings.Join(list, "")
	}},
}

// Place tells the story of an article: the id of the first article that tells it.
type Place func(id, title, text string) (story string, err error)

// Result is how many copies tell the story of their original (Recall), and how many of those that tell the story of
// another article tell that of their original (Precision). A copy that is too short to be compared, as 30 % of a short
// text is, counts as not found.
type Result struct {
	Texts             int
	Precision, Recall float64
	// Kinds is the recall of each kind of copy, with its name.
	Kinds []Kind
}

// Kind is one way in which a report is altered.
type Kind struct {
	Name   string
	Recall float64
	// Wrong is how many originals and copies tell the story of a foreign article.
	Wrong int
}

// Measure places each text and a copy of it, for every kind of copy in a memory of its own.
func Measure(texts []string, memory func() Place) (Result, error) {
	total, found, right := 0, 0, 0
	out := Result{Texts: len(texts)}
	for k, kind := range alterations {
		place, w := memory(), NewWriter(uint64(100+k))
		wrong := 0
		for i, text := range texts {
			id := fmt.Sprint("a", i)
			story, err := place(id, fmt.Sprint("Title ", i), text)
			if err != nil {
				return out, err
			}
			if story != id {
				wrong++ // an original that is taken for another one
			}
		}
		mine := 0
		for i, text := range texts {
			id := fmt.Sprint("b", i)
			story, err := place(id, fmt.Sprint("Other ", i), kind.alter(w, text))
			if err != nil {
				return out, err
			}
			switch story {
			case fmt.Sprint("a", i):
				mine++
			case id:
			default:
				wrong++
			}
		}
		out.Kinds = append(out.Kinds, Kind{kind.name, float64(mine) / float64(max(1, len(texts))), wrong})
		total, found, right = total+len(texts), found+mine+wrong, right+mine
	}
	out.Recall, out.Precision = float64(right)/float64(max(1, total)), float64(right)/float64(max(1, found))
	return out, nil
}
