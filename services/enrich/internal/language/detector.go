// Package language tells in which language a text is written.
//
// Scripts that one language uses alone decide by themselves. Among the languages in Latin letters a naive Bayes model
// decides: how likely each letter is after those before it in its word, its beginning and its end among them (package
// table), and which function words there are (package words). What a source declares counts as a prior, as strong as a few
// words: it often comes from a system that nobody configured. What a source usually writes counts half of that.
//
// The table is letters.bin, made of the models of another detector by the command in build; letters.txt names what it was
// made of.
package language

//go:generate go run ./build -o letters

import (
	_ "embed" // for the table
	"math"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/language/table"
	"tidings.internal/services/enrich/internal/words"
)

const (
	// wordWeight is what a function word adds to the log odds of its language: its letters were counted, but it is no
	// chance that it stands there.
	wordWeight = 2
	// priorWeight is the log odds that the first declared language starts with; each further one gets half of it.
	priorWeight = 3
	// usualWeight is the log odds that a language starts with in which all the last articles of a source are.
	usualWeight = priorWeight / 2.0
	// priorWords is how many words the declaration is shared among where a text has fewer: one name or one foreign word is
	// no language.
	priorWords = 4
	// longText is the length in characters from which on a text says itself in which language it is, and its source's other
	// articles may only confirm that.
	longText = 200
	// maxWords bounds what is read: after so many words nothing changes any more.
	maxWords = 400
	// minConfidence is what the best language must reach to be named.
	minConfidence = 0.5
	// temperature flattens the posterior: what a text is about chooses many of its letters together, which naive Bayes
	// ignores.
	temperature = 0.5
)

//go:embed letters.bin
var letterTable string

// Detector holds the model. It may be used by several goroutines.
type Detector struct {
	letters *table.Table
	langs   []string
	funcs   map[string][]int // function word -> places of its languages in langs
}

// The model is constant, so it is made once.
var shared = sync.OnceValue(build)

// New returns a detector.
func New() *Detector { return shared() }

func build() *Detector {
	t, err := table.Open(letterTable)
	if err != nil {
		panic(err) // it is a part of the binary
	}
	d := &Detector{letters: t, langs: t.Languages(), funcs: map[string][]int{}}
	for i, lang := range d.langs {
		for w := range words.Stops(lang) {
			d.funcs[w] = append(d.funcs[w], i)
		}
	}
	return d
}

// Detect names the language of a text. declared is what its source says, most trusted first; empty and unknown values
// do not count.
func (d *Detector) Detect(text string, declared ...string) article.Language {
	return d.DetectAmong(nil, text, declared...)
}

// DetectAmong is [Detector.Detect] for a text whose source wrote its last articles in these languages, with the number of
// articles in each.
func (d *Detector) DetectAmong(usual map[string]int, text string, declared ...string) article.Language {
	list := tokens(text)
	if len(list) == 0 {
		return fallback(declared)
	}
	if code, share := script(text); code != "" {
		return article.Language{Code: code, Confidence: round(share)}
	}
	if !slices.ContainsFunc(list, func(w string) bool { return len(w) > 1 }) {
		return fallback(declared)
	}
	score := d.score(list)
	d.prior(score, len(list), declared)
	best := first(score)
	if with := d.habit(score, len(list), usual); utf8.RuneCountInString(text) < longText || first(with) == best {
		score, best = with, first(with)
	}
	sum := 0.0
	for i := range score {
		sum += math.Exp(score[i] - score[best])
	}
	confidence := round(1 / sum)
	if confidence < minConfidence {
		return article.Language{Code: article.Undetermined, Confidence: confidence}
	}
	return article.Language{Code: d.langs[best], Confidence: confidence}
}

// score gives the log odds of the languages by the text alone.
func (d *Detector) score(list []string) []float64 {
	cost, score := make([]int, len(d.langs)), make([]float64, len(d.langs))
	for _, w := range list {
		// The models know no apostrophe: what stands on its two sides are words.
		for part := range strings.SplitSeq(w, "'") {
			d.letters.Add(cost, part)
		}
		for _, i := range d.funcs[words.Fold(w)] {
			score[i] += wordWeight
		}
	}
	for i, c := range cost {
		score[i] = temperature * (score[i] - float64(c)/table.Nat)
	}
	return score
}

// prior adds what is declared. The second and later declarations count less.
func (d *Detector) prior(score []float64, count int, declared []string) {
	weight := priorWeight * max(1, priorWords/float64(count))
	for _, lang := range declared {
		if i := slices.Index(d.langs, normal(lang)); i >= 0 {
			score[i] += weight
			weight /= 2
		}
	}
}

// habit gives the scores with what the source usually writes.
func (d *Detector) habit(score []float64, count int, usual map[string]int) []float64 {
	all := 0
	for _, n := range usual {
		all += n
	}
	weight := usualWeight * max(1, priorWords/float64(count))
	with := slices.Clone(score)
	for i, lang := range d.langs {
		if n := usual[lang]; n > 0 {
			with[i] += weight * float64(n) / float64(all)
		}
	}
	return with
}

// first is the place of the highest score.
func first(score []float64) int {
	best := 0
	for i := range score {
		if score[i] > score[best] {
			best = i
		}
	}
	return best
}

// fallback is what can be said of a text without words.
func fallback(declared []string) article.Language {
	for _, lang := range declared {
		if code := normal(lang); code != "" && code != article.Undetermined {
			return article.Language{Code: code, Confidence: 0.5}
		}
	}
	return article.Language{Code: article.Undetermined}
}

// Declared returns the language of a list of declarations at the confidence of a mere declaration.
func Declared(declared ...string) article.Language { return fallback(declared) }

// normal reduces a tag to its language; the two written forms of Norwegian are one here.
func normal(tag string) string {
	lang := words.Base(strings.TrimSpace(tag))
	switch lang {
	case "nb", "nn":
		return "no"
	}
	if len(lang) < 2 || len(lang) > 3 {
		return ""
	}
	for _, r := range lang {
		if r < 'a' || r > 'z' {
			return ""
		}
	}
	return lang
}

// tokens returns the words of a text that are made of letters, in small ones, at most maxWords. They are not folded as words
// are elsewhere: a ß says much about a language.
func tokens(text string) []string {
	var out []string
	for w := range strings.FieldsFuncSeq(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) && r != '\'' && r != '’' }) {
		w = strings.Trim(strings.ReplaceAll(strings.ToLower(norm.NFC.String(w)), "’", "'"), "'")
		if w == "" {
			continue
		}
		if out = append(out, w); len(out) == maxWords {
			break
		}
	}
	return out
}

func round(f float64) float64 { return math.Round(f*1000) / 1000 }

// Against is what speaks against words being of a language by their letters: by how many nats they are less likely than in
// the one where they are likeliest. It is 0 for a language that the table does not have.
func (d *Detector) Against(lang string, list ...string) float64 {
	i := slices.Index(d.langs, normal(lang))
	if i < 0 {
		return 0
	}
	cost := make([]int, len(d.langs))
	for _, w := range list {
		d.letters.Add(cost, w)
	}
	return float64(cost[i]-slices.Min(cost)) / table.Nat
}
