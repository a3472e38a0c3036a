package app

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"slices"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/publish/internal/document"
	"tidings.internal/services/publish/internal/projection"
	"tidings.internal/services/publish/internal/render"
)

// serveVersion is the version of the verbs below, as discovery shows it.
const serveVersion = "1.0.0"

// document answers deliver, which pushes documents to sites. Only what anybody may read is handed over.
func (a *App) document(_ context.Context, request []byte) (any, error) {
	var r event.DocumentRequest
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, fault.Errorf(fault.Malformed, "read the request for a document: %w", err)
	}
	published, built := a.projection.Feed(r.Feed)
	switch {
	case !a.projection.Ready():
		return event.DocumentReply{State: event.DocumentNotYet}, nil
	case !built || published.Feed.Hub == "" || published.Documents[render.Format(r.Format)] == nil:
		return event.DocumentReply{State: event.DocumentGone}, nil
	case r.Look:
		return event.DocumentReply{State: event.DocumentHere}, nil
	}
	d := published.Documents[render.Format(r.Format)]
	if d.SHA256 != r.SHA256 && r.Applied.After(published.Applied) {
		return event.DocumentReply{State: event.DocumentNotYet}, nil
	}
	packed, err := packed(d)
	return event.DocumentReply{State: event.DocumentHere, SHA256: d.SHA256, Gzip: packed}, err
}

// tokenPlace stands for the token of a reader in what an operator sees of a private feed.
const tokenPlace = "/t/TOKEN"

// shownFeed answers an operator with a document as readers get it.
func (a *App) shownFeed(ctx context.Context, request []byte) (any, error) {
	var r event.FeedRequest
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, fault.Errorf(fault.Malformed, "read the question about a feed: %w", err)
	}
	format := render.Format(r.Format)
	if !slices.Contains(render.Formats(), format) {
		return nil, fault.Errorf(fault.Invalid, "feeds have no format %q", r.Format)
	}
	d, self, err := a.served(ctx, r.Feed, format)
	if err != nil {
		return nil, err
	}
	gzip, err := packed(d)
	reply := event.FeedReply{Self: self, SHA256: d.SHA256, ETag: d.ETag, Changed: d.Modified, Bytes: d.Size, Packed: len(gzip)}
	if !r.Look {
		reply.Gzip = gzip
	}
	return reply, err
}

// served is a document of a feed, and its address.
func (a *App) served(ctx context.Context, id string, format render.Format) (*document.Document, string, error) {
	v := projection.Variant{Feed: id, Format: format}
	if published, built := a.projection.Feed(id); built {
		if d := published.Documents[format]; d != nil {
			return d, published.Feed.Head.Self[format], nil
		}
		v.Under = tokenPlace // a private one has no document before a reader asks for it
	}
	made, err := a.projection.Variant(ctx, v)
	if err != nil {
		return nil, "", err
	}
	return made.Document, made.Head.Self[format], nil
}

// packed gives a document packed, also where readers get it as it is since packing does not make it smaller.
func packed(d *document.Document) ([]byte, error) {
	if p := d.In(document.Gzip); p != nil {
		return p.Body, nil
	}
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err := z.Write(d.Body())
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		return nil, fault.Errorf(fault.Internal, "pack a document: %w", err)
	}
	return out.Bytes(), nil
}
