package ops

import (
	"context"
	"io"

	"tidings.internal/pkg/config"
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

// Refresh asks ingest to poll a source soon.
func (o *Ops) Refresh(ctx context.Context, id string) error {
	return ingest.Refresh(ctx, o.bus, id)
}

// TestSource fetches or reads a source once and writes what it gives. It needs no broker and keeps nothing.
func TestSource(ctx context.Context, doc *config.Doc, urlOrFile string, w io.Writer) error {
	return ingest.TestSource(ctx, doc, urlOrFile, w)
}
