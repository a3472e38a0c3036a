package app

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/natstest"
	"tidings.internal/pkg/run"
)

// replica runs the service with a configuration until the returned function is called.
func replica(t *testing.T, s *natstest.Server, doc *config.Doc) (stop func()) {
	t.Helper()
	return replicaWith(t, s, doc, prometheus.NewRegistry())
}

func replicaWith(t *testing.T, s *natstest.Server, doc *config.Doc, metrics *prometheus.Registry) (stop func()) {
	t.Helper()
	a, err := New(t.Context(), Deps{Config: doc, Bus: s.Bus(t, Name), Log: slog.New(slog.DiscardHandler), Metrics: metrics, Checks: &run.Checks{}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the service ended with %v", err)
		}
	}
}

// replay has everything enriched again and waits for the end.
func replay(t *testing.T, b *bus.Bus) {
	t.Helper()
	if _, err := b.StartReplay(t.Context(), event.Replay{Since: time.Now().Add(-time.Hour)}); err != nil {
		t.Fatal(err)
	}
	wait(t, "the end of the replay", func() bool {
		r, found, err := b.Replaying(t.Context())
		return err == nil && found && r.Finished()
	})
	if err := b.EndReplay(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestAReplayTagsAnewAndStoresNothingElse(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "tidings")
	r, gone := raw("quelle", "1", 1, nil), raw("quelle", "2", 1, func(r *article.Raw) { r.Title = "Ein Fehler" })
	before := config.New("test.yaml", nil, nil)
	stop := replica(t, s, before)
	send(t, b, message(t, r), message(t, gone))
	_, first := enriched(t, b, r)
	enriched(t, b, gone)
	settled(t, b)
	if _, err := b.Takedown(t.Context(), gone.ID); err != nil {
		t.Fatal(err)
	}

	replay(t, b)
	if _, same := enriched(t, b, r); same.Sequence != first.Sequence {
		t.Errorf("a replay with the same vocabulary stored the article again: sequence %d, then %d", first.Sequence, same.Sequence)
	}
	stop()

	file := filepath.Join(t.TempDir(), "themen.ttl")
	write(t, file, `@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
<urn:t:mittelstand> a skos:Concept ; skos:prefLabel "Mittelstand"@de .`)
	stop = replica(t, s, config.New("test.yaml", []byte("taxonomy: {files: ["+file+"]}\n"), nil))
	defer stop()
	replay(t, b)
	x, anew := enriched(t, b, r)
	if anew.Sequence == first.Sequence || bytes.Equal(anew.Body, first.Body) {
		t.Error("a replay with another vocabulary left the article as it was")
	}
	if !slices.ContainsFunc(x.Tags, func(tag article.Tag) bool { return tag.ID == "mittelstand" }) {
		t.Errorf("the tags are %+v; want the new concept", x.Tags)
	}
	if env, err := event.Decode(anew.Message); err != nil || env.Version.Revision != 1 {
		t.Errorf("the envelope is %+v, %v; want the revision to stay", env, err)
	}
	last, err := b.Last(t.Context(), subjectOf(t, gone))
	if err != nil || last.Header.Value(event.HeaderType) != event.TypeDeleted {
		t.Errorf("the article that was taken down is back: %v", err)
	}
}

// The time from the fetch on is that of news: an old article waits for them, and a replay is about what was there before.
func TestOnlyNewsCountAsEnrichedInTime(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "tidings")
	counted := func(r *prometheus.Registry) uint64 {
		all, err := r.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range all {
			if f.GetName() == "tidings_end_to_end_seconds" {
				return f.GetMetric()[0].GetHistogram().GetSampleCount()
			}
		}
		t.Fatal("there is no such metric")
		return 0
	}
	news, old := raw("quelle", "1", 1, nil), raw("quelle", "2", 1, func(r *article.Raw) { r.Title, r.Backfill = "Ein Archiv", true })
	first := prometheus.NewRegistry()
	stop := replicaWith(t, s, config.New("test.yaml", nil, nil), first)
	send(t, b, message(t, news), message(t, old))
	enriched(t, b, news)
	enriched(t, b, old)
	settled(t, b)
	stop()
	if n := counted(first); n != 1 {
		t.Errorf("%d articles were counted, want the news alone", n)
	}
	file := filepath.Join(t.TempDir(), "themen.ttl")
	write(t, file, `@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
<urn:t:mittelstand> a skos:Concept ; skos:prefLabel "Mittelstand"@de .`)
	second := prometheus.NewRegistry()
	stop = replicaWith(t, s, config.New("test.yaml", []byte("taxonomy: {files: ["+file+"]}\n"), nil), second)
	defer stop()
	replay(t, b)
	if n := counted(second); n != 0 {
		t.Errorf("a replay counted %d articles", n)
	}
}

// A source that offers an article again that was taken down brings nothing of it back, its long text neither.
func TestWhatWasTakenDownStoresNoTextAgain(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "tidings")
	defer replica(t, s, config.New("test.yaml", nil, nil))()
	gone, other := raw("quelle", "1", 1, nil), raw("quelle", "2", 1, nil)
	send(t, b, message(t, gone))
	enriched(t, b, gone)
	settled(t, b)
	if _, err := b.Takedown(t.Context(), gone.ID); err != nil {
		t.Fatal(err)
	}
	blobs := func() uint64 {
		state, err := b.StreamState(t.Context(), "OBJ_"+event.StoreBlobs)
		if err != nil {
			t.Fatal(err)
		}
		return state.Messages
	}
	long := strings.Repeat("Ein ganzer Satz, der in einem sehr langen Text steht. ", article.MaxInline/50)
	for i, r := range []article.Raw{gone, other} {
		before := blobs()
		r.Revision = 2
		r.Content = &article.Text{Value: long[:article.MaxInline-100] + r.GUID, Type: article.TextPlain}
		r.Summary = &article.Text{Value: r.GUID, Type: article.TextPlain}
		send(t, b, message(t, r))
		settled(t, b)
		if after := blobs(); (after > before) != (i == 1) {
			t.Errorf("article %d: %d entries in the store before, %d after", i, before, after)
		}
	}
}
