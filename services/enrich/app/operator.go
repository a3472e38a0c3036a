package app

import (
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/html"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/prose"
	"tidings.internal/services/enrich/internal/tags"
	"tidings.internal/services/enrich/internal/taxonomy"
	"tidings.internal/services/enrich/internal/words"
)

// ConceptStatus is a concept as an operator sees it.
type ConceptStatus struct {
	taxonomy.Concept
	Narrower []string `json:"narrower,omitempty"`
	// Edited tells that it was put in or changed while Tidings ran.
	Edited bool `json:"edited"`
	// Accepted and Rejected count the verdicts.
	Accepted int `json:"accepted"`
	Rejected int `json:"rejected"`
}

// TaxonomyBook is what operators look into and change: the files of the configuration with the edits over them.
type TaxonomyBook struct {
	book     *bus.Bucket
	bus      *bus.Bus
	base     *taxonomy.Vocabulary
	edits    taxonomy.Edits
	revision uint64
	verdicts []taxonomy.Verdict
	// inForce is base with the edits.
	inForce *taxonomy.Vocabulary
}

// OpenTaxonomy reads what is in force.
func OpenTaxonomy(ctx context.Context, b *bus.Bus, doc *config.Doc) (*TaxonomyBook, error) {
	s := read(doc)
	if err := doc.Err(); err != nil {
		return nil, err
	}
	t := &TaxonomyBook{book: b.Bucket(event.BucketTaxonomy), bus: b, base: s.taxonomy.vocabulary}
	return t, t.load(ctx)
}

func (t *TaxonomyBook) load(ctx context.Context) (err error) {
	if t.edits, t.revision, err = taxonomy.Load(ctx, t.book); err != nil {
		return err
	}
	if t.verdicts, err = taxonomy.Verdicts(ctx, t.book); err != nil {
		return err
	}
	if t.inForce, err = t.base.With(t.edits); err != nil {
		return fault.Errorf(fault.Invalid, "the edits do not fit the files of the configuration:\n%w", err)
	}
	return nil
}

// Concepts lists every concept by its id.
func (t *TaxonomyBook) Concepts() []ConceptStatus {
	narrower := map[string][]string{}
	list := make([]ConceptStatus, 0, t.inForce.Len())
	for _, id := range t.inForce.IDs() {
		c, _ := t.inForce.Lookup(id)
		for _, b := range c.Broader {
			narrower[b] = append(narrower[b], id)
		}
		list = append(list, ConceptStatus{Concept: *c})
	}
	for i := range list {
		s := &list[i]
		s.Narrower = narrower[s.ID]
		s.Edited = slices.ContainsFunc(t.edits.Concepts, func(c taxonomy.Concept) bool { return c.ID == s.ID })
		for _, v := range t.verdicts {
			switch {
			case v.Concept != s.ID:
			case v.Accepted:
				s.Accepted++
			default:
				s.Rejected++
			}
		}
	}
	return list
}

// Warnings are what is odd in the taxonomy and does no harm.
func (t *TaxonomyBook) Warnings() []string {
	var list []string
	for _, p := range t.inForce.Warnings() {
		list = append(list, p.Text)
	}
	return list
}

// Export writes what is in force, as "turtle" or "csv".
func (t *TaxonomyBook) Export(form string, w io.Writer) error {
	if form == "csv" {
		return t.inForce.WriteCSV(w)
	}
	return t.inForce.WriteTurtle(w)
}

// readFiles reads vocabularies of an operator into one.
func readFiles(names []string) (*taxonomy.Vocabulary, error) {
	var files []taxonomy.File
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, "read taxonomy: %w", err)
		}
		files = append(files, taxonomy.File{Name: filepath.Base(name), Data: data})
	}
	v, err := taxonomy.Read(files...)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "%w", err)
	}
	return v, nil
}

// ConceptOutcome is what an import did with a concept: added, changed or unchanged.
type ConceptOutcome struct {
	ID      string `json:"id"`
	Outcome string `json:"outcome"`
}

// Import puts the concepts of files over those that are in force, all of them or, where one is wrong, none. With dry it
// only says what it would do.
func (t *TaxonomyBook) Import(ctx context.Context, names []string, dry bool) ([]ConceptOutcome, error) {
	in, err := readFiles(names)
	if err != nil {
		return nil, err
	}
	var done map[string]string
	err = t.change(ctx, dry, func(e *taxonomy.Edits) { done = e.Put(t.base, in) })
	list := make([]ConceptOutcome, 0, len(done))
	for _, id := range slices.Sorted(maps.Keys(done)) {
		list = append(list, ConceptOutcome{id, done[id]})
	}
	return list, err
}

// changeTries is how often a change is made anew that others forestalled.
const changeTries = 5

// change makes a change to the edits and saves them. What others changed meanwhile stays.
func (t *TaxonomyBook) change(ctx context.Context, dry bool, change func(e *taxonomy.Edits)) error {
	for try := 1; ; try++ {
		e := taxonomy.Edits{Concepts: slices.Clone(t.edits.Concepts), Ignored: slices.Clone(t.edits.Ignored)}
		change(&e)
		next, err := t.base.With(e)
		if err != nil {
			return fault.Errorf(fault.Invalid, "%w", err)
		}
		if dry {
			t.inForce = next
			return nil
		}
		err = taxonomy.Save(ctx, t.book, e, t.revision)
		if fault.KindOf(err) == fault.Conflict && try < changeTries {
			if err := t.load(ctx); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		return t.load(ctx)
	}
}

// Revert takes the edits of concepts back, all of them when none is named, and lists those that had one.
func (t *TaxonomyBook) Revert(ctx context.Context, ids []string) ([]string, error) {
	gone := []string{}
	err := t.change(ctx, false, func(e *taxonomy.Edits) { gone = append([]string{}, e.Forget(ids...)...) })
	return gone, err
}

// article reads a stored article with its text.
func (t *TaxonomyBook) article(ctx context.Context, id string) (*article.Article, error) {
	subject, err := t.bus.ArticleSubject(ctx, id)
	if err != nil {
		return nil, err
	}
	if subject == "" {
		return nil, fault.Errorf(fault.Invalid, "there is no article %q", id)
	}
	r, err := t.bus.Last(ctx, subject)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, fault.Errorf(fault.Invalid, "article %q is not enriched yet", id)
	}
	a, err := t.stored(ctx, r)
	if err == nil && a == nil {
		return nil, fault.Errorf(fault.Gone, "article %s was taken down", id)
	}
	return a, err
}

// stored reads an article of a record; nil for a tombstone.
func (t *TaxonomyBook) stored(ctx context.Context, r *bus.Record) (*article.Article, error) {
	if r.Header.Value(event.HeaderType) != event.TypeEnriched {
		return nil, nil
	}
	_, a, err := event.DecodeEnriched(r.Message)
	if err != nil {
		return nil, err
	}
	for _, part := range []struct {
		text *string
		blob *article.Blob
	}{{&a.HTML, a.HTMLBlob}, {&a.Text, a.TextBlob}} {
		if part.blob != nil {
			data, err := t.bus.ReadBlob(ctx, *part.blob)
			if err != nil {
				return nil, err
			}
			*part.text = string(data)
		}
	}
	return &a, nil
}

// again makes the draft of a stored article, as far as tags need it.
func again(a *article.Article) *pipeline.Draft {
	d := pipeline.NewDraft(&article.Raw{ID: a.ID, Source: a.Source, FirstSeen: a.FirstSeen, Fetched: a.Fetched}, nil)
	d.Article = *a
	d.Prose = prose.FromPlain(a.Title, a.Text)
	if root, err := html.Parse(strings.NewReader(a.HTML)); err == nil {
		if p := prose.FromTree(a.Title, root); p.Body == a.Text { // with its headings, if it is the very text
			d.Prose = p
		}
	}
	for _, p := range a.Authors {
		d.Masked = append(d.Masked, p.Name)
	}
	d.Words = words.NewDoc(a.Title, d.Prose.Body, a.Language.Code, d.Masked)
	return d
}

// retag gives the concepts of an article by a matcher, and beside them the tags that no taxonomy makes.
func retag(d *pipeline.Draft, m *taxonomy.Matcher) []article.Tag {
	list := m.Find(d, d.Article.Categories)
	for _, t := range d.Article.Tags {
		if t.Kind != article.KindConcept && !m.Rejected(d.Article.ID, t.ID) {
			list = append(list, t)
		}
	}
	return list
}

// Explain gives the tags that an article would have now, each with its evidence; with files laid over what is in force.
func (t *TaxonomyBook) Explain(ctx context.Context, id string, files []string) ([]article.Tag, error) {
	a, err := t.article(ctx, id)
	if err != nil {
		return nil, err
	}
	v, err := t.under(files)
	if err != nil {
		return nil, err
	}
	return retag(again(a), taxonomy.NewMatcher(v, t.verdicts...)), nil
}

// under gives what would be in force with files.
func (t *TaxonomyBook) under(files []string) (*taxonomy.Vocabulary, error) {
	if len(files) == 0 {
		return t.inForce, nil
	}
	in, err := readFiles(files)
	if err != nil {
		return nil, err
	}
	e := taxonomy.Edits{Concepts: slices.Clone(t.edits.Concepts)}
	e.Put(t.base, in)
	v, err := t.base.With(e)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "%w", err)
	}
	return v, nil
}

// TagChange is how often a concept would come or go, with articles as examples.
type TagChange struct {
	ID      string   `json:"id"`
	Added   int      `json:"added"`
	Removed int      `json:"removed"`
	Gains   []string `json:"gains,omitempty"`  // titles
	Losses  []string `json:"losses,omitempty"` // titles
}

// DryRun is what files would change.
type DryRun struct {
	Articles int         `json:"articles"`
	Changes  []TagChange `json:"changes"`
}

// examples is how many titles are given for each change.
const examples = 3

// Try lays files over what is in force and tells how the tags of the newest articles would change. It writes nothing.
func (t *TaxonomyBook) Try(ctx context.Context, files []string, most int) (DryRun, error) {
	v, err := t.under(files)
	if err != nil {
		return DryRun{}, err
	}
	before, after := taxonomy.NewMatcher(t.inForce, t.verdicts...), taxonomy.NewMatcher(v, t.verdicts...)
	run := DryRun{Changes: []TagChange{}}
	changes := map[string]*TagChange{}
	at := func(id string) *TagChange {
		if changes[id] == nil {
			changes[id] = &TagChange{ID: id}
		}
		return changes[id]
	}
	err = t.newest(ctx, most, func(a *article.Article) {
		run.Articles++
		d := again(a)
		was, is := ids(before.Find(d, a.Categories)), ids(after.Find(d, a.Categories))
		for id := range is {
			if !was[id] {
				c := at(id)
				c.Added, c.Gains = c.Added+1, someOf(c.Gains, a.Title)
			}
		}
		for id := range was {
			if !is[id] {
				c := at(id)
				c.Removed, c.Losses = c.Removed+1, someOf(c.Losses, a.Title)
			}
		}
	})
	for _, id := range slices.Sorted(maps.Keys(changes)) {
		run.Changes = append(run.Changes, *changes[id])
	}
	return run, err
}

func someOf(list []string, title string) []string {
	if len(list) < examples {
		list = append(list, title)
	}
	return list
}

func ids(list []article.Tag) map[string]bool {
	set := map[string]bool{}
	for _, t := range list {
		set[t.ID] = true
	}
	return set
}

// newest shows so many articles that were stored last, oldest first.
func (t *TaxonomyBook) newest(ctx context.Context, most int, each func(*article.Article)) error {
	state, err := t.bus.StreamState(ctx, event.StreamArticles)
	if err != nil {
		return err
	}
	var list []*article.Article
	// Every article has one message, so the numbers have gaps: look further back until there are enough.
	for reach := uint64(2 * most); ; reach *= 4 {
		list = list[:0]
		from := max(state.First, state.Last-min(state.Last, reach))
		for next := from; next <= state.Last; {
			r, err := t.bus.Next(ctx, event.StreamArticles, ">", next)
			if err != nil {
				return err
			}
			if r == nil || r.Sequence > state.Last {
				break
			}
			next = r.Sequence + 1
			a, err := t.stored(ctx, r)
			if err != nil && fault.KindOf(err) != fault.Malformed && fault.KindOf(err) != fault.Gone {
				return err
			}
			if a != nil && err == nil {
				list = append(list, a)
			}
		}
		if len(list) >= most || from <= max(state.First, 1) {
			break
		}
	}
	for _, a := range list[max(0, len(list)-most):] {
		each(a)
	}
	return nil
}

// Judge keeps what a person says of a tag on an article, and learns of it.
func (t *TaxonomyBook) Judge(ctx context.Context, tag, id string, accepted bool) error {
	a, err := t.article(ctx, id)
	if err != nil {
		return err
	}
	_, known := t.inForce.Lookup(tag)
	has := slices.ContainsFunc(a.Tags, func(t article.Tag) bool { return t.ID == tag })
	switch {
	case accepted && !known:
		return fault.Errorf(fault.Invalid, "there is no concept %q; \"tidings taxonomy list\" shows what there is", tag)
	case !accepted && !known && !has:
		return fault.Errorf(fault.Invalid, "%q is neither a concept nor a tag of article %s", tag, id)
	}
	return taxonomy.Say(ctx, t.book, taxonomy.Verdict{Concept: tag, Article: id, Accepted: accepted, At: time.Now().UTC(), Title: a.Title, Lang: a.Language.Code, Stems: taxonomy.Stems(again(a).Words)})
}

// Unjudge takes a verdict back.
func (t *TaxonomyBook) Unjudge(ctx context.Context, tag, id string) error {
	if !slices.ContainsFunc(t.verdicts, func(v taxonomy.Verdict) bool { return v.Concept == tag && v.Article == id }) {
		return fault.Errorf(fault.Invalid, "nobody said anything of %q on article %s", tag, id)
	}
	return taxonomy.Unsay(ctx, t.book, id, tag)
}

// ForgetVerdicts takes back what was said of the tags of an article that is taken down: a verdict holds its title and
// words.
func ForgetVerdicts(ctx context.Context, b *bus.Bus, id string) error {
	return taxonomy.Forget(ctx, b.Bucket(event.BucketTaxonomy), id)
}

// Suggestion is a phrase that many articles have and no concept knows.
type Suggestion struct {
	Tag      string `json:"tag"`
	Phrase   string `json:"phrase"`
	Lang     string `json:"lang"`
	Articles int    `json:"articles"`
	Sources  int    `json:"sources"`
	// Nearest is the concept that it may be another word for, "" when none is near.
	Nearest  string   `json:"nearest,omitempty"`
	Examples []string `json:"examples"` // titles
}

const (
	inboxDays     = 14
	inboxArticles = 5
	inboxSources  = 2
)

// Inbox lists the phrases that at least 5 articles of 2 sources or more had in the last 14 days and no concept knows.
func (t *TaxonomyBook) Inbox(ctx context.Context, now time.Time) ([]Suggestion, error) {
	type seen struct {
		Suggestion
		sources map[string]bool
	}
	found := map[string]*seen{}
	err := t.bus.Read(ctx, event.StreamArticles, func(r bus.Record) error {
		if r.Header.Value(event.HeaderType) != event.TypeEnriched {
			return nil
		}
		_, a, err := event.DecodeEnriched(r.Message)
		if err != nil || now.Sub(a.FirstSeen) > inboxDays*24*time.Hour {
			return nil // what cannot be read is nobody's phrase
		}
		for _, tag := range a.Tags {
			if tag.Kind != article.KindPhrase || slices.ContainsFunc(tag.Evidence, func(e article.Evidence) bool { return e.Source == "source" }) {
				continue
			}
			s := found[tag.ID]
			if s == nil {
				s = &seen{Suggestion{Tag: tag.ID, Phrase: tag.Name(a.Language.Code), Lang: a.Language.Code}, map[string]bool{}}
				found[tag.ID] = s
			}
			s.Articles++
			s.sources[a.Source.ID] = true
			s.Examples = someOf(s.Examples, a.Title)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	list := []Suggestion{}
	for _, s := range found {
		_, concept := t.inForce.Lookup(s.Tag)
		if s.Articles < inboxArticles || len(s.sources) < inboxSources || concept || slices.Contains(t.edits.Ignored, s.Tag) {
			continue
		}
		s.Sources, s.Nearest = len(s.sources), t.inForce.Nearest(s.Phrase, s.Lang)
		list = append(list, s.Suggestion)
	}
	slices.SortFunc(list, func(a, b Suggestion) int { return cmp.Or(b.Articles-a.Articles, strings.Compare(a.Tag, b.Tag)) })
	return list, nil
}

// Ignore keeps a phrase out of the inbox for good.
func (t *TaxonomyBook) Ignore(ctx context.Context, phrases []string) error {
	return t.change(ctx, false, func(e *taxonomy.Edits) {
		for _, p := range phrases {
			if id := tags.Slug(p); id != "" && !slices.Contains(e.Ignored, id) {
				e.Ignored = append(e.Ignored, id)
			}
		}
	})
}

// Adopt makes a phrase another name of a concept, or a concept of its own where none is named.
func (t *TaxonomyBook) Adopt(ctx context.Context, phrase, lang, concept string) (id string, err error) {
	phrase = strings.Join(strings.Fields(phrase), " ")
	if id = tags.Slug(phrase); id == "" {
		return "", fault.Errorf(fault.Invalid, "%q holds no word", phrase)
	}
	var unknown error
	err = t.change(ctx, false, func(e *taxonomy.Edits) {
		next := taxonomy.Concept{ID: id, Labels: []taxonomy.Label{{Lang: lang, Text: phrase, Kind: taxonomy.Pref}}}
		if concept != "" {
			old, ok := t.inForce.Lookup(concept)
			if !ok {
				unknown = fault.Errorf(fault.Invalid, "there is no concept %q; \"tidings taxonomy list\" shows what there is", concept)
				return
			}
			next, id = *old, concept
			next.Labels = append(slices.Clone(old.Labels), taxonomy.Label{Lang: lang, Text: phrase, Kind: taxonomy.Alt})
		} else if old, ok := t.inForce.Lookup(id); ok {
			unknown = fault.Errorf(fault.Conflict, "the concept %q is there already: %s", id, strings.Join(slices.Sorted(maps.Values(old.Names())), ", "))
			return
		}
		e.Concepts = slices.DeleteFunc(e.Concepts, func(c taxonomy.Concept) bool { return c.ID == next.ID })
		e.Concepts = append(e.Concepts, next)
		slices.SortFunc(e.Concepts, func(a, b taxonomy.Concept) int { return cmp.Compare(a.ID, b.ID) })
	})
	return id, errors.Join(unknown, err)
}
