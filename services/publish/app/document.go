package app

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/publish/internal/document"
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
