package language

import (
	"strings"
	"testing"
	"unicode/utf8"

	"tidings.internal/pkg/article"
	made "tidings.internal/services/enrich/internal/language/headlines"
	"tidings.internal/services/enrich/internal/pipeline"
)

// always is a source whose last articles are all in one language.
func always(lang string) map[string]int { return map[string]int{lang: 50} }

func TestWhatASourceUsuallyWritesIsAWeakPrior(t *testing.T) {
	t.Parallel()
	d := New()
	const title = "Podcast 14"
	for _, lang := range []string{"de", "en", "pl", "da"} {
		if got := d.DetectAmong(always(lang), title); got.Code != lang {
			t.Errorf("a title that says nothing, of a source in %s, is %+v", lang, got)
		}
	}
	if got := d.DetectAmong(always("de"), title, "en"); got.Code != "en" {
		t.Errorf("what is declared counts more than what is usual: %+v", got)
	}
	half := d.DetectAmong(map[string]int{"de": 25, "en": 25}, title)
	if whole := d.DetectAmong(always("de"), title); half.Code == "de" && half.Confidence >= whole.Confidence {
		t.Errorf("a source in two languages gives %+v, one in German %+v", half, whole)
	}
	if got := d.DetectAmong(always("de"), "2024 — 17:30"); got.Code != article.Undetermined {
		t.Errorf("a text without words is %+v by habit alone", got)
	}
	if got := d.DetectAmong(always("de"), "Why managers should listen more often"); got.Code != "en" {
		t.Errorf("an English headline in a German source is %+v", got)
	}
	for _, usual := range []map[string]int{nil, {}, {"xx": 50}} {
		if got, want := d.DetectAmong(usual, title), d.Detect(title); got != want {
			t.Errorf("after %v %+v, without %+v", usual, got, want)
		}
	}
}

// The headlines of the test of the table, each in a source that always writes its language, and in one that writes another.
func TestHabitsHelpShortTextsAndMisleadFew(t *testing.T) {
	t.Parallel()
	d := New()
	alone, helped, misled, all := 0, 0, 0, 0
	for lang, list := range made.Set() {
		other := "en"
		if lang == other {
			other = "de"
		}
		for _, h := range list {
			all++
			text := made.Short(h, 2)
			alone += is(d.Detect(text), lang)
			helped += is(d.DetectAmong(always(lang), text), lang)
			misled += is(d.DetectAmong(always(other), h), lang)
		}
	}
	t.Logf("of %d: two words %d, in their source %d; headlines in a source of another language %d", all, alone, helped, misled)
	if helped <= alone || 100*misled < 97*all {
		t.Errorf("of %d: two words %d, in their source %d; headlines in a source of another language %d", all, alone, helped, misled)
	}
}

func is(l article.Language, code string) int {
	if l.Code == code {
		return 1
	}
	return 0
}

func TestOfALongTextTheHabitDecidesNothing(t *testing.T) {
	t.Parallel()
	d := New()
	needed := 0 // texts of which the habit alone would decide
	for _, pair := range [][2]string{{"da", "no"}, {"no", "sv"}, {"de", "en"}, {"es", "pt"}, {"cs", "sk"}, {"nl", "de"}} {
		for _, one := range headlines[pair[0]] {
			for _, two := range headlines[pair[1]] {
				text := strings.Repeat(one+". "+two+". ", 1+longText/utf8.RuneCountInString(one+two))
				if utf8.RuneCountInString(text) < longText {
					t.Fatalf("%q is too short", text)
				}
				list := tokens(text)
				score := d.score(list)
				for _, lang := range pair {
					if first(d.habit(score, len(list), always(lang))) != first(score) {
						needed++
					}
					got, want := d.DetectAmong(always(lang), text), d.langs[first(score)]
					if got.Code != want && got.Code != article.Undetermined {
						t.Errorf("%q says %s, and in a source in %s it is %+v", text, want, lang, got)
					}
				}
			}
		}
	}
	if needed == 0 {
		t.Error("none of the texts is undecided enough to show anything")
	}
}

func TestTheStepAsksForTheSourceOfTheArticle(t *testing.T) {
	t.Parallel()
	step := NewStep().Knowing(func(source string) map[string]int {
		if source == "radio" {
			return always("de")
		}
		return nil
	})
	for source, want := range map[string]string{"radio": "de", "other": New().Detect("Podcast 14").Code} {
		d := pipeline.NewDraft(&article.Raw{ID: "x", Title: "Podcast 14", Source: article.Source{ID: source}}, nil)
		d.Article.Title = "Podcast 14"
		if err := step.Run(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if d.Article.Language.Code != want {
			t.Errorf("of the source %s it is %+v, want %s", source, d.Article.Language, want)
		}
	}
}
