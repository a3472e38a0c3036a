package tags_test

import (
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
	"tidings.internal/services/enrich/internal/tags"
	"tidings.internal/services/enrich/internal/taxonomy"
)

func matcher(t *testing.T) func() *taxonomy.Matcher {
	t.Helper()
	v, err := taxonomy.Starter()
	if err != nil {
		t.Fatal(err)
	}
	m := taxonomy.NewMatcher(v)
	return func() *taxonomy.Matcher { return m }
}

func before(t *testing.T) []pipeline.Step {
	t.Helper()
	return []pipeline.Step{decode.Step{}, metadata.Step{}, extract.Step{}, sanitize.New(), language.NewStep(), phrases.Step{}}
}

func TestTaxonomyConforms(t *testing.T) {
	t.Parallel()
	pipelinetest.Conform(t, taxonomy.Step{Matcher: matcher(t)}, before(t)...)
}

func TestConform(t *testing.T) {
	t.Parallel()
	m := matcher(t)
	pipelinetest.Conform(t, tags.Step{Matcher: m}, append(before(t), taxonomy.Step{Matcher: m})...)
}

func TestTagsOfTheSourceComeFirstAndPhrasesLast(t *testing.T) {
	t.Parallel()
	d := pipeline.NewDraft(&article.Raw{ID: "x", Source: article.Source{ID: "s", Tags: []string{"Über uns", "CRM", "crm"}}}, nil)
	d.Article.Language.Code = "de"
	d.Concepts = []article.Tag{
		{ID: "crm", Kind: article.KindConcept, Evidence: []article.Evidence{{Source: "label", Text: "CRM", Field: "text", End: 3}}},
		{ID: "handel", Kind: article.KindConcept, Label: map[string]string{"de": "Handel"}, Evidence: []article.Evidence{{Source: "label", Text: "Händler", Field: "text"}}},
	}
	for _, name := range []string{"Händlern", "eins", "zwei", "drei", "vier", "fünf", "sechs"} {
		d.Candidates = append(d.Candidates, article.Tag{Label: map[string]string{"de": name}, Kind: article.KindPhrase})
	}
	if err := (tags.Step{Matcher: matcher(t)}).Run(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, tag := range d.Article.Tags {
		got = append(got, tag.ID+" "+tag.Kind+" "+tag.Hashtag)
	}
	want := []string{"ueber-uns phrase ÜberUns", "crm concept CRM", "handel concept Handel", "eins phrase Eins", "zwei phrase Zwei", "drei phrase Drei", "vier phrase Vier", "fuenf phrase Fünf"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	crm := d.Article.Tags[1]
	if len(crm.Evidence) != 2 || crm.Evidence[0].Source != "source" || crm.Evidence[1].Source != "label" || len(crm.Broader) == 0 {
		t.Errorf("crm: %+v", crm)
	}
}

func TestHashtags(t *testing.T) {
	t.Parallel()
	for label, want := range map[string]string{
		"E-Mail": "EMail", "New Work": "NewWork", "KI": "KI", "künstliche Intelligenz": "KünstlicheIntelligenz", "Forschung & Lehre": "ForschungLehre",
		"don't": "Dont", "2030": "", "Agenda 2030": "Agenda2030", "!!": "", "日本語": "日本語", "Node.js": "NodeJs", "snake_case": "Snake_case", "": "",
	} {
		if got := tags.Hashtag(label); got != want {
			t.Errorf("Hashtag(%q) = %q, want %q", label, got, want)
		}
	}
}

func TestSlugs(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Künstliche Intelligenz": "kuenstliche-intelligenz", "E-Mail/Marketing": "e-mail-marketing", "Straße": "strasse", "Café": "cafe", "d'été": "dete",
		"Łódź": "lodz", "  -x- ": "x", "日本": "日本", "!": "", "crm": "crm",
	} {
		if got := tags.Slug(name); got != want {
			t.Errorf("Slug(%q) = %q, want %q", name, got, want)
		}
	}
}

func FuzzHashtag(f *testing.F) {
	f.Add("E-Mail 2.0")
	f.Fuzz(func(t *testing.T, label string) {
		for _, s := range []string{tags.Hashtag(label), tags.Slug(label)} {
			if !utf8.ValidString(s) || len(s) > 640 {
				t.Fatalf("%q of %q", s, label)
			}
		}
		if s := tags.Slug(label); tags.Slug(s) != s {
			t.Fatalf("the slug %q of %q has another slug", s, label)
		}
	})
}
