package words

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWordsKeepTheirPlaceInTheText(t *testing.T) {
	t.Parallel()
	text := "Ä „E-Mail-Marketing“ für 3,5 Mio. Menschen: l’été – Ein- und Ausfuhr. 😀 Neu"
	runes := []rune(text)
	var got []string
	for _, w := range Cut(text, "de") {
		if s := string(runes[w.Start:w.End]); s != w.Text {
			t.Errorf("the span of %q holds %q", w.Text, s)
		}
		mark := ""
		if w.Glued {
			mark += "-"
		}
		if w.Break {
			mark += "|"
		}
		if w.First {
			mark += "^"
		}
		got = append(got, mark+w.Text)
	}
	want := []string{"|^Ä", "^E", "-Mail", "-Marketing", "für", "3,5", "Mio", "|Menschen", "|^l’été", "|^Ein", "und", "Ausfuhr", "|^Neu"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSentencesEndWhereAReaderWouldEndThem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		lang, text string
		want       []string
	}{
		{"de", "Am 14. September kam Dr. Meier, z. B. mit dem Zug. Es gab 3,5 Mio. Euro.", []string{"Am 14. September kam Dr. Meier, z. B. mit dem Zug.", "Es gab 3,5 Mio. Euro."}},
		{"de", "„Das geht nicht.“ Sie ging.", []string{"„Das geht nicht.“", "Sie ging."}},
		{"en", "Mr. Smith left at 5 p.m. on Monday. Why? Nobody knows!", []string{"Mr. Smith left at 5 p.m. on Monday.", "Why?", "Nobody knows!"}},
		{"en", "The U.S. economy grew. J. Doe agreed...", []string{"The U.S. economy grew.", "J. Doe agreed..."}},
		{"fr", "M. Dupont est là. Il parle.", []string{"M. Dupont est là.", "Il parle."}},
		{"en", "One line\nAnother line", []string{"One line", "Another line"}},
		{"en", "", nil},
	} {
		var got []string
		for _, s := range Sentences(c.text, c.lang) {
			got = append(got, c.text[s.Start:s.End])
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s %q: %s", c.lang, c.text, diff)
		}
	}
}

func TestJapaneseIsCutWhereTheScriptChanges(t *testing.T) {
	t.Parallel()
	text := "京都市は新しいトラムの路線を5G網で承認した。人々も"
	var got []string
	runes := []rune(text)
	for _, w := range Cut(text, "ja") {
		mark := ""
		if w.Stop {
			mark = "*"
		}
		got = append(got, w.Text+mark)
		if string(runes[w.Start:w.End]) != w.Text {
			t.Errorf("word %+v", w)
		}
	}
	if diff := cmp.Diff("京都市 は* 新 しい* トラム の* 路線 を* 5G 網 で* 承認 した* 人々 も*", strings.Join(got, " ")); diff != "" {
		t.Error(diff)
	}
	for _, whole := range []string{"서울시는", "Москва", "مدينة", "naïve", "3,5"} {
		if list := Cut(whole, ""); len(list) != 1 {
			t.Errorf("%s is cut into %d", whole, len(list))
		}
	}
}

func TestWordsThatLoseTheirVowelStandAlone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ lang, text, want string }{
		{"fr", "L’avenue d'une ville, aujourd'hui qu'elle s'étend", "l* avenue d* une* ville aujourd'hui* qu'elle* s* étend"},
		{"it", "dell'acqua e l'arte", "dell* acqua e* l* arte"},
		{"en", "the mayor's plan", "the* mayor's plan"},
		{"de", "d'Artagnan", "d'artagnan"},
	} {
		var got []string
		list := Cut(c.text, c.lang)
		for i, w := range list {
			mark := ""
			if w.Stop {
				mark = "*"
			}
			got = append(got, w.Fold+mark)
			if w.Text != c.text[w.From:w.To] || string([]rune(c.text)[w.Start:w.End]) != w.Text || i > 0 && w.Break && list[i-1].Stop {
				t.Errorf("%q: word %+v", c.text, w)
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%q: %s, want %s", c.text, s, c.want)
		}
	}
}

func TestStemsJoinForms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ lang, a, b string }{
		{"de", "unternehmens", "unternehmen"}, {"en", "companies", "company"}, {"fr", "marchés", "marché"}, {"xx", "same", "same"},
	} {
		s := NewStemmer(c.lang)
		if s.Stem(c.a) != s.Stem(c.b) {
			t.Errorf("%s: %q and %q have the stems %q and %q", c.lang, c.a, c.b, s.Stem(c.a), s.Stem(c.b))
		}
	}
}

func TestEveryLanguageHasFunctionWords(t *testing.T) {
	t.Parallel()
	n := 0
	for lang := range Languages() {
		n++
		if len(Stops(lang)) < 60 {
			t.Errorf("%s has %d function words", lang, len(Stops(lang)))
		}
	}
	if n < 12 {
		t.Errorf("%d languages", n)
	}
}

// A reader of the rest of the text at each stop would take minutes for any of these.
func TestLongRunsOfStopsAreReadOnce(t *testing.T) {
	t.Parallel()
	for _, run := range []string{"…", ". ", ". . .\u00a0", "!", "?! ", "a.)", "1.]", ".\u201d"} {
		text := "Anfang" + strings.Repeat(run, 1<<18)
		done := make(chan int, 1)
		go func() { done <- len(Cut(text, "de")) + len(Sentences(text, "de")) }()
		select {
		case n := <-done:
			if n == 0 {
				t.Errorf("a run of %q has no words and no sentences", run)
			}
		case <-time.After(time.Minute):
			t.Fatalf("a run of %q is read for a minute", run)
		}
	}
}

func FuzzCut(f *testing.F) {
	f.Add("Ein- und Ausfuhr, 3.5 l'a \xff")
	f.Add("a… … ?!. b. (c.) D. \n…")
	f.Fuzz(func(t *testing.T, text string) {
		runes := []rune(strings.ToValidUTF8(text, "\uFFFD"))
		for _, w := range Cut(string(runes), "de") {
			if string(runes[w.Start:w.End]) != w.Text {
				t.Fatalf("the span of %q does not hold it", w.Text)
			}
		}
		for _, w := range Cut(text, "de") {
			if text[w.From:w.To] != w.Text {
				t.Fatalf("the bytes of %q do not hold it", w.Text)
			}
		}
		stops := newStops("de")
		for pos := range text {
			fresh := newStops("de")
			if got, want := stops.followedByCapital(text, pos), fresh.followedByCapital(text, pos); got != want {
				t.Fatalf("at %d of %q: %t after what stands before, %t by itself", pos, text, got, want)
			}
		}
		for _, s := range Sentences(text, "de") {
			if s.Start >= s.End || s.End > len(text) {
				t.Fatalf("sentence %+v of %d bytes", s, len(text))
			}
		}
	})
}

func TestFormsOfAPolishNounShareAStem(t *testing.T) {
	t.Parallel()
	stem := NewStemmer("pl")
	for _, forms := range [][]string{{"pszczoły", "pszczół", "pszczołami"}, {"tramwaj", "tramwaju", "tramwaje", "tramwajów"}} {
		for _, f := range forms {
			if got, want := stem.Stem(f), stem.Stem(forms[0]); got != want {
				t.Errorf("%s: %s, want %s", f, got, want)
			}
		}
	}
}
