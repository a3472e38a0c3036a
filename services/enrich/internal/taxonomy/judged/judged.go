// Package judged holds texts with the concepts that a person found in them, and counts how near a matcher comes. Whoever
// wrote the articles had the ids of the starter and their meanings only, and knew neither labels nor rules.
package judged

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/prose"
	"tidings.internal/services/enrich/internal/taxonomy"
	"tidings.internal/services/enrich/internal/words"
)

//go:embed articles.jsonl
var articles string

//go:embed ambiguous.jsonl
var sentences string

//go:embed ambiguous.ttl
var senses []byte

// Article is an article with the concepts of the starter that an editor would file it under, and those that an editor
// would let pass.
type Article struct {
	ID, Lang, Title, Text string
	Tags, May             []string
}

// Articles returns sixty articles, half of them German, half English.
func Articles() ([]Article, error) { return lines[Article](articles) }

// Sentence is a short text with a word of many meanings. Sense is the concept that is meant, "" where none of them is.
type Sentence struct{ Lang, Text, Label, Sense string }

// Sentences returns forty texts and the vocabulary of the meanings.
func Sentences() ([]Sentence, *taxonomy.Vocabulary, error) {
	list, err := lines[Sentence](sentences)
	if err != nil {
		return nil, nil, err
	}
	v, err := taxonomy.Read(taxonomy.File{Name: "ambiguous.ttl", Data: senses})
	return list, v, err
}

func lines[T any](text string) (list []T, err error) {
	for line := range strings.Lines(text) {
		var one T
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			return nil, fmt.Errorf("read line %d: %w", len(list)+1, err)
		}
		list = append(list, one)
	}
	return list, nil
}

// draft is a text as the step of the taxonomy gets it.
func draft(lang, title, text string) *pipeline.Draft {
	d := pipeline.NewDraft(&article.Raw{ID: "x"}, nil)
	d.Article.Title, d.Article.Language.Code = title, lang
	d.Prose = prose.FromPlain(title, text)
	d.Article.Text = d.Prose.Body
	d.Words = words.NewDoc(title, d.Prose.Body, lang, nil)
	return d
}

// Tally counts tags against a person's.
type Tally struct{ Kept, Wrong, Wanted, Found float64 }

// Precision is the share of the tags that are right or let pass.
func (n Tally) Precision() float64 { return 1 - n.Wrong/n.Kept }

// Recall is the share of the wanted concepts that were found.
func (n Tally) Recall() float64 { return n.Found / n.Wanted }

// Add takes over the counts of another.
func (n *Tally) Add(o Tally) {
	n.Kept, n.Wrong, n.Wanted, n.Found = n.Kept+o.Kept, n.Wrong+o.Wrong, n.Wanted+o.Wanted, n.Found+o.Found
}

// Count tags an article and names what is wrong and what is missed. A concept that is wider than one that is wanted is let
// pass.
func (a *Article) Count(m *taxonomy.Matcher) (n Tally, wrong, missed []string) {
	may, have := slices.Clone(a.May), map[string]bool{}
	for _, id := range a.Tags {
		may = append(may, m.Vocabulary().Chain(id)...)
	}
	for _, tag := range m.Find(draft(a.Lang, a.Title, a.Text), nil) {
		n.Kept++
		have[tag.ID] = true
		if !slices.Contains(a.Tags, tag.ID) && !slices.Contains(may, tag.ID) {
			n.Wrong++
			wrong = append(wrong, tag.ID)
		}
	}
	for _, id := range a.Tags {
		n.Wanted++
		if have[id] {
			n.Found++
		} else {
			missed = append(missed, id)
		}
	}
	return n, wrong, missed
}

// Meant returns the concept that the word of many meanings speaks for, "" for none.
func (s *Sentence) Meant(m *taxonomy.Matcher) string {
	for _, tag := range m.Find(draft(s.Lang, "", s.Text), nil) {
		if slices.ContainsFunc(tag.Evidence, func(e article.Evidence) bool { return strings.EqualFold(e.Text, s.Label) }) {
			return tag.ID
		}
	}
	return ""
}
