// Package selection decides which articles a feed or a channel takes.
//
// A [Selection] is a configuration made ready: words folded, queries taken apart. Matching looks at one article and
// nothing else, so the same article is chosen on every machine. Which of several articles of one story is shown is not
// decided here.
package selection

import (
	"fmt"
	"slices"
	"strings"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/config"
)

// Selection is a [config.Selection] made ready.
type Selection struct {
	include, exclude    rules
	allTags             []string
	query, excludeQuery *Query
	compares            bool // tags or authors, which have to be gathered
}

type rules struct{ tags, languages, sources, authors []string }

// Compile makes a selection ready. The error names the key of the query that cannot be read.
func Compile(c config.Selection) (*Selection, error) {
	s := &Selection{
		include: rules{lower(c.Tags), lower(c.Languages), c.Sources, folded(c.Authors)},
		exclude: rules{lower(c.ExcludeTags), lower(c.ExcludeLanguages), c.ExcludeSources, folded(c.ExcludeAuthors)},
		allTags: lower(c.AllTags),
	}
	s.compares = len(c.Tags)+len(c.Authors)+len(c.ExcludeTags)+len(c.ExcludeAuthors)+len(c.AllTags) > 0
	var err error
	if s.query, err = ParseQuery(c.Query); err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	if s.excludeQuery, err = ParseQuery(c.ExcludeQuery); err != nil {
		return nil, fmt.Errorf("exclude_query: %w", err)
	}
	return s, nil
}

func lower(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strings.ToLower(strings.TrimSpace(s))
	}
	return out
}

func folded(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = Fold(s)
	}
	return out
}

// Match reports whether the selection takes an article. The kinds are joined by AND, the values of one by OR, and what
// is excluded stays out.
func (s *Selection) Match(a *article.Article) bool {
	var facts facts
	if s.compares {
		facts = factsOf(a)
	}
	switch {
	case len(s.include.tags) > 0 && !meets(s.include.tags, facts.tags),
		len(s.include.languages) > 0 && !speaks(s.include.languages, a.Language.Code),
		len(s.include.sources) > 0 && !slices.Contains(s.include.sources, a.Source.ID),
		len(s.include.authors) > 0 && !meets(s.include.authors, facts.authors),
		meets(s.exclude.tags, facts.tags), speaks(s.exclude.languages, a.Language.Code),
		slices.Contains(s.exclude.sources, a.Source.ID), meets(s.exclude.authors, facts.authors):
		return false
	}
	for _, t := range s.allTags {
		if !slices.Contains(facts.tags, t) {
			return false
		}
	}
	if !s.Searches() {
		return true
	}
	words := Fold(a.Title + "\n" + a.Summary + "\n" + a.Text)
	return (s.query == nil || s.query.Match(words)) && (s.excludeQuery == nil || !s.excludeQuery.Match(words))
}

// Searches reports whether the selection looks into the text of articles.
func (s *Selection) Searches() bool { return s.query != nil || s.excludeQuery != nil }

// facts are the words of an article that rules are compared with.
type facts struct{ tags, authors []string }

// Facts gives the tags of an article with all wider concepts in lower case, and its authors folded.
func Facts(a *article.Article) (tags, authors []string) {
	f := factsOf(a)
	return f.tags, f.authors
}

// Speaks reports whether one of the wanted languages takes a code, all in lower case.
func Speaks(wanted []string, code string) bool { return speaks(wanted, code) }

// factsOf gathers the tags with all wider concepts: who selects a concept gets what is narrower.
func factsOf(a *article.Article) facts {
	var f facts
	for i := range a.Tags {
		f.tags = append(f.tags, strings.ToLower(a.Tags[i].ID))
		f.tags = append(f.tags, lower(a.Tags[i].Broader)...)
	}
	for _, p := range a.Authors {
		f.authors = append(f.authors, Fold(p.Name))
	}
	return f
}

func meets(wanted, have []string) bool {
	return slices.ContainsFunc(wanted, func(w string) bool { return slices.Contains(have, w) })
}

// speaks compares languages by the basic filtering of RFC 4647 section 3.3.1: de takes de-CH, de-CH does not take de.
func speaks(wanted []string, code string) bool {
	code = strings.ToLower(code)
	return slices.ContainsFunc(wanted, func(w string) bool { return code == w || strings.HasPrefix(code, w+"-") })
}
