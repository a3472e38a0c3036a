package repeats

import (
	"bytes"
	"fmt"
	"maps"
	"strings"
	"testing"

	"tidings.internal/pkg/article"
)

// speak has a source write articles in these languages, the first with the sequence from.
func speak(m *Memory, source string, from int, langs ...string) {
	for i, lang := range langs {
		m.Learn(Seen{Article: fmt.Sprint(source, from+i), Source: source, Sequence: uint64(from + i), Language: lang})
	}
}

func fifty(lang string) []string { return strings.Fields(strings.Repeat(lang+" ", lastArticles)) }

func TestTheLanguagesOfTheLastArticlesOfASource(t *testing.T) {
	t.Parallel()
	m := NewMemory()
	expect := func(what string, want map[string]int) {
		t.Helper()
		if got := m.Known().Spoken("s"); !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	speak(m, "s", 1, "de", "de", "en", "de")
	expect("four articles are no habit", nil)
	speak(m, "s", 5, "fil", "und", "", "d", "EN", "deut", "d\x00e", "d1")
	expect("codes that are none do not count", map[string]int{"de": 3, "en": 1, "fil": 1})
	speak(m, "s", 3, "de")
	expect("a revision takes the place of the former", map[string]int{"de": 4, "fil": 1})
	m.Learn(Seen{Article: "s5", Source: "s", Sequence: 40})
	expect("a deleted article does not count", nil)
	speak(m, "s", 100, fifty("fr")...)
	expect("only the last fifty count", map[string]int{"fr": 50})
	m.ForgetBefore(145)
	expect("evicted ones do not count", map[string]int{"fr": 5})
	m.ForgetBefore(1000)
	if len(m.voices) != 0 || m.Known().Version() != "" {
		t.Errorf("%d sources are left of none", len(m.voices))
	}
	speak(m, "", 1, fifty("de")...)
	if len(m.voices) != 0 || (*Known)(nil).Spoken("s") != nil || (&Known{}).Spoken("s") != nil {
		t.Error("something is known of no source, or by none")
	}
}

func TestTheSourcesAreBounded(t *testing.T) {
	t.Parallel()
	m := NewMemory()
	for i := range MaxSources + 10 {
		speak(m, fmt.Sprint("s", i), i+1, "de")
	}
	if len(m.voices) != MaxSources || m.voices["s9"] != nil || m.voices["s10"] == nil {
		t.Errorf("%d sources; those with the oldest articles go first", len(m.voices))
	}
}

func TestSpokenKnowledgeIsTheSameForTheSameArticles(t *testing.T) {
	t.Parallel()
	a, b := taught(t, 9), taught(t, 9)
	hosts := a.Known()
	for i := range 60 {
		speak(a, "s", 100+i, []string{"de", "en", "fr"}[i%3])
		speak(b, "s", 159-i, []string{"de", "en", "fr"}[(59-i)%3])
	}
	x, y := a.Known(), b.Known()
	if !bytes.Equal(x.Encode(), y.Encode()) || x.Version() != y.Version() || x.Version() == hosts.Version() {
		t.Errorf("learnt in another order: %s, %s; of hosts alone %s", x.Version(), y.Version(), hosts.Version())
	}
	z, err := Decode(x.Encode())
	if err != nil || z.Version() != x.Version() || !maps.Equal(z.Spoken("s"), x.Spoken("s")) || len(z.Spoken("s")) != 3 {
		t.Errorf("read again: %v, %v", z, err)
	}
	if strings.Contains(string(hosts.Encode()), "sources") {
		t.Error("a snapshot without sources is written otherwise than before there were any")
	}
	if old, err := Decode([]byte(`{"format":1,"hosts":{"a":"AAAAAAAAAAAA"}}`)); err != nil || old.Len() != 1 || old.Spoken("s") != nil {
		t.Errorf("a snapshot of before: %v, %v", old, err)
	}
	for _, bad := range []string{
		`{"s":{}}`, `{"s":{"de":4}}`, `{"s":{"de":51}}`, `{"s":{"de":30,"en":30}}`, `{"s":{"und":9}}`, `{"s":{"de":9,"en":-2}}`, `{"s":3}`,
	} {
		if _, err := Decode([]byte(`{"format":1,"hosts":{},"sources":` + bad + `}`)); err == nil {
			t.Errorf("%s is read as knowledge", bad)
		}
	}
}

func TestOnlyASureLanguageOfSomeWordsIsLearnt(t *testing.T) {
	t.Parallel()
	sure := article.Language{Code: "de", Confidence: 0.95}
	for _, c := range []struct {
		what string
		a    article.Article
		want string
	}{
		{"words of title and text", article.Article{Title: "Ein Besuch", Text: "am alten Hafen", Language: sure}, "de"},
		{"four words", article.Article{Title: "Ein Besuch", Text: "am Hafen", Language: sure}, ""},
		{"a text that lies elsewhere", article.Article{Title: "Besuch", TextBlob: &article.Blob{}, Language: sure}, "de"},
		{"not sure", article.Article{Text: "eins zwei drei vier fünf sechs", Language: article.Language{Code: "de", Confidence: 0.89}}, ""},
	} {
		c.a.ID, c.a.Source.ID, c.a.URL = "a", "s", address
		got := See(&c.a, 7)
		if got.Language != c.want || got.Article != "a" || got.Source != "s" || got.Host != "example.org" || got.Sequence != 7 {
			t.Errorf("%s: %+v, want the language %q", c.what, got, c.want)
		}
	}
}
