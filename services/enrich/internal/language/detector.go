// Package language tells in which language a text is written.
//
// Scripts that one language uses alone decide by themselves. Among the languages in Latin letters a naive Bayes model
// decides, over function words and over the runs of one to four letters that follow each other in the words of a
// language. The model is made at start from the word lists of package words: about 25 languages in
// some 60 KB of text, no download, no data of others. What a source declares counts as a prior, as strong as a few
// words: it often comes from a system that nobody configured.
package language

import (
	"iter"
	"math"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/memo"
	"tidings.internal/services/enrich/internal/words"
)

const (
	maxGram = 4
	// smooth is added to every count, so that a run never seen does not rule a language out.
	smooth = 0.3
	// wordWeight is how many letter runs one function word is worth: it is no chance that it stands there.
	wordWeight = 2.5
	// priorWeight is the log odds that the first declared language starts with; each further one gets half of it.
	priorWeight = 2.5
	// fewWords is a text so short that the declaration counts twice: one name or one foreign word is no language.
	fewWords = 2
	// maxWords bounds what is read: after so many words nothing changes any more.
	maxWords = 400
	// minConfidence is what the best language must reach to be named.
	minConfidence = 0.5
	// temperature flattens the posterior: the runs of one word depend on each other, which naive Bayes ignores.
	temperature = 0.25
)

// remembered is half of how many words are remembered with what they say; full they hold some 5 MB.
const remembered = 1 << 13

// Detector holds the model. It may be used by several goroutines.
type Detector struct {
	langs []string
	grams map[string][]float32 // run -> log probability by language
	miss  []float32            // of a run that a language never has
	funcs map[string][]float32 // function word -> log probability by language
	// scores are the log probabilities of words by language.
	scores *memo.Table[*Detector, []float64]
}

// The model is constant and costs some milliseconds to make, so it is made once.
var shared = sync.OnceValue(build)

// New returns a detector.
func New() *Detector { return shared() }

func build() *Detector {
	d := &Detector{grams: map[string][]float32{}, funcs: map[string][]float32{}}
	d.scores = memo.New(remembered, (*Detector).score)
	d.langs = slices.Collect(words.Languages())
	counts := map[string][]float32{}
	totals := make([]float64, len(d.langs))
	for i, lang := range d.langs {
		stop := words.Stops(lang)
		add := func(w string, weight float32) {
			for g := range runs(w) {
				if counts[g] == nil {
					counts[g] = make([]float32, len(d.langs))
				}
				counts[g][i] += weight
				totals[i] += float64(weight)
			}
		}
		for w := range words.Everyday(lang) {
			add(w, 1)
		}
		for w := range stop {
			add(w, 2) // they stand in every sentence
			if d.funcs[w] == nil {
				d.funcs[w] = make([]float32, len(d.langs))
			}
		}
	}
	d.weigh(counts, totals)
	return d
}

// weigh turns counts into logarithms of probabilities.
func (d *Detector) weigh(counts map[string][]float32, totals []float64) {
	kinds := float64(len(counts))
	d.miss = make([]float32, len(d.langs))
	for i := range d.langs {
		d.miss[i] = float32(math.Log(smooth / (totals[i] + smooth*kinds)))
	}
	for g, c := range counts {
		row := make([]float32, len(d.langs))
		for i := range d.langs {
			row[i] = float32(math.Log((float64(c[i]) + smooth) / (totals[i] + smooth*kinds)))
		}
		d.grams[g] = row
	}
	for w, row := range d.funcs {
		for i, lang := range d.langs {
			p := 0.0001
			if stop := words.Stops(lang); stop[w] {
				p = 1 / float64(len(stop))
			}
			row[i] = float32(math.Log(p))
		}
	}
}

// maxRunes bounds the part of a word that is looked at, its borders included.
const maxRunes = 40

// runs yields the runs of one to four letters of a word with its borders. Each is a part of one string.
func runs(fold string) iter.Seq[string] {
	return func(yield func(string) bool) {
		w := "_" + fold + "_"
		var starts [maxRunes + 1]int
		n := 0
		for pos := range w {
			if n == maxRunes {
				w = w[:pos]
				break
			}
			starts[n] = pos
			n++
		}
		starts[n] = len(w)
		for size := 1; size <= maxGram; size++ {
			for i := 0; i+size <= n; i++ {
				if g := w[starts[i]:starts[i+size]]; g != "_" && !yield(g) {
					return
				}
			}
		}
	}
}

// Detect names the language of a text. declared is what its source says, most trusted first; empty and unknown values
// do not count.
func (d *Detector) Detect(text string, declared ...string) article.Language {
	list := letters(text)
	if len(list) == 0 {
		return fallback(declared)
	}
	if code, share := script(text); code != "" {
		return article.Language{Code: code, Confidence: round(share)}
	}
	score := make([]float64, len(d.langs))
	known := 0
	for _, w := range list {
		if utf8.RuneCountInString(w) > 1 {
			known++
		}
		for i, s := range *d.scores.Of(d, w) {
			score[i] += s
		}
	}
	if known == 0 {
		return fallback(declared)
	}
	d.prior(score, known, declared)
	best, sum := 0, 0.0
	for i := range score {
		if score[i] > score[best] {
			best = i
		}
	}
	for i := range score {
		sum += math.Exp(temperature * (score[i] - score[best]))
	}
	confidence := round(1 / sum)
	if confidence < minConfidence {
		return article.Language{Code: article.Undetermined, Confidence: confidence}
	}
	return article.Language{Code: d.langs[best], Confidence: confidence}
}

// score is what a folded word says for each language.
func (d *Detector) score(w string) []float64 {
	score := make([]float64, len(d.langs))
	if row, ok := d.funcs[w]; ok {
		for i := range score {
			score[i] += wordWeight * float64(row[i])
		}
	}
	for g := range runs(w) {
		row, ok := d.grams[g]
		if !ok {
			continue // no language has it: it says nothing
		}
		for i := range score {
			score[i] += float64(row[i])
		}
	}
	return score
}

// prior adds what is declared. The second and later declarations count less.
func (d *Detector) prior(score []float64, known int, declared []string) {
	weight := priorWeight / temperature // the scores are flattened later
	if known <= fewWords {
		weight *= 2
	}
	for _, lang := range declared {
		lang = normal(lang)
		if i := slices.Index(d.langs, lang); i >= 0 {
			score[i] += weight
			weight /= 2
		}
	}
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

// letters returns the folded words of a text that are made of letters, at most maxWords.
func letters(text string) []string {
	var out []string
	for w := range strings.FieldsFuncSeq(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) && r != '\'' && r != '’' }) {
		w = strings.Trim(words.Fold(w), "'")
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
