package engine

import (
	"io"
	"testing"
	"time"
)

// The queue asks, under its lock, whether a source may be polled, while whoever holds ours puts one into the queue.
func TestAskingForAdmissionNeverWaitsForOurLock(t *testing.T) {
	t.Parallel()
	s := newStand(t, io.Discard, "/f.rss")
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := make(chan bool, 1)
	go func() { asked <- s.admit("s0") }()
	select {
	case open := <-asked:
		if open {
			t.Error("a source was admitted that nobody could look at")
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits")
	}
}
