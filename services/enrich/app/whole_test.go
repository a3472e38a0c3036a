package app

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/unicode"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/natstest"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/taxonomy"
)

// through carries an article through all steps.
func through(t *testing.T, r article.Raw, page []byte) article.Article {
	t.Helper()
	v, err := taxonomy.Starter()
	if err != nil {
		t.Fatal(err)
	}
	m := taxonomy.NewMatcher(v)
	if r.Fetched.IsZero() {
		r.Fetched, r.FirstSeen = at, at
	}
	d := pipeline.NewDraft(&r, page)
	if err := pipeline.NewRunner(offlineBudget, nil, Steps(func() *taxonomy.Matcher { return m }, nil, nil)...).Run(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	return d.Article
}

// An article in text mode, as a person would read it: nothing is missing, and nothing of what stands around it is left.
func TestTheGuestArticleIsReadWhole(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../internal/extract/testdata/guest.txt")
	if err != nil {
		t.Fatal(err)
	}
	title := "Warum gute Führung im Homeoffice mit Vertrauen beginnt"
	body, tail, _ := strings.Cut(string(data), "\n* * *\n")
	var want []string
	for i, l := range strings.Split(body, "\n") {
		if i > 1 && l != title { // behind headline and byline, and without the headline in mid-text
			want = append(want, l)
		}
	}
	a := through(t, article.Raw{ID: "gast", Source: article.Source{ID: "gast"}, Content: &article.Text{Value: string(data), Type: article.TextPlain}}, nil)
	if a.Title != title {
		t.Errorf("title %q", a.Title)
	}
	if diff := cmp.Diff([]article.Person{{Name: "Martina Beispiel", Role: "Gastautorin und Führungskräftetrainerin"}}, a.Authors); diff != "" {
		t.Error(diff)
	}
	if a.Published == nil || a.Published.Format(time.DateOnly) != "2020-09-14" {
		t.Errorf("date %v", a.Published)
	}
	var headings []string
	for part := range strings.SplitSeq(a.HTML, "<h2>") {
		if h, _, ok := strings.Cut(part, "</h2>"); ok {
			headings = append(headings, h)
		}
	}
	if diff := cmp.Diff([]string{
		"1. Ergebnisse vereinbaren statt Anwesenheit messen", "2. Gespräche planen, die nicht von Aufgaben handeln", "3. Fehler besprechen, bevor sie groß werden",
	}, headings); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(strings.Join(want, "\n\n"), a.Text); diff != "" {
		t.Error(diff)
	}
	if a.Language.Code != "de" || a.Degraded != nil || len(a.Tags) == 0 {
		t.Errorf("language %+v, degraded %v, tags %v", a.Language, a.Degraded, a.Tags)
	}
	// Every word of the tail and of the byline that the body has not.
	said := map[string]bool{}
	for w := range strings.FieldsSeq(a.Text + " " + title) {
		said[strings.Trim(w, "„“,.:?!")] = true
	}
	only := func(s string) bool {
		return slices.ContainsFunc(strings.Fields(s), func(w string) bool {
			w = strings.Trim(w, "„“,.:?!|*")
			return len(w) > 3 && !said[w] && (strings.Contains(tail, w) || strings.Contains("Martina Beispiel Gastautorin Führungskräftetrainerin", w))
		})
	}
	for _, list := range [][]article.Tag{a.Tags, a.Entities} {
		for _, tag := range list {
			if only(tag.Name("de")) {
				t.Errorf("the tag %s is made of the tail", tag.Name("de"))
			}
			for _, e := range tag.Evidence {
				if e.Field != "category" && only(e.Text) {
					t.Errorf("the evidence %q of %s is the tail's", e.Text, tag.ID)
				}
			}
		}
	}
	for _, p := range a.Keyphrases {
		if only(p.Text) {
			t.Errorf("the phrase %q is made of the tail", p.Text)
		}
	}
	if only(a.Summary) {
		t.Errorf("summary %q", a.Summary)
	}
}

// A page is read by what its bytes are, whatever its label says.
func TestPagesWithAWrongLabelOrNoneAreRead(t *testing.T) {
	t.Parallel()
	german := `<html lang="de"><head><title>Größe und Übung</title></head><body><article><h1>Größe und Übung</h1>` +
		strings.Repeat("<p>Die Bürgermeisterin eröffnet – nach „langer“ Prüfung – die Straße über den Fluss, für die der Rat schon im März gestimmt hatte.</p>", 4) + "</article></body></html>"
	nihon := `<html><head><title>市長が新しいプールを開設しました</title></head><body><article><h1>市長が新しいプールを開設しました</h1>` +
		strings.Repeat("<p>これは日本語の文章です。市長が新しいプールを開設しました。多くの市民が式典に参加し、子どもたちは早速泳ぎ始めました。</p>", 6) + "</article></body></html>"
	for _, c := range []struct {
		name, page, contentType, title, text, lang string
		code                                       encoding.Encoding
	}{
		{"windows-1252 labelled UTF-8", german, "text/html; charset=utf-8", "Größe und Übung", "nach „langer“ Prüfung – die Straße", "de", charmap.Windows1252},
		{"UTF-8 labelled ISO-8859-1", german, "text/html; charset=iso-8859-1", "Größe und Übung", "nach „langer“ Prüfung – die Straße", "de", encoding.Nop},
		{"Shift_JIS without a label", nihon, "text/html", "市長が新しいプールを開設しました", "多くの市民が式典に参加し", "ja", japanese.ShiftJIS},
		{"EUC-JP by its meta element", strings.Replace(nihon, "<head>", `<head><meta charset="euc-jp">`, 1), "text/html", "市長が新しいプールを開設しました", "多くの市民が式典に参加し", "ja", japanese.EUCJP},
		{"UTF-16 by its mark", german, "text/html; charset=utf-8", "Größe und Übung", "nach „langer“ Prüfung – die Straße", "de", unicode.UTF16(unicode.BigEndian, unicode.UseBOM)},
		{"windows-1252 without a label", german, "", "Größe und Übung", "nach „langer“ Prüfung – die Straße", "de", charmap.Windows1252},
	} {
		body, err := c.code.NewEncoder().String(c.page)
		if err != nil {
			t.Fatal(err)
		}
		a := through(t, article.Raw{ID: "x", URL: "https://example.org/x", Page: &article.Page{URL: "https://example.org/x", Status: 200, ContentType: c.contentType}}, []byte(body))
		if a.Title != c.title || !strings.Contains(a.Text, c.text) || strings.Contains(a.Text, "\uFFFD") || a.Language.Code != c.lang || a.Degraded != nil {
			t.Errorf("%s: title %q, language %s, degraded %v, text %.200q", c.name, a.Title, a.Language.Code, a.Degraded, a.Text)
		}
	}
}

// Whatever a step does, the article comes out, says which step it was, and is no dead letter.
func TestAStepThatFailsCostsItsOwnResultOnly(t *testing.T) {
	t.Parallel()
	for want, step := range map[string]faulty{
		"faulty:panic":   {run: func(context.Context) error { panic("oops") }},
		"faulty:failed":  {run: func(context.Context) error { return errors.New("oops") }},
		"faulty:timeout": {run: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			s := natstest.Run(t)
			b := s.Bus(t, "ingest")
			text := "{}"
			if want == "faulty:timeout" {
				text = "enrich: {step_budget: 2s, article_budget: 1m}" // what the others need on a busy machine
			}
			startBy(t, s, config.New("test.yaml", []byte(text), nil), step)
			r := raw("quelle", "1", 1, nil)
			send(t, b, message(t, r))
			a, _ := enriched(t, b, r)
			if diff := cmp.Diff([]string{want}, a.Degraded); diff != "" {
				t.Error(diff)
			}
			if a.HTML == "" || len(a.Tags) == 0 || a.Summary == "" || a.Story.ID != a.ID {
				t.Errorf("the article lost more than the step's own result: %+v", a)
			}
			settled(t, b)
			if state, err := b.StreamState(t.Context(), event.StreamDead); err != nil || state.Messages != 0 {
				t.Errorf("%d dead letters, %v", state.Messages, err)
			}
		})
	}
}
