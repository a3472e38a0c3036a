package ops

import (
	"context"
	"io"
	"slices"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
	ingest "tidings.internal/services/ingest/app"
)

// SourceStatus is how a source stands.
type SourceStatus = ingest.SourceStatus

// Sources lists every source with its state.
func (o *Ops) Sources(ctx context.Context) ([]SourceStatus, error) {
	list, err := ingest.Sources(ctx, o.bus, o.doc)
	if list == nil {
		list = []SourceStatus{}
	}
	return list, err
}

// Refresh asks ingest to poll a source soon. The bucket would take any name and nobody would answer, so the id must be
// one of the configuration.
func (o *Ops) Refresh(ctx context.Context, id string) error {
	list, err := o.Sources(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(list, func(s SourceStatus) bool { return s.ID == id }) {
		return fault.Errorf(fault.Invalid, "there is no source %q; \"tidings sources list\" shows what there is", id)
	}
	return ingest.Refresh(ctx, o.bus, id)
}

// TestSource fetches or reads a source once and writes what it gives. It needs no broker and keeps nothing.
func TestSource(ctx context.Context, doc *config.Doc, urlOrFile string, w io.Writer) error {
	return ingest.TestSource(ctx, doc, urlOrFile, w)
}
