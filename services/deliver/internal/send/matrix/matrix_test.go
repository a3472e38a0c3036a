package matrix

import (
	"testing"
	"time"

	"tidings.internal/pkg/fault"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/send"
	"tidings.internal/services/deliver/internal/send/sendtest"
)

var underTest = sendtest.Case{
	Network: Network, Repeats: true, Keyless: true,
	New: func(t *testing.T, clock *sendtest.Clock) sendtest.Fake { return newFake(t, clock) },
}

func TestConform(t *testing.T) {
	t.Parallel()
	sendtest.Conform(t, underTest)
}

func TestSurvive(t *testing.T) {
	t.Parallel()
	sendtest.Survive(t, underTest)
}

func opened(t *testing.T) (*fake, send.Sender, *sendtest.Clock) {
	t.Helper()
	clock := sendtest.NewClock()
	f := newFake(t, clock)
	return f, sendtest.Open(t, Network, f, clock), clock
}

// A server that forgot the transaction id is asked what the room has: among many messages, edits of ours, and answers that
// are larger than is read.
func TestFindsItsMessageInTheRoom(t *testing.T) {
	t.Parallel()
	f, s, clock := opened(t)
	sent := map[int]ledger.Remote{}
	for n := range 120 {
		got, err := s.Send(t.Context(), sendtest.Job(f, sendtest.Story(n), 1, ledger.Create, "text", ledger.Remote{}, clock))
		if err != nil {
			t.Fatal(err)
		}
		sent[n] = got.Remote
	}
	for _, large := range []bool{false, true} {
		f.large = large
		for _, n := range []int{119, 60, 50} {
			got, ok, err := s.(send.Finder).Find(t.Context(), sendtest.Job(f, sendtest.Story(n), 1, ledger.Create, "text", ledger.Remote{}, clock))
			if err != nil || !ok || got.ID != sent[n].ID {
				t.Errorf("large %v: message %d: %+v %v %v, want %s", large, n, got, ok, err, sent[n].ID)
			}
		}
	}
	other := sendtest.Job(f, sendtest.Story(500), 1, ledger.Create, "never sent", ledger.Remote{}, clock)
	if _, ok, err := s.(send.Finder).Find(t.Context(), other); ok || err != nil {
		t.Errorf("what was never sent: %v, %v", ok, err)
	}
	clock.Add(time.Hour)
	late := sendtest.Job(f, sendtest.Story(119), 1, ledger.Create, "text", ledger.Remote{}, clock)
	if _, ok, err := s.(send.Finder).Find(t.Context(), late); ok || err != nil {
		t.Errorf("a message of an hour ago is taken for one of now: %v, %v", ok, err)
	}
}

// An edit that overtook its post is the post.
func TestAnEditMayComeFirst(t *testing.T) {
	t.Parallel()
	f, s, clock := opened(t)
	j := sendtest.Job(f, sendtest.Story(1), 2, ledger.Edit, "second text", ledger.Remote{}, clock)
	j.Op = ledger.Create
	if _, err := s.Send(t.Context(), j); err != nil || len(f.Made()) != 1 || f.Made()[0] != "second text" {
		t.Errorf("%v, made %q", err, f.Made())
	}
}

func TestIDsOfNobodyAreNotSent(t *testing.T) {
	t.Parallel()
	f, s, clock := opened(t)
	for _, id := range []string{"", "event", "$", "$a/../b?c", "$a b"} {
		for _, op := range []ledger.Op{ledger.Edit, ledger.Delete} {
			if id == "$a/../b?c" && op == ledger.Delete {
				continue
			}
			if _, err := send.Do(t.Context(), s, sendtest.Job(f, sendtest.Story(1), 2, op, "x", ledger.Remote{ID: id}, clock)); fault.KindOf(err) != fault.Invalid {
				t.Errorf("%s of %q: %v", op, id, err)
			}
		}
	}
	if n := len(f.server.Calls()); n != 0 {
		t.Errorf("%d requests", n)
	}
}
