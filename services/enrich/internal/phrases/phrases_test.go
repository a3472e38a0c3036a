package phrases

import (
	"slices"
	"testing"

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

func phrases(t *testing.T, title, text string) []string {
	t.Helper()
	d := pipeline.NewDraft(&article.Raw{ID: "x", Title: title, Content: &article.Text{Value: text, Type: article.TextPlain}, Authors: []article.Person{{Name: "Eva Muster"}}}, nil)
	for _, s := range append(before[:len(before):len(before)], Step{}) {
		if err := s.Run(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	var out []string
	for _, p := range d.Article.Keyphrases {
		out = append(out, p.Text)
	}
	return out
}

func TestPhrasesAreWhatTheTextIsAbout(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		title, text   string
		wanted, never []string
	}{
		{"Der Nachtzug kehrt nach Europa zurück", "Der Nachtzug war lange verschwunden. Nun fahren neue Nachtzüge, sagt Eva Muster. Die Österreichischen Bundesbahnen kaufen neue Schlafwagen. Schlafwagen der Österreichischen Bundesbahnen sind gefragt, denn ein Schlafwagen kostet viel. Ende der Woche folgt die nächste Frage. Eva Muster freut sich.",
			[]string{"Nachtzug", "Österreichischen Bundesbahnen", "Schlafwagen"}, []string{"Eva Muster", "Muster", "Ende", "Woche", "Frage", "war lange"}},
		{"Night trains return", "Night trains are back. The night train from Vienna is full, and sleeping cars are scarce. Sleeping cars cost a fortune, says Eva Muster of the night train lobby.",
			[]string{"night train", "Sleeping cars"}, []string{"trains", "the night", "Eva Muster"}},
	} {
		got := phrases(t, c.title, c.text)
		for _, w := range c.wanted {
			if !slices.ContainsFunc(got, func(s string) bool { return equalFold(s, w) }) {
				t.Errorf("%q is missing from %q", w, got)
			}
		}
		for _, n := range c.never {
			if slices.ContainsFunc(got, func(s string) bool { return equalFold(s, n) }) {
				t.Errorf("%q stands in %q", n, got)
			}
		}
	}
}

// equalFold compares but for case and the ending of a plural.
func equalFold(a, b string) bool {
	trim := func(s string) string {
		r := []rune(s)
		if n := len(r); n > 1 && r[n-1] == 's' {
			r = r[:n-1]
		}
		return string(r)
	}
	return len(a) > 0 && (a == b || lower(trim(a)) == lower(trim(b)))
}

func lower(s string) string {
	out := []rune(s)
	for i, r := range out {
		if r >= 'A' && r <= 'Z' {
			out[i] = r + 32
		}
	}
	return string(out)
}
