package entities

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/decode"
	"tidings.internal/services/enrich/internal/extract"
	"tidings.internal/services/enrich/internal/language"
	"tidings.internal/services/enrich/internal/metadata"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/pipeline/pipelinetest"
	"tidings.internal/services/enrich/internal/sanitize"
)

var before = []pipeline.Step{decode.Step{}, metadata.Step{}, extract.Step{}, sanitize.New(), language.NewStep()}

func TestConform(t *testing.T) {
	t.Parallel()
	pipelinetest.Conform(t, Step{}, before...)
}

func TestNamesAreFoundByPatterns(t *testing.T) {
	t.Parallel()
	text := "Ministerin Petra Beispiel hat am Montag die Muster Maschinenbau GmbH besucht. Dort sprach Klaus von der Heide mit ihr, der Leiter der Abteilung. Eva Autorin war dabei. Die Neue Heimat blieb leer."
	d := pipeline.NewDraft(&article.Raw{ID: "x", Title: "Besuch in der Fabrik", Authors: []article.Person{{Name: "Eva Autorin"}}, Content: &article.Text{Value: text, Type: article.TextPlain}}, nil)
	for _, s := range append(before[:len(before):len(before)], Step{}) {
		if err := s.Run(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, e := range d.Article.Entities {
		got = append(got, e.Label["de"]+" by "+e.Evidence[0].Rule)
	}
	want := "Klaus von der by first_name\nMuster Maschinenbau GmbH by legal_form\nPetra Beispiel by office"
	if diff := cmp.Diff(strings.ReplaceAll(want, "von der by", "von der Heide by"), strings.Join(got, "\n")); diff != "" {
		t.Error(diff)
	}
}

// One name is one entity, in whatever form it stands, and each place quotes the text.
func TestFormsOfANameAreOneEntity(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Hessens Ministerpräsident Boris Rhein sprach in Hessen. Boris Rheins Plan gefiel. Er fuhr an den Rhein.":                                                     "Boris Rhein: Boris Rhein, Boris Rheins; Hessen: Hessens, Hessen; Rhein: Rhein",
		"Franz von Hagenau kam. In Hagenaus Haus sprach Hagenau.":                                                                                                     "Franz von Hagenau: Franz von Hagenau, Hagenaus, Hagenau",
		"Boris Lehmkuhl sprach. „Das gefällt mir“, sagte Lehmkuhl. Am nächsten Tag schwieg Lehmkuhl.":                                                                 "Boris Lehmkuhl: Boris Lehmkuhl, Lehmkuhl, Lehmkuhl",
		"Ministerin Petra Beispielmann kam. Beispielmann blieb lange, und Beispielmanns Rede auch. Die Beispielmann GmbH zahlte, der Beispielmann-Preis ging an sie.": "Petra Beispielmann: Petra Beispielmann, Beispielmann, Beispielmanns; Beispielmann GmbH: Beispielmann GmbH",
		"Lukas Muster kam. Die Kinder nannten ihn Lukas.":                                                                                                             "Lukas Muster: Lukas Muster",
		"Peter Wald und Karl Wald kamen. Wald blieb.":                                                                                                                 "Karl Wald: Karl Wald; Peter Wald: Peter Wald",
		"Georg Salz kam. Man nehme Salz, und wer kein salz hat, lässt es.":                                                                                            "Georg Salz: Georg Salz",
	} {
		d := pipeline.NewDraft(&article.Raw{ID: "x", Language: "de", Content: &article.Text{Value: text, Type: article.TextPlain}}, nil)
		for _, s := range append(before[:len(before):len(before)], Step{}) {
			if err := s.Run(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		for _, e := range d.Article.Entities {
			var places []string
			for _, at := range e.Evidence {
				places = append(places, at.Text)
				if quoted := string([]rune(d.Prose.Body)[at.Start:at.End]); quoted != at.Text {
					t.Errorf("%q is quoted as %q", quoted, at.Text)
				}
			}
			got = append(got, e.Label["de"]+": "+strings.Join(places, ", "))
		}
		if diff := cmp.Diff(want, strings.Join(got, "; ")); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
	d := pipeline.NewDraft(&article.Raw{ID: "x", Language: "en", Content: &article.Text{Value: "Germany’s chancellor and Berlin's mayor met in Germany.", Type: article.TextPlain}}, nil)
	for _, s := range append(before[:len(before):len(before)], Step{}) {
		if err := s.Run(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for _, e := range d.Article.Entities {
		names = append(names, e.Label["en"])
	}
	if diff := cmp.Diff([]string{"Germany", "Berlin"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestNamesOfPlacesAndOrganisations(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"In Berlin tagt der Bundestag, in Wien nicht.":                      "Berlin place, Bundestag organisation, Wien place",
		"Deutschlands Norden und Münchens Süden.":                           "Deutschland place, München place",
		"Der Hamburg-Besuch und die Berlin-Debatte sagen nichts über Orte.": "",
		"Die Universität Hamburg forscht, die Stadt Bremen zahlt.":          "Bremen place, Universität Hamburg organisation",
		"In Baden-Württemberg regnet es.":                                   "Baden-Württemberg place",
		"Der Sprecher der Muster AG schwieg.":                               "Muster AG legal_form",
		"Georg-Offensive und Anna-Preis sind keine Menschen.":               "",
		"Karl Müller-Beispiel und Hans Peter Muster kamen.":                 "Hans Peter Muster first_name, Karl Müller-Beispiel first_name",
		"„Das geht nicht“, sagte Lehmann. Er schrieb Opern und Lieder.":     "Lehmann said",
		"Der Spielplan der NHL nennt weder DVD noch PDF.":                   "NHL acronym",
		"ALLES NEU MACHT DER MAI":                                           "",
		"Er zog nach Zandvoort und kaufte in Kaufhäusern ein.":              "Zandvoort letters",
		"Das übernimmt Kyle Ledgerwood von seinem Vorgänger.":               "Kyle Ledgerwood letters",
		"Der Trainer der Mannschaft sieht die Zuschauer Kaffee trinken.":    "",
		"Giacomo Puccini schrieb Opern.":                                    "Giacomo Puccini letters",
		"In der Kirche St. Johann Baptist läutet es.":                       "",
	} {
		d := pipeline.NewDraft(&article.Raw{ID: "x", Language: "de", Content: &article.Text{Value: text, Type: article.TextPlain}}, nil)
		for _, s := range append(before[:len(before):len(before)], Step{}) {
			if err := s.Run(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		for _, e := range d.Article.Entities {
			got = append(got, e.Label[d.Lang()]+" "+e.Evidence[0].Rule)
		}
		if s := strings.Join(got, ", "); s != want {
			t.Errorf("%q: %q, want %q", text, s, want)
		}
	}
}
