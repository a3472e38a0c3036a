package main

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"

	"tidings.internal/services/enrich/internal/language"
	made "tidings.internal/services/enrich/internal/language/headlines"
)

// few is how many words a short text has.
const few = 7

// minBody is the length in bytes of a text that counts as a body.
const minBody = 200

var letters = regexp.MustCompile(`\p{L}`)

// languages measures short texts, titles and bodies. The pages of the sample are English, the sentences German.
func (b *bench) languages(context.Context) ([]row, error) {
	d := language.New()
	percent := func(what string, wanted float64, t tally) row {
		r := row{what: "language, right in %: " + what, digits: 1, reached: []float64{100 * t.share()}}
		if wanted > 0 {
			r.wanted = []float64{wanted}
		}
		if t.all == 0 {
			r.reached, r.lacks = nil, noData
		}
		return r
	}
	var german, titles, primed, bodies, own, short tally
	for _, s := range b.samples.sentences {
		if list := slices.DeleteFunc(slices.Clone(s.words), func(w string) bool { return !letters.MatchString(w) }); len(list) >= few {
			german.add(d.Detect(strings.Join(list[:few], " ")).Code == "de")
		}
	}
	for i := range b.samples.pages {
		p := &b.samples.pages[i]
		if p.Gold.Title != "" {
			titles.add(d.Detect(p.Gold.Title).Code == "en")
			primed.add(d.Detect(p.Gold.Title, "en").Code == "en")
		}
		if len(p.Gold.Body) >= minBody {
			bodies.add(d.Detect(p.Gold.Body).Code == "en")
		}
	}
	for _, list := range b.samples.sets {
		for _, t := range list {
			if len(t.Text) >= minBody {
				bodies.add(d.Detect(t.Text).Code == t.Lang)
			}
		}
	}
	headlines := made.Set()
	for _, lang := range slices.Sorted(maps.Keys(headlines)) {
		for _, h := range headlines[lang] {
			own.add(d.Detect(h).Code == lang)
			short.add(d.Detect(made.Short(h, few)).Code == lang)
		}
	}
	return []row{
		percent("seven words of German", 99.0, german), percent("English titles", 94, titles), percent("titles, declared", 99, primed),
		percent("bodies", 99.8, bodies), percent("our own headlines, all languages", 0, own), percent("their first seven words", 0, short),
	}, nil
}
