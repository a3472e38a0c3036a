package app

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/enrich/internal/tags"
	"tidings.internal/services/enrich/internal/taxonomy"
)

// Suggestion is a phrase that many articles have and no concept knows.
type Suggestion struct {
	Tag      string `json:"tag"`
	Phrase   string `json:"phrase"`
	Lang     string `json:"lang"`
	Articles int    `json:"articles"`
	Sources  int    `json:"sources"`
	// Nearest is the concept that it may be another word for, "" when none is near.
	Nearest  string   `json:"nearest,omitempty"`
	Examples []string `json:"examples"` // titles
}

const (
	inboxDays     = 14
	inboxArticles = 5
	inboxSources  = 2
)

// Inbox lists the phrases that at least 5 articles of 2 sources or more had in the last 14 days and no concept knows.
func (t *TaxonomyBook) Inbox(ctx context.Context, now time.Time) ([]Suggestion, error) {
	type seen struct {
		Suggestion
		sources map[string]bool
	}
	found := map[string]*seen{}
	err := t.bus.Read(ctx, event.StreamArticles, func(r bus.Record) error {
		if r.Header.Value(event.HeaderType) != event.TypeEnriched {
			return nil
		}
		_, a, err := event.DecodeEnriched(r.Message)
		if err != nil || now.Sub(a.FirstSeen) > inboxDays*24*time.Hour {
			return nil // what cannot be read is nobody's phrase
		}
		for _, tag := range a.Tags {
			if tag.Kind != article.KindPhrase || slices.ContainsFunc(tag.Evidence, func(e article.Evidence) bool { return e.Source == "source" }) {
				continue
			}
			s := found[tag.ID]
			if s == nil {
				s = &seen{Suggestion{Tag: tag.ID, Phrase: tag.Name(a.Language.Code), Lang: a.Language.Code}, map[string]bool{}}
				found[tag.ID] = s
			}
			s.Articles++
			s.sources[a.Source.ID] = true
			s.Examples = someOf(s.Examples, a.Title)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	list := []Suggestion{}
	for _, s := range found {
		_, concept := t.inForce.Lookup(s.Tag)
		if s.Articles < inboxArticles || len(s.sources) < inboxSources || concept || slices.Contains(t.edits.Ignored, s.Tag) {
			continue
		}
		s.Sources, s.Nearest = len(s.sources), t.inForce.Nearest(s.Phrase, s.Lang)
		list = append(list, s.Suggestion)
	}
	slices.SortFunc(list, func(a, b Suggestion) int { return cmp.Or(b.Articles-a.Articles, strings.Compare(a.Tag, b.Tag)) })
	return list, nil
}

// Ignore keeps a phrase out of the inbox for good.
func (t *TaxonomyBook) Ignore(ctx context.Context, phrases []string) error {
	return t.change(ctx, false, func(e *taxonomy.Edits) error {
		for _, p := range phrases {
			if id := tags.Slug(p); id != "" && !slices.Contains(e.Ignored, id) {
				e.Ignored = append(e.Ignored, id)
			}
		}
		return nil
	})
}

// Adopt makes a phrase another name of a concept, or a concept of its own where none is named.
func (t *TaxonomyBook) Adopt(ctx context.Context, phrase, lang, concept string) (id string, err error) {
	phrase = strings.Join(strings.Fields(phrase), " ")
	if id = tags.Slug(phrase); id == "" {
		return "", fault.Errorf(fault.Invalid, "%q holds no word", phrase)
	}
	err = t.change(ctx, false, func(e *taxonomy.Edits) error {
		next := taxonomy.Concept{ID: id, Labels: []taxonomy.Label{{Lang: lang, Text: phrase, Kind: taxonomy.Pref}}}
		if concept != "" {
			old, ok := t.inForce.Lookup(concept)
			if !ok {
				return fault.Errorf(fault.Invalid, "there is no concept %q; \"tidings taxonomy list\" shows what there is", concept)
			}
			next, id = *old, concept
			next.Labels = append(slices.Clone(old.Labels), taxonomy.Label{Lang: lang, Text: phrase, Kind: taxonomy.Alt})
		} else if old, ok := t.inForce.Lookup(id); ok {
			return fault.Errorf(fault.Conflict, "the concept %q is there already: %s", id, strings.Join(slices.Sorted(maps.Values(old.Names())), ", "))
		}
		e.Concepts = slices.DeleteFunc(e.Concepts, func(c taxonomy.Concept) bool { return c.ID == next.ID })
		e.Concepts = append(e.Concepts, next)
		slices.SortFunc(e.Concepts, func(a, b taxonomy.Concept) int { return cmp.Compare(a.ID, b.ID) })
		return nil
	})
	return id, err
}
