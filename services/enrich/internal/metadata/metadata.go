// Package metadata finds what is said about an article beside its text: title, authors, dates, categories, picture. The
// feed's word comes first; the article's own page fills the gaps.
package metadata

import (
	"context"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/dates"
	"tidings.internal/services/enrich/internal/pipeline"
)

// Step fills the article's metadata.
type Step struct{}

var _ pipeline.Step = Step{}

// Name returns "metadata".
func (Step) Name() string { return "metadata" }

// Run takes the feed's values, then the page's where the feed has none.
func (s Step) Run(_ context.Context, d *pipeline.Draft) error {
	s.Degrade(d)
	if d.Page == nil || d.Page.Tree == nil {
		return nil
	}
	p := read(d.Page)
	d.Stated = p.body
	a := &d.Article
	if a.Title == "" {
		a.Title = p.title()
	}
	if len(a.Authors) == 0 {
		a.Authors = p.people(d.Now())
	}
	if a.Published == nil {
		a.Published = p.published(d.Now())
	}
	if a.Image == nil {
		a.Image = p.image()
	}
	if a.Licence == "" {
		a.Licence = p.licence
	}
	a.Categories = merge(a.Categories, p.keywords)
	return nil
}

// Degrade takes the feed's values alone.
func (Step) Degrade(d *pipeline.Draft) {
	raw, a := d.Raw, &d.Article
	a.Title = line(raw.Title, article.MaxTitle)
	a.Authors = authors(raw.Authors)
	a.Categories = merge(categories(raw.Categories), nil)
	a.Published = dates.Plausible(raw.Published, d.Now())
	a.Updated = dates.Plausible(raw.Updated, d.Now())
	a.Image = picture(raw)
}
