package main

import (
	"context"
	"strings"
	"unicode/utf8"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/bench/score"
	"tidings.internal/services/enrich/internal/entities"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/words"
)

// names measures German names, whatever their kind, by where they begin and end. Rules were made by looking at the sentences
// with even numbers, so those with odd ones have a row of their own.
func (b *bench) names(ctx context.Context) ([]row, error) {
	r := row{what: "German names: precision / recall", digits: 2, wanted: []float64{0.80, 0.35}}
	if len(b.samples.sentences) == 0 {
		r.lacks = noData
		return []row{r}, nil
	}
	var s, odd score.Spans
	for i, x := range b.samples.sentences {
		got, err := namesIn(ctx, x.words)
		if err != nil {
			return nil, err
		}
		s.Add(got, score.Labelled(x.labels))
		if i%2 == 1 {
			odd.Add(got, score.Labelled(x.labels))
		}
	}
	r.reached = []float64{s.Ratio().Precision, s.Ratio().Recall}
	unseen := row{what: "the same, in sentences that no rule was made by", digits: 2, reached: []float64{odd.Ratio().Precision, odd.Ratio().Recall}, wanted: r.wanted}
	return []row{r, unseen}, nil
}

// namesIn finds the names of a sentence that is given in words.
func namesIn(ctx context.Context, list []string) ([]score.Span, error) {
	d := pipeline.NewDraft(&article.Raw{}, nil)
	d.Article.Text = strings.Join(list, " ")
	d.Article.Language = article.Language{Code: "de", Confidence: 1}
	d.Prose.Body = d.Article.Text
	d.Words = words.NewDoc("", d.Article.Text, "de", nil)
	if err := (entities.Step{}).Run(ctx, d); err != nil {
		return nil, err
	}
	var out []score.Span
	for _, tag := range d.Article.Entities {
		for _, e := range tag.Evidence {
			out = append(out, inWords(list, e))
		}
	}
	return out, nil
}

// inWords is a place in runes as one in words: those that it touches.
func inWords(list []string, e article.Evidence) score.Span {
	s, at := score.Span{Start: -1}, 0
	for i, w := range list {
		end := at + utf8.RuneCountInString(w)
		if end > e.Start && at < e.End {
			if s.Start < 0 {
				s.Start = i
			}
			s.End = i + 1
		}
		at = end + 1
	}
	return s
}
