package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"tidings.internal/services/enrich/internal/language"
	made "tidings.internal/services/enrich/internal/language/headlines"
	"tidings.internal/services/enrich/internal/words"
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
	var german, titles, primed, misled, bodies, own, short tally
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
			misled.add(d.Detect(p.Gold.Title, "de").Code == "en")
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
	labels, err := b.labels(d)
	if err != nil {
		return nil, err
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
		percent("titles, declared German", 0, misled),
		percent("bodies", 99.8, bodies), percent("names of media topics, 3 words or more", 0, labels), percent("our own headlines, all languages", 0, own), percent("their first seven words", 0, short),
	}, nil
}

// topicTags are the tags of languages in the sample of media topics that are not those of the languages.
var topicTags = map[string]string{"dk": "da", "se": "sv"}

// labels measures the names of media topics in the languages that have Latin letters: terms of the news without a sentence.
func (b *bench) labels(d *language.Detector) (tally, error) {
	var t tally
	if b.samples.topics == nil {
		return t, nil
	}
	var topics []struct{ Labels map[string]string }
	if err := json.Unmarshal(b.samples.topics, &topics); err != nil {
		return t, fmt.Errorf("read media topics: %w", err)
	}
	for _, topic := range topics {
		for tag, label := range topic.Labels {
			lang := cmp.Or(topicTags[tag], words.Base(tag))
			if lang != "ar" && lang != "zh" && len(strings.Fields(label)) >= 3 {
				t.add(d.Detect(label).Code == lang)
			}
		}
	}
	return t, nil
}
