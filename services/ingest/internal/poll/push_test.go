package poll

import (
	"net/http"
	"testing"
	"time"

	"tidings.internal/services/ingest/internal/websub"
)

// A kill before or after the state of a push is written: the hub pushes again, or a poll finds it, and RAW has it once.
func TestAKillWhileAPushIsTaken(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		s := newStand(t, "/f.atom")
		s.origin.Feed("f").Add(story("1", "Eins", time.Hour))
		s.want("ok")
		body := []byte(`<feed xmlns="http://www.w3.org/2005/Atom"><id>x</id><title>T</title><entry><id>urn:2</id><title>Zwei</title><link href="https://news.example.org/2"/><content>Text von Zwei</content></entry></feed>`)
		push := websub.Push{ContentType: "application/atom+xml", Header: http.Header{}, Body: body}
		s.bucket.before, s.bucket.after = !after, after
		if err := s.poller.Push(t.Context(), s.source, fence(1), push); err == nil {
			t.Fatal("the kill did not happen")
		}
		s.restart()
		for range 2 {
			if err := s.poller.Push(t.Context(), s.source, fence(2), push); err != nil {
				t.Fatal(err)
			}
		}
		s.wantLog("raw 1 Eins", "raw 1 Zwei")
	}
}
