package phrases

import (
	"math"

	"tidings.internal/services/enrich/internal/words"
)

// The weights of the ranking, in the order of the features, as the command in fit prints them: for English fitted on
// English, French and Portuguese news together, for the Romance languages on the latter two, for all others as for
// English. German has no set of news with phrases that people chose; what a phrase may be is told there by its nouns.
var (
	englishWeights = vector{-0.664, 0.521, -1.313, 1.271, 0.085, -1.053, -1.979, -2.650, 0.826, 0.842, -0.056, -0.856, 1.567, 0.233, 0.129, 0.400,
		0.470, -0.161, 0.013, 0.964, 2.077, -0.674, -0.630, 0.127, -0.352, 0.046, -0.936, 0.122, -0.428}
	romanceWeights = vector{-0.607, 0.523, -3.119, 1.694, -0.149, -0.477, -1.571, -2.334, 1.148, 1.362, 0.032, -1.237, 0.828, 0.826, 0.392, 0.566,
		0.721, 0.078, -0.027, 0.495, 1.792, -1.086, 0.193, 0.388, -0.483, 0.000, -1.176, 0.425, -0.581}
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
