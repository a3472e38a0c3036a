package language

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// set makes headlines of all parts, every third of them, and the first six words of each, by language.
func set(t testing.TB) map[string][]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "phrases.txt"))
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string][][]string{}
	lang := ""
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			lang = strings.Trim(line, "[]")
		default:
			parts[lang] = append(parts[lang], strings.Split(line, " | "))
		}
	}
	list := map[string][]string{}
	for lang, p := range parts {
		n := 0
		for _, who := range p[0] {
			for _, what := range p[1] {
				for _, how := range p[2] {
					if n++; n%3 == 0 {
						list[lang] = append(list[lang], who+" "+what+" "+how)
					}
				}
			}
		}
	}
	return list
}

func short(text string, words int) string {
	f := strings.Fields(text)
	return strings.Join(f[:min(len(f), words)], " ")
}

// share gives how many texts are found to be in their language, and logs those in which it is worst.
func share(t testing.TB, d *Detector, cut func(string) string) (right float64, texts int) {
	t.Helper()
	good := 0
	for lang, list := range set(t) {
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
	six, _ := share(t, d, func(s string) string { return short(s, 6) })
	t.Logf("%d headlines: %.4f right; their first six words: %.4f", n, whole, six)
	if n < 1200 || whole < 0.98 || six < 0.95 {
		t.Errorf("of %d headlines %.4f are right (want 0.98), of their first six words %.4f (want 0.95)", n, whole, six)
	}
}
