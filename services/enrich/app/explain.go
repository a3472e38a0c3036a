package app

import (
	"context"
	"maps"
	"slices"
	"strings"

	"golang.org/x/net/html"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/enrich/internal/language"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/prose"
	"tidings.internal/services/enrich/internal/taxonomy"
	"tidings.internal/services/enrich/internal/words"
)

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

// ExplainText gives the concepts that an article of a text would have, each with its evidence. Its first line is the title. Where
// no language is named it is found. Nothing is stored.
func (t *TaxonomyBook) ExplainText(text, code string, files []string) ([]article.Tag, error) {
	v, err := t.under(files)
	if err != nil {
		return nil, err
	}
	title, body, _ := strings.Cut(strings.TrimSpace(text), "\n")
	spoken := language.New().Detect(text)
	if code != "" {
		spoken = article.Language{Code: code, Confidence: 1}
	}
	d := again(&article.Article{ID: article.NewID("taxonomy-test", text), Title: strings.TrimSpace(title), Text: strings.TrimSpace(body), Language: spoken})
	return taxonomy.NewMatcher(v, t.verdicts...).Find(d, nil), nil
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

// newest shows so many articles that were stored last, oldest first. It holds no more than those.
func (t *TaxonomyBook) newest(ctx context.Context, most int, each func(*article.Article)) error {
	state, err := t.bus.StreamState(ctx, event.StreamArticles)
	if err != nil {
		return err
	}
	var last ring
	// Every article has one message, so the numbers have gaps: look further back until there are enough.
	for reach := uint64(2 * most); ; reach *= 4 {
		last = ring{most: most}
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
				last.add(a)
			}
		}
		if len(last.list) >= most || from <= max(state.First, 1) {
			break
		}
	}
	last.each(each)
	return nil
}

// ring keeps the last of what is added.
type ring struct {
	most int
	list []*article.Article
	next int // where the oldest stands once it is full
}

func (r *ring) add(a *article.Article) {
	if len(r.list) < r.most {
		r.list = append(r.list, a)
		return
	}
	r.list[r.next] = a
	r.next = (r.next + 1) % r.most
}

// each shows what is kept, oldest first.
func (r *ring) each(show func(*article.Article)) {
	for i := range r.list {
		show(r.list[(r.next+i)%len(r.list)])
	}
}
