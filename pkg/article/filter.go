package article

import (
	"regexp"
	"slices"
	"strings"
)

// Filters choose among the items of a source. A rule is a field (title, url, author, tag or content), a tilde and a
// regular expression (RE2), such as "title ~ (?i)advert". Where there are rules to keep, one of them must match; a rule
// to drop wins.
type Filters struct {
	Drop []string `json:"drop,omitempty"`
	Keep []string `json:"keep,omitempty"`
}

// Filter is [Filters] made ready. A nil one lets everything pass.
type Filter struct {
	drop, keep []rule
}

type rule struct {
	field   string
	pattern *regexp.Regexp
}

// Compile makes the rules ready. One that cannot be read is left out: the configuration has refused it already, and a
// rule that a newer version wrote must not stop the articles. It returns nil when there is none.
func (f *Filters) Compile() *Filter {
	if f == nil {
		return nil
	}
	c := &Filter{drop: compile(f.Drop), keep: compile(f.Keep)}
	if len(c.drop)+len(c.keep) == 0 {
		return nil
	}
	return c
}

func compile(texts []string) []rule {
	var list []rule
	for _, text := range texts {
		field, pattern, ok := strings.Cut(text, "~")
		re, err := regexp.Compile(strings.TrimSpace(pattern))
		if ok && err == nil {
			list = append(list, rule{strings.TrimSpace(field), re})
		}
	}
	return list
}

// Pass reports whether an item with these texts, by field, is published.
func (f *Filter) Pass(texts func(field string) []string) bool {
	if f == nil {
		return true
	}
	matches := func(r rule) bool { return slices.ContainsFunc(texts(r.field), r.pattern.MatchString) }
	return (len(f.keep) == 0 || slices.ContainsFunc(f.keep, matches)) && !slices.ContainsFunc(f.drop, matches)
}

// Field gives the texts of an item that a field of a filter means.
func (r *Raw) Field(name string) []string {
	switch name {
	case "title":
		return []string{r.Title}
	case "url":
		return []string{r.Link, r.OriginLink}
	case "author":
		return people(r.Authors)
	case "tag":
		return terms(r.Categories)
	case "content":
		var list []string
		for _, t := range []*Text{r.Content, r.Summary} {
			if t != nil {
				list = append(list, t.Value)
			}
		}
		return list
	}
	return nil
}

// Field gives the texts of an enriched article that a field of a filter means. Tags are the source's own words: what is
// found in the text is no reason to leave it out.
func (a *Article) Field(name string) []string {
	switch name {
	case "title":
		return []string{a.Title}
	case "url":
		return []string{a.URL}
	case "author":
		return people(a.Authors)
	case "tag":
		return terms(a.Categories)
	case "content":
		return []string{a.HTML, a.Text, a.Summary}
	}
	return nil
}

func people(list []Person) []string {
	var texts []string
	for _, p := range list {
		texts = append(texts, p.Name, p.Email)
	}
	return texts
}

func terms(list []Category) []string {
	var texts []string
	for _, c := range list {
		texts = append(texts, c.Term, c.Label)
	}
	return texts
}
