// Package fitting fits the weights of the ranking of keyphrases to texts whose phrases people chose, and says how well they
// do on others. It is for measuring and for developers: the program has the numbers alone (package phrases).
package fitting

import (
	"context"
	"math"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/bench/score"
	"tidings.internal/services/enrich/internal/decode"
	"tidings.internal/services/enrich/internal/extract"
	"tidings.internal/services/enrich/internal/language"
	"tidings.internal/services/enrich/internal/metadata"
	"tidings.internal/services/enrich/internal/phrases"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/sanitize"
	"tidings.internal/services/enrich/internal/words"
)

// rounds and negatives are how long and how unevenly is fitted: what nobody chose weighs, all of a text together, three
// times what somebody chose.
const (
	rounds    = 300
	negatives = 3
	// L2 is how much large weights cost, unless somebody says otherwise: a hundredth of it leaves the sets that are fitted as
	// they are, and more of F1 is lost in those that are not.
	L2 = 1e-2
)

// Text is one text with its candidates and the phrases that people chose.
type Text struct {
	draft   *pipeline.Draft
	stem    *words.Stemmer
	keys    map[string]bool
	vectors [][]float64
	chosen  []bool // of the vectors
	hits    int    // how many of them are
}

// Set is texts that were chosen from alike. They weigh Weight together, however many they are: the habits of those who chose
// differ more than the texts do.
type Set struct {
	Texts  []*Text
	Weight float64
}

// New finds the candidates of a text, and which of them people chose.
func New(lang, body string, chosen []string) *Text {
	t := &Text{stem: words.NewStemmer(lang), keys: map[string]bool{}}
	for _, k := range chosen {
		t.keys[score.Key(t.stem.Stem, k)] = true
	}
	delete(t.keys, "")
	t.draft = pipeline.NewDraft(&article.Raw{Language: lang, Content: &article.Text{Value: body, Type: article.TextPlain}}, nil)
	for _, s := range []pipeline.Step{decode.Step{}, metadata.Step{}, extract.Step{}, sanitize.New(), language.NewStep()} {
		if err := s.Run(context.Background(), t.draft); err != nil {
			s.Degrade(t.draft)
		}
	}
	for _, s := range phrases.Samples(t.draft) {
		hit := t.keys[score.Key(t.stem.Stem, s.Text)]
		t.vectors, t.chosen = append(t.vectors, s.Vector), append(t.chosen, hit)
		if hit {
			t.hits++
		}
	}
	return t
}

// Judged reports whether people chose any phrase of the text.
func (t *Text) Judged() bool { return len(t.keys) > 0 }

// F1 is that of the first k phrases that the program would name by the weights.
func (t *Text) F1(weights []float64, k int) float64 {
	var got []string
	for _, p := range phrases.Ranked(t.draft, weights) {
		got = append(got, score.Key(t.stem.Stem, p))
	}
	return score.Keyphrases(got, t.keys, k)
}

// Fit is logistic regression by full gradients with step sizes for each weight; each text of a set weighs alike, and so do
// its phrases and the rest.
func Fit(sets []Set, l2 float64) []float64 {
	total := 0.0
	for _, s := range sets {
		total += s.Weight
	}
	w, sq := make([]float64, phrases.Features), make([]float64, phrases.Features)
	for range rounds {
		grad := make([]float64, len(w))
		for _, s := range sets {
			for _, t := range s.Texts {
				t.pull(grad, w, s.Weight/float64(len(s.Texts))/total)
			}
		}
		for k := range w {
			g := grad[k] + l2*w[k]
			sq[k] += g * g
			w[k] -= 0.5 * g / (math.Sqrt(sq[k]) + 1e-9)
		}
	}
	return w
}

// pull adds to the gradient what a text has against weights.
func (t *Text) pull(grad, w []float64, share float64) {
	if t.hits == 0 {
		return
	}
	wp, wn := share/float64(t.hits), share*negatives/float64(len(t.vectors)-t.hits+1)
	for i, v := range t.vectors {
		p := 1 / (1 + math.Exp(-dot(w, v)))
		c := wn * p
		if t.chosen[i] {
			c = wp * (p - 1)
		}
		for k, x := range v {
			grad[k] += c * x
		}
	}
}

func dot(w, v []float64) float64 {
	s := 0.0
	for i := range w {
		s += w[i] * v[i]
	}
	return s
}
