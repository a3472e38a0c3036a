package main

import (
	"context"
	"fmt"
	"strings"

	"tidings.internal/services/enrich/internal/story"
	"tidings.internal/services/enrich/internal/story/copies"
)

// minCompared is the length in words of a text that is compared at all.
const minCompared = 60

// copies measures how many altered copies tell the story of their original.
func (b *bench) copies(ctx context.Context) ([]row, error) {
	texts, what := copies.NewWriter(1).Texts(1000), "generated texts"
	var bodies []string
	for i := range b.samples.pages {
		if s := b.samples.pages[i].Gold.Body; len(strings.Fields(s)) >= minCompared {
			bodies = append(bodies, s)
		}
	}
	if len(bodies) > 0 {
		texts, what = bodies, "bodies of pages"
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	got, err := copies.Measure(texts, func() copies.Place {
		s := memoryOfStories(ctx)
		return func(id, title, text string) (string, error) {
			told, err := s.Place(ctx, story.Document{Article: id, Revision: 1, Title: title, Text: text})
			return told.ID, err
		}
	})
	if err != nil {
		return nil, err
	}
	rows := []row{{
		what: fmt.Sprintf("near-duplicates of %d %s: precision / recall", got.Texts, what), digits: 3,
		reached: []float64{got.Precision, got.Recall}, wanted: []float64{0.995, 0.93},
	}}
	for _, k := range got.Kinds {
		rows = append(rows, row{what: "  recall of copies: " + k.Name, digits: 3, reached: []float64{k.Recall}})
	}
	return rows, nil
}

// memoryOfStories returns stories that live until ctx ends.
func memoryOfStories(ctx context.Context) *story.Stories {
	s := story.New(story.NewMemory())
	go func() { _ = s.Watch(ctx) }() // ends with ctx and never fails: the bucket is in memory
	return s
}
