package ops

import (
	"context"
	"io"
	"slices"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
	ingest "tidings.internal/services/ingest/app"
	"tidings.internal/services/tidings/internal/opml"
)

// What ingest says of sources: how one stands, everything about one, what is said of one at run time, and what became of
// one that was to be added.
type (
	SourceStatus     = ingest.SourceStatus
	SourceDetail     = ingest.SourceDetail
	SourceDefinition = ingest.Definition
	SourceFilters    = article.Filters
	Addition         = ingest.Addition
	SourceFeed       = ingest.Feed
)

// The outcomes of an addition.
const (
	SourceExists  = ingest.Exists
	SourceRefused = ingest.Refused
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

// Feeds looks at an address that is to be added, and lists the feeds that it names where it is a page and no feed itself.
func (o *Ops) Feeds(ctx context.Context, address string) []SourceFeed {
	return ingest.Feeds(ctx, o.doc, address)
}

// AddSources adds sources and tells of each what became of it. With dry it only says what it would do.
func (o *Ops) AddSources(ctx context.Context, list []SourceDefinition, dry bool) ([]Addition, error) {
	return ingest.AddSources(ctx, o.bus, o.doc, list, dry)
}

// EditSource changes what is said of a source that was added at run time.
func (o *Ops) EditSource(ctx context.Context, id string, changes []string) error {
	return ingest.EditSource(ctx, o.bus, o.doc, id, changes)
}

// Source tells everything about one source.
func (o *Ops) Source(ctx context.Context, id string) (SourceDetail, error) {
	return ingest.ShowSource(ctx, o.bus, o.doc, id)
}

// Imported is what became of one outline of a list.
type Imported struct {
	Line  int    `json:"line"`
	Title string `json:"title,omitempty"`
	URL   string `json:"url"`
	Addition
}

// SourceSkipped is the outcome of an outline that is not taken.
const SourceSkipped ingest.Outcome = "skipped"

// ImportSources adds every feed of a list and tells of each outline what became of it. With dry nothing is written.
func (o *Ops) ImportSources(ctx context.Context, list []opml.Outline, dry bool) ([]Imported, error) {
	out := make([]Imported, len(list))
	var definitions []SourceDefinition
	var places []int
	for i, line := range list {
		out[i] = Imported{Line: line.Line, Title: line.Title, URL: line.URL}
		d, err := definition(line)
		switch {
		case line.Skipped != "":
			out[i].Addition = Addition{Outcome: SourceSkipped, Why: line.Skipped}
		case line.URL == "":
			out[i].Addition = Addition{Outcome: SourceRefused, Why: "it has no xmlUrl"}
		case err != nil:
			out[i].Addition = Addition{Outcome: SourceRefused, Why: err.Error()}
		default:
			definitions, places = append(definitions, d), append(places, i)
		}
	}
	done, err := o.AddSources(ctx, definitions, dry)
	if err != nil {
		return nil, err
	}
	for n, i := range places {
		out[i].Addition = done[n]
	}
	return out, nil
}

// Definitions gives what is said of every source, as the section sources of a configuration would say it.
func (o *Ops) Definitions(ctx context.Context) ([]SourceDefinition, error) {
	list, err := ingest.Definitions(ctx, o.bus, o.doc)
	if list == nil {
		list = []SourceDefinition{}
	}
	return list, err
}

// ExportSources gives all sources as a list. What it is made of, an import takes back as it is.
func (o *Ops) ExportSources(ctx context.Context) ([]opml.Outline, error) {
	definitions, err := ingest.Definitions(ctx, o.bus, o.doc)
	if err != nil {
		return nil, err
	}
	known, err := o.Sources(ctx)
	if err != nil {
		return nil, err
	}
	titles := map[string]string{}
	for _, s := range known {
		titles[s.ID] = s.Title
	}
	list := make([]opml.Outline, len(definitions))
	for i, d := range definitions {
		if list[i], err = outline(d, titles[d.ID]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// RemoveSource ends a source that was added at run time.
func (o *Ops) RemoveSource(ctx context.Context, id string) error {
	return ingest.RemoveSource(ctx, o.bus, o.doc, id)
}

// TestSource fetches or reads a source once and writes what it gives. It needs no broker and keeps nothing.
func TestSource(ctx context.Context, doc *config.Doc, urlOrFile string, w io.Writer) error {
	return ingest.TestSource(ctx, doc, urlOrFile, w)
}
