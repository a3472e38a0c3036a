// Package score measures how close a result is to what people expect: bodies and segments of pages, keyphrases, names.
// It defines the figures that are published of Tidings, and knows nothing of how the results were made.
package score

import (
	"regexp"
	"strings"
	"unicode"
)

// token is a word of a text: letters, digits and the underscore, of any script.
var token = regexp.MustCompile(`[\p{L}\p{N}_]+`)

// Ratio is what was found of what was expected.
type Ratio struct {
	Precision, Recall float64
}

// F1 is the harmonic mean of precision and recall.
func (r Ratio) F1() float64 {
	if r.Precision+r.Recall == 0 {
		return 0
	}
	return 2 * r.Precision * r.Recall / (r.Precision + r.Recall)
}

// ratio is that of counts; where nothing is expected and nothing found both are 1.
func ratio(hits, found, expected int) Ratio {
	share := func(n int) float64 {
		switch {
		case found == 0 && expected == 0:
			return 1
		case n == 0:
			return 0
		}
		return float64(hits) / float64(n)
	}
	return Ratio{share(found), share(expected)}
}

// Words compares the words of two texts in lower case, whatever their order, each as often as it comes.
func Words(got, want string) float64 {
	g, w := count(token.FindAllString(strings.ToLower(got), -1)), count(token.FindAllString(strings.ToLower(want), -1))
	hits, found, expected := common(g, w)
	if found > 0 && expected > 0 && hits == 0 {
		return 0
	}
	return ratio(hits, found, expected).F1()
}

// shingle is how many words in a row are compared.
const shingle = 4

// Shingles compares the runs of four words of two texts. Soft hyphens are left out.
func Shingles(got, want string) (r Ratio, found, expected bool) {
	g, w := shingles(got), shingles(want)
	hits, a, b := common(g, w)
	return ratio(hits, a, b), a > 0, b > 0
}

func shingles(text string) map[string]int {
	list := token.FindAllString(strings.ReplaceAll(text, "\u00ad", ""), -1)
	out := map[string]int{}
	for i := range max(1, len(list)-shingle+1) {
		if run := list[i:min(i+shingle, len(list))]; len(run) > 0 {
			out[strings.Join(run, " ")]++
		}
	}
	return out
}

func count(list []string) map[string]int {
	out := map[string]int{}
	for _, s := range list {
		out[s]++
	}
	return out
}

func common(a, b map[string]int) (both, inA, inB int) {
	for s, n := range a {
		inA += n
		both += min(n, b[s])
	}
	for _, n := range b {
		inB += n
	}
	return both, inA, inB
}

// Segments counts pieces of text that must be in a body, and pieces that must not.
type Segments struct {
	hits, missed, wrong int
}

// Add counts those of one body.
func (s *Segments) Add(body string, with, without []string) {
	body = spaced(body)
	for _, w := range with {
		if strings.Contains(body, spaced(w)) {
			s.hits++
		} else {
			s.missed++
		}
	}
	for _, w := range without {
		if strings.Contains(body, spaced(w)) {
			s.wrong++
		}
	}
}

// Ratio is that of all bodies.
func (s *Segments) Ratio() Ratio { return ratio(s.hits, s.hits+s.wrong, s.hits+s.missed) }

func spaced(s string) string { return strings.Join(strings.Fields(s), " ") }

// Letters is a title or name without case, punctuation and runs of space: two that are equal in it count as equal.
func Letters(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && r != '_'
	}), " ")
}

// Authors reports whether all expected names stand among those found.
func Authors(got, want []string) bool {
	all := Letters(strings.Join(got, " "))
	for _, w := range want {
		if !strings.Contains(all, Letters(w)) {
			return false
		}
	}
	return true
}

// word is a word of a keyphrase: its hyphens, apostrophes, dots and ampersands belong to it where letters follow.
var word = regexp.MustCompile(`[\p{L}\p{N}]+(?:[-'’.&][\p{L}\p{Nl}\p{No}]+)*`)

// Key is what two forms of a keyphrase have in common: its stems.
func Key(stem func(string) string, phrase string) string {
	var out []string
	for _, w := range word.FindAllString(strings.ToLower(phrase), -1) {
		out = append(out, stem(w))
	}
	return strings.Join(out, " ")
}

// Keyphrases is the F1 of the first k different phrases, compared by their keys. Precision counts k phrases also where
// fewer were found.
func Keyphrases(got []string, want map[string]bool, k int) float64 {
	seen := map[string]bool{}
	hits := 0
	for _, s := range got {
		if s == "" || seen[s] {
			continue
		}
		if len(seen) == k {
			break
		}
		seen[s] = true
		if want[s] {
			hits++
		}
	}
	if hits == 0 {
		return 0
	}
	return Ratio{float64(hits) / float64(k), float64(hits) / float64(len(want))}.F1()
}

// Span is a name in a sentence, from its first token to the one behind its last.
type Span struct{ Start, End int }

// Spans counts names that begin and end where they should.
type Spans struct{ hits, found, expected int }

// Add counts those of one sentence.
func (s *Spans) Add(got, want []Span) {
	expected := map[Span]bool{}
	for _, w := range want {
		expected[w] = true
	}
	seen := map[Span]bool{}
	for _, g := range got {
		if seen[g] {
			continue
		}
		seen[g] = true
		if expected[g] {
			s.hits++
		}
	}
	s.found, s.expected = s.found+len(seen), s.expected+len(expected)
}

// Ratio is that of all sentences.
func (s *Spans) Ratio() Ratio { return ratio(s.hits, s.found, s.expected) }

// Labelled reads the names of a sentence from the labels of its tokens: B- begins one, I- continues one of the same kind.
// Labels that end in "deriv" or "part" are none.
func Labelled(labels []string) []Span {
	var out []Span
	start, kind := -1, ""
	for i, l := range append(labels[:len(labels):len(labels)], "O") {
		if strings.HasSuffix(l, "deriv") || strings.HasSuffix(l, "part") {
			l = "O"
		}
		if start >= 0 && l != "I-"+kind {
			out = append(out, Span{start, i})
			start = -1
		}
		if after, ok := strings.CutPrefix(l, "B-"); ok {
			start, kind = i, after
		} else if after, ok := strings.CutPrefix(l, "I-"); ok && start < 0 {
			start, kind = i, after
		}
	}
	return out
}
