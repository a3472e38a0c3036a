package score

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-9 {
		t.Errorf("%s = %.4f, want %.4f", what, got, want)
	}
}

func TestWordsCountAsOftenAsTheyCome(t *testing.T) {
	t.Parallel()
	near(t, "same", Words("Über den Fluss", "über DEN fluss!"), 1)
	// 2 of 3 words found are expected, 2 of 4 expected are found.
	near(t, "half", Words("a a b", "a b c d"), 2*(2./3)*(2./4)/((2./3)+(2./4)))
	near(t, "none", Words("", "a"), 0)
	near(t, "both empty", Words("", ""), 1)
	near(t, "nothing in common", Words("x", "a"), 0)
}

func TestShinglesSeeTheOrder(t *testing.T) {
	t.Parallel()
	r, found, expected := Shingles("a b c d e", "a b c d f")
	near(t, "precision", r.Precision, 0.5)
	near(t, "recall", r.Recall, 0.5)
	if !found || !expected {
		t.Error("both have shingles")
	}
	if r, _, _ := Shingles("d c b a", "a b c d"); r.F1() != 0 {
		t.Errorf("another order scores %v", r)
	}
	if r, _, _ := Shingles("kurz", "kurz"); r.F1() != 1 {
		t.Errorf("a text of one word scores %v", r)
	}
	if r, _, _ := Shingles("Zu\u00adcker und Salz und", "Zucker und Salz und"); r.F1() != 1 {
		t.Errorf("a soft hyphen costs: %v", r)
	}
	if _, found, _ := Shingles("", "a"); found {
		t.Error("an empty text has shingles")
	}
}

func TestSegments(t *testing.T) {
	t.Parallel()
	var s Segments
	s.Add("one  two\nthree", []string{"one two", "four"}, []string{"three", "five"})
	near(t, "precision", s.Ratio().Precision, 0.5)
	near(t, "recall", s.Ratio().Recall, 0.5)
}

func TestTitlesAndNamesAreComparedByTheirLetters(t *testing.T) {
	t.Parallel()
	if Letters("  “Ça va?” – Ja!") != "ça va ja" {
		t.Errorf("letters %q", Letters("  “Ça va?” – Ja!"))
	}
	if !Authors([]string{"Eva Muster", "J. O’Neil"}, []string{"j o neil"}) || Authors([]string{"Eva"}, []string{"Eva", "Udo"}) || Authors(nil, []string{"Eva"}) {
		t.Error("all expected authors count, and no fewer")
	}
}

func TestKeyphrases(t *testing.T) {
	t.Parallel()
	stem := func(s string) string { return strings.TrimSuffix(s, "s") }
	if got := Key(stem, "Élections, State-of-the-art AT&T's 3d!"); got != "élection state-of-the-art at&t' 3d" {
		t.Errorf("key %q", got)
	}
	// Of the first two different ones a hit is one; of the three expected one is found.
	near(t, "F1@2", Keyphrases([]string{"a", "a", "", "x", "b"}, map[string]bool{"a": true, "b": true, "c": true}, 2), 2*(1./2)*(1./3)/((1./2)+(1./3)))
	near(t, "F1@10 of two", Keyphrases([]string{"a", "b"}, map[string]bool{"a": true, "b": true}, 10), 2*0.2*1/(0.2+1))
	near(t, "none", Keyphrases(nil, map[string]bool{"a": true}, 10), 0)
}

func TestSpansOfLabels(t *testing.T) {
	t.Parallel()
	got := Labelled(strings.Fields("B-PER I-PER O B-LOCderiv I-ORG I-ORG B-ORG I-LOC O B-PERpart"))
	if diff := cmp.Diff([]Span{{0, 2}, {4, 6}, {6, 7}, {7, 8}}, got); diff != "" {
		t.Error(diff)
	}
	var s Spans
	s.Add([]Span{{0, 2}, {0, 2}, {3, 4}}, []Span{{0, 2}, {4, 6}, {6, 7}})
	near(t, "precision", s.Ratio().Precision, 0.5)
	near(t, "recall", s.Ratio().Recall, 1./3)
}
