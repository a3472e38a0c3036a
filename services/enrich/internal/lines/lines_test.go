package lines

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/article"
)

var now = time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)

func split(text string) []Line {
	var in []Line
	for l := range strings.Lines(text) {
		if l = strings.TrimSpace(l); l != "" {
			in = append(in, Line{Text: l})
		}
	}
	return in
}

func TestGuestArticleLosesWhatIsNotItsBody(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../extract/testdata/guest.txt")
	if err != nil {
		t.Fatal(err)
	}
	r := Classify("Warum gute Führung im Homeoffice mit Vertrauen beginnt", split(string(data)), true, now)
	var got []string
	for _, l := range r.Lines {
		start := strings.Fields(l.Text)
		got = append(got, string(l.Class)+": "+strings.Join(start[:min(3, len(start))], " "))
	}
	want := []string{
		"headline: Warum gute Führung", "byline: Martina Beispiel |", "paragraph: Seit Monaten arbeiten", "paragraph: Als im Frühjahr",
		"heading: 1. Ergebnisse vereinbaren", "paragraph: Führung auf Distanz", "paragraph: Wichtig ist dabei,",
		"heading: 2. Gespräche planen,", "paragraph: Im Büro entstehen", "repeated: Warum gute Führung", "paragraph: Auch das Einzelgespräch",
		"heading: 3. Fehler besprechen,", "paragraph: Vertrauen zeigt sich", "paragraph: Am Ende ist",
		"divider: * * *", "promo: Passend zum Thema", "tail: Das Vertrauensprinzip: Wie", "name: Martina Beispiel",
		"bio: Martina Beispiel ist", "profile: Profil ansehen", "call: Jetzt unseren Newsletter",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]article.Person{{Name: "Martina Beispiel", Role: "Gastautorin und Führungskräftetrainerin"}}, r.Authors); diff != "" {
		t.Error(diff)
	}
	if r.Date == nil || r.Date.Format(time.DateOnly) != "2020-09-14" {
		t.Errorf("date = %v", r.Date)
	}
}

func TestBylines(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"Von Eva Muster, dpa":                       "Eva Muster (dpa)",
		"Ein Gastbeitrag von Karl von der Heide":    "Karl von der Heide ()",
		"By Jane Doe":                               "Jane Doe ()",
		"Text: Eva Muster und Jan Klein":            "Eva Muster () Jan Klein ()",
		"Eva Muster | Redakteurin | 3. März 2021":   "Eva Muster (Redakteurin)",
		"Par Anne Dupont, le 3 mars 2021":           "Anne Dupont ()",
		"Von wegen, das ist doch keine Zeile":       "",
		"Berlin Hamburg":                            "",
		"Von Anfang an war klar, was kommen würde.": "",
		"Die Lage im Land":                          "",
	} {
		r := Classify("Etwas ganz anderes", []Line{{Text: line}, {Text: strings.Repeat("Wort ", 70)}}, true, now)
		var got []string
		for _, a := range r.Authors {
			got = append(got, a.Name+" ("+a.Role+")")
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%q: authors %q, want %q", line, s, want)
		}
	}
}

func TestAgenciesSignOutsideOfTheText(t *testing.T) {
	t.Parallel()
	body := strings.TrimSpace(strings.Repeat("Das ist ein ganz gewöhnlicher Satz mit einigen Wörtern. ", 6))
	for line, want := range map[string]string{
		"(dpa/Eva Muster)":        "credit Eva Muster",
		"/sda/afp":                "credit",
		"dpa/lby":                 "paragraph",
		"(dpa/lby)":               "credit",
		"(AFP, Reuters)":          "credit",
		"dpa":                     "credit",
		"Die dpa schreibt":        "paragraph",
		"(Eva Muster)":            "paragraph",
		"(siehe Seite 3)":         "paragraph",
		"AP":                      "paragraph",
		"Mehr dazu hat (dpa) oft": "paragraph",
	} {
		r := Classify("Etwas ganz anderes", []Line{{Text: body}, {Text: body}, {Text: line}, {Text: body}}, true, now)
		got := strings.TrimSpace(string(r.Lines[2].Class) + " " + names(r))
		if got != want && !(want == "paragraph" && got == "heading") {
			t.Errorf("%q: %s, want %s", line, got, want)
		}
	}
}

// names are those of the authors that a text names.
func names(r Result) string {
	var list []string
	for _, a := range r.Authors {
		list = append(list, a.Name)
	}
	return strings.Join(list, " ")
}

func TestADayOfAChangeIsNoDate(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{"Stand: 1. April 2020": "", "Eva Muster, aktualisiert am 1. April 2020": "Eva Muster", "Aktualisiert am 1. April 2020": ""} {
		r := Classify("Etwas ganz anderes", []Line{{Text: line}, {Text: strings.Repeat("Wort ", 70)}}, true, now)
		got := names(r)
		if r.Date != nil || got != want || r.Lines[0].Class.Body() {
			t.Errorf("%q: date %v, authors %q, %s", line, r.Date, got, r.Lines[0].Class)
		}
	}
}

func TestWhatACompanySaysOfItselfIsNoPartOfTheText(t *testing.T) {
	t.Parallel()
	body := strings.TrimSpace(strings.Repeat("Das ist ein ganz gewöhnlicher Satz mit einigen Wörtern. ", 12))
	firm := "Die Muster Pumpen GmbH ist ein führender Hersteller von Pumpen mit Sitz in Kassel. " + strings.Repeat("Sie liefert in viele Länder der Welt. ", 6)
	for name, c := range map[string]struct {
		lines []string
		want  string
	}{
		"named":        {[]string{body, body, "Über Muster Pumpen GmbH", firm}, "profile bio"},
		"two of it":    {[]string{body, body, "Über die Muster Pumpen GmbH:", firm, "Mehr unter example.org."}, "profile bio bio"},
		"in one":       {[]string{body, body, "Über Muster Pumpen: " + firm}, "bio"},
		"about us":     {[]string{body, body, "About us", "We are a provider of pumps with 1,200 employees."}, "profile bio"},
		"English":      {[]string{body, body, "About Example Pumps", "Example Pumps is a leading manufacturer of pumps."}, "profile bio"},
		"French":       {[]string{body, body, "À propos d'Exemple SA", "Exemple SA, fondée en 1990, emploie 300 salariés."}, "profile bio"},
		"a heading":    {[]string{body, body, "Über die Zukunft der Pumpe", "Die Zukunft der Pumpe beginnt, und ein Unternehmen zahlt."}, "paragraph paragraph"},
		"of a subject": {[]string{body, body, "Über die Zukunft der Pumpe", "Die Zukunft der Pumpe beginnt im Keller."}, "paragraph paragraph"},
		"of another":   {[]string{body, body, "Über Muster Pumpen GmbH", "Im Keller steht, was ein Unternehmen vergaß."}, "paragraph paragraph"},
		"in the midst": {[]string{body, body, "Über Muster Pumpen GmbH", firm, "Weiter im Text", body}, "paragraph paragraph paragraph paragraph"},
		"early":        {[]string{body, "Über Muster Pumpen GmbH", firm, body, body}, "paragraph paragraph paragraph paragraph"},
	} {
		var got []string
		for i, l := range Classify("Titel", split(strings.Join(c.lines, "\n")), false, now).Lines {
			if i > 0 && (i > 1 || l.Text != body) {
				got = append(got, string(l.Class))
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %s, want %s", name, s, c.want)
		}
	}
}

func TestAnEndingIsNoneWhenTheArticleGoesOn(t *testing.T) {
	t.Parallel()
	body := strings.TrimSpace(strings.Repeat("Das ist ein ganz gewöhnlicher Satz mit einigen Wörtern. ", 6))
	in := split(strings.Join([]string{body, body, body, "* * *", body, body}, "\n"))
	for i, l := range Classify("Titel", in, true, now).Lines {
		if want := i != 3; l.Class.Body() != want {
			t.Errorf("line %d is %s", i, l.Class)
		}
	}
}

func TestAListStaysAList(t *testing.T) {
	t.Parallel()
	body := strings.TrimSpace(strings.Repeat("Das ist ein ganz gewöhnlicher Satz mit einigen Wörtern. ", 3))
	in := split(strings.Join([]string{body, "1. Äpfel", "2. Birnen", "3. Nüsse", body}, "\n"))
	for _, l := range Classify("Titel", in, true, now).Lines[1:4] {
		if l.Class != Item {
			t.Errorf("%q is %s", l.Text, l.Class)
		}
	}
}

func TestEveryPhraseOfAnEndIsFound(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]*phrases{"promos": promos, "calls": calls, "labels": labels, "contacts": contacts, "notices": notices, "bioVerbs": bioVerbs} {
		n := 0
		for _, list := range p {
			for _, s := range list {
				n++
				if !p.stand("ähm, "+s+" à") || !p.begin(s) || !p.stand("„"+s+"“") {
					t.Errorf("%s: %q is never found", name, s)
				}
				if p.stand("ä" + s + "ß") {
					t.Errorf("%s: %q is found in a longer word", name, s)
				}
			}
		}
		if n == 0 {
			t.Errorf("%s are none", name)
		}
	}
}

func TestEndsInLanguagesWithOtherLetters(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Class{
		"¡Suscríbete a nuestro boletín!":           Call,
		"Zapisz się na codzienny przegląd":         Call,
		"Czytaj też: Nowy most na Wiśle":           Promo,
		"Lea también: El puente nuevo":             Promo,
		"Eva Muster, Autorin, und ein großes Haus": "", // no verb of a biography is in it
	} {
		r := Result{Authors: []article.Person{{Name: "Eva Muster"}}}
		if got := r.ending(&Line{Text: text, words: len(strings.Fields(text))}); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func TestPressReleasesLoseNoticeAndContact(t *testing.T) {
	t.Parallel()
	body := strings.TrimSpace(strings.Repeat("Das ist ein ganz gewöhnlicher Satz mit einigen Wörtern. ", 8))
	for notice, contact := range map[string]string{
		"PRESSEMITTEILUNG": "Pressekontakt:", "Pressemitteilung 12/2024": "Kontakt für die Presse", "FOR IMMEDIATE RELEASE": "Media Contact:",
		"COMMUNIQUÉ DE PRESSE": "Contact presse :",
	} {
		in := split(strings.Join([]string{notice, "Werk baut neue Halle in Kassel", body, body, contact, "Muster GmbH", "Telefon: 0551 123456"}, "\n"))
		r := Classify("", in, true, now)
		var got []Class
		for _, l := range r.Lines {
			got = append(got, l.Class)
		}
		if diff := cmp.Diff([]Class{Notice, Headline, Paragraph, Paragraph, Profile, Tail, Tail}, got); diff != "" || r.Title != in[1].Text {
			t.Errorf("%s: title %q, %s", notice, r.Title, diff)
		}
	}
	for _, title := range []string{"Press release writing for beginners", "Pressemitteilung: So geht es"} {
		if r := Classify("", split(title+"\n"+body), true, now); r.Title != title {
			t.Errorf("%q became %q", title, r.Title)
		}
	}
}

func FuzzClassify(f *testing.F) {
	f.Add("Titel", "Titel\nVon Eva Muster\n1. a\n***\nNewsletter")
	f.Fuzz(func(t *testing.T, title, text string) {
		in := split(text)
		r := Classify(title, in, true, now)
		if len(r.Lines) != len(in) {
			t.Fatalf("%d lines became %d", len(in), len(r.Lines))
		}
	})
}
