package language

import (
	"testing"

	made "tidings.internal/services/enrich/internal/language/headlines"
)

// share gives how many texts are found to be in their language, and logs those in which it is worst.
func share(t testing.TB, d *Detector, cut func(string) string) (right float64, texts int) {
	t.Helper()
	good := 0
	for lang, list := range made.Set() {
		wrong := map[string]int{}
		for _, h := range list {
			texts++
			if got := d.Detect(cut(h)).Code; got == lang {
				good++
			} else {
				wrong[got]++
			}
		}
		if len(wrong) > 0 {
			t.Logf("%s: of %d texts are taken for others: %v", lang, len(list), wrong)
		}
	}
	return float64(good) / float64(texts), texts
}

func TestLanguagesOfHeadlinesAndSixWords(t *testing.T) {
	t.Parallel()
	d := New()
	whole, n := share(t, d, func(s string) string { return s })
	six, _ := share(t, d, func(s string) string { return made.Short(s, 6) })
	t.Logf("%d headlines: %.4f right; their first six words: %.4f", n, whole, six)
	if n < 1200 || whole < 0.98 || six < 0.95 {
		t.Errorf("of %d headlines %.4f are right (want 0.98), of their first six words %.4f (want 0.95)", n, whole, six)
	}
}
