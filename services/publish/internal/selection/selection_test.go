package selection

import (
	"strings"
	"testing"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/config"
)

func sample() *article.Article {
	return &article.Article{
		ID: article.NewID("blog", "1"), Title: "Neue Arbeit in Zürich", Summary: "Über New Work.", Text: "Die Straße ist lang.",
		Language: article.Language{Code: "de-CH"}, Source: article.Source{ID: "blog"},
		Authors: []article.Person{{Name: "Jörg Groß"}},
		Tags:    []article.Tag{{ID: "new-work", Broader: []string{"arbeit", "wirtschaft"}}, {ID: "zuerich"}},
	}
}

func TestSelection(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		s    config.Selection
		want bool
	}{
		{"empty takes all", config.Selection{}, true},
		{"a tag", config.Selection{Tags: []string{"x", "New-Work"}}, true},
		{"a wider concept", config.Selection{Tags: []string{"wirtschaft"}}, true},
		{"another tag", config.Selection{Tags: []string{"sport"}}, false},
		{"all tags", config.Selection{AllTags: []string{"zuerich", "arbeit"}}, true},
		{"all tags but one", config.Selection{AllTags: []string{"zuerich", "sport"}}, false},
		{"language with region", config.Selection{Languages: []string{"de"}}, true},
		{"the region itself", config.Selection{Languages: []string{"de-ch"}}, true},
		{"another region", config.Selection{Languages: []string{"de-AT"}}, false},
		{"no part of a word", config.Selection{Languages: []string{"d"}}, false},
		{"source", config.Selection{Sources: []string{"blog", "wire"}}, true},
		{"another source", config.Selection{Sources: []string{"wire"}}, false},
		{"author folded", config.Selection{Authors: []string{"jorg gross"}}, true},
		{"another author", config.Selection{Authors: []string{"Jörg"}}, false},
		{"kinds are joined by AND", config.Selection{Tags: []string{"new-work"}, Languages: []string{"en"}}, false},
		{"exclusion of a tag wins", config.Selection{Tags: []string{"new-work"}, ExcludeTags: []string{"arbeit"}}, false},
		{"exclusion of a language", config.Selection{ExcludeLanguages: []string{"de"}}, false},
		{"exclusion of a source", config.Selection{ExcludeSources: []string{"blog"}}, false},
		{"exclusion of an author", config.Selection{ExcludeAuthors: []string{"JÖRG GROSS"}}, false},
		{"exclusion of something else", config.Selection{ExcludeTags: []string{"sport"}, ExcludeSources: []string{"wire"}}, true},
		{"query", config.Selection{Query: "arbeit strasse"}, true},
		{"excluding query", config.Selection{ExcludeQuery: "zurich"}, false},
	} {
		s, err := Compile(c.s)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := s.Match(sample()); got != c.want {
			t.Errorf("%s: Match = %v", c.name, got)
		}
	}
	if _, err := Compile(config.Selection{ExcludeQuery: `"open`}); err == nil || !strings.HasPrefix(err.Error(), "exclude_query: ") {
		t.Errorf("a bad query: %v", err)
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	text := Fold("Die neue Straße: New Work, C-3PO & Café")
	for query, want := range map[string]bool{
		"strasse":            true,
		"STRASSE neue":       true,
		"stra":               false,
		"neue alte":          false,
		`"new work"`:         true,
		`"work new"`:         false,
		"-alte":              true,
		"neue -work":         false,
		`neue -"new work"`:   false,
		"alte OR neue":       true,
		"alte OR uralte":     false,
		"cafe alte OR neue":  true,
		"c-3po":              true,
		"3po":                true,
		"xy OR work -strass": true,
	} {
		q, err := ParseQuery(query)
		if err != nil {
			t.Errorf("ParseQuery(%q): %v", query, err)
			continue
		}
		if got := q.Match(text); got != want {
			t.Errorf("%q matches: %v", query, got)
		}
	}
	for _, bad := range []string{"OR a", "a OR", "a OR OR b", `"a`, "-", "a OR -b", "-a OR b", "a b c d e f g h i", strings.Repeat("a", 201), "..."} {
		if _, err := ParseQuery(bad); err == nil {
			t.Errorf("ParseQuery(%q) accepts it", bad)
		}
	}
	if q, err := ParseQuery("  "); q != nil || err != nil {
		t.Errorf("ParseQuery of nothing = %v, %v", q, err)
	}
}

func FuzzQuery(f *testing.F) {
	for _, s := range []string{"a OR b", `"x y" -z`, "-\"a\"", "Straße"} {
		f.Add(s, "Die Straße")
	}
	f.Fuzz(func(t *testing.T, query, text string) {
		if q, err := ParseQuery(query); err == nil && q != nil {
			q.Match(Fold(text))
		}
	})
}
