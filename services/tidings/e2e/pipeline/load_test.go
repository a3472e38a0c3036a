package pipeline

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/origintest"
)

var (
	loadRate = flag.Int("load.rate", 300, "articles a second of the benchmark of the load")
	loadFor  = flag.Duration("load.for", 20*time.Second, "for how long the benchmark of the load offers articles")
)

const (
	loadSources = 60
	loadShown   = 100 // items that a document shows, and that a source may be ahead of what is stored: what it drops unread never comes
)

// BenchmarkLoad has sources offer new articles at a steady rate, all of which go through every stage to a webhook, in one
// process with every write flushed. It tells what reached ARTICLES, the ledger and the receiver for each second while they
// were offered, how long the rest took after that, and how long the process takes to stop in the middle of such a load.
// Where the rate is not kept up with fewer are offered. For each stream it tells how many messages were written for an
// article, each of them flushed. The baseline writes messages of 4 KB, one after the other:
//
//	go test ./services/tidings/e2e/pipeline -run '^$' -bench Load -benchtime 1x -load.for 60s -timeout 20m
func BenchmarkLoad(b *testing.B) {
	b.Run("ours", func(b *testing.B) {
		for b.Loop() {
			load(b)
		}
	})
	b.Run("baseline", func(b *testing.B) {
		for b.Loop() {
			took := plain(b, "always")
			b.ReportMetric(feeds*items/took.Seconds(), "publishes/s")
		}
	})
}

// receiver counts the posts that it is sent, each once.
type receiver struct {
	mu  sync.Mutex
	ids map[string]bool
}

func (r *receiver) ServeHTTP(_ http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ids[q.Header.Get("webhook-id")] = true
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.ids)
}

func load(b *testing.B) {
	origin, hook := origintest.New(b), &receiver{ids: map[string]bool{}}
	sink := httptest.NewServer(hook)
	defer sink.Close()
	var text strings.Builder
	fmt.Fprintf(&text, "site: {title: Load, url: \"http://127.0.0.1:1\", language: en}\nadmin: {listen: \"127.0.0.1:0\"}\npublish: {listen: \"127.0.0.1:0\"}\n")
	fmt.Fprintf(&text, "ingest: {allow_networks: [127.0.0.0/8], hosts: {%q: {concurrency: 16, gap: 0s}}}\n", origin.Addr())
	fmt.Fprintf(&text, "channels: [{id: hook, network: webhook, url: %q, allow_private: true}]\nsources:\n", sink.URL)
	var list []*origintest.Feed
	for n := range loadSources {
		f := origin.Feed(fmt.Sprintf("feed%d", n)).Describe("Load", "en")
		f.Add(news(f, n))
		list = append(list, f)
		fmt.Fprintf(&text, "  - {id: s%d, url: %q, every: 5s, fulltext: never}\n", n, f.URL(origintest.RSS))
	}
	data := b.TempDir()
	stop := start(b, config.New("load.yaml", []byte(text.String()), nil), data)
	c := reach(b, data)
	shelf := watch(b, c)
	await(b, func() bool { return shelf.total() == loadSources && since(b, c) > 2*time.Second })
	rows, before := messages(b, c, "KV_"+event.BucketDeliveries), writes(b, c)

	began := time.Now()
	o := &supply{list: list, given: make([]int, loadSources)}
	defer func() {
		if b.Failed() {
			b.Logf("%d articles offered, %d stored, %d sent", o.total, shelf.total()-loadSources, hook.count())
		}
	}()
	o.run(b.Context(), *loadFor, func(source int) bool { return o.given[source]+1-shelf.of(source) < loadShown })
	took := time.Since(began)
	per := func(n int) float64 { return float64(n) / took.Seconds() }
	b.ReportMetric(per(o.total), "offered/s")
	b.ReportMetric(per(shelf.total()-loadSources), "articles/s")
	b.ReportMetric(per(messages(b, c, "KV_"+event.BucketDeliveries)-rows), "ledger/s")
	b.ReportMetric(per(hook.count()), "sent/s")
	offered := o.total
	await(b, func() bool { return shelf.total() == loadSources+offered })
	b.ReportMetric((time.Since(began) - took).Seconds(), "rest-of-articles-s")
	await(b, func() bool { return hook.count() >= offered })
	b.ReportMetric((time.Since(began) - took).Seconds(), "rest-of-sent-s")
	for name, n := range writes(b, c) {
		if each := float64(n-before[name]) / float64(offered); each > 0.01 {
			b.ReportMetric(each, name+"-writes/article")
		}
	}

	ctx, cancel := context.WithCancel(b.Context())
	var group sync.WaitGroup
	group.Go(func() { o.run(ctx, time.Hour, func(int) bool { return true }) })
	await(b, func() bool { return hook.count() >= offered+100 })
	asked := time.Now()
	stop()
	b.ReportMetric(time.Since(asked).Seconds(), "stop-s")
	cancel()
	group.Wait()
}

// shelf knows which articles ARTICLES holds.
type shelf struct {
	mu     sync.Mutex
	seen   map[string]bool // by subject
	source map[string]int  // how many of each
}

func watch(b *testing.B, c *bus.Bus) *shelf {
	s := &shelf{seen: map[string]bool{}, source: map[string]int{}}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := c.Tail(ctx, event.All(event.SpaceEnriched), time.Time{}, s.put); err != nil && ctx.Err() == nil {
			b.Error(err)
		}
	}()
	b.Cleanup(func() { cancel(); <-done })
	return s
}

func (s *shelf) put(r bus.Record) {
	subject, err := event.ParseSubject(r.Subject)
	if err != nil {
		return // it is counted by nobody, and missed at the end
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.seen[r.Subject] {
		s.seen[r.Subject] = true
		s.source[subject.Source]++
	}
}

func (s *shelf) total() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

func (s *shelf) of(source int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.source[fmt.Sprintf("s%d", source)]
}

// supply gives sources new items in turn.
type supply struct {
	list  []*origintest.Feed
	given []int // to each
	turn  int
	total int
}

// run gives items ten times a second at the rate of the benchmark, but none to a source that has no room.
func (o *supply) run(ctx context.Context, limit time.Duration, room func(source int) bool) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	began, first := time.Now(), o.total
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		due := first + int(time.Since(began).Seconds()*float64(*loadRate))
		for full := 0; o.total < due && full < len(o.list); o.turn++ {
			source := o.turn % len(o.list)
			if !room(source) {
				full++
				continue
			}
			full = 0
			f := o.list[source]
			f.Add(news(f, len(o.list)+o.total))
			o.given[source]++
			o.total++
			if shown := f.Items(); len(shown) > loadShown {
				f.Remove(shown[len(shown)-1].ID) // the newest stands first
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// writes is how many messages each stream was ever given.
func writes(b *testing.B, c *bus.Bus) map[string]uint64 {
	last := map[string]uint64{}
	for _, name := range []string{
		event.StreamRaw, event.StreamArticles, event.StreamPosts, event.StreamFeeds, event.StreamEvents, "KV_" + event.BucketSourceState,
		"KV_" + event.BucketStories, "KV_" + event.BucketDeliveries, "KV_" + event.BucketLeases,
	} {
		s, err := c.StreamState(b.Context(), name)
		if err != nil {
			b.Fatal(err)
		}
		last[name] = s.Last
	}
	return last
}

// prose are words of which sentences are made here.
const prose = "the a of and to in for with on at from by about after before over under between council city harbour market school hospital river " +
	"company minister report study team player bridge train energy price budget museum library farmer winter summer storm forest valley " +
	"engineer doctor teacher driver artist court law vote election party tax water road house factory bank ship island village coast border " +
	"says opens closes builds plans wins loses finds shows expects warns repairs measures promises delays visits writes sings pays grows falls rises " +
	"new old large small early late quiet heavy public private national local northern southern cheap careful"

// news is an item of 2 KB that tells what no other does.
func news(f *origintest.Feed, n int) origintest.Item {
	rng := rand.New(rand.NewPCG(uint64(n), 1))
	words := strings.Fields(prose)
	sentence := func(length int) string {
		var b strings.Builder
		fmt.Fprintf(&b, "Place%d", rng.IntN(1e6))
		for range length {
			b.WriteString(" " + words[rng.IntN(len(words))])
		}
		return b.String()
	}
	var body strings.Builder
	for range 25 {
		body.WriteString("<p>" + sentence(12) + ".</p>")
	}
	id := fmt.Sprintf("%s/%d", f.URL(origintest.RSS), n)
	return origintest.Item{ID: id, URL: id, Title: sentence(6), Content: body.String(), Published: time.Now()}
}

func messages(b *testing.B, c *bus.Bus, stream string) int {
	s, err := c.StreamState(b.Context(), stream)
	if err != nil {
		b.Fatal(err)
	}
	return int(s.Messages)
}

// since is how old the channel is: what is not younger is not posted.
func since(b *testing.B, c *bus.Bus) time.Duration {
	row, ok, err := c.Bucket(event.BucketDeliveries).Read(b.Context(), "c.hook")
	if err != nil || !ok {
		return 0
	}
	return time.Since(row.Created)
}
