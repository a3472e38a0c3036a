package app

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/natstest"
)

const fiveFeeds = `
site: {title: Kundennah, language: de, id: news.example.org}
publish: {listen: "127.0.0.1:0", base_url: "https://news.example.org"}
feeds:
  - {id: f0, title: F0, select: {sources: [s0]}}
  - {id: f1, title: F1, select: {sources: [s1]}}
  - {id: f2, title: F2, select: {sources: [s2]}}
  - {id: f3, title: F3, select: {sources: [s3]}}
  - {id: f4, title: F4, select: {sources: [s4]}}
`

// BenchmarkServed measures from the append of an article to ARTICLES until a reader that asks all the time is served a feed with
// it, over a hundred articles of five feeds: ten a second, and all within one. The baseline is a fold over the same stream that
// only notes when each came; the rest is mostly waiting, since a feed is made at most once a second. "documents" is how many
// different ones of a feed the reader was served.
func BenchmarkServed(b *testing.B) {
	for name, every := range map[string]time.Duration{"steady": 100 * time.Millisecond, "burst": 10 * time.Millisecond} {
		b.Run(name, func(b *testing.B) {
			server := natstest.Listening(b)
			s := start(b, server.Bus(b, "publish"), fiveFeeds)
			s.shows("/feeds/f0.json", "items")
			ctx, stop := context.WithCancel(b.Context())
			var group sync.WaitGroup
			bare := &times{at: map[string]time.Time{}}
			group.Go(func() {
				_ = server.Bus(b, "deliver").Follow(ctx, event.StreamArticles, event.All(event.SpaceEnriched), bare)
			})
			enrich, reader := server.Bus(b, "enrich"), &reader{service: s, tags: map[string]string{}}
			sent, served := &times{at: map[string]time.Time{}}, map[string]time.Time{}
			for round := 0; b.Loop(); round++ {
				group.Go(func() { offer(b, enrich, sent, round*100, every) })
				for len(served) < (round+1)*100 {
					for _, id := range reader.finds() {
						served[id] = time.Now()
					}
				}
			}
			var ours, theirs []time.Duration
			for id, at := range served {
				begun := sent.of(id)
				ours, theirs = append(ours, at.Sub(begun)), append(theirs, bare.of(id).Sub(begun))
			}
			stop()
			group.Wait()
			for name, took := range map[string][]time.Duration{"": ours, "baseline-": theirs} {
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)/2].Milliseconds()), name+"p50-ms")
				b.ReportMetric(float64(took[len(took)*99/100].Milliseconds()), name+"p99-ms")
			}
			b.ReportMetric(float64(reader.documents)/5/float64(b.N), "documents")
		})
	}
}

// offer emits a hundred articles at a steady pace.
func offer(b *testing.B, enrich *bus.Bus, sent *times, from int, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for n := from; n < from+100; n++ {
		a := news(fmt.Sprint(n), fmt.Sprintf("Artikel %d", n))
		source := fmt.Sprint("s", n%5)
		a.ID, a.Source.ID = article.NewID(source, fmt.Sprint(n)), source
		a.URL = "https://blog.example.org/" + a.ID
		a.Story.ID = a.ID
		published := seen.Add(time.Duration(n)*time.Second - 24*time.Hour)
		a.Published = &published
		<-tick.C
		sent.note(a.ID)
		emit(b, enrich, a)
	}
}

// reader asks for all feeds in turns, each time only for what is new.
type reader struct {
	*service
	tags      map[string]string
	known     []string
	documents int
}

// finds asks for each feed once and returns the ids of articles that it did not see before.
func (r *reader) finds() []string {
	var found []string
	for n := range 5 {
		path := fmt.Sprintf("/feeds/f%d.json", n)
		res, body := r.get(path, "If-None-Match", r.tags[path])
		if res.StatusCode != http.StatusOK {
			continue
		}
		r.tags[path] = res.Header.Get("ETag")
		fresh := 0
		for part := range strings.SplitSeq(body, `"url":"https://blog.example.org/`) {
			if id, _, ok := strings.Cut(part, `"`); ok && article.ValidID(id) && !slices.Contains(r.known, id) {
				r.known, found, fresh = append(r.known, id), append(found, id), fresh+1
			}
		}
		if fresh > 0 {
			r.documents++
		}
	}
	return found
}

// times notes when something happened to an article. As a fold it notes when each came.
type times struct {
	mu sync.Mutex
	at map[string]time.Time
}

func (t *times) note(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at[id] = time.Now()
}

func (t *times) of(id string) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.at[id]
}

func (t *times) Reset(string)           {}
func (t *times) CaughtUp(event.Applied) {}
func (t *times) Evicted(uint64)         {}

func (t *times) Apply(r bus.Record) error {
	env, err := event.Decode(r.Message)
	t.note(env.Article)
	return err
}
