package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/tidings/internal/ops"
)

type taxonomyVerb struct {
	List   taxonomyListVerb   `cmd:"" help:"List every concept."`
	Show   taxonomyShowVerb   `cmd:"" help:"Everything about one concept."`
	Import taxonomyImportVerb `cmd:"" help:"Put the concepts of files over those in force: Turtle, N-Triples, tables, IPTC Media Topics. In force within 2 s."`
	Export taxonomyExportVerb `cmd:"" help:"Write the taxonomy in force."`
	Revert taxonomyRevertVerb `cmd:"" help:"Take back what was changed of concepts, so that the files of the configuration count again."`
	Test   taxonomyTestVerb   `cmd:"" help:"Tell how files would change the tags of the newest articles. Changes nothing."`
	Why    taxonomyWhyVerb    `cmd:"" help:"Explain the tags of an article, place by place."`
	Accept taxonomyAcceptVerb `cmd:"" help:"Say that an article is about a concept. Ten articles teach it."`
	Reject taxonomyRejectVerb `cmd:"" help:"Say that a tag does not belong to an article."`
	Unsay  taxonomyUnsayVerb  `cmd:"" help:"Take back what was said of a tag on an article."`
	Inbox  taxonomyInboxVerb  `cmd:"" help:"List phrases that many articles have and no concept knows; adopt or ignore them."`
}

// anew is what to do so that stored articles follow a change.
const anew = "Articles that come from now on follow. Those of the last days do after: tidings replay --since 14d\n"

// withTaxonomy calls f with the taxonomy in force.
func (w *world) withTaxonomy(f func(context.Context, *ops.TaxonomyBook) error) error {
	return w.onTaxonomy((*ops.Ops).Taxonomy, f)
}

// editTaxonomy calls f with the taxonomy for a change.
func (w *world) editTaxonomy(f func(context.Context, *ops.TaxonomyBook) error) error {
	return w.onTaxonomy((*ops.Ops).TaxonomyToEdit, f)
}

func (w *world) onTaxonomy(open func(*ops.Ops, context.Context) (*ops.TaxonomyBook, error), f func(context.Context, *ops.TaxonomyBook) error) error {
	return w.connected(func(ctx context.Context, o *ops.Ops) error {
		t, err := open(o, ctx)
		if err != nil {
			return err
		}
		return f(ctx, t)
	})
}

type taxonomyListVerb struct {
	asJSON
}

// Run is the verb taxonomy list.
func (v *taxonomyListVerb) Run(w *world) error {
	return w.withTaxonomy(func(_ context.Context, t *ops.TaxonomyBook) error {
		list := t.Concepts()
		if v.JSON {
			return w.encode(list)
		}
		rows := make([][]string, len(list))
		for i, c := range list {
			rows[i] = []string{c.ID, namesOf(c), statusOf(c), strings.Join(c.Broader, " "), verdictsOf(c)}
		}
		if err := w.table([]string{"CONCEPT", "NAMES", "STATUS", "BROADER", "VERDICTS"}, rows); err != nil {
			return err
		}
		for _, text := range t.Warnings() {
			_, _ = fmt.Fprintln(w.stderr, "warning:", plain(text)) // nobody reads it: that is no reason to stop
		}
		return nil
	})
}

func namesOf(c ops.ConceptStatus) string {
	names := c.Names()
	var list []string
	for _, lang := range slices.Sorted(maps.Keys(names)) {
		if lang == "de" || lang == "en" || lang == "" || len(names) <= 3 {
			list = append(list, names[lang])
		}
	}
	return strings.Join(slices.Compact(list), " / ")
}

func statusOf(c ops.ConceptStatus) string {
	status := c.Status
	if status == "" {
		status = "active"
	}
	if c.Edited {
		status += ", edited"
	}
	return status
}

func verdictsOf(c ops.ConceptStatus) string {
	if c.Accepted+c.Rejected == 0 {
		return "-"
	}
	return fmt.Sprintf("+%d -%d", c.Accepted, c.Rejected)
}

type taxonomyShowVerb struct {
	ID string `arg:"" name:"concept" help:"Id of the concept."`
	asJSON
}

// Run is the verb taxonomy show.
func (v *taxonomyShowVerb) Run(w *world) error {
	return w.withTaxonomy(func(_ context.Context, t *ops.TaxonomyBook) error {
		c, err := ops.Concept(t, v.ID)
		if err != nil {
			return err
		}
		if v.JSON {
			return w.encode(c)
		}
		rows := [][]string{{"status", statusOf(c)}}
		for _, l := range c.Labels {
			rows = append(rows, []string{strings.TrimSpace(l.Kind + " " + l.Lang), l.Text})
		}
		for _, lang := range slices.Sorted(maps.Keys(c.Definition)) {
			rows = append(rows, []string{strings.TrimSpace("definition " + lang), c.Definition[lang]})
		}
		for _, r := range []struct {
			name string
			list []string
		}{{"broader", c.Broader}, {"narrower", c.Narrower}, {"related", c.Related}, {"exact", c.Exact}, {"category", c.Categories}, {"rule", c.Rules}} {
			for _, s := range r.list {
				rows = append(rows, []string{r.name, s})
			}
		}
		if c.Weight != 0 {
			rows = append(rows, []string{"weight", strconv.FormatFloat(c.Weight, 'g', -1, 64)})
		}
		return w.table([]string{"CONCEPT", c.ID}, append(rows, []string{"verdicts", verdictsOf(c)}))
	})
}

type taxonomyImportVerb struct {
	Files  []string `arg:"" name:"file" help:"A file: .ttl, .nt, .csv, .tsv or .json."`
	DryRun bool     `help:"Only say what it would do."`
	asJSON
}

// Run is the verb taxonomy import.
func (v *taxonomyImportVerb) Run(w *world) error {
	return w.editTaxonomy(func(ctx context.Context, t *ops.TaxonomyBook) error {
		list, err := t.Import(ctx, v.Files, v.DryRun)
		if err != nil {
			return err
		}
		if v.JSON {
			return w.encode(list)
		}
		count := map[string]int{}
		for _, c := range list {
			count[c.Outcome]++
			if c.Outcome != "unchanged" {
				if err := w.printf("%s %s\n", c.Outcome, plain(c.ID)); err != nil {
					return err
				}
			}
		}
		for _, text := range t.Warnings() {
			_, _ = fmt.Fprintln(w.stderr, "warning:", plain(text)) // nobody reads it: that is no reason to stop
		}
		done := anew
		if v.DryRun {
			done = "Nothing was changed.\n"
		}
		return w.printf("%d added, %d changed, %d unchanged. %s", count["added"], count["changed"], count["unchanged"], done)
	})
}

type taxonomyExportVerb struct {
	Form string `name:"format" enum:"turtle,csv" default:"turtle" help:"turtle (SKOS) or csv."`
	Out  string `short:"o" help:"Write into a file; else to the standard output." placeholder:"FILE"`
	asJSON
}

// Run is the verb taxonomy export.
func (v *taxonomyExportVerb) Run(w *world) error {
	if v.JSON && v.Out != "" {
		return &usageError{"--json goes to the standard output; -o takes turtle or csv"}
	}
	return w.withTaxonomy(func(_ context.Context, t *ops.TaxonomyBook) (err error) {
		var out io.Writer = w.stdout
		if v.JSON {
			return w.encode(t.Concepts())
		}
		if v.Out != "" {
			f, err := os.Create(v.Out)
			if err != nil {
				return fault.Errorf(fault.Invalid, "write taxonomy: %w", err)
			}
			if err := t.Export(v.Form, f); err != nil {
				_ = f.Close() // the first error counts
				return err
			}
			return f.Close()
		}
		return t.Export(v.Form, out)
	})
}

type taxonomyRevertVerb struct {
	IDs []string `arg:"" optional:"" name:"concept" help:"Ids of concepts."`
	All bool     `help:"Of all concepts."`
	asJSON
}

// Run is the verb taxonomy revert.
func (v *taxonomyRevertVerb) Run(w *world) error {
	if v.All == (len(v.IDs) > 0) {
		return &usageError{"name the concepts, or give --all"}
	}
	return w.editTaxonomy(func(ctx context.Context, t *ops.TaxonomyBook) error {
		gone, err := t.Revert(ctx, v.IDs)
		if err != nil {
			return err
		}
		for _, id := range v.IDs {
			if !slices.Contains(gone, id) {
				return fault.Errorf(fault.Invalid, "nothing was changed of %q", id)
			}
		}
		if v.JSON {
			return w.encode(struct {
				Reverted []string `json:"reverted"`
			}{append([]string{}, gone...)})
		}
		return w.printf("%d reverted. %s", len(gone), anew)
	})
}

type taxonomyTestVerb struct {
	Files    []string `arg:"" name:"file" help:"A file: .ttl, .nt, .csv, .tsv or .json."`
	Articles int      `default:"500" help:"How many of the newest articles are looked at."`
	asJSON
}

// Run is the verb taxonomy test.
func (v *taxonomyTestVerb) Run(w *world) error {
	if v.Articles < 1 || v.Articles > 100_000 {
		return &usageError{"--articles must be between 1 and 100000"}
	}
	return w.withTaxonomy(func(ctx context.Context, t *ops.TaxonomyBook) error {
		run, err := t.Try(ctx, v.Files, v.Articles)
		if err != nil {
			return err
		}
		if v.JSON {
			return w.encode(run)
		}
		rows := make([][]string, len(run.Changes))
		for i, c := range run.Changes {
			rows[i] = []string{c.ID, "+" + strconv.Itoa(c.Added), "-" + strconv.Itoa(c.Removed), strings.Join(append(slices.Clone(c.Gains), c.Losses...), " · ")}
		}
		if err := w.printf("%d articles looked at; the tags of concepts that would come and go:\n", run.Articles); err != nil {
			return err
		}
		return w.table([]string{"CONCEPT", "ADDED", "REMOVED", "EXAMPLES"}, rows)
	})
}

type taxonomyWhyVerb struct {
	Article string   `arg:"" help:"Id of the article."`
	With    []string `help:"With the concepts of a file over those in force." placeholder:"FILE"`
	asJSON
}

// Run is the verb taxonomy why.
func (v *taxonomyWhyVerb) Run(w *world) error {
	return w.withTaxonomy(func(ctx context.Context, t *ops.TaxonomyBook) error {
		list, err := t.Explain(ctx, v.Article, v.With)
		if err != nil {
			return err
		}
		if v.JSON {
			return w.encode(list)
		}
		var rows [][]string
		for _, tag := range list {
			rows = append(rows, []string{tag.ID, tag.Kind, strconv.FormatFloat(tag.Score, 'f', 2, 64), "", ""})
			for _, e := range tag.Evidence {
				rows = append(rows, []string{"", "", "", strconv.FormatFloat(e.Weight, 'f', 2, 64), because(e)})
			}
		}
		return w.table([]string{"TAG", "KIND", "SCORE", "WEIGHT", "BECAUSE OF"}, rows)
	})
}

// because puts evidence into words.
func because(e article.Evidence) string {
	where := map[string]string{"title": "in the title", "text": fmt.Sprintf("at character %d of the text", e.Start), "category": "a category of the source"}[e.Field]
	what := map[string]string{
		"label": "its name (" + e.Kind + ")", "rule": "the rule " + e.Rule, "feed": "the source's word", "model": "a word learnt of verdicts", "verdict": "an operator said so",
		"source": "the configuration of the source", "stat": "often and early in the text", "entity": "a name", "llm": "a model kept it",
	}[e.Source]
	if what == "" {
		what = e.Source
	}
	if e.Source == "feed" && e.Rule != "" {
		what += ", mapped by " + e.Rule
	}
	if e.Text == "" {
		return what
	}
	return strings.TrimSuffix(fmt.Sprintf("%q: %s, %s", e.Text, what, where), ", ")
}

type taxonomyAcceptVerb struct {
	ID       string   `arg:"" name:"concept" help:"Id of the concept."`
	Articles []string `arg:"" name:"article" help:"Ids of articles."`
	asJSON
}

// Run is the verb taxonomy accept.
func (v *taxonomyAcceptVerb) Run(w *world) error { return v.judge(w, v.ID, v.Articles, true) }

type taxonomyRejectVerb struct {
	ID       string   `arg:"" name:"tag" help:"Id of the tag."`
	Articles []string `arg:"" name:"article" help:"Ids of articles."`
	asJSON
}

// Run is the verb taxonomy reject.
func (v *taxonomyRejectVerb) Run(w *world) error { return v.judge(w, v.ID, v.Articles, false) }

// judge says the same of several articles.
func (v asJSON) judge(w *world, tag string, articles []string, accepted bool) error {
	return w.editTaxonomy(func(ctx context.Context, t *ops.TaxonomyBook) error {
		for _, id := range articles {
			if err := t.Judge(ctx, tag, id, accepted); err != nil {
				return err
			}
		}
		if v.JSON {
			return w.encode(struct {
				Tag      string   `json:"tag"`
				Accepted bool     `json:"accepted"`
				Articles []string `json:"articles"`
			}{tag, accepted, articles})
		}
		return w.printf("Said of %d. %s", len(articles), anew)
	})
}

type taxonomyUnsayVerb struct {
	ID      string `arg:"" name:"tag" help:"Id of the tag."`
	Article string `arg:"" help:"Id of the article."`
	asJSON
}

// Run is the verb taxonomy unsay.
func (v *taxonomyUnsayVerb) Run(w *world) error {
	return w.editTaxonomy(func(ctx context.Context, t *ops.TaxonomyBook) error {
		if err := t.Unjudge(ctx, v.ID, v.Article); err != nil {
			return err
		}
		if v.JSON {
			return w.encode(map[string]string{"tag": v.ID, "article": v.Article, "outcome": "taken back"})
		}
		return w.printf("Taken back. %s", anew)
	})
}

type taxonomyInboxVerb struct {
	Adopt  string   `help:"Make a phrase a concept, or with --as another name of one." placeholder:"PHRASE"`
	As     string   `help:"The concept that the phrase is another name of." placeholder:"CONCEPT"`
	Lang   string   `help:"The language of the phrase; else it serves all." placeholder:"CODE"`
	Ignore []string `help:"Do not offer a phrase again." placeholder:"PHRASE" sep:"none"`
	asJSON
}

// Run is the verb taxonomy inbox.
func (v *taxonomyInboxVerb) Run(w *world) error {
	if v.Adopt == "" && (v.As != "" || v.Lang != "") {
		return &usageError{"--as and --lang go with --adopt"}
	}
	return w.withTaxonomy(func(ctx context.Context, t *ops.TaxonomyBook) error {
		if len(v.Ignore) > 0 || v.Adopt != "" {
			return v.change(ctx, w, t)
		}
		list, err := t.Inbox(ctx, time.Now())
		if err != nil {
			return err
		}
		if v.JSON {
			return w.encode(list)
		}
		rows := make([][]string, len(list))
		for i, s := range list {
			nearest := s.Nearest
			if nearest == "" {
				nearest = "-"
			}
			rows[i] = []string{s.Phrase, s.Lang, strconv.Itoa(s.Articles), strconv.Itoa(s.Sources), nearest, strings.Join(s.Examples, " · ")}
		}
		return w.table([]string{"PHRASE", "LANG", "ARTICLES", "SOURCES", "NEAREST", "EXAMPLES"}, rows)
	})
}

// change ignores phrases and adopts one.
func (v *taxonomyInboxVerb) change(ctx context.Context, w *world, t *ops.TaxonomyBook) error {
	if len(v.Ignore) > 0 {
		if err := t.Ignore(ctx, v.Ignore); err != nil {
			return err
		}
	}
	concept := ""
	if v.Adopt != "" {
		var err error
		if concept, err = t.Adopt(ctx, v.Adopt, strings.ToLower(v.Lang), v.As); err != nil {
			return err
		}
	}
	if v.JSON {
		return w.encode(struct {
			Ignored []string `json:"ignored,omitempty"`
			Adopted string   `json:"adopted,omitempty"`
			Concept string   `json:"concept,omitempty"`
		}{v.Ignore, v.Adopt, concept})
	}
	var b strings.Builder
	if len(v.Ignore) > 0 {
		fmt.Fprintf(&b, "%d ignored.\n", len(v.Ignore))
	}
	if concept != "" {
		fmt.Fprintf(&b, "Now a name of %s. %s", plain(concept), anew)
	}
	return w.printf("%s", b.String())
}
