// Package taxonomy knows the operator's concepts and finds them in an article.
//
// A [Vocabulary] is read from files of SKOS in a subset of Turtle ([Read]); the one that ships is [Starter]. A [Matcher]
// looks its labels up in the words of an article and gives each concept with the places that speak for it. The package
// does not decide which of them become tags; package tags does.
package taxonomy

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
)

// The kinds of labels, and of the ways a label can be met.
const (
	Pref   = "pref"
	Alt    = "alt"
	Hidden = "hidden"
)

// Label is one name of a concept.
type Label struct {
	Lang string // "" serves all languages
	Text string
	Kind string
}

// Concept is one entry of a taxonomy.
type Concept struct {
	// ID is the slug by which feeds select the concept.
	ID     string
	Labels []Label
	// Broader lists the ids of the next wider concepts, in the order of the file.
	Broader []string
	// Deprecated concepts are known but no longer found.
	Deprecated bool
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
	hash     string
}

// Lookup returns the concept of an id.
func (v *Vocabulary) Lookup(id string) (*Concept, bool) {
	c, ok := v.concepts[id]
	return c, ok
}

// Len is the number of concepts.
func (v *Vocabulary) Len() int { return len(v.concepts) }

// IDs lists all ids, sorted.
func (v *Vocabulary) IDs() []string { return slices.Sorted(maps.Keys(v.concepts)) }

// Hash names the content: 16 hex digits of the SHA-256 of the files.
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
func Starter() (*Vocabulary, error) { return Read(File{Name: "starter.ttl", Data: []byte(starter)}) }

// File is one source file of a vocabulary.
type File struct {
	Name string
	Data []byte
}

// Read reads files into one vocabulary. Its error is a [Problems] with everything that is wrong in all of them.
func Read(files ...File) (*Vocabulary, error) {
	v := &Vocabulary{concepts: map[string]*Concept{}}
	sum := sha256.New()
	var problems Problems
	places := map[string]place{}
	for _, f := range files {
		sum.Write([]byte(f.Name + "\x00"))
		sum.Write(f.Data)
		problems = append(problems, v.turtle(f, places)...)
	}
	problems = append(problems, v.check(places)...)
	if len(problems) > 0 {
		return nil, problems
	}
	v.hash = hex.EncodeToString(sum.Sum(nil))[:16]
	return v, nil
}

// check finds what only the whole can show. A broader concept that is not there is left out silently: it may live in a
// file that the operator does not use.
func (v *Vocabulary) check(places map[string]place) Problems {
	var problems Problems
	for _, id := range v.IDs() {
		c := v.concepts[id]
		at := places[id]
		pref := map[string]bool{}
		for _, l := range c.Labels {
			if l.Kind != Pref {
				continue
			}
			if pref[l.Lang] {
				problems = append(problems, at.problemf("concept %q has two preferred labels in %q", id, l.Lang))
			}
			pref[l.Lang] = true
		}
		if len(pref) == 0 {
			problems = append(problems, at.problemf("concept %q has no preferred label", id))
		}
		if v.cyclic(id) {
			problems = append(problems, at.problemf("concept %q is broader than itself", id))
		}
	}
	return problems
}

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
