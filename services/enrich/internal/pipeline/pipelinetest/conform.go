// Package pipelinetest holds what every step must do, whatever it is for.
package pipelinetest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/dom"
	"tidings.internal/services/enrich/internal/pipeline"
)

// budget tells a step that hangs from one on a busy machine.
var budget = pipeline.Budget{Step: 20 * time.Second, Article: time.Minute}

// Conform checks a step: on every input the same draft gives the same result, nothing panics or hangs, and the article
// is usable behind the step, also when the step failed. before are the steps whose results it reads.
func Conform(t *testing.T, step pipeline.Step, before ...pipeline.Step) {
	t.Helper()
	for name, make := range Inputs() {
		if len(before) > 3 && huge[name] {
			continue // the steps before leave no more of these than of the long ones
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, second := through(t, make, step, before), through(t, make, step, before)
			if a, b := dump(t, first), dump(t, second); a != b {
				t.Errorf("%s gives different results for the same draft:\n%s\n%s", step.Name(), a, b)
			}
			usable(t, first)

			failed := through(t, make, nil, before)
			step.Degrade(failed)
			usable(t, failed)
		})
	}
}

// huge names the inputs that only the first steps see whole.
var huge = map[string]bool{"large": true, "page of 5 MB": true}

// through runs the steps under a runner that turns panics and overruns into marks, and refuses those.
func through(t *testing.T, make func() (*article.Raw, []byte), step pipeline.Step, before []pipeline.Step) *pipeline.Draft {
	t.Helper()
	raw, page := make()
	d := pipeline.NewDraft(raw, page)
	steps := before
	if step != nil {
		steps = append(before[:len(before):len(before)], step)
	}
	observe := func(name string, _ time.Duration, reason pipeline.Reason, err error) {
		if step != nil && name == step.Name() && (reason == pipeline.Panic || reason == pipeline.Timeout) {
			t.Errorf("%s: %s: %v", name, reason, err)
		}
	}
	if err := pipeline.NewRunner(budget, observe, steps...).Run(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	return d
}

// sources are where evidence may come from; they are part of the public contract.
var sources = map[string]bool{
	"rule": true, "label": true, "stat": true, "entity": true, "feed": true, "source": true, "verdict": true, "model": true, "llm": true,
}

func usable(t *testing.T, d *pipeline.Draft) {
	t.Helper()
	a := d.Article
	if a.ID != d.Raw.ID || a.Source.ID != d.Raw.Source.ID || a.Revision != d.Raw.Revision {
		t.Errorf("the article lost its ids: %s %s %d", a.ID, a.Source.ID, a.Revision)
	}
	for _, s := range []string{a.Title, a.Text, a.HTML, a.Summary, d.Prose.Body} {
		if !utf8.ValidString(s) {
			t.Error("a text is no valid UTF-8")
		}
	}
	if a.Language.Code == "" {
		t.Error("the language is empty, not und")
	}
	runes := map[string][]rune{"title": []rune(a.Title), "text": []rune(a.Text)}
	for _, list := range [][]article.Tag{a.Tags, a.Entities, d.Concepts, d.Candidates} {
		for _, tag := range list {
			if len(tag.Evidence) == 0 {
				t.Errorf("tag %s has no evidence", tag.ID)
			}
			for _, e := range tag.Evidence {
				if !sources[e.Source] {
					t.Errorf("tag %s has evidence of the source %q", tag.ID, e.Source)
				}
				in, ok := runes[e.Field]
				if !ok {
					continue
				}
				if e.Start < 0 || e.End > len(in) || e.Start >= e.End || string(in[e.Start:e.End]) != e.Text {
					t.Errorf("tag %s: [%d, %d) of %s does not quote %q", tag.ID, e.Start, e.End, e.Field, e.Text)
				}
			}
		}
	}
}

func dump(t *testing.T, d *pipeline.Draft) string {
	t.Helper()
	body := ""
	if d.Body != nil {
		var err error
		if body, err = dom.Render(d.Body); err != nil {
			t.Fatal(err)
		}
	}
	b, err := json.Marshal([]any{d.Article, d.Masked, d.Concepts, d.Candidates, d.Prose, body})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Inputs are articles that a step may meet, by name. Each call makes them anew.
func Inputs() map[string]func() (*article.Raw, []byte) {
	html := func(value string) func() (*article.Raw, []byte) {
		return func() (*article.Raw, []byte) {
			raw := base("Ein Titel mit „Anführung“ & <Zeichen> 😀")
			raw.Content = &article.Text{Value: value, Type: article.TextHTML}
			return raw, nil
		}
	}
	plain := func(value string) func() (*article.Raw, []byte) {
		return func() (*article.Raw, []byte) {
			raw := base("")
			raw.Content = &article.Text{Value: value, Type: article.TextPlain}
			return raw, nil
		}
	}
	page := func(body []byte) func() (*article.Raw, []byte) {
		return func() (*article.Raw, []byte) {
			raw := base("Seite")
			raw.Page = &article.Page{URL: raw.URL, Status: 200, ContentType: "text/html"}
			return raw, body
		}
	}
	sentence := "<p>Die Künstliche Intelligenz verändert die Unternehmenskultur, sagt die Forscherin Eva Muster von der Muster AG in Berlin. </p>"
	return map[string]func() (*article.Raw, []byte){
		"nothing":        func() (*article.Raw, []byte) { return &article.Raw{ID: "a", Source: article.Source{ID: "s"}}, nil },
		"title":          func() (*article.Raw, []byte) { return base("Nur ein Titel über künstliche Intelligenz"), nil },
		"article":        html(strings.Repeat(sentence, 20)),
		"large":          html(strings.Repeat(sentence, (2<<20)/len(sentence))),
		"deep":           html(strings.Repeat("<div>", 500) + "Tief" + strings.Repeat("</div>", 500)),
		"deeper":         html(strings.Repeat("<b>", 20_000) + "Tief"),
		"broken":         html("<p>Offen <b>fett <i>beides</b> nichts</i> \xff\xfe \x00 &#0; &amp;amp; <table><p>x"),
		"invalid":        plain("Kaputt \xff\xfe\xc3( Text"),
		"emoji":          plain("👩‍👩‍👧‍👦 é e\u0301 \u202Eabc\u202C \u00AD 🏳️‍🌈"),
		"right to left":  html(`<p dir="rtl">تعلن البلدية عن افتتاح مسبح جديد في المدينة</p>`),
		"list":           plain("* eins\n* zwei\n\n1. drei\n2. vier"),
		"long word":      plain(strings.Repeat("a", 100_000)),
		"long line":      plain(strings.Repeat("wort ", 50_000)),
		"page":           page([]byte("<html><body><article>" + strings.Repeat(sentence, 30) + "</article></body></html>")),
		"page of 5 MB":   page([]byte("<html><body><article>" + strings.Repeat(sentence, (5<<20)/len(sentence)) + "</article></body></html>")),
		"page of bytes":  page([]byte{0x89, 'P', 'N', 'G', 0, 1, 2, 3, 0xff, 0xfe}),
		"page of nobody": page([]byte("<html></html>")),
	}
}

func base(title string) *article.Raw {
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	return &article.Raw{
		ID: article.NewID("quelle", "1"), Revision: 3, URL: "https://example.org/a", GUID: "1", Title: title,
		Source:  article.Source{ID: "quelle", Partition: "0a", Tags: []string{"crm"}, Language: "de"},
		Authors: []article.Person{{Name: "Eva Muster"}}, Fetched: at, FirstSeen: at,
	}
}
