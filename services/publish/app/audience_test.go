package app

import (
	"context"
	"testing"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/natstest"
)

func TestOperatorsAreToldOfTheReadersThatServicesCount(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	s := start(t, server.Bus(t, "publish"), sample)
	s.shows("/feeds/all.rss", "-<item>")
	const feedly = "Feedly/1.0 (+http://www.feedly.com/fetcher.html; 462 subscribers; like FeedFetcher-Google)"
	res, _ := s.get("/feeds/all.rss", "User-Agent", feedly)
	s.get("/feeds/all.rss", "User-Agent", "Inoreader/1.0 (8 subscribers)", "If-None-Match", res.Header.Get("ETag"))
	for _, path := range []string{"/feeds/all", "/feeds/crm.rss?limit=5", "/feeds/none.rss", "/"} { // no current document of a feed
		s.get(path, "User-Agent", feedly, "Accept", "text/html")
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	tick, done := make(chan time.Time), make(chan error, 1)
	go func() { done <- s.app.tellAudience(ctx, tick) }()
	tick <- time.Now()
	tick <- time.Now() // taken once the first was dealt with; nothing was said meanwhile
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	subject, err := event.NoticeSubject("publish", "audience")
	if err != nil {
		t.Fatal(err)
	}
	b := server.Bus(t, "admin")
	first, err := b.Next(t.Context(), event.StreamEvents, subject, 1)
	if err != nil || first == nil {
		t.Fatalf("nothing was told: %v", err)
	}
	_, n, err := event.DecodeNotice(first.Message)
	if err != nil || n.Feed != "all" || n.Data["readers"] != "470" || n.Data["services"] != "2" {
		t.Errorf("it was told %+v, %v", n, err)
	}
	if more, err := b.Next(t.Context(), event.StreamEvents, subject, first.Sequence+1); err != nil || more != nil {
		t.Errorf("more was told: %v, %v", more, err)
	}
}
