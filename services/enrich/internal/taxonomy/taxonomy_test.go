package taxonomy

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/words"
)

func TestStarterIsSound(t *testing.T) {
	t.Parallel()
	v, err := Starter()
	if err != nil {
		t.Fatal(err)
	}
	if v.Len() < 60 {
		t.Errorf("%d concepts", v.Len())
	}
	for _, id := range v.IDs() {
		c, _ := v.Lookup(id)
		synonyms := map[string]int{}
		for _, l := range c.Labels {
			if l.Kind == Alt {
				synonyms[l.Lang]++
			}
		}
		for _, lang := range []string{"de", "en"} {
			if c.Names()[lang] == "" || synonyms[lang] < 1 {
				t.Errorf("%s: label %q and %d synonyms in %s", id, c.Names()[lang], synonyms[lang], lang)
			}
		}
		for _, b := range c.Broader {
			if _, ok := v.Lookup(b); !ok {
				t.Errorf("%s is below %s, which is not there", id, b)
			}
		}
	}
}

const good = `@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
PREFIX ex: <https://example.org/v/>
@base <https://example.org/v/> .
# comment
ex:Wald a skos:Concept ; skos:prefLabel "Wald"@de , 'Forest'@en ; skos:altLabel """Forst"""@de ; skos:definition "x\u0041\n"@de ;
  skos:broader ex:natur ; skos:notation 12 ; skos:note [ a skos:Thing ; skos:x "y" ] .
<natur> skos:prefLabel "Natur"@de ; skos:broader <https://example.org/v/welt> ; .
ex:welt skos:prefLabel "Welt"@de ; <http://www.w3.org/2002/07/owl#deprecated> true .
_:b skos:prefLabel "left out"@de .
`

func TestTurtleIsRead(t *testing.T) {
	t.Parallel()
	v, err := Read(File{"good.ttl", []byte(good)})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"natur", "wald", "welt"}, v.IDs()); diff != "" {
		t.Error(diff)
	}
	c, _ := v.Lookup("wald")
	want := []Label{{"de", "Wald", Pref}, {"en", "Forest", Pref}, {"de", "Forst", Alt}}
	if diff := cmp.Diff(want, c.Labels); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"natur", "welt"}, v.Chain("wald")); diff != "" {
		t.Error(diff)
	}
}

func TestBlankNodesAreLeftOutAndCounted(t *testing.T) {
	t.Parallel()
	v := must(t, "x.ttl", `@prefix s: <http://www.w3.org/2004/02/skos/core#> .
<t:wald> s:prefLabel "Wald"@de ; s:note [ s:x [ s:y "z" ] ] ;
  s:related _:b .
_:b s:prefLabel "B"@de .
`)
	if got := v.LeftOut(); v.Len() != 1 || len(got) != 1 || got[0].String() != "x.ttl:2:41: blank nodes are left out: 3, this one first" {
		t.Errorf("%d concepts, left out: %v", v.Len(), got)
	}
	if got := must(t, "x.ttl", `<t:wald> <http://www.w3.org/2004/02/skos/core#prefLabel> "Wald"@de .`).LeftOut(); len(got) != 0 {
		t.Errorf("nothing is left out, and yet: %v", got)
	}
}

func TestMistakesAreAllFoundWithTheirPlaces(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"many": {`@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
<a:b> skos:prefLabel "offen .
<a:c> foo:bar "x" .
<a:d> skos:prefLabel .
<a:e> skos:altLabel "E"@de .
<a:f> skos:prefLabel "F"@de, "G"@de .
`, `x.ttl:2:22: a text in quotation marks is not closed
x.ttl:4:22: expected an address, found "."
x.ttl:5:1: concept "e" has no preferred label
x.ttl:6:1: concept "f" has two preferred labels in "de"`},
		"prefix": {`<a:c> foo:bar "x" .`, `x.ttl:1:7: prefix "foo" is not declared`},
		"cycle": {`@prefix s: <http://www.w3.org/2004/02/skos/core#> .
<a:a> s:prefLabel "A"@de ; s:broader <a:b> .
<a:b> s:prefLabel "B"@de ; s:broader <a:a> .`, `x.ttl:2:1: concept "a" is broader than itself
x.ttl:3:1: concept "b" is broader than itself`},
		"end":     {`<a:a> a <a:b>`, `x.ttl:1:14: expected a full stop, found the end of the file`},
		"escape":  {`<a:a> <a:b> "\q" .`, `x.ttl:1:13: an unknown escape stands in a text`},
		"address": {`<a b> <c> <d> .`, `x.ttl:1:1: an address in <> is not closed`},
	} {
		_, err := Read(File{"x.ttl", []byte(c.text)})
		if err == nil {
			t.Errorf("%s: no problem was found", name)
		} else if diff := cmp.Diff(c.want, err.Error()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// shipped is the matcher of the starter, made once.
var shipped = sync.OnceValue(func() *Matcher {
	v, err := Starter()
	if err != nil {
		panic(err)
	}
	return NewMatcher(v)
})

func find(t *testing.T, lang, title, body string, masked ...string) []article.Tag {
	t.Helper()
	d := draft("x", "", lang, title, body)
	d.Words = words.NewDoc(title, d.Prose.Body, lang, masked)
	tags := shipped().Find(d, nil)
	fields := map[string][]rune{"title": []rune(title), "text": []rune(d.Prose.Body)}
	for _, tag := range tags {
		if len(tag.Evidence) == 0 {
			t.Errorf("%s has no evidence", tag.ID)
		}
		for _, e := range tag.Evidence {
			if got := string(fields[e.Field][e.Start:e.End]); got != e.Text {
				t.Errorf("%s: the span of %q holds %q", tag.ID, e.Text, got)
			}
		}
	}
	return tags
}

func ids(tags []article.Tag) string {
	var out []string
	for _, t := range tags {
		out = append(out, t.ID)
	}
	return strings.Join(out, " ")
}

func TestConceptsAreFoundByTheirLabels(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, lang, title, body, want string }{
		{"an inflected label", "de", "Was künstliche Intelligenz mit Schulen macht", "Text.", "kuenstliche-intelligenz schule"},
		{"an acronym", "de", "KI im Büro", "Text.", "kuenstliche-intelligenz"},
		{"no acronym", "de", "Ki Ora", "ki ist kein Wort.", ""},
		{"a verb is no noun", "de", "Er hat recht", "Sie steuern das Schiff und handeln.", ""},
		{"part of a compound", "de", "Neues CRM-System für die Feuerwehr", "Text.", "crm sicherheit"},
		{"written apart", "de", "E-Mail-Marketing lohnt sich", "Text.", "e-mail-marketing"},
		{"English", "en", "How AI changes the workplace culture", "Companies use machine learning.", "kuenstliche-intelligenz unternehmenskultur"},
		{"the wider concept goes", "en", "Electric cars and traffic", "Electric cars, electric cars.", "elektromobilitaet"},
		{"one word in the body is not enough", "en", "A day", strings.Repeat("Nothing of note happened at all that day. ", 12) + "He went to the museum.", ""},
		{"a comparison in the title is no subject", "en", "Why teams need dissent like museums need light", strings.Repeat("Nobody objects to the plan of the meeting. ", 14), ""},
		{"the end of a compound", "de", "Was die Stadt plant", "Neue Straßenbeleuchtung, eine Stadtteilbibliothek und noch eine Kinderbibliothek.", "literatur"},
		{"another form of a stem is another word", "en", "How the staff is trained", "A training a week, and the trainers train each other on a platform.", ""},
		{"a word of many meanings beside one of few", "en", "Late again", "The train was late. The railway says that the next train is, too.", "bahn"},
		{"another language", "fr", "La culture et le sport", "Musée, sport.", ""},
	} {
		if got := ids(find(t, c.lang, c.title, c.body)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestGermanSpellingsAreTheSameLabel(t *testing.T) {
	t.Parallel()
	v := must(t, "x.csv", "id,lang,pref\neinfuhr,de,Einfuhr\nausfuhr,de,Ausfuhr\nuebung,de,Übung\nduell,de,Düllerei\nstrasse,de,Straße\nklima,de,Klimapolitik\n")
	m := NewMatcher(v)
	for body, want := range map[string]string{
		"Die Ein- und Ausfuhr von Waren stieg.":               "ausfuhr einfuhr",
		"Die Ein - und die Ausfuhr.":                          "ausfuhr",
		"Klima- oder Energiepolitik lohnt sich.":              "klima",
		"Klima- und Handel.":                                  "",
		"Die Uebung gelang, und weitere Uebungen folgen.":     "uebung",
		"Michael und Israel, ein Duell, aktuell, die Poesie.": "",
		"Die Strasse ist gesperrt.":                           "strasse",
	} {
		d := draft("x", "", "de", "", body)
		tags := m.Find(d, nil)
		slices.SortFunc(tags, func(a, b article.Tag) int { return strings.Compare(a.ID, b.ID) })
		if got := ids(tags); got != want {
			t.Errorf("%q: %q, want %q", body, got, want)
		}
		for _, tag := range tags {
			for _, e := range tag.Evidence {
				if quoted := string([]rune(body)[e.Start:e.End]); quoted != e.Text {
					t.Errorf("%q is quoted as %q", quoted, e.Text)
				}
			}
		}
	}
}

func TestLabelsOfOneFormCountOnce(t *testing.T) {
	t.Parallel()
	filler := strings.Repeat("Viel Text steht hier, der von nichts handelt. ", 14)
	for _, c := range []struct{ name, table, body, want string }{
		{"twice said without doubt is no doubt", "x,de,Straßenbau,,Strassenbau,\n", "Der Straßenbau stockt. Der Straßenbau ruht.", "x"},
		{"nor said for another country", "x,de,Straßenbau,,,\nx,de-AT,Straßenbau,,,\n", "Der Straßenbau stockt. Der Straßenbau ruht.", "x"},
		{"doubted by itself", "x,de,Anlage,,,Anlage\n", "Die Anlage. Die Anlage. Die Anlage.", ""},
		{"doubted in compounds, too", "x,de,Anlage,,,Anlage\n", "Geldanlagen, Parkanlagen, Tonanlagen.", ""},
		{"a compound of two forms of a label", "x,de,Energie,Energien,,\n", "Die Solarenergie.", ""},
		{"two compounds", "x,de,Energie,Energien,,\n", "Die Solarenergie und die Windenergie.", "x"},
		{"a compound of what two concepts share", "x,de,Mannschaft,,,\ny,de,Team,Mannschaft,,\n", "Die Fußballmannschaft. Die Fußballmannschaft.", ""},
	} {
		v, err := Read(File{"x.csv", []byte("id,lang,pref,alt,hidden,ambiguous\n" + c.table)})
		if err != nil {
			t.Fatal(err)
		}
		if got := ids(NewMatcher(v).Find(draft("x", "", "de", "Ein Tag", c.body+" "+filler), nil)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestADefinitionServesEveryFormOfItsLanguage(t *testing.T) {
	t.Parallel()
	body := "Wo Arbeiter Asphalt walzen und Bagger graben, sperrt die Polizei. " + strings.Repeat("Asphalt und Bagger, Arbeiter und Walzen. ", 14)
	for _, lang := range []string{"de", "de-AT", ""} {
		v, err := Read(File{"x.csv", []byte("id,lang,pref,definition\nx," + lang + ",Straßenbau,Arbeiter walzen Asphalt und Bagger graben\n")})
		if err != nil {
			t.Fatal(err)
		}
		if got := ids(NewMatcher(v).Find(draft("x", "", "de", "Mehr Straßenbau", body), nil)); got != "x" {
			t.Errorf("a definition in %q: %q", lang, got)
		}
	}
}

// Who hides a word in a page of millions of letters must not keep a core busy.
func TestAVeryLongWordIsNoCompound(t *testing.T) {
	t.Parallel()
	body := "A" + strings.Repeat("b", 1<<20) + " und Energie."
	done := make(chan string, 1)
	go func() { done <- ids(shipped().Find(draft("x", "", "de", "", body), nil)) }()
	select {
	case <-done:
	case <-time.After(time.Minute): // it takes some milliseconds; looked at piece by piece it takes an hour
		t.Error("it takes more than a minute")
	}
}

func TestMaskedNamesAreNoConcepts(t *testing.T) {
	t.Parallel()
	if got := ids(find(t, "de", "Ein Gespräch", "Eva Handel sagt, dass Eva Handel gern liest.", "Eva Handel")); got != "" {
		t.Errorf("the author's name became %s", got)
	}
}

func TestCategoriesOfTheSourceSpeakForConcepts(t *testing.T) {
	t.Parallel()
	d := pipeline.NewDraft(&article.Raw{ID: "x"}, nil)
	got := shipped().Find(d, []article.Category{{Term: "Datenschutz"}, {Term: "E-Mail Marketing"}, {Term: "Nichts davon"}})
	if ids(got) != "datenschutz e-mail-marketing" || got[0].Evidence[0].Source != "feed" {
		t.Errorf("tags %+v", got)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(good)
	f.Add(`<a:b> skos:prefLabel "offen .`)
	f.Fuzz(func(t *testing.T, text string) {
		v, err := Read(File{"f.ttl", []byte(text)})
		if err == nil {
			NewMatcher(v)
		}
	})
}
