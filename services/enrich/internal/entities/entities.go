// Package entities finds the names of people and organisations by patterns: a legal form behind it, a title or an office
// before it, a common first name at its head; in German, letters that are not those of German words. It has no model of names
// and prefers to find nothing rather than something wrong.
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
	"tidings.internal/services/enrich/internal/language"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/space"
	"tidings.internal/services/enrich/internal/tags"
	"tidings.internal/services/enrich/internal/words"
)

//go:embed names.txt
var lists string

// patterns are the closed word lists.
type patterns struct{ forms, offices, first, particles, places, orgs, heads, said, bare, things map[string]bool }

var known = sync.OnceValue(func() patterns {
	var p patterns
	into := map[string]*map[string]bool{"forms": &p.forms, "offices": &p.offices, "first": &p.first, "particles": &p.particles,
		"places": &p.places, "orgs": &p.orgs, "heads": &p.heads, "said": &p.said, "bare": &p.bare, "things": &p.things}
	for _, set := range into {
		*set = map[string]bool{}
	}
	for line := range strings.Lines(lists) {
		name, list, ok := strings.Cut(line, ": ")
		if set := into[name]; ok && set != nil {
			for w := range strings.FieldsSeq(list) {
				(*set)[w] = true
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
	f := finder{known: known(), found: map[string]*article.Tag{}, lang: d.Lang(), letters: language.New()}
	fields := []field{{d.Words.Title, d.Article.Title, "title"}, {d.Words.Body, d.Prose.Body, "text"}}
	for _, at := range fields {
		f.read(at)
	}
	f.genitives()
	people := f.surnames()
	for _, at := range fields {
		f.surname(at, people)
	}
	d.Article.Entities = f.list()
	return nil
}

// Degrade finds none.
func (Step) Degrade(d *pipeline.Draft) { d.Article.Entities = nil }

type finder struct {
	known patterns
	found map[string]*article.Tag
	lang  string
	// letters tells what is written as German words are not.
	letters *language.Detector
}

// field is the title or the text of an article.
type field struct {
	list []words.Word
	text string
	name string
}

func (f *finder) read(at field) {
	for i := 0; i < len(at.list); {
		from, to, rule := f.at(at.list, i)
		if rule == "" {
			i++
			continue
		}
		name := space.One(at.text[at.list[from].From:at.list[to-1].To])
		if rule == "place" && !f.known.places[name] {
			name = nominative(name)
		}
		f.note(at, from, to, rule, name)
		i = max(to, i+1)
	}
}

// note keeps a place of a name: words [from, to).
func (f *finder) note(at field, from, to int, rule, name string) {
	id := tags.Slug(name)
	if id == "" {
		return
	}
	t := f.found[id]
	if t == nil {
		t = &article.Tag{ID: id, Label: map[string]string{f.lang: name}, Kind: article.KindEntity}
		f.found[id] = t
	}
	first, last := &at.list[from], &at.list[to-1]
	t.Score++ // places; made a share in list
	if len(t.Evidence) < maxPlaces {
		t.Evidence = append(t.Evidence, article.Evidence{Source: "entity", Text: at.text[first.From:last.To], Field: at.name, Start: first.Start, End: last.End, Rule: rule})
	}
}

// at reads a name that begins at word i and returns the pattern that found it, "" for none.
func (f *finder) at(list []words.Word, i int) (from, to int, rule string) {
	w := &list[i]
	if w.Masked || !w.Upper() || w.Glued {
		return 0, 0, ""
	}
	if f.known.offices[w.Text] {
		if n := f.run(list, i+1, 3); n >= 2 && !f.known.forms[list[i+n].Text] && !glued(list, i+1, n) {
			return i + 1, i + 1 + n, "office"
		}
		return 0, 0, ""
	}
	if to := f.company(list, i); to > 0 {
		return i, to, "legal_form"
	}
	if to := f.person(list, i); to > 0 {
		return i, to, "first_name"
	}
	if f.known.heads[w.Text] && i+1 < len(list) && !list[i+1].Break {
		if n, _ := f.gazetted(list, i+1); n > 0 {
			return i, i + 1 + n, "organisation"
		}
	}
	n, rule := f.gazetted(list, i)
	if rule == "" {
		return f.german(list, i)
	}
	return i, i + n, rule
}

// company reads a run of capitals with a legal form at its end. A particle parts it from what stands before: "Sprecher der
// Muster AG" names only the latter.
func (f *finder) company(list []words.Word, i int) (to int) {
	n := f.run(list, i, 5)
	for k := 1; k < n; k++ {
		if w := &list[i+k]; f.known.particles[w.Text] {
			return 0
		} else if f.known.forms[w.Text] {
			return i + k + 1
		}
	}
	return 0
}

// person reads a common first name and what follows it up to the surname.
func (f *finder) person(list []words.Word, i int) (to int) {
	if !f.known.first[list[i].Text] || i > 0 && (!list[i].Break && f.known.heads[list[i-1].Text] || notBeforeNames[list[i-1].Text]) {
		return 0
	}
	n := f.run(list, i, 6)
	// The name goes on while first names follow; then comes one surname, with its particles.
	end := 1
	for end < n && f.known.first[list[i+end].Text] {
		end++
	}
	for end < n && f.known.particles[list[i+end].Text] {
		end++
	}
	switch {
	case end < n && !list[i+end].Glued:
		end++
	case end < 2 || !list[i+end-1].Upper() || list[i+end-1].Glued:
		return 0
	}
	for end < n && list[i+end].Glued {
		end++ // of a surname with hyphens, not of a compound with a first name
	}
	if i+end < len(list) && list[i+end].Glued || strings.ContainsAny(list[i].Text, "'’") {
		return 0
	}
	return i + end
}

// notBeforeNames are words behind which a name of a person belongs to the name of something else.
var notBeforeNames = map[string]bool{"St": true, "Sankt": true, "San": true, "Saint": true, "Santa": true, "Verlag": true, "Stiftung": true}

// gazetted looks up the words from i on in the lists of places and organisations, as they are or in their genitive, and
// returns how many they are. A part of a compound is none: the "Berlin-Debatte" is no place.
func (f *finder) gazetted(list []words.Word, i int) (n int, rule string) {
	w := &list[i]
	if w.Glued || w.Masked {
		return 0, ""
	}
	n, text := 1, w.Text
	for ; i+n < len(list) && list[i+n].Glued; n++ {
		text += "-" + list[i+n].Text
	}
	for _, form := range []string{text, nominative(text)} {
		switch {
		case f.known.places[form]:
			return n, "place"
		case f.known.orgs[form] && form == text:
			return n, "organisation"
		}
	}
	return 0, ""
}

// glued reports whether hyphens join any of n words to the one before it, or the one behind them to the last.
func glued(list []words.Word, i, n int) bool {
	return i < len(list) && list[i].Glued || i+n < len(list) && list[i+n].Glued
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
