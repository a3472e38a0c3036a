// Package taxonomy knows the operator's concepts and finds them in an article.
//
// A [Vocabulary] is read from files ([Read]); the one that ships is [Starter]. [Edits] are what an operator changes
// while Tidings runs, and lie over it. A [Matcher] looks labels, rules and what it learnt of [Verdict]s up in the words
// of an article and gives each concept with the places that speak for it. The package does not decide which of them
// become tags; package tags does.
package taxonomy

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// The kinds of labels, and of the ways a label can be met.
const (
	Pref   = "pref"
	Alt    = "alt"
	Hidden = "hidden"
	// Ambiguous is a further name that means other things as often: it counts in full only beside another label of its
	// concept, or of one next to it.
	Ambiguous = "ambiguous"
)

// The states of a concept. Only active ones become tags: a candidate waits for a decision, a deprecated one is known so
// that its id is not given again.
const (
	Active     = ""
	Candidate  = "candidate"
	Deprecated = "deprecated"
)

// Label is one name of a concept.
type Label struct {
	Lang string `json:"lang,omitempty"` // "" serves all languages
	Text string `json:"text"`
	Kind string `json:"kind"`
}

// Concept is one entry of a taxonomy.
type Concept struct {
	// ID is the slug by which feeds select the concept.
	ID string `json:"id"`
	// Address is the name under which a file of SKOS knows the concept, "" for one of our own.
	Address string  `json:"address,omitempty"`
	Labels  []Label `json:"labels,omitempty"`
	// Broader and Related list ids, in the order of the file; Exact lists the same concept's addresses elsewhere.
	Broader []string `json:"broader,omitempty"`
	Related []string `json:"related,omitempty"`
	Exact   []string `json:"exact,omitempty"`
	// Definition says what is meant, by language.
	Definition map[string]string `json:"definition,omitempty"`
	Status     string            `json:"status,omitempty"`
	// Weight multiplies the evidence of labels and rules; 0 means 1.
	Weight float64 `json:"weight,omitempty"`
	// MinScore is the score that the concept needs to become a tag; 0 means 0.5.
	MinScore float64 `json:"min_score,omitempty"`
	// Categories are words of sources that mean the concept, as source=word, with * for any source.
	Categories []string `json:"categories,omitempty"`
	// Rules are expressions of package-own form ([ParseRule]) that speak for the concept, or with veto against it.
	Rules []string `json:"rules,omitempty"`
}

// Names returns the preferred label by language.
func (c *Concept) Names() map[string]string {
	names := map[string]string{}
	for _, l := range c.Labels {
		if l.Kind == Pref {
			names[l.Lang] = l.Text
		}
	}
	return names
}

// Vocabulary is a set of concepts, read and checked. It does not change.
type Vocabulary struct {
	concepts map[string]*Concept
	warnings Problems
	leftOut  Problems
	hash     string
}

// Warnings are what is odd and does no harm: a reference to a concept that is not there.
func (v *Vocabulary) Warnings() Problems { return v.warnings }

// LeftOut tells what of the files it was read from is not in it although nothing is wrong with it: blank nodes.
func (v *Vocabulary) LeftOut() Problems { return v.leftOut }

// Lookup returns the concept of an id.
func (v *Vocabulary) Lookup(id string) (*Concept, bool) {
	c, ok := v.concepts[id]
	return c, ok
}

// Len is the number of concepts.
func (v *Vocabulary) Len() int { return len(v.concepts) }

// IDs lists all ids, sorted.
func (v *Vocabulary) IDs() []string { return slices.Sorted(maps.Keys(v.concepts)) }

// Hash names the content: 16 hex digits of the SHA-256 of its concepts, in whatever form they were written.
func (v *Vocabulary) Hash() string { return v.hash }

// Chain lists all concepts wider than one, nearest first, each once. Of several paths the shorter counts.
func (v *Vocabulary) Chain(id string) []string {
	var chain []string
	seen := map[string]bool{id: true}
	level := []string{id}
	for len(level) > 0 {
		var up []string
		for _, c := range level {
			concept, ok := v.concepts[c]
			if !ok {
				continue
			}
			for _, b := range concept.Broader {
				if !seen[b] && v.concepts[b] != nil {
					seen[b] = true
					up = append(up, b)
				}
			}
		}
		chain = append(chain, up...)
		level = up
	}
	return chain
}

//go:embed starter.ttl
var starter string

// Starter is the taxonomy that ships, used when no file is configured.
func Starter() (*Vocabulary, error) { return readStarter() }

// It is constant, so it is read once: a configuration is checked before it is used.
var readStarter = sync.OnceValues(func() (*Vocabulary, error) { return Read(File{Name: "starter.ttl", Data: []byte(starter)}) })

// File is one source file of a vocabulary.
type File struct {
	Name string
	Data []byte
}

// Read reads files into one vocabulary: Turtle and N-Triples (.ttl, .nt), tables (.csv, .tsv) and the Media Topics of the
// IPTC (.json). Its error is a [Problems] with everything that is wrong in all of them.
func Read(files ...File) (*Vocabulary, error) {
	v := &Vocabulary{concepts: map[string]*Concept{}}
	var problems Problems
	places := map[string]place{}
	for _, f := range files {
		problems = append(problems, v.file(f, places)...)
	}
	return v.finish(problems, places)
}

// maxFile is the size of the largest vocabulary file, in bytes.
const maxFile = 32 << 20

func (v *Vocabulary) file(f File, places map[string]place) Problems {
	whole := func(text string) Problems { return Problems{{File: f.Name, Line: 1, Column: 1, Text: text}} }
	switch {
	case len(f.Data) > maxFile:
		return whole(fmt.Sprintf("the file is longer than %d bytes", maxFile))
	case !utf8.Valid(f.Data):
		return Problems{notText(f)}
	}
	switch strings.ToLower(filepath.Ext(f.Name)) {
	case ".csv", ".tsv":
		return v.table(f, places)
	case ".json":
		return v.mediaTopics(f, places)
	}
	return v.turtle(f, places)
}

// notText is the place of the first byte that is no UTF-8. Tables that a spreadsheet wrote in the charset of its country have
// it in the first name with an umlaut.
func notText(f File) Problem {
	good := 0
	for good < len(f.Data) {
		r, size := utf8.DecodeRune(f.Data[good:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		good += size
	}
	before := f.Data[:good]
	at := place{f.Name, bytes.Count(before, []byte("\n")) + 1, utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1}
	return at.problemf("the file is not valid UTF-8 from here on; save it as UTF-8")
}

// finish checks the whole and seals it.
func (v *Vocabulary) finish(problems Problems, places map[string]place) (*Vocabulary, error) {
	for _, c := range v.concepts {
		c.tidy()
	}
	problems = append(problems, v.check(places)...)
	if len(problems) > 0 {
		return nil, problems
	}
	sum := sha256.New()
	v.WriteTurtle(sum) // a hash takes everything
	v.hash = hex.EncodeToString(sum.Sum(nil))[:16]
	return v, nil
}

// kinds are those of labels in the order in which they stand.
var kinds = []string{Pref, Alt, Hidden, Ambiguous}

// tidy leaves each thing once and puts labels in order, so that a concept is the same in whatever form it was written.
func (c *Concept) tidy() {
	var labels []Label
	for _, l := range c.Labels {
		if !slices.Contains(labels, l) {
			labels = append(labels, l)
		}
	}
	slices.SortStableFunc(labels, func(a, b Label) int {
		return cmp.Or(cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)), cmp.Compare(a.Lang, b.Lang))
	})
	c.Labels = labels
	for _, list := range []*[]string{&c.Broader, &c.Related, &c.Exact, &c.Categories, &c.Rules} {
		var once []string
		for _, s := range *list {
			if !slices.Contains(once, s) {
				once = append(once, s)
			}
		}
		*list = once
	}
}

// check finds what only the whole can show. A concept that is named and not there is a warning: it may live in a file
// that the operator does not use.
func (v *Vocabulary) check(places map[string]place) Problems {
	var problems Problems
	for _, id := range v.IDs() {
		c := v.concepts[id]
		at := places[id]
		// of is the place of a part where it is known, else that of the concept.
		of := func(column, text string) place {
			if p, ok := places[part(id, column, text)]; ok {
				return p
			}
			return at
		}
		pref := map[string]bool{}
		for _, l := range c.Labels {
			if l.Kind != Pref {
				continue
			}
			if pref[l.Lang] {
				problems = append(problems, of("pref", l.Text).problemf("concept %q has two preferred labels in %q", id, l.Lang))
			}
			pref[l.Lang] = true
		}
		for _, lang := range c.languages() {
			if !code.MatchString(lang) {
				problems = append(problems, of("lang", lang).problemf("concept %q: %q is no code of a language, such as de or pt-br", id, lang))
			}
		}
		if len(pref) == 0 {
			problems = append(problems, at.problemf("concept %q has no preferred label", id))
		}
		if v.cyclic(id) {
			problems = append(problems, at.problemf("concept %q is broader than itself", id))
		}
		for _, text := range c.Rules {
			if _, err := ParseRule(text); err != nil {
				problems = append(problems, of("rules", text).problemf("concept %q: rule %q: %v", id, text, err))
			}
		}
		for _, text := range c.Categories {
			if source, word, ok := strings.Cut(text, "="); !ok || source == "" || strings.TrimSpace(word) == "" {
				problems = append(problems, of("categories", text).problemf("concept %q: category %q is not source=word, or *=word", id, text))
			}
		}
		switch c.Status {
		case Active, Candidate, Deprecated:
		default:
			problems = append(problems, of("status", "").problemf("concept %q: status %q is none of active, candidate, deprecated", id, c.Status))
		}
		if !(c.Weight >= 0 && c.Weight <= maxWeight) {
			problems = append(problems, of("weight", "").problemf("concept %q: weight %v is not within 0 and %v", id, c.Weight, maxWeight))
		}
		if !(c.MinScore >= 0 && c.MinScore <= 1) {
			problems = append(problems, of("min_score", "").problemf("concept %q: score %v is not within 0 and 1", id, c.MinScore))
		}
		v.lost("broader", id, c.Broader, of)
		v.lost("related", id, c.Related, of)
	}
	return problems
}

// code is the form of a code of a language (RFC 5646, 2.1); none serves all languages.
var code = regexp.MustCompile(`^(?:[a-z]{1,8}(?:-[a-z0-9]{1,8})*)?$`)

// languages lists those of names and definitions.
func (c *Concept) languages() []string {
	set := map[string]bool{}
	for _, l := range c.Labels {
		set[l.Lang] = true
	}
	for lang := range c.Definition {
		set[lang] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// part names something that is said of a concept, for its place.
func part(id, column, text string) string { return id + "\x00" + column + "\x00" + text }

// lost warns of concepts that are named and not there.
func (v *Vocabulary) lost(column, id string, list []string, of func(column, text string) place) {
	for _, other := range list {
		if v.concepts[other] == nil {
			v.warnings = append(v.warnings, of(column, other).problemf("concept %q names %q, which is not there", id, other))
		}
	}
}

// maxWeight is the largest weight of a concept.
const maxWeight = 10.0

func (v *Vocabulary) cyclic(id string) bool {
	seen := map[string]bool{}
	todo := slices.Clone(v.concepts[id].Broader)
	for len(todo) > 0 {
		next := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if next == id {
			return true
		}
		if c := v.concepts[next]; c != nil && !seen[next] {
			seen[next] = true
			todo = append(todo, c.Broader...)
		}
	}
	return false
}

// Problem is one thing that is wrong in a file.
type Problem struct {
	File         string
	Line, Column int
	Text         string
}

// Problems are all things that are wrong.
type Problems []Problem

// Error lists them, one a line.
func (p Problems) Error() string {
	var b strings.Builder
	for i, one := range p {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(one.String())
	}
	return b.String()
}
