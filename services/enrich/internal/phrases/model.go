package phrases

import (
	"math"

	"tidings.internal/services/enrich/internal/words"
)

// The weights of the ranking, in the order of the features, as the command in fit prints them. English is fitted to news in
// three languages, each text alike, with -l2 1e-4 -sets 500N=119,WikiNewsFR=25,110-PT=28, and serves all other languages:
// German has no set of news with phrases that people chose; what a phrase may be is told there by its nouns. The Romance
// languages are fitted with -sets 500N,WikiNewsFR,110-PT=2,Inspec: the Portuguese texts have no titles and few English news
// have, so what a title says is learnt from abstracts, too.
var (
	englishWeights = vector{-0.664, 0.521, -1.313, 1.271, 0.085, -1.053, -1.979, -2.650, 0.826, 0.842, -0.056, -0.856, 1.567, 0.233, 0.129, 0.400,
		0.470, -0.161, 0.013, 0.964, 2.077, -0.674, -0.630, 0.127, -0.352, 0.046, -0.936, 0.122, -0.428}
	romanceWeights = vector{-0.481, 0.168, -0.852, 1.094, 0.103, 0.038, -0.205, -0.644, 0.500, 0.033, 0.171, -0.688, 0.127, 0.345, 0.459, 0.254,
		-0.274, -0.051, -0.002, 0.299, 1.094, -0.196, 0.000, 0.131, -0.441, -0.150, -0.959, 0.204, -0.533}
)

// weights are those of a language's family.
func weights(lang string) *vector {
	switch words.Base(lang) {
	case "fr", "pt", "es", "it", "ca", "ro", "gl":
		return &romanceWeights
	}
	return &englishWeights
}

// chance is how likely it is that a person would choose a candidate, as far as the weights know: between 0 and 1, to
// be compared within one text.
func (w *vector) chance(v *vector) float64 {
	sum := 0.0
	for i, x := range v {
		sum += w[i] * x
	}
	return 1 / (1 + math.Exp(-sum))
}
