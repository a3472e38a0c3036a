package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"tidings.internal/pkg/fault"
	"tidings.internal/services/tidings/internal/ops"
)

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
	Form string `name:"format" enum:"turtle,ttl,csv" default:"turtle" help:"turtle (SKOS; ttl is another word for it) or csv."`
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
	Files    []string `arg:"" optional:"" name:"file" help:"A file: .ttl, .nt, .csv, .tsv or .json. Laid over what is in force."`
	Text     string   `help:"Tell what concepts this text has, in place of the newest articles. Its first line is the title." placeholder:"TEXT"`
	Language string   `help:"With --text: its language; else it is found." placeholder:"CODE"`
	Articles int      `default:"500" help:"How many of the newest articles are looked at."`
	asJSON
}

// Run is the verb taxonomy test.
func (v *taxonomyTestVerb) Run(w *world) error {
	if v.Articles < 1 || v.Articles > 100_000 {
		return &usageError{"--articles must be between 1 and 100000"}
	}
	if strings.TrimSpace(v.Text) != "" {
		return v.text(w)
	}
	if len(v.Files) == 0 || v.Language != "" {
		return &usageError{"say what to test: files, or a text with --text TEXT; --language goes with the text"}
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

// text tells of one text.
func (v *taxonomyTestVerb) text(w *world) error {
	return w.withTaxonomy(func(_ context.Context, t *ops.TaxonomyBook) error {
		list, err := t.ExplainText(v.Text, v.Language, v.Files)
		switch {
		case err != nil:
			return err
		case v.JSON:
			return w.encode(append([]ops.Tag{}, list...))
		case len(list) == 0:
			return w.printf("no concept\n")
		}
		return w.because(list)
	})
}
