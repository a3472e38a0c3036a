package bus

import "strings"

// narrow returns the parts of a filter that a stream with these subjects can hold: where both could match, the
// narrower of the two.
func narrow(filter string, subjects []string) []string {
	var out []string
	for _, s := range subjects {
		if n, ok := intersect(strings.Split(filter, "."), strings.Split(s, ".")); ok {
			out = append(out, strings.Join(n, "."))
		}
	}
	return out
}

// intersect gives the pattern that matches exactly what both match (* one token, > one or more at the end).
func intersect(a, b []string) ([]string, bool) {
	switch {
	case len(a) == 0 && len(b) == 0:
		return nil, true
	case len(a) == 0 || len(b) == 0:
		return nil, false
	case a[0] == ">":
		return b, true
	case b[0] == ">":
		return a, true
	}
	token := a[0]
	switch {
	case a[0] == "*":
		token = b[0]
	case b[0] != "*" && a[0] != b[0]:
		return nil, false
	}
	rest, ok := intersect(a[1:], b[1:])
	return append([]string{token}, rest...), ok
}
