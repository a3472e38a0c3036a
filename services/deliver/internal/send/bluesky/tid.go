package bluesky

import (
	"hash/fnv"
	"time"
)

const (
	// sortable is the alphabet of record keys (atproto.com, "TID").
	sortable = "234567abcdefghijklmnopqrstuvwxyz"
	clocks   = 1024
)

// tid is the record key of an instant and a clock: 53 bits of microseconds and 10 of the clock, 13 characters.
func tid(at time.Time, clock int) string {
	n := uint64(at.UnixMicro())<<10 | uint64(clock%clocks)
	b := make([]byte, 13)
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = sortable[n&31]
		n >>= 5
	}
	return string(b)
}

// clockOf tells two channels apart that post one story of the same instant.
func clockOf(channel, story string) int {
	h := fnv.New64a()
	_, _ = h.Write([]byte(channel + "\x00" + story)) // never fails
	return int(h.Sum64() % clocks)
}
