package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"tidings.internal/pkg/article"
	"tidings.internal/services/tidings/internal/ops"
)

type taxonomyWhyVerb struct {
	Article string   `arg:"" help:"Id of the article."`
	With    []string `help:"With the concepts of a file over those in force." placeholder:"FILE"`
	asJSON
}

// Run is the verb taxonomy why.
func (v *taxonomyWhyVerb) Run(w *world) error {
	return w.withTaxonomy(func(ctx context.Context, t *ops.TaxonomyBook) error {
		list, err := t.Explain(ctx, v.Article, v.With)
		if err != nil {
			return err
		}
		if v.JSON {
			return w.encode(list)
		}
		return w.because(list)
	})
}

// because prints tags with what speaks for each.
func (w *world) because(list []ops.Tag) error {
	var rows [][]string
	for _, tag := range list {
		rows = append(rows, []string{tag.ID, tag.Kind, strconv.FormatFloat(tag.Score, 'f', 2, 64), "", ""})
		for _, e := range tag.Evidence {
			rows = append(rows, []string{"", "", "", strconv.FormatFloat(e.Weight, 'f', 2, 64), because(e)})
		}
	}
	return w.table([]string{"TAG", "KIND", "SCORE", "WEIGHT", "BECAUSE OF"}, rows)
}

// because puts evidence into words.
func because(e article.Evidence) string {
	where := map[string]string{"title": "in the title", "text": fmt.Sprintf("at character %d of the text", e.Start), "category": "a category of the source"}[e.Field]
	what := map[string]string{
		"label": "its name (" + e.Kind + ")", "rule": "the rule " + e.Rule, "feed": "the source's word", "model": "a word learnt of verdicts", "verdict": "an operator said so",
		"source": "the configuration of the source", "stat": "often and early in the text", "entity": "a name", "llm": "a model kept it",
	}[e.Source]
	if what == "" {
		what = e.Source
	}
	if e.Source == "feed" && e.Rule != "" {
		what += ", mapped by " + e.Rule
	}
	if e.Text == "" {
		return what
	}
	return strings.TrimSuffix(fmt.Sprintf("%q: %s, %s", e.Text, what, where), ", ")
}

type taxonomyAcceptVerb struct {
	ID       string   `arg:"" name:"concept" help:"Id of the concept."`
	Articles []string `arg:"" name:"article" help:"Ids of articles."`
	asJSON
}

// Run is the verb taxonomy accept.
func (v *taxonomyAcceptVerb) Run(w *world) error { return v.judge(w, v.ID, v.Articles, true) }

type taxonomyRejectVerb struct {
	ID       string   `arg:"" name:"tag" help:"Id of the tag."`
	Articles []string `arg:"" name:"article" help:"Ids of articles."`
	asJSON
}

// Run is the verb taxonomy reject.
func (v *taxonomyRejectVerb) Run(w *world) error { return v.judge(w, v.ID, v.Articles, false) }

// judge says the same of several articles.
func (v asJSON) judge(w *world, tag string, articles []string, accepted bool) error {
	return w.editTaxonomy(func(ctx context.Context, t *ops.TaxonomyBook) error {
		for _, id := range articles {
			if err := t.Judge(ctx, tag, id, accepted); err != nil {
				return err
			}
		}
		if v.JSON {
			return w.encode(struct {
				Tag      string   `json:"tag"`
				Accepted bool     `json:"accepted"`
				Articles []string `json:"articles"`
			}{tag, accepted, articles})
		}
		return w.printf("Said of %d. %s", len(articles), anew)
	})
}

type taxonomyUnsayVerb struct {
	ID      string `arg:"" name:"tag" help:"Id of the tag."`
	Article string `arg:"" help:"Id of the article."`
	asJSON
}

// Run is the verb taxonomy unsay.
func (v *taxonomyUnsayVerb) Run(w *world) error {
	return w.editTaxonomy(func(ctx context.Context, t *ops.TaxonomyBook) error {
		if err := t.Unjudge(ctx, v.ID, v.Article); err != nil {
			return err
		}
		if v.JSON {
			return w.encode(map[string]string{"tag": v.ID, "article": v.Article, "outcome": "taken back"})
		}
		return w.printf("Taken back. %s", anew)
	})
}
