package taxonomy

import (
	"slices"
	"strings"
)

// sameNoun reports whether two forms of an English stem are one noun, in the singular and in the plural: "training" and
// "trained" are none of "trains".
func sameNoun(a, b string) bool {
	return slices.Contains(singulars(a), b) || slices.Contains(singulars(b), a)
}

// singulars lists what an English word may be the plural or the genitive of.
func singulars(s string) []string {
	list := []string{s, strings.TrimSuffix(s, "s"), strings.TrimSuffix(s, "'s"), strings.TrimSuffix(s, "es")}
	if stem, ok := strings.CutSuffix(s, "ies"); ok {
		list = append(list, stem+"y")
	}
	return list
}

// inflected reports whether two forms of a stem differ in no more than an ending of two letters.
func inflected(a, b string) bool {
	n := min(len(a), len(b)) - 1
	return n >= 3 && a[:n] == b[:n] && max(len(a), len(b))-n <= 3
}
