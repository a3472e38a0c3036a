package event

import (
	"strings"

	"tidings.internal/pkg/fault"
)

// Batches joins raw articles of one source on the backfill lane into as few messages as the limits of a batch allow, and
// leaves all others as they are. The order stays. The message id of a batch is made of those of its members, so that the
// same batch published again is dropped as one article would be.
func Batches(messages []Message) ([]Message, error) {
	out := make([]Message, 0, len(messages))
	var open []Message
	size := 0
	flush := func() error {
		switch len(open) {
		case 0:
			return nil
		case 1:
			out = append(out, open[0])
		default:
			m, err := join(open)
			if err != nil {
				return err
			}
			out = append(out, m)
		}
		open, size = nil, 0
		return nil
	}
	for _, m := range messages {
		fits := joins(m) && len(open) < MaxBatch && size+len(m.Body)+memberBytes <= MaxBatchBytes && (len(open) == 0 || open[0].Subject == m.Subject)
		if !fits {
			if err := flush(); err != nil {
				return nil, err
			}
		}
		if !joins(m) || len(m.Body)+memberBytes > MaxBatchBytes {
			out = append(out, m)
			continue
		}
		open, size = append(open, m), size+len(m.Body)+memberBytes
	}
	if err := flush(); err != nil {
		return nil, err
	}
	return out, nil
}

// memberBytes is more than what a member of a batch holds beside its article.
const memberBytes = 256

// joins reports whether a message may be a member of a batch.
func joins(m Message) bool {
	return m.Header.Value(HeaderType) == TypeRaw && strings.HasPrefix(m.Subject, string(SpaceBackfill)+".")
}

func join(messages []Message) (Message, error) {
	batch, ids := make(Batch, len(messages)), make([]string, len(messages))
	first, err := Decode(messages[0])
	if err != nil {
		return Message{}, fault.Errorf(fault.Internal, "join a batch: %w", err)
	}
	for i, m := range messages {
		env, err := Decode(m)
		if err != nil {
			return Message{}, fault.Errorf(fault.Internal, "join a batch: %w", err)
		}
		batch[i] = BatchMember{ID: env.ID, Revision: env.Version.Revision, Fence: env.Version.Fence, Hash: env.Hash, Article: m.Body}
		ids[i] = env.ID
	}
	env := Envelope{
		Type: TypeBatch, ID: first.ID + "." + Hash([]byte(strings.Join(ids, "\n")))[:8], Source: first.Source, Time: first.Time,
		Traceparent: first.Traceparent, Tracestate: first.Tracestate,
	}
	return Encode(messages[0].Subject, env, batch)
}
