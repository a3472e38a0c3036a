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
