package announce

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/natstest"
	"tidings.internal/services/publish/internal/document"
	"tidings.internal/services/publish/internal/feed"
	"tidings.internal/services/publish/internal/projection"
	"tidings.internal/services/publish/internal/render"
)

var created = time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)

func change(t *testing.T, content string, made time.Time, sequence uint64) projection.Change {
	t.Helper()
	var c feed.Config
	c.SetDefaults()
	c.ID, c.Hubs = "all", []string{"https://hub.example/"}
	f, err := feed.New(c, config.Site{Title: "News"}, "https://news.example.org")
	if err != nil {
		t.Fatal(err)
	}
	f.Join("https://news.example.org/hub")
	p := &projection.Published{Feed: f, Documents: map[render.Format]*document.Document{}}
	for _, format := range render.Formats() {
		if p.Documents[format], err = document.New(format.ContentType(), []byte(content), made); err != nil {
			t.Fatal(err)
		}
	}
	return projection.Change{Published: p, Applied: event.Applied{Created: made, Sequence: sequence}}
}

func last(t *testing.T, b *bus.Bus) (r *bus.Record, f event.FeedChanged) {
	t.Helper()
	subject, err := event.FeedSubject("all")
	if err != nil {
		t.Fatal(err)
	}
	if r, err = b.Last(t.Context(), subject); err != nil || r == nil { // a broker that is away shows nothing yet
		return nil, f
	}
	if _, f, err = event.DecodeFeedChanged(r.Message); err != nil {
		t.Fatal(err)
	}
	return r, f
}

func TestLaterNewsWins(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	b := server.Bus(t, "publish")
	a := New(b, slog.New(slog.DiscardHandler), time.Now)
	say := func(c projection.Change) (sequence uint64) {
		t.Helper()
		if err := a.announce(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		r, _ := last(t, b)
		return r.Sequence
	}
	first := say(change(t, "one", created, 10))
	if say(change(t, "one", created, 11)) != first {
		t.Error("equal documents are announced twice")
	}
	if say(change(t, "older", created, 9)) != first {
		t.Error("a replica that lags behind replaces newer news")
	}
	second := say(change(t, "two", created, 12))
	if second == first {
		t.Error("a change is not announced")
	}
	if say(change(t, "three", created.Add(time.Hour), 1)) == second {
		t.Error("a stream that was made anew cannot announce")
	}
	start := func(content string, sequence uint64) projection.Change {
		c := change(t, content, created.Add(time.Hour), sequence)
		c.Start = true
		return c
	}
	third := say(start("three", 5))
	if say(start("of another version", 1)) != third {
		t.Error("a start with other bytes of the same articles is announced")
	}
	if say(start("of what nobody told", 6)) == third {
		t.Error("what was not told before a kill is not told after it")
	}
	_, f := last(t, b)
	if d := f.Documents[0]; len(f.Documents) != 3 || d.Format != "rss" || d.Topic != "https://news.example.org/feeds/all.rss" || d.Hub != "https://news.example.org/hub" || !slices.Equal(f.Hubs, []string{"https://hub.example/"}) || d.Bytes != 19 || d.SHA256 == "" {
		t.Errorf("announced %+v", f)
	}
}

func TestAnnouncementWaitsForTheBroker(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	b := server.Bus(t, "publish")
	a := New(b, slog.New(slog.DiscardHandler), time.Now)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	server.Stop()
	a.Changed(change(t, "one", created, 1))
	a.Changed(change(t, "two", created, 2))
	server.Start(t)
	if err := b.WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for {
		if r, f := last(t, b); r != nil && f.Applied.Sequence == 2 {
			break
		}
		select {
		case <-tick.C:
		case <-deadline:
			r, f := last(t, b)
			t.Fatal("the newest change was not announced: ", fmt.Sprint(r, f))
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
