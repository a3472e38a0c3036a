package app

import (
	"slices"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/config"
	"tidings.internal/services/ingest/internal/parse"
)

// pass makes of the filters of a source the question whether an item is published: one rule of keep must match where
// there are any, and no rule of drop. Rules that cannot be read were reported with the configuration.
func pass(f config.Filters) func(*parse.Item) bool {
	rules := func(texts []string) []config.Rule {
		var list []config.Rule
		for _, text := range texts {
			if r, err := config.ParseRule(text); err == nil {
				list = append(list, r)
			}
		}
		return list
	}
	drop, keep := rules(f.Drop), rules(f.Keep)
	if len(drop) == 0 && len(keep) == 0 {
		return nil
	}
	return func(it *parse.Item) bool {
		matches := func(r config.Rule) bool { return ruleMatches(r, &it.Raw) }
		return (len(keep) == 0 || slices.ContainsFunc(keep, matches)) && !slices.ContainsFunc(drop, matches)
	}
}

func ruleMatches(r config.Rule, raw *article.Raw) bool {
	return slices.ContainsFunc(ruleTexts(r.Field, raw), r.Pattern.MatchString)
}

// ruleTexts gives the texts that a field of a filter means.
func ruleTexts(field string, raw *article.Raw) []string {
	var list []string
	switch field {
	case "title":
		list = append(list, raw.Title)
	case "url":
		list = append(list, raw.Link, raw.OriginLink)
	case "author":
		for _, p := range raw.Authors {
			list = append(list, p.Name, p.Email)
		}
	case "tag":
		for _, c := range raw.Categories {
			list = append(list, c.Term, c.Label)
		}
	case "content":
		for _, t := range []*article.Text{raw.Content, raw.Summary} {
			if t != nil {
				list = append(list, t.Value)
			}
		}
	}
	return list
}
