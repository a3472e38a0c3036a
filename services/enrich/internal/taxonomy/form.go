package taxonomy

import "strings"

// sameNoun reports whether two forms of an English stem are one noun, in the singular and in the plural: "training" and
// "trained" are none of "trains".
func sameNoun(a, b string) bool { return plural(a, b) || plural(b, a) }

// plural reports whether an English word may be the plural or the genitive of another one, or is the same.
func plural(s, of string) bool {
	rest, ok := strings.CutPrefix(s, of)
	if ok {
		return rest == "" || rest == "s" || rest == "'s" || rest == "es"
	}
	stem, ok := strings.CutSuffix(of, "y")
	return ok && s == stem+"ies"
}

// inflected reports whether two forms of a stem differ in no more than an ending of two letters.
func inflected(a, b string) bool {
	n := min(len(a), len(b)) - 1
	return n >= 3 && a[:n] == b[:n] && max(len(a), len(b))-n <= 3
}
