// Package summary makes the short texts of an article: its summary, shorter variants for networks with limits, and the
// time that reading it takes. It writes nothing of its own: what a summary says, the publisher has said.
package summary

import (
	"context"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"tidings.internal/services/enrich/internal/dom"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/prose"
	"tidings.internal/services/enrich/internal/space"
	"tidings.internal/services/enrich/internal/words"
)

// Variants are the lengths in graphemes that the networks ask for: SMS and the oldest limit, short posts (X 280,
// Bluesky 300), and those with 500.
var Variants = []int{140, 280, 300, 500}

const (
	// longest is the length in graphemes of the summary itself.
	longest = 500
	// minPublisher is the length in graphemes from which the publisher's own summary counts as one.
	minPublisher = 40
	// fallback is the length in graphemes of what is taken when nothing else is there.
	fallback = 300
)

// Step writes the summary of a draft.
type Step struct{}

var _ pipeline.Step = Step{}

// Name returns "summary".
func (Step) Name() string { return "summary" }

// Run fills Summary, Summaries and ReadingTime.
func (s Step) Run(_ context.Context, d *pipeline.Draft) error {
	text := publisher(d)
	if text == "" {
		text = extractive(d)
	}
	if text == "" {
		s.Degrade(d)
	} else {
		set(d, text)
	}
	d.Article.ReadingTime = ReadingTime(d)
	return nil
}

// Degrade takes the feed's summary, else the beginning of the text.
func (Step) Degrade(d *pipeline.Draft) {
	text := feed(d)
	if text == "" {
		text = Fit(space.One(d.Prose.Body), d.Lang(), fallback)
	}
	set(d, text)
}

func set(d *pipeline.Draft, text string) {
	d.Article.Summary = Fit(text, d.Lang(), longest)
	d.Article.Summaries = nil
	for _, n := range Variants {
		if short := Fit(text, d.Lang(), n); short != d.Article.Summary && short != "" {
			if d.Article.Summaries == nil {
				d.Article.Summaries = map[string]string{}
			}
			d.Article.Summaries[strconv.Itoa(n)] = short
		}
	}
}

// feed is the text of the feed's summary.
func feed(d *pipeline.Draft) string {
	p := d.Summary
	if p == nil {
		return ""
	}
	text := p.Text
	if p.Tree != nil {
		text = dom.Text(p.Tree)
	}
	return strings.TrimSpace(boilerplate.ReplaceAllString(space.One(text), ""))
}

// boilerplate is what blog software puts behind a summary.
var boilerplate = regexp.MustCompile(`(?i)\s*(?:(?:the post|der beitrag|l'article|la entrada|il post|o post|wpis)\s.{0,300}\s(?:(?:appeared|was) first (?:published )?on|erschien (?:zuerst )?(?:auf|bei)|est apparu en premier sur|apareció primero en|proviene da|apareceu primeiro em|pojawił się (?:po raz pierwszy|poraz pierwszy) (?:w|na))\s.{0,200}|\[?(?:…|\.\.\.)\]?\s*(?:read more|weiterlesen|lire la suite|leer más|czytaj (?:dalej|więcej))?\s*[→»›]?|(?:read more|weiterlesen|mehr lesen|lire la suite|leer más|continue reading)\s*[→»›.]*)$`)

// publisher is the publisher's own summary, when it is one: long enough, not cut off, not the title again.
func publisher(d *pipeline.Draft) string {
	text := feed(d)
	if Graphemes(text) < minPublisher {
		return ""
	}
	raw := space.One(d.Summary.Text)
	if d.Summary.Tree != nil {
		raw = dom.Text(d.Summary.Tree)
	}
	cut := strings.HasSuffix(raw, "…") || strings.HasSuffix(raw, "...") || strings.HasSuffix(raw, "…]") || strings.HasSuffix(raw, "...]")
	cut = cut || runsOn(text, d.Article.Text)
	if cut && len(d.Article.Text) > len(text) || words.Fold(text) == words.Fold(d.Article.Title) {
		return ""
	}
	return text
}

// runsOn reports whether a summary stops in the middle of a sentence of the text, as those do that a program cut by their
// length.
func runsOn(summary, text string) bool {
	if strings.ContainsAny(summary[max(0, len(summary)-8):], ".!?…。！？") { // behind it a quotation mark or bracket may stand
		return false
	}
	end := summary[max(0, len(summary)-endLength):]
	text = space.One(text)
	i := strings.Index(text, end)
	return i >= 0 && i+len(end) < len(text)
}

// endLength is how many bytes of the end of a summary are looked for in the text.
const endLength = 40

// extractive takes whole sentences of the text: the first ones, and of those behind them the ones that have most of the
// keyphrases and of the title, in the order in which they stand.
func extractive(d *pipeline.Draft) string {
	list := sentences(d)
	if len(list) == 0 {
		return ""
	}
	w := newWeights(d)
	for i := range list {
		list[i].score = w.of(list[i], i)
	}
	order := slices.Clone(list)
	slices.SortStableFunc(order, func(a, b sentence) int {
		switch {
		case a.score > b.score:
			return -1
		case a.score < b.score:
			return 1
		}
		return 0
	})
	var chosen []sentence
	room := longest
	for _, s := range order {
		if len(chosen) == 4 || room < 40 {
			break
		}
		if s.graphemes+1 <= room && !slices.ContainsFunc(chosen, func(c sentence) bool { return similar(c, s) }) {
			chosen = append(chosen, s)
			room -= s.graphemes + 1
		}
	}
	if len(chosen) == 0 {
		return list[0].text
	}
	slices.SortFunc(chosen, func(a, b sentence) int { return a.place - b.place })
	var out []string
	for _, s := range chosen {
		out = append(out, s.text)
	}
	return strings.Join(out, " ")
}

type sentence struct {
	text      string
	fold      string
	words     map[string]bool // of fold, without function words
	place     int
	graphemes int
	score     float64
}

// maxSentences bounds what is weighed: what matters stands early.
const maxSentences = 60

func sentences(d *pipeline.Draft) []sentence {
	var out []sentence
	stops := words.Stops(d.Lang())
	for _, b := range d.Prose.Blocks {
		if b.Kind != prose.Paragraph || len(out) >= maxSentences {
			continue
		}
		text := d.Prose.Body[b.From:b.To]
		for _, span := range words.Sentences(text, d.Lang()) {
			s := sentence{text: space.One(text[span.Start:span.End]), place: len(out)}
			n := space.Count(s.text)
			if n < 5 || n > 60 {
				continue
			}
			if s.fold = words.Fold(s.text); leans(s.fold) {
				continue
			}
			s.words, s.graphemes = make(map[string]bool, n), Graphemes(s.text)
			for w := range strings.FieldsFuncSeq(s.fold, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
				if !stops[w] {
					s.words[w] = true
				}
			}
			out = append(out, s)
		}
	}
	return out
}

// leaning words begin a sentence that says nothing without the one before it.
var leaning = map[string]bool{"er": true, "sie": true, "es": true, "das": true, "dies": true, "diese": true, "dieser": true, "dagegen": true, "dabei": true,
	"dadurch": true, "deshalb": true, "daher": true, "dennoch": true, "doch": true, "aber": true, "und": true, "denn": true, "damit": true, "danach": true,
	"he": true, "she": true, "it": true, "they": true, "this": true, "that": true, "these": true, "but": true, "and": true, "however": true, "so": true,
	"il": true, "elle": true, "ils": true, "elles": true, "mais": true, "cela": true, "pero": true, "esto": true, "ale": true, "jednak": true}

// leans reports whether a folded sentence begins with one of them.
func leans(fold string) bool {
	word, _, _ := strings.Cut(fold, " ")
	return leaning[strings.TrimRight(word, ",.;:")]
}

// weights are what makes a sentence worth taking, folded: the keyphrases with their scores, and the words of the title.
type weights struct {
	phrases []string
	scores  []float64
	title   []string
}

func newWeights(d *pipeline.Draft) weights {
	var w weights
	for _, p := range d.Article.Keyphrases {
		w.phrases, w.scores = append(w.phrases, words.Fold(p.Text)), append(w.scores, p.Score)
	}
	for t := range strings.FieldsSeq(words.Fold(d.Article.Title)) {
		w.title = append(w.title, strings.Trim(t, ".,:;!?„“\""))
	}
	return w
}

// of weighs the sentence at a place.
func (w *weights) of(s sentence, i int) float64 {
	score := 1.5 / (1 + float64(i)/3)
	for k, p := range w.phrases {
		if strings.Contains(s.fold, p) {
			score += 0.5 * w.scores[k]
		}
	}
	for _, t := range w.title {
		if s.words[t] {
			score += 0.1
		}
	}
	if i == 0 {
		score += 2 // the lead
	}
	return score
}

// similar reports whether two sentences say nearly the same.
func similar(a, b sentence) bool {
	both := 0
	for w := range a.words {
		if b.words[w] {
			both++
		}
	}
	return both > 0 && float64(both) > 0.6*float64(min(len(a.words), len(b.words)))
}

// Fit cuts a text to a length in graphemes: behind a sentence where that leaves half of the room used, else behind a
// clause, else behind a word, the last two with an ellipsis.
func Fit(text, lang string, limit int) string {
	text = strings.TrimSpace(text)
	if Graphemes(text) <= limit {
		return text
	}
	room := cutGraphemes(text, limit)
	best := 0
	for _, s := range words.Sentences(text, lang) {
		if s.End <= len(room) {
			best = s.End
		}
	}
	if best*2 >= len(room) {
		return strings.TrimSpace(text[:best])
	}
	room = cutGraphemes(text, limit-1)
	if i := strings.LastIndexAny(room, ",;:–—"); i*2 >= len(room) {
		return strings.TrimRightFunc(room[:i], unicode.IsSpace) + "…"
	}
	if i := strings.LastIndexFunc(room, unicode.IsSpace); i > 0 {
		room = room[:i]
	}
	return strings.TrimRightFunc(room, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(",;:–—-", r) }) + "…"
}

// wordsPerMinute is the speed of silent reading by language: Trauzettel-Klosinski and Dietz, "Standardized Assessment of
// Reading Performance", 2012.
var wordsPerMinute = map[string]float64{"en": 228, "de": 179, "fr": 195, "es": 218, "it": 188, "nl": 202, "pt": 181, "pl": 166, "sv": 199, "fi": 161, "tr": 166, "ru": 184}

// charactersPerMinute is the same for scripts without spaces.
var charactersPerMinute = map[string]float64{"zh": 255, "ja": 357}

// ReadingTime is how long reading takes, in seconds: by the words, and 12 seconds for each figure.
func ReadingTime(d *pipeline.Draft) int {
	lang := words.Base(d.Lang())
	minutes := 0.0
	if rate, ok := charactersPerMinute[lang]; ok {
		n := 0
		for _, r := range d.Article.Text {
			if unicode.IsLetter(r) {
				n++
			}
		}
		minutes = float64(n) / rate
	} else {
		rate := wordsPerMinute[lang]
		if rate == 0 {
			rate = 190
		}
		minutes = float64(space.Count(d.Article.Text)) / rate
	}
	return int(math.Round(60*minutes)) + 12*strings.Count(d.Article.HTML, "<img ")
}
