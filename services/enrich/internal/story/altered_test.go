package story

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// textsFile holds texts of one's own for [TestAlteredCopiesAreFound], each in a line with a JSON string.
var textsFile = flag.String("story.texts", "", "file with one JSON string a line, instead of generated texts")

// writer makes texts of which nothing but the common words and the closing words of their house are in common. Words
// come as often as in languages (Zipf), so that unrelated texts share some shingles, as they do.
type writer struct {
	r     *rand.Rand
	words []string
	zipf  *rand.Zipf
}

func newWriter(seed uint64) *writer {
	r := rand.New(rand.NewPCG(seed, 11))
	w := &writer{r: r, zipf: rand.NewZipf(r, 1.05, 2.7, 7999)}
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

func (w *writer) sentence() string {
	list := make([]string, 6+w.r.IntN(20))
	for i := range list {
		if list[i] = w.words[w.zipf.Uint64()]; w.r.IntN(40) == 0 {
			list[i] = fmt.Sprint(w.r.IntN(3000))
		}
	}
	return strings.Join(list, " ") + "."
}

// text has 60 to some 2,000 words, most often about 350; its last 30 words are those of one of 20 houses.
func (w *writer) text(houses []string) string {
	length := max(60, int(350*math.Exp(0.6*w.r.NormFloat64())))
	var list []string
	for n := 0; n < length; {
		s := w.sentence()
		n += len(strings.Fields(s))
		list = append(list, s)
	}
	return strings.Join(append(list, houses[w.r.IntN(len(houses))]), " ")
}

// written are texts of the generator, or those of the file.
func written(t *testing.T, n int) []string {
	t.Helper()
	var out []string
	if *textsFile == "" {
		w := newWriter(1)
		var houses []string
		for range 20 {
			houses = append(houses, w.sentence()+" "+w.sentence())
		}
		for range n {
			out = append(out, w.text(houses))
		}
		return out
	}
	f, err := os.Open(*textsFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() // it was only read
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var s string
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		// Shorter ones are told by exact names only, which is not what is measured here.
		if len(tokens(s)) >= minProse {
			out = append(out, s)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
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

// alterations are what becomes of reports on their way from one site to the next.
var alterations = []struct {
	name  string
	alter func(w *writer, s string) string
}{
	{"another headline", func(_ *writer, s string) string { return s }},
	{"5 % of the words", func(w *writer, s string) string {
		list := strings.Fields(s)
		for i := range list {
			if w.r.IntN(20) == 0 {
				list[i] = w.words[w.r.IntN(len(w.words))]
			}
		}
		return strings.Join(list, " ")
	}},
	{"updated by 20 %", func(w *writer, s string) string {
		list := sentences(s)
		for i := range list {
			if w.r.IntN(5) == 0 {
				list[i] = w.sentence() + " "
			}
		}
		return strings.Join(list, "")
	}},
	{"cut to 60 %", func(_ *writer, s string) string { return part(s, 0.6) }},
	{"cut to 30 %", func(_ *writer, s string) string { return part(s, 0.3) }},
	{"shuffled", func(w *writer, s string) string {
		list := sentences(strings.TrimSpace(s) + " ")
		w.r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		return strings.Join(list, "")
	}},
}

// TestAlteredCopiesAreFound measures how many copies tell the story of their original (recall), and how many of those that
// tell the story of another article tell that of their original (precision). A copy that is too short to be compared, as
// 30 % of a short text is, counts as not found.
func TestAlteredCopiesAreFound(t *testing.T) {
	t.Parallel()
	texts := written(t, 1000)
	total, found, right := 0, 0, 0
	for k, kind := range alterations {
		s, w := memory(t), newWriter(uint64(100+k))
		wrong := 0
		for i, text := range texts {
			if place(t, s, Document{Article: fmt.Sprint("a", i), Title: fmt.Sprint("Title ", i), Text: text}).Relation != relationNew {
				wrong++ // an original that is taken for another one
			}
		}
		mine, others := 0, 0
		for i, text := range texts {
			switch id := place(t, s, Document{Article: fmt.Sprint("b", i), Title: fmt.Sprint("Other ", i), Text: kind.alter(w, text)}).ID; id {
			case fmt.Sprint("a", i):
				mine++
			case fmt.Sprint("b", i):
			default:
				others++
			}
		}
		t.Logf("%-17s recall %.4f, %d of %d taken for another one", kind.name, float64(mine)/float64(len(texts)), wrong+others, 2*len(texts))
		total, found, right = total+len(texts), found+mine+others+wrong, right+mine
	}
	recall, precision := float64(right)/float64(total), float64(right)/float64(found)
	t.Logf("%d copies of %d texts: precision %.4f, recall %.4f", total, len(texts), precision, recall)
	if recall < 0.93 || precision < 0.995 {
		t.Errorf("precision %.4f (want 0.995), recall %.4f (want 0.93)", precision, recall)
	}
}
