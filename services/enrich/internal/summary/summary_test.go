package summary

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/decode"
	"tidings.internal/services/enrich/internal/extract"
	"tidings.internal/services/enrich/internal/language"
	"tidings.internal/services/enrich/internal/metadata"
	"tidings.internal/services/enrich/internal/phrases"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/pipeline/pipelinetest"
	"tidings.internal/services/enrich/internal/sanitize"
)

var before = []pipeline.Step{decode.Step{}, metadata.Step{}, extract.Step{}, sanitize.New(), language.NewStep(), phrases.Step{}}

func TestConform(t *testing.T) {
	t.Parallel()
	pipelinetest.Conform(t, Step{}, before...)
}

func run(t *testing.T, raw article.Raw) article.Article {
	t.Helper()
	raw.ID = "x"
	d := pipeline.NewDraft(&raw, nil)
	for _, s := range append(before[:len(before):len(before)], Step{}) {
		if err := s.Run(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	return d.Article
}

const body = "<p>Die Stadt baut den Bahnhof im nächsten Jahr um. Das kostet nach ersten Schätzungen zwölf Millionen Euro.</p><p>Er war lange geplant. Für Reisende entstehen neue Aufzüge, und der Bahnhof bekommt ein Dach.</p>"

func TestPublishersOwnSummaryWins(t *testing.T) {
	t.Parallel()
	content := &article.Text{Value: body, Type: article.TextHTML}
	for name, c := range map[string]struct{ summary, want string }{
		"whole":         {"Der Bahnhof wird umgebaut und bekommt neue Aufzüge für alle Reisenden.", "Der Bahnhof wird umgebaut und bekommt neue Aufzüge für alle Reisenden."},
		"markup":        {"<p>Der Bahnhof wird <b>umgebaut</b> und bekommt neue Aufzüge &amp; Dächer.</p>", "Der Bahnhof wird umgebaut und bekommt neue Aufzüge & Dächer."},
		"boilerplate":   {"Der Bahnhof wird umgebaut und bekommt neue Aufzüge für alle. Der Beitrag Umbau erschien zuerst auf Beispielblog.", "Der Bahnhof wird umgebaut und bekommt neue Aufzüge für alle."},
		"cut off":       {"Der Bahnhof wird umgebaut und bekommt neue Aufzüge für alle, die …", "Die Stadt baut den Bahnhof im nächsten Jahr um. Für Reisende entstehen neue Aufzüge, und der Bahnhof bekommt ein Dach."},
		"cut by length": {"Die Stadt baut den Bahnhof im nächsten Jahr um. Das kostet nach ersten Sch", "Die Stadt baut den Bahnhof im nächsten Jahr um. Für Reisende entstehen neue Aufzüge, und der Bahnhof bekommt ein Dach."},
		"no full stop":  {"Die Stadt baut den Bahnhof im nächsten Jahr um: Aufzüge und ein Dach", "Die Stadt baut den Bahnhof im nächsten Jahr um: Aufzüge und ein Dach"},
		"the title":     {"Umbau am Bahnhof beginnt im nächsten Jahr", "Die Stadt baut den Bahnhof im nächsten Jahr um. Für Reisende entstehen neue Aufzüge, und der Bahnhof bekommt ein Dach."},
		"too short":     {"Umbau.", "Die Stadt baut den Bahnhof im nächsten Jahr um. Für Reisende entstehen neue Aufzüge, und der Bahnhof bekommt ein Dach."},
	} {
		a := run(t, article.Raw{Title: "Umbau am Bahnhof beginnt im nächsten Jahr", Content: content, Summary: &article.Text{Value: c.summary, Type: article.TextHTML}})
		if diff := cmp.Diff(c.want, a.Summary); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestVariantsKeepTheirLimits(t *testing.T) {
	t.Parallel()
	a := run(t, article.Raw{Title: "T", Content: &article.Text{Value: "<p>" + strings.Repeat("Ein Satz über den Umbau mit einigen Wörtern. ", 30) + "</p>", Type: article.TextHTML},
		Summary: &article.Text{Value: strings.Repeat("Ein Satz über den Umbau 👩‍👩‍👧 mit einigen Wörtern, und noch ein Teil davon. ", 12), Type: article.TextPlain}})
	for _, n := range Variants[:3] {
		s := a.Summaries[strconv.Itoa(n)]
		if s == "" || Graphemes(s) > n {
			t.Errorf("%d: %d graphemes: %q", n, Graphemes(s), s)
		}
	}
	if Graphemes(a.Summary) > 500 {
		t.Errorf("the summary has %d graphemes", Graphemes(a.Summary))
	}
	if short := run(t, article.Raw{Title: "T", Summary: &article.Text{Value: "Eine kurze, aber ganze Zusammenfassung des Artikels.", Type: article.TextPlain}}); short.Summaries != nil {
		t.Errorf("a short summary has variants: %v", short.Summaries)
	}
}

func TestFitCutsWhereAReaderWould(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text  string
		limit int
		want  string
	}{
		{"Kurz.", 10, "Kurz."},
		{"Ein Satz steht hier. Ein zweiter folgt.", 30, "Ein Satz steht hier."},
		{"Ein langer Satz steht hier, und er geht weiter.", 32, "Ein langer Satz steht hier…"},
		{"Ein langer Satz ohne Komma geht weiter und weiter.", 24, "Ein langer Satz ohne…"},
		{"Donaudampfschifffahrtsgesellschaft", 10, "Donaudamp…"},
		{"👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧", 2, "👩‍👩‍👧…"},
	} {
		if got := Fit(c.text, "de", c.limit); got != c.want {
			t.Errorf("Fit(%q, %d) = %q, want %q", c.text, c.limit, got, c.want)
		}
	}
}

func TestReadingTimeKnowsLanguagesAndFigures(t *testing.T) {
	t.Parallel()
	german := run(t, article.Raw{Title: "T", Language: "de", Content: &article.Text{Value: "<p>" + strings.Repeat("Die Wörter stehen hier nebeneinander. ", 72) + "</p><p><img src='https://example.org/a.png'>", Type: article.TextHTML}})
	if german.ReadingTime != 121+12 { // 360 words at 179 a minute
		t.Errorf("%d s", german.ReadingTime)
	}
}

func FuzzFit(f *testing.F) {
	f.Add("Ein Satz. Noch einer, und 👩‍👩‍👧!", 10)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		if limit < 2 || limit > 1000 || !utf8.ValidString(text) {
			return
		}
		if got := Fit(text, "de", limit); Graphemes(got) > limit || !utf8.ValidString(got) {
			t.Fatalf("Fit(%q, %d) = %q", text, limit, got)
		}
	})
}
