package event

import "cmp"

// Version orders the contents that one article ever had. A later version replaces an earlier one, never the other way
// round, whatever is redelivered, replayed or delayed.
type Version struct {
	// Revision counts the changes that ingest saw at the source.
	Revision uint64 `json:"revision"`
	// Fence is the revision at which the poller acquired its lease: a paused owner that wakes up loses to the new one.
	Fence uint64 `json:"fence,omitempty"`
	// RawSequence is the place of the raw article in its stream: of two contents under one revision the later wins.
	RawSequence uint64 `json:"raw_sequence,omitempty"`
	// Generation is enrich's own order (engine, vocabulary): a replay counts as newer.
	Generation uint64 `json:"generation,omitempty"`
}

// Compare returns -1, 0 or 1 as v is older than, equal to or newer than o. Fields count in the order they stand.
func (v Version) Compare(o Version) int {
	return cmp.Or(
		cmp.Compare(v.Revision, o.Revision),
		cmp.Compare(v.Fence, o.Fence),
		cmp.Compare(v.RawSequence, o.RawSequence),
		cmp.Compare(v.Generation, o.Generation),
	)
}

// TakedownRevision is above every revision that a source can reach, so that nothing revives a taken-down article. It
// is the greatest whole number that every JSON reader keeps exactly (RFC 8259 section 6).
const TakedownRevision = 1<<53 - 1
