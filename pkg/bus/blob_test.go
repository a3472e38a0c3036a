package bus_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
)

// Who may write the store may put anything under a name. A reader notices.
func TestASpoiltBlobIsGone(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "ingest")
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	body := bytes.Repeat([]byte("body "), 100<<10) // several chunks
	ref, err := b.PutBlob(t.Context(), body, now)
	if err != nil {
		t.Fatal(err)
	}
	if ref.Name != "2026w01-"+event.Hash(body) {
		t.Errorf("the blob is called %s", ref.Name)
	}
	if got, err := b.ReadBlob(t.Context(), ref); err != nil || !bytes.Equal(got, body) {
		t.Errorf("ReadBlob = %d bytes, %v", len(got), err)
	}
	store, err := b.JetStream().ObjectStore(t.Context(), event.StoreBlobs)
	if err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string][]byte{"of another size": []byte("x"), "of the same size": bytes.Repeat([]byte("y"), len(body))} {
		if _, err := store.Put(t.Context(), jetstream.ObjectMeta{Name: ref.Name}, bytes.NewReader(other)); err != nil {
			t.Fatal(err)
		}
		if _, err := b.ReadBlob(t.Context(), ref); fault.KindOf(err) != fault.Gone {
			t.Errorf("a body %s: %v is %q, want gone", name, err, fault.KindOf(err))
		}
	}
}

// Objects live for a fixed time, so that the same body is stored again in another week.
func TestABlobLivesAnewEachWeek(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "ingest")
	monday := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
	one, err := b.PutBlob(t.Context(), []byte("x"), monday)
	if err != nil {
		t.Fatal(err)
	}
	two, err := b.PutBlob(t.Context(), []byte("x"), monday.Add(7*24*time.Hour))
	if err != nil || one.Name == two.Name || one.SHA256 != two.SHA256 {
		t.Errorf("the blobs are %+v and %+v, %v", one, two, err)
	}
	if _, err := b.PutBlob(t.Context(), make([]byte, bus.MaxBlob+1), monday); fault.KindOf(err) != fault.TooLarge {
		t.Errorf("a body past the limit: %v", err)
	}
}
