package taxonomy

import (
	"context"
	"encoding/json"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/fault"
)

// numberKey holds the number of the vocabulary in force.
const numberKey = "version"

// Book is the table that remembers numbers: the bucket taxonomy.
type Book interface {
	Read(ctx context.Context, key string) (bus.Entry, bool, error)
	Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
}

type numbered struct {
	Number int    `json:"number"`
	Hash   string `json:"hash"`
}

// Number returns the number of a vocabulary: that in the book when it has the same hash, else the next one, which is
// written. It never falls, so that a replay after any change counts as newer, also after a change back. Of two replicas
// that start with the same new vocabulary one writes, and the other gets a conflict and reads.
func Number(ctx context.Context, book Book, hash string) (int, error) {
	e, ok, err := book.Read(ctx, numberKey)
	if err != nil {
		return 0, err
	}
	var last numbered
	if ok {
		if err := json.Unmarshal(e.Value, &last); err != nil {
			return 0, fault.Errorf(fault.Malformed, "read the number of the taxonomy: %w", err)
		}
		if last.Hash == hash {
			return last.Number, nil
		}
	}
	value, err := json.Marshal(numbered{Number: last.Number + 1, Hash: hash})
	if err != nil {
		return 0, fault.Errorf(fault.Internal, "encode the number of the taxonomy: %w", err)
	}
	_, err = book.Update(ctx, numberKey, value, e.Revision)
	return last.Number + 1, err
}
