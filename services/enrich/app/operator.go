package app

import (
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/enrich/internal/taxonomy"
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
	// inForce is base with the edits; base alone where those do not fit.
	inForce *taxonomy.Vocabulary
	// judging is what verdicts are given on, made with the first of them.
	judging *taxonomy.Matcher
	// leftOut is what of the files of an import is not taken over.
	leftOut taxonomy.Problems
	// unfit says what of the edits does not fit base, and unread why they cannot be read.
	unfit, unread error
}

// OpenTaxonomy reads what is in force. Edits that do not fit the files of the configuration, which may have changed since,
// are an error, for then it is not what the edits say.
func OpenTaxonomy(ctx context.Context, b *bus.Bus, doc *config.Doc) (*TaxonomyBook, error) {
	t, err := EditTaxonomy(ctx, b, doc)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(t.unread, t.unfit); err != nil {
		return nil, err
	}
	return t, nil
}

// EditTaxonomy opens the taxonomy for a change. Edits that do not fit are no hindrance: a change, or taking some back, is
// how that ends.
func EditTaxonomy(ctx context.Context, b *bus.Bus, doc *config.Doc) (*TaxonomyBook, error) {
	s := read(doc)
	if err := doc.Err(); err != nil {
		return nil, err
	}
	t := &TaxonomyBook{book: b.Bucket(event.BucketTaxonomy), bus: b, base: s.taxonomy.vocabulary}
	if err := t.load(ctx); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *TaxonomyBook) load(ctx context.Context) (err error) {
	t.unfit, t.unread, t.judging = nil, nil, nil
	t.edits, t.revision, err = taxonomy.Load(ctx, t.book)
	switch fault.KindOf(err) {
	case "":
	case fault.Gone, fault.Malformed:
		t.unread = fault.Errorf(fault.KindOf(err), "%w; \"tidings taxonomy revert --all\" gives the edits up, and a backup has them", err)
	default:
		return err
	}
	if t.verdicts, err = taxonomy.Verdicts(ctx, t.book); err != nil {
		return err
	}
	if t.inForce, err = t.base.With(t.edits); err != nil {
		t.inForce = t.base
		t.unfit = fault.Errorf(fault.Invalid, "the edits do not fit the files of the configuration; change the files, or take edits back with \"tidings taxonomy revert\":\n%w", err)
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
	for _, p := range t.leftOut {
		list = append(list, p.String())
	}
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
	t.leftOut = in.LeftOut()
	var done map[string]string
	err = t.change(ctx, dry, func(e *taxonomy.Edits) error { done = e.Put(t.base, in); return nil })
	list := make([]ConceptOutcome, 0, len(done))
	for _, id := range slices.Sorted(maps.Keys(done)) {
		list = append(list, ConceptOutcome{id, done[id]})
	}
	return list, err
}

// changeTries is how often a change is made anew that others forestalled.
const changeTries = 5

// change makes a change to the edits and saves them, unless it returns an error. What others changed meanwhile stays.
func (t *TaxonomyBook) change(ctx context.Context, dry bool, change func(e *taxonomy.Edits) error) error {
	for try := 1; ; try++ {
		if t.unread != nil {
			return t.unread // what cannot be read cannot be kept either
		}
		e := taxonomy.Edits{Concepts: slices.Clone(t.edits.Concepts), Ignored: slices.Clone(t.edits.Ignored)}
		if err := change(&e); err != nil {
			return err
		}
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
	if t.unread != nil && len(ids) == 0 {
		// Nobody can say what they were. Whoever wrote others meanwhile has the later revision, and wins.
		if err := taxonomy.Save(ctx, t.book, taxonomy.Edits{}, t.revision); err != nil {
			return gone, err
		}
		return gone, t.load(ctx)
	}
	err := t.change(ctx, false, func(e *taxonomy.Edits) error { gone = append([]string{}, e.Forget(ids...)...); return nil })
	return gone, err
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
	d := again(a)
	if t.judging == nil {
		t.judging = taxonomy.NewMatcher(t.inForce, t.verdicts...)
	}
	return taxonomy.Say(ctx, t.book, taxonomy.Verdict{
		Concept: tag, Article: id, Accepted: accepted, At: time.Now().UTC(), Title: a.Title, Lang: a.Language.Code, Stems: taxonomy.Stems(d.Words),
		Sum: t.judging.Sum(d, a.Categories, tag),
	})
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
