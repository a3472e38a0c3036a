package bus_test

import (
	"bytes"
	"testing"

	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
)

func TestASnapshotIsStoredOnce(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "enrich")
	if _, ok, err := b.SnapshotTime(t.Context(), "x/1"); ok || err != nil {
		t.Errorf("there is a snapshot that nobody stored: %v, %v", ok, err)
	}
	if _, err := b.ReadSnapshot(t.Context(), "x/1"); fault.KindOf(err) != fault.Gone {
		t.Errorf("reading what nobody stored is %v", err)
	}
	first := bytes.Repeat([]byte("first "), 100<<10) // several chunks
	for _, data := range [][]byte{first, []byte("second")} {
		if err := b.PutSnapshot(t.Context(), "x/1", data); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := b.ReadSnapshot(t.Context(), "x/1"); err != nil || !bytes.Equal(got, first) {
		t.Errorf("the first snapshot was replaced: %d bytes, %v", len(got), err)
	}
	if at, ok, err := b.SnapshotTime(t.Context(), "x/1"); !ok || err != nil || at.IsZero() {
		t.Errorf("stored at %v, %v, %v", at, ok, err)
	}
}
