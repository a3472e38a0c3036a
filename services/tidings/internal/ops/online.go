package ops

import (
	"context"
	"errors"
	"log/slog"

	"tidings.internal/pkg/config"
	deliver "tidings.internal/services/deliver/app"
	ingest "tidings.internal/services/ingest/app"
)

// Tried is what a look at the world outside has covered.
type Tried struct {
	Sources  int `json:"sources"`
	Channels int `json:"channels"`
	// NATS is false where the configuration names no server: the embedded one is there only while Tidings runs.
	NATS bool `json:"nats"`
}

// CheckOnline tries what a configuration names that was found good: NATS with the credentials and its streams, every source,
// every channel. It posts nothing, keeps nothing and changes nothing. What does not work is a problem of the document.
func CheckOnline(ctx context.Context, doc *config.Doc, log *slog.Logger) (t Tried, err error) {
	if t.NATS = ReadNATS(doc).URL != ""; t.NATS {
		tryNATS(ctx, doc, log) // before anything is found: nobody connects by a document with problems
	}
	if t.Sources, err = ingest.CheckOnline(ctx, doc); err != nil {
		return t, err
	}
	t.Channels, err = deliver.CheckOnline(ctx, doc)
	return t, err
}

// tryNATS connects as the operator, which the credentials must allow, and compares what is there with what should be.
func tryNATS(ctx context.Context, doc *config.Doc, log *slog.Logger) {
	at := doc.At("nats", "url")
	o, err := Open(ctx, Options{Config: doc, Log: log})
	if err != nil {
		at.Problemf("%s", err)
		return
	}
	plan, err := o.Plan(ctx)
	if err = errors.Join(err, o.Close()); err != nil {
		at.Problemf("%s", err)
		return
	}
	if n := len(plan.Changes); n > 0 {
		at.Problemf("%d streams and consumers are not as this version wants them, the first is %s; see tidings topology plan", n, plan.Changes[0].Object)
	}
}
