package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"tidings.internal/pkg/event"
	"tidings.internal/services/tidings/internal/ops"
)

type articlesVerb struct {
	List     articleListVerb `cmd:"" help:"List articles, those that changed last first."`
	Show     articleShowVerb `cmd:"" help:"Follow an article from its source to its posts."`
	Takedown takedownVerb    `cmd:"" help:"Remove articles for good: from feeds, networks and the store."`
}

type articleListVerb struct {
	Source string `help:"Only those of a source." placeholder:"ID"`
	rowLimit
	asJSON
}

// Run is the verb articles list.
func (v *articleListVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		list, left, err := o.Articles(ctx, v.Source, v.most())
		if err != nil {
			return err
		}
		defer w.leftOut(left)
		if v.JSON {
			return w.encode(struct {
				Articles []ops.ArticleRow `json:"articles"`
				Left     int              `json:"left_out"`
			}{list, left})
		}
		if len(list) == 0 {
			return w.printf("no articles\n")
		}
		rows := make([][]string, len(list))
		for i, a := range list {
			title := a.Title
			if a.Deleted != "" {
				title = "(" + a.Deleted + ")"
			}
			rows[i] = []string{a.ID, a.Source, a.Language, when(a.Published), when(a.Stored), title}
		}
		return w.table([]string{"ARTICLE", "SOURCE", "LANG", "PUBLISHED", "CHANGED", "TITLE"}, rows)
	})
}

type articleShowVerb struct {
	ID string `arg:"" help:"Id of the article."`
	asJSON
}

// Run is the verb articles show.
func (v *articleShowVerb) Run(w *world) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		a, err := o.Article(ctx, v.ID)
		if err != nil {
			return err
		}
		if v.JSON {
			return w.encode(a)
		}
		return w.article(a)
	})
}

func (w *world) article(a ops.Article) error {
	if err := w.table([]string{"article", a.ID}, [][]string{{"source", a.Source}, {"story", a.Story}, {"feeds", feedsOf(a)}}); err != nil {
		return err
	}
	var rows [][]string
	stage := func(name string, s ops.Stored) {
		what := s.Type
		if s.Deleted != "" {
			what += " (" + s.Deleted + ")"
		}
		rows = append(rows, []string{name, when(s.Time), revision(s.Version.Revision), s.Stream + " " + strconv.FormatUint(s.Sequence, 10), what, s.Trace})
	}
	for _, s := range a.Raw {
		stage("raw", s)
	}
	if a.Enriched != nil {
		stage("enriched", *a.Enriched)
	}
	for _, s := range a.Posts {
		stage("post", s)
	}
	for _, l := range a.Dead {
		rows = append(rows, []string{"dead", when(l.Time), "", "DEAD " + strconv.FormatUint(l.Sequence, 10), l.Service + "." + l.Reason, ""})
	}
	if err := w.section([]string{"STAGE", "TIME", "REVISION", "PLACE", "WHAT", "TRACE"}, rows); err != nil {
		return err
	}
	rows = nil
	for _, f := range a.Fields {
		mark := ""
		if f.Raw != f.Enriched {
			mark = "yes"
		}
		rows = append(rows, []string{f.Name, mark, f.Raw, f.Enriched})
	}
	if err := w.section([]string{"FIELD", "CHANGED", "RAW", "ENRICHED"}, rows); err != nil {
		return err
	}
	rows = nil
	for _, d := range a.Deliveries {
		rows = append(rows, []string{d.Channel, d.Network, d.State, d.Op, when(d.Changed), d.Reason, d.RemoteURL})
	}
	return w.section([]string{"CHANNEL", "NETWORK", "STATE", "OPERATION", "SINCE", "REASON", "THERE"}, rows)
}

// feedsOf names the feeds that take an article.
func feedsOf(a ops.Article) string {
	switch {
	case a.Feeds == nil:
		return "not known: the configuration has mistakes"
	case len(a.Feeds) == 0:
		return "none"
	}
	return strings.Join(a.Feeds, " ")
}

// revision prints the number of a revision; that of a takedown is above all others and tells nothing.
func revision(n uint64) string {
	if n == event.TakedownRevision {
		return "taken down"
	}
	return strconv.FormatUint(n, 10)
}

// section prints a further table, and nothing where there are no rows.
func (w *world) section(head []string, rows [][]string) error {
	if len(rows) == 0 {
		return nil
	}
	if err := w.printf("\n"); err != nil {
		return err
	}
	return w.table(head, rows)
}

type takedownVerb struct {
	IDs    []string `arg:"" name:"id" help:"Ids of articles."`
	Reason string   `required:"" help:"Why, for the event that tells of it."`
	asJSON
}

// Run is the verb articles takedown.
func (v *takedownVerb) Run(w *world) error {
	if strings.TrimSpace(v.Reason) == "" {
		return &usageError{"a takedown needs a reason: --reason TEXT"}
	}
	return w.connected(func(ctx context.Context, o *ops.Ops) error { return v.run(ctx, w, o) })
}

func (v *takedownVerb) run(ctx context.Context, w *world, o *ops.Ops) error {
	done, failed := o.Takedown(ctx, v.IDs, v.Reason)
	if err := v.print(w, done); err != nil {
		return err
	}
	good := 0
	for _, d := range done {
		if d.Error == "" {
			good++
		}
	}
	if failed != nil && good > 0 {
		return &partial{good, len(done) - good}
	}
	return failed
}

func (v *takedownVerb) print(w *world, done []ops.TakenDown) error {
	if v.JSON {
		return w.encode(done)
	}
	rows := make([][]string, len(done))
	for i, d := range done {
		what := fmt.Sprintf("erased: %d raw, %d dead letters, %d bodies", d.Raw, d.Dead, d.Blobs)
		if d.Already {
			what = "stood already; " + what
		}
		if len(d.Shared) > 0 {
			what += fmt.Sprintf("; %d bodies stay, another article has them, too", len(d.Shared))
		}
		if d.InHand {
			what += "; enrich had it in hand: take it down once more"
		}
		if d.Error != "" {
			what = d.Error
		}
		rows[i] = []string{d.Article, d.Source, what}
	}
	return w.table([]string{"ARTICLE", "SOURCE", "OUTCOME"}, rows)
}
