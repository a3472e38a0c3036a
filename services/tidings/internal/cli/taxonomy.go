package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

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
	rowLimit
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
		if err := v.list(w, []string{"CONCEPT", "NAMES", "STATUS", "BROADER", "VERDICTS"}, rows); err != nil {
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
