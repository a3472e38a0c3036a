package ops

import (
	"context"
	"encoding/json"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
)

// Event is a message as an operator sees it.
type Event struct {
	Time     time.Time       `json:"time"`
	Stream   string          `json:"stream"`
	Sequence uint64          `json:"sequence"`
	Subject  string          `json:"subject"`
	Type     string          `json:"type,omitempty"`
	ID       string          `json:"id,omitempty"`
	Article  string          `json:"article,omitempty"`
	Revision uint64          `json:"revision,omitempty"`
	About    string          `json:"about,omitempty"` // the URL or id that it is about
	Bytes    int             `json:"bytes"`
	Marker   bool            `json:"marker,omitempty"` // the broker's mark of what expired
	Body     json.RawMessage `json:"body,omitempty"`
}

// Tail shows what is stored on the subjects that match a filter, from a time on and then as it comes, until ctx ends.
func (o *Ops) Tail(ctx context.Context, filter string, since time.Time, each func(Event)) error {
	return o.bus.Tail(ctx, filter, since, func(r bus.Record) { each(seen(r)) })
}

// seen reads what the headers say and judges nothing: a message that no service would take is shown as well.
func seen(r bus.Record) Event {
	e := Event{
		Time: r.Time.UTC(), Stream: r.Stream, Sequence: r.Sequence, Subject: r.Subject, Type: r.Header.Value(event.HeaderType),
		ID: r.Header.Value(event.HeaderID), Article: r.Header.Value(event.HeaderArticle), About: r.Header.Value(event.HeaderSubject),
		Bytes: len(r.Body), Marker: r.Marker,
	}
	if env, err := event.Decode(r.Message); err == nil {
		e.Revision = env.Version.Revision
	}
	if json.Valid(r.Body) {
		e.Body = r.Body
	}
	return e
}
