package ops

import (
	"context"
	"fmt"
	"strings"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/fault"
	enrich "tidings.internal/services/enrich/app"
)

// What enrich says of the taxonomy.
type (
	TaxonomyBook   = enrich.TaxonomyBook
	ConceptStatus  = enrich.ConceptStatus
	ConceptOutcome = enrich.ConceptOutcome
	Suggestion     = enrich.Suggestion
	TaxonomyDryRun = enrich.DryRun
	Tag            = article.Tag
)

// Taxonomy opens the taxonomy in force.
func (o *Ops) Taxonomy(ctx context.Context) (*TaxonomyBook, error) {
	return enrich.OpenTaxonomy(ctx, o.bus, o.doc)
}

// TaxonomyToEdit opens the taxonomy for a change, also where the edits do not fit the files of the configuration.
func (o *Ops) TaxonomyToEdit(ctx context.Context) (*TaxonomyBook, error) {
	return enrich.EditTaxonomy(ctx, o.bus, o.doc)
}

// Concept finds a concept of the taxonomy by its id.
func Concept(t *TaxonomyBook, id string) (ConceptStatus, error) {
	list := t.Concepts()
	for _, c := range list {
		if c.ID == id {
			return c, nil
		}
	}
	hint := ""
	for _, c := range list {
		for _, name := range c.Names() {
			if strings.EqualFold(name, id) {
				hint = fmt.Sprintf("; did you mean %s", c.ID)
			}
		}
	}
	return ConceptStatus{}, fault.Errorf(fault.Invalid, "there is no concept %q%s", id, hint)
}
