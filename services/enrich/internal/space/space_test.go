package space

import (
	"strings"
	"testing"
)

func FuzzOneIsWhatFieldsMake(f *testing.F) {
	for _, s := range []string{"", " ", "a", "a b", " a  b\n", "a\u00a0b", "\u2003ä\tö ", "\xff \xff", "a\u0085b"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, s := range []string{a, a + b} {
			if got, want := One(s), strings.Join(strings.Fields(s), " "); got != want {
				t.Errorf("%q: %q, want %q", s, got, want)
			}
			if got, want := Count(s), len(strings.Fields(s)); got != want {
				t.Errorf("%q has %d words, want %d", s, got, want)
			}
		}
		var w Writer
		w.Write(a)
		w.Gap()
		w.Write(b)
		if got, want := w.String(), strings.Join(strings.Fields(a+" "+b), " "); got != want {
			t.Errorf("%q and %q: %q, want %q", a, b, got, want)
		}
	})
}
