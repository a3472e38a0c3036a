package language

import (
	"context"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/words"
)

// enoughText is the length in bytes of title and text above which the rest is not read.
const enoughText = 6000

// Step names the language of a draft.
type Step struct {
	detector *Detector
	usual    func(source string) map[string]int
}

var _ pipeline.Step = Step{}

// NewStep returns the step.
func NewStep() Step { return Step{detector: New()} }

// Knowing gives the step what tells how many of the last articles of a source are in which language, by their codes.
func (s Step) Knowing(usual func(source string) map[string]int) Step {
	s.usual = usual
	return s
}

// Name returns "language".
func (Step) Name() string { return "language" }

// Run reads title and body.
func (s Step) Run(_ context.Context, d *pipeline.Draft) error {
	text, _ := article.Cut(d.Article.Title+"\n"+d.Article.Text, enoughText)
	var usual map[string]int
	if s.usual != nil {
		usual = s.usual(d.Raw.Source.ID)
	}
	d.Article.Language = s.detector.DetectAmong(usual, text, declared(d)...)
	cut(d)
	return nil
}

// Degrade believes what is declared.
func (Step) Degrade(d *pipeline.Draft) {
	d.Article.Language = Declared(declared(d)...)
	cut(d)
}

// maxText is the length in bytes of a body whose words are looked at. What comes behind is a list or a book.
const maxText = 200 << 10

func cut(d *pipeline.Draft) {
	body, _ := article.Cut(d.Prose.Body, maxText)
	d.Words = words.NewDoc(d.Article.Title, body, d.Lang(), d.Masked)
}

func declared(d *pipeline.Draft) []string {
	list := []string{d.Raw.Language, d.Raw.Source.Language}
	for _, p := range []*pipeline.Part{d.Content, d.Page, d.Summary} {
		if p != nil {
			list = append(list, p.Lang)
		}
	}
	return list
}
