// Package tags decides which tags an article has: those its source was given by the operator, the concepts that were
// found, and the best keyphrases, each with the reasons for it.
package tags

import (
	"context"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"tidings.internal/pkg/article"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/taxonomy"
	"tidings.internal/services/enrich/internal/words"
)

// maxFree is how many keyphrases become tags.
const maxFree = 5

// Step puts the tags together.
type Step struct{ Matcher func() *taxonomy.Matcher }

var _ pipeline.Step = Step{}

// Name returns "tags".
func (Step) Name() string { return "tags" }

// Run fills Tags.
func (s Step) Run(_ context.Context, d *pipeline.Draft) error {
	m := s.Matcher()
	list := fromSource(d, m.Vocabulary())
	have := map[string]bool{}
	for _, t := range list {
		have[t.ID] = true
	}
	for _, c := range d.Concepts {
		if i := slices.IndexFunc(list, func(t article.Tag) bool { return t.ID == c.ID }); i >= 0 {
			list[i].Evidence = append(list[i].Evidence, c.Evidence...)
			continue
		}
		have[c.ID] = true
		list = append(list, c)
	}
	list = append(list, free(d, list, have)...)
	list = slices.DeleteFunc(list, func(t article.Tag) bool { return m.Rejected(d.Article.ID, t.ID) })
	for i := range list {
		list[i].Hashtag = Hashtag(list[i].Name(d.Lang()))
	}
	d.Article.Tags = list
	return nil
}

// Degrade keeps what the operator said of the source: a feed that selects it must go on.
func (Step) Degrade(d *pipeline.Draft) { d.Article.Tags = fromSource(d, nil) }

// fromSource makes tags of what the operator configured for the source. A tag that is a concept gets its labels.
func fromSource(d *pipeline.Draft, v *taxonomy.Vocabulary) []article.Tag {
	var list []article.Tag
	for _, name := range d.Raw.Source.Tags {
		t := article.Tag{ID: Slug(name), Kind: article.KindPhrase, Label: map[string]string{d.Lang(): name}, Score: 1,
			Evidence: []article.Evidence{{Source: "source", Text: name, Rule: "source:" + d.Raw.Source.ID, Weight: 1}}}
		if v != nil {
			if c, ok := v.Lookup(t.ID); ok {
				t.Kind, t.Label, t.Broader = article.KindConcept, c.Names(), v.Chain(t.ID)
			}
		}
		if t.ID != "" && !slices.ContainsFunc(list, func(o article.Tag) bool { return o.ID == t.ID }) {
			list = append(list, t)
		}
	}
	return list
}

// free takes the best phrases that say something which the tags before them do not.
func free(d *pipeline.Draft, have []article.Tag, ids map[string]bool) []article.Tag {
	stem := words.NewStemmer(d.Lang())
	said := map[string]bool{}
	for _, t := range have {
		for _, label := range t.Label {
			said[stems(stem, label)] = true
		}
		for _, e := range t.Evidence {
			said[stems(stem, e.Text)] = true
		}
	}
	called := map[string]string{} // what a name is called that stands in the genitive
	for _, e := range d.Article.Entities {
		for _, at := range e.Evidence {
			called[at.Text] = e.Name(d.Lang())
		}
	}
	var out []article.Tag
	for _, p := range d.Candidates {
		name := p.Name(d.Lang())
		if base := called[name]; base != "" && base != name {
			name, p.Label = base, map[string]string{d.Lang(): base}
		}
		p.ID = Slug(name)
		if len(out) == maxFree {
			break
		}
		if p.ID == "" || ids[p.ID] || said[stems(stem, name)] {
			continue
		}
		ids[p.ID] = true
		out = append(out, p)
	}
	return out
}

func stems(s *words.Stemmer, text string) string {
	var out []string
	for _, w := range words.Cut(text, "") {
		out = append(out, s.Stem(w.Fold))
	}
	return strings.Join(out, " ")
}

var umlauts = strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue", "ß", "ss", "æ", "ae", "ø", "o", "å", "a", "ł", "l", "đ", "d", "œ", "oe")

// Slug makes an id of a name: lower case, hyphens between words, letters of Latin script without their marks, those of
// other scripts as they are. At most 64 characters.
func Slug(name string) string {
	name = umlauts.Replace(strings.ToLower(norm.NFC.String(name)))
	var b strings.Builder
	gap := false
	n := 0
	for _, r := range norm.NFD.String(name) {
		switch {
		case unicode.Is(unicode.Mn, r):
			continue
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			if gap && b.Len() > 0 {
				b.WriteByte('-')
				n++
			}
			gap = false
			b.WriteRune(r)
			n++
		case r == '\'' || r == '’':
		default:
			gap = true
		}
		if n >= 64 {
			break
		}
	}
	return b.String()
}

const (
	maxHashtag      = 64  // letters
	maxHashtagBytes = 640 // Bluesky counts bytes
)

// Hashtag makes a hashtag, without its sign, of a label: its parts in CamelCase, letters, marks and digits only, at
// least one letter; "" when nothing is left.
func Hashtag(label string) string {
	var b strings.Builder
	start, letter, n := true, false, 0
	for _, r := range norm.NFC.String(label) {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && r != '_' {
			start = start || r != '\'' && r != '’'
			continue
		}
		if start && unicode.IsLetter(r) {
			r = unicode.ToUpper(r)
		}
		start = false
		letter = letter || unicode.IsLetter(r)
		if n == maxHashtag || b.Len()+4 > maxHashtagBytes {
			break
		}
		b.WriteRune(r)
		n++
	}
	if !letter {
		return ""
	}
	return b.String()
}
