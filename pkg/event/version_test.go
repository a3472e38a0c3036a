package event_test

import (
	"math"
	"testing"

	"tidings.internal/pkg/event"
)

// The list is in rising order: each version loses to all that follow, whatever their later fields say.
func TestVersionsCompareFieldByField(t *testing.T) {
	t.Parallel()
	rising := []event.Version{
		{},
		{Generation: 9},
		{RawSequence: 1},
		{RawSequence: 1, Generation: 1},
		{RawSequence: 2},
		{Fence: 1},
		{Fence: 1, RawSequence: 1},
		{Fence: 2},
		{Revision: 1},
		{Revision: 1, Fence: 3, RawSequence: 7, Generation: math.MaxUint64},
		{Revision: 1, Fence: 3, RawSequence: 8},
		{Revision: 1, Fence: 4},
		{Revision: 2},
		{Revision: event.TakedownRevision},
	}
	for i, a := range rising {
		for j, b := range rising {
			want := 0
			switch {
			case i < j:
				want = -1
			case i > j:
				want = 1
			}
			if got := a.Compare(b); got != want {
				t.Errorf("%+v compared with %+v is %d, want %d", a, b, got, want)
			}
		}
	}
}

// JSON numbers are exact up to 2^53 - 1 in every reader (RFC 8259 section 6).
func TestTakedownRevisionSurvivesAFloat(t *testing.T) {
	t.Parallel()
	if uint64(float64(event.TakedownRevision)) != event.TakedownRevision || uint64(float64(event.TakedownRevision)+1) != event.TakedownRevision+1 {
		t.Error("the revision of a takedown is not exact in a reader that knows only floats")
	}
}
