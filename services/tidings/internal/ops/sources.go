package ops

import (
	"context"
	"io"
	"slices"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
	ingest "tidings.internal/services/ingest/app"
)

// SourceStatus is how a source stands, AddedSource what is said of one that is added at run time.
type (
	SourceStatus = ingest.SourceStatus
	AddedSource  = ingest.Added
)

// Sources lists every source with its state.
func (o *Ops) Sources(ctx context.Context) ([]SourceStatus, error) {
	list, err := ingest.Sources(ctx, o.bus, o.doc)
	if list == nil {
		list = []SourceStatus{}
	}
	return list, err
}

// known says so when there is no source of an id: the bucket would take any name, and nobody would answer.
func (o *Ops) known(ctx context.Context, id string) error {
	list, err := o.Sources(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(list, func(s SourceStatus) bool { return s.ID == id }) {
		return fault.Errorf(fault.Invalid, "there is no source %q; \"tidings sources list\" shows what there is", id)
	}
	return nil
}

// Refresh asks ingest to poll a source soon.
func (o *Ops) Refresh(ctx context.Context, id string) error {
	if err := o.known(ctx, id); err != nil {
		return err
	}
	return ingest.Refresh(ctx, o.bus, id)
}

// PauseSource stops the polling of a source, or lets it go on.
func (o *Ops) PauseSource(ctx context.Context, id string, paused bool) error {
	if err := o.known(ctx, id); err != nil {
		return err
	}
	return ingest.PauseSource(ctx, o.bus, id, paused)
}

// AddSource adds a source, or finds that it is there. It returns its id. With dry it only says what it would do.
func (o *Ops) AddSource(ctx context.Context, a AddedSource, dry bool) (id string, added bool, err error) {
	return ingest.AddSource(ctx, o.bus, o.doc, a, dry)
}

// RemoveSource ends a source that was added at run time.
func (o *Ops) RemoveSource(ctx context.Context, id string) error {
	return ingest.RemoveSource(ctx, o.bus, o.doc, id)
}

// TestSource fetches or reads a source once and writes what it gives. It needs no broker and keeps nothing.
func TestSource(ctx context.Context, doc *config.Doc, urlOrFile string, w io.Writer) error {
	return ingest.TestSource(ctx, doc, urlOrFile, w)
}
