// Package entities finds the names of people and organisations by patterns: a legal form behind it, a title or an office
// before it, a common first name at its head. It has no model and prefers to find nothing rather than something wrong.
package entities

import (
	"cmp"
	"context"
	_ "embed"
	"math"
	"slices"
	"strings"
	"sync"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/tags"
	"tidings.internal/services/enrich/internal/words"
)

//go:embed names.txt
var lists string

// patterns are the closed word lists.
type patterns struct{ forms, offices, first, particles map[string]bool }

var known = sync.OnceValue(func() patterns {
	p := patterns{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}}
	into := map[string]map[string]bool{"forms": p.forms, "offices": p.offices, "first": p.first, "particles": p.particles}
	for line := range strings.Lines(lists) {
		name, list, ok := strings.Cut(line, ": ")
		if set := into[name]; ok && set != nil {
			for w := range strings.FieldsSeq(list) {
				set[w] = true
			}
		}
	}
	return p
})

const (
	maxEntities = 20
	maxPlaces   = 5
)

// Step finds the entities of a draft.
type Step struct{}

var _ pipeline.Step = Step{}

// Name returns "entities".
func (Step) Name() string { return "entities" }

// Run fills Entities.
func (Step) Run(_ context.Context, d *pipeline.Draft) error {
	f := finder{known: known(), found: map[string]*article.Tag{}, lang: d.Lang()}
	f.read(d.Words.Title, []rune(d.Article.Title), "title")
	f.read(d.Words.Body, []rune(d.Prose.Body), "text")
	d.Article.Entities = f.list()
	return nil
}

// Degrade finds none.
func (Step) Degrade(d *pipeline.Draft) { d.Article.Entities = nil }

type finder struct {
	known patterns
	found map[string]*article.Tag
	lang  string
}

func (f *finder) read(list []words.Word, text []rune, field string) {
	for i := 0; i < len(list); {
		from, to, rule := f.at(list, i)
		if rule == "" {
			i++
			continue
		}
		start, end := list[from].Start, list[to-1].End
		span := string(text[start:end])
		id := tags.Slug(span)
		if id != "" {
			t := f.found[id]
			if t == nil {
				t = &article.Tag{ID: id, Label: map[string]string{f.lang: strings.Join(strings.Fields(span), " ")}, Kind: article.KindEntity}
				f.found[id] = t
			}
			t.Score++ // places; made a share in list
			if len(t.Evidence) < maxPlaces {
				t.Evidence = append(t.Evidence, article.Evidence{Source: "entity", Text: span, Field: field, Start: start, End: end, Rule: rule})
			}
		}
		i = max(to, i+1)
	}
}

// at reads a name that begins at word i and returns the pattern that found it, "" for none.
func (f *finder) at(list []words.Word, i int) (from, to int, rule string) {
	w := &list[i]
	if w.Masked || !w.Upper() {
		return 0, 0, ""
	}
	if f.known.offices[w.Text] {
		if n := f.run(list, i+1, 3); n >= 2 && !f.known.forms[list[i+n].Text] {
			return i + 1, i + 1 + n, "office"
		}
		return 0, 0, ""
	}
	n := f.run(list, i, 5)
	for k := 1; k < n; k++ {
		if f.known.forms[list[i+k].Text] {
			return i, i + k + 1, "legal_form"
		}
	}
	if f.known.first[w.Text] && n >= 2 {
		return i, i + capitals(list[i:i+n], 3), "first_name"
	}
	return 0, 0, ""
}

// capitals is how many words hold the first few that begin with a capital.
func capitals(list []words.Word, few int) int {
	for i := range list {
		if list[i].Upper() {
			if few--; few == 0 {
				return i + 1
			}
		}
	}
	return len(list)
}

// run is how many words from i on may be one name: each with a capital, or the particle of a noble name before one.
func (f *finder) run(list []words.Word, i, limit int) int {
	n := 0
	for n < limit && i+n < len(list) {
		w := &list[i+n]
		if w.Masked || n > 0 && (w.Break || w.First) || w.Stop && !f.known.particles[w.Text] {
			break
		}
		if !w.Upper() && (n == 0 || !f.known.particles[w.Text]) {
			break
		}
		n++
	}
	for n > 0 && !list[i+n-1].Upper() {
		n-- // a particle is no end of a name
	}
	return n
}

func (f *finder) list() []article.Tag {
	var out []article.Tag
	for _, t := range f.found {
		t.Score = math.Round(1000*(1-1/(1+t.Score))) / 1000
		out = append(out, *t)
	}
	slices.SortFunc(out, func(a, b article.Tag) int { return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.ID, b.ID)) })
	return out[:min(len(out), maxEntities)]
}
