package phrases

import (
	"math"
	"slices"
	"strings"
	"testing"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/prose"
	"tidings.internal/services/enrich/internal/words"
)

// written is a draft of a text in a language.
func written(lang, title, body string) *pipeline.Draft {
	d := pipeline.NewDraft(&article.Raw{ID: "x"}, nil)
	d.Article.Title, d.Article.Language.Code = title, lang
	d.Prose = prose.FromPlain(title, body)
	d.Words = &words.Doc{Lang: lang, Title: words.Cut(title, lang), Body: words.Cut(d.Prose.Body, lang)}
	return d
}

func TestRanking(t *testing.T) {
	t.Parallel()
	for lang, c := range map[string]struct {
		title, body string
		first       []string // all among the first five
		never       []string
	}{
		"en": {"Night trains return", "Night trains are returning to Europe. Rail operators have ordered sleeping cars, and the night trains are full. Quickly the operators ordered more sleeping cars.",
			[]string{"Night trains", "sleeping cars"}, []string{"returning", "ordered", "Quickly", "trains"}},
		"de": {"Der Nachtzug kehrt zurück", "Der Nachtzug war lange verschwunden. Nun fahren neue Nachtzüge durch Europa. Die Woche über sind Schlafwagen knapp, denn ein Schlafwagen kostet viel.",
			[]string{"Nachtzug", "Schlafwagen"}, []string{"Woche", "verschwunden"}},
		"fr": {"La piscine municipale rouvre", "La piscine municipale est ouverte lundi. Le maire inaugure la piscine municipale avec les écoles, et les écoles viennent.",
			[]string{"piscine municipale"}, []string{"la", "avec les"}},
	} {
		d := written(lang, c.title, c.body)
		if err := (Step{}).Run(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range d.Article.Keyphrases {
			got = append(got, p.Text)
		}
		for _, w := range c.first {
			if !slices.ContainsFunc(got[:min(5, len(got))], func(s string) bool { return equalFold(s, w) }) {
				t.Errorf("%s: %q is not among the first of %q", lang, w, got)
			}
		}
		for _, n := range c.never {
			if slices.Contains(got, n) {
				t.Errorf("%s: %q stands in %q", lang, n, got)
			}
		}
		if !slices.IsSortedFunc(d.Article.Keyphrases, func(a, b article.Phrase) int { return int(math.Ceil((b.Score - a.Score) * 1000)) }) {
			t.Errorf("%s: the ranking is in no order: %v", lang, d.Article.Keyphrases)
		}
	}
}

// A feature far from those of the fitted texts would decide alone.
func TestFeaturesStayInBounds(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"empty": "", "one word": "Nachtzug", "often": strings.Repeat("Night train ", 5000), "long": strings.Repeat("Donaudampfschifffahrt", 500), "digits": strings.Repeat("A1 2026 B2 ", 100),
	} {
		for _, s := range Samples(written("en", "Night train", body)) {
			for i, x := range s.Vector {
				if math.IsNaN(x) || x < 0 || x > 4 {
					t.Errorf("%s: feature %d of %q is %v", name, i, s.Text, x)
				}
			}
		}
	}
}
