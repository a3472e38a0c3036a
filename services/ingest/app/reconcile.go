package app

import (
	"context"
	"fmt"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/ingest/internal/state"
)

// Reconcile brings the revisions that are remembered of the sources up to those of the articles, and returns how many
// it raised. After a restore what is remembered is a little older than the articles: the next edit would get a revision
// that stands already, and would be dropped as old. It may be repeated.
func Reconcile(ctx context.Context, b *bus.Bus) (raised int, err error) {
	known := map[string]map[string]uint64{} // source, article, the highest revision
	for _, stream := range []string{event.StreamRaw, event.StreamArticles} {
		err := b.Read(ctx, stream, func(r bus.Record) error {
			for _, m := range single(r) {
				note(known, m)
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	bucket := b.Bucket(event.BucketSourceState)
	for source, articles := range known {
		n, err := raise(ctx, bucket, source, articles)
		raised += n
		if err != nil {
			return raised, err
		}
	}
	return raised, nil
}

// single takes a batch apart. What cannot be read was never accepted by anybody, either.
func single(r bus.Record) []event.Message {
	if r.Header.Value(event.HeaderType) != event.TypeBatch {
		return []event.Message{r.Message}
	}
	members, err := event.DecodeBatch(r.Message)
	if err != nil {
		return nil
	}
	return members
}

func note(known map[string]map[string]uint64, m event.Message) {
	env, err := event.Decode(m)
	if err != nil {
		return
	}
	// The revision of a takedown is above all others and must stay so.
	s, err := event.ParseSubject(m.Subject)
	if err != nil || env.Version.Revision >= event.TakedownRevision {
		return
	}
	if known[s.Source] == nil {
		known[s.Source] = map[string]uint64{}
	}
	known[s.Source][env.Article] = max(known[s.Source][env.Article], env.Version.Revision)
}

// raise writes the revisions of one source. A source that is not remembered at all needs none: its next article has the
// fence of a new lease, which is above those of the backup.
func raise(ctx context.Context, bucket *bus.Bucket, source string, articles map[string]uint64) (int, error) {
	for round := 1; ; round++ {
		s, revision, err := state.Load(ctx, bucket, source)
		if err != nil || s == nil {
			return 0, err
		}
		raised := 0
		memory := s.Memory.Clone()
		for _, row := range memory.Rows {
			if have := articles[row.ID]; have > row.Revision {
				row.Revision = have
				raised++
			}
		}
		if raised == 0 {
			return 0, nil
		}
		s.Memory = *memory
		_, err = state.Save(ctx, bucket, source, s, revision)
		if err == nil {
			return raised, nil
		}
		if fault.KindOf(err) != fault.Conflict || round == wishTries {
			return 0, fmt.Errorf("reconcile source %s: %w", source, err)
		}
	}
}
