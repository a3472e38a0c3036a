package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/origintest"
	"tidings.internal/pkg/run"
	"tidings.internal/services/tidings/internal/embedded"
	"tidings.internal/services/tidings/internal/ops"
	"tidings.internal/services/tidings/internal/standalone"
)

const (
	feeds = 20
	items = 100
)

// BenchmarkPipeline runs everything in one process over 20 feeds of 100 articles each, from the first poll until the
// last article stands in ARTICLES.
func BenchmarkPipeline(b *testing.B) {
	for _, sync := range []string{"always", "default"} {
		b.Run(sync+"/ours", func(b *testing.B) {
			for b.Loop() {
				took := travel(b, sync)
				b.ReportMetric(feeds*items/took.Seconds(), "articles/s")
			}
		})
		b.Run(sync+"/baseline", func(b *testing.B) {
			for b.Loop() {
				took := plain(b, sync)
				b.ReportMetric(feeds*items/took.Seconds(), "publishes/s")
			}
		})
	}
}

func travel(b *testing.B, sync string) time.Duration {
	origin := origintest.New(b)
	var text strings.Builder
	fmt.Fprintf(&text, "site: {title: Bench, url: \"http://127.0.0.1:1\", language: en}\nnats: {sync: %s}\nadmin: {listen: \"127.0.0.1:0\"}\npublish: {listen: \"127.0.0.1:0\"}\n", sync)
	fmt.Fprintf(&text, "ingest: {allow_networks: [127.0.0.0/8], hosts: {%q: {concurrency: 8, gap: 0s}}}\nsources:\n", origin.Addr())
	for f := range feeds {
		feed := origin.Feed(fmt.Sprintf("feed%d", f)).Describe("Bench", "en")
		for i := range items {
			item := origintest.Sample(origin.URL(""), f*items+i)
			item.Published = time.Now().Add(-time.Hour)
			feed.Add(item)
		}
		fmt.Fprintf(&text, "  - {id: s%d, url: %q, every: 1h, fulltext: never}\n", f, feed.URL(origintest.RSS))
	}
	data := b.TempDir()
	began := time.Now()
	stop := start(b, config.New("bench.yaml", []byte(text.String()), nil), data)
	watch := reach(b, data)
	await(b, func() bool {
		s, err := watch.StreamState(b.Context(), event.StreamArticles)
		return err == nil && s.Messages == feeds*items
	})
	took := time.Since(began)
	stop()
	return took
}

// start runs everything in this process and returns when it is ready. stop ends it.
func start(b *testing.B, doc *config.Doc, data string) (stop func()) {
	ctx, cancel := context.WithCancel(b.Context())
	ended, ready := make(chan error, 1), make(chan struct{})
	var log bytes.Buffer
	go func() {
		ended <- run.Start(ctx, standalone.Program(standalone.Options{}), run.Options{Doc: doc, Data: data, Lock: true, Stdout: io.Discard, Stderr: &log, Ready: func(string) { close(ready) }})
	}()
	select {
	case <-ready:
	case err := <-ended:
		b.Fatalf("the process ended: %v\n%s", err, log.String())
	}
	return func() {
		cancel()
		if err := <-ended; err != nil {
			b.Fatalf("stop: %v\n%s", err, log.String())
		}
	}
}

// reach connects to the server of a data directory.
func reach(b *testing.B, data string) *bus.Bus {
	a, err := embedded.ReadAddress(data)
	if err != nil {
		b.Fatal(err)
	}
	seed, err := os.ReadFile(embedded.SeedFile(data))
	if err != nil {
		b.Fatal(err)
	}
	return connect(b, bus.Config{Service: ops.Role, URL: a.URL, Seed: seed})
}

func connect(b *testing.B, c bus.Config) *bus.Bus {
	conn, err := bus.Connect(b.Context(), c)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = conn.Close(ctx) // the server may be gone
	})
	if err := conn.WaitConnected(b.Context()); err != nil {
		b.Fatal(err)
	}
	return conn
}

func await(b *testing.B, ok func() bool) {
	limit := time.NewTimer(5 * time.Minute)
	defer limit.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-limit.C:
			b.Fatal("the articles did not arrive within 5 minutes")
		case <-tick.C:
		}
	}
}

// plain publishes as many messages of 4 KB one after the other to a server of its own.
func plain(b *testing.B, sync string) time.Duration {
	doc := config.New("bench.yaml", []byte("nats: {sync: "+sync+"}\n"), nil)
	n := ops.ReadNATS(doc)
	if err := doc.Err(); err != nil {
		b.Fatal(err)
	}
	always, every := n.SyncInterval()
	data := filepath.Join(b.TempDir(), "plain")
	if err := os.Mkdir(data, 0o700); err != nil {
		b.Fatal(err)
	}
	server, err := embedded.Start(b.Context(), embedded.Config{Data: data, SyncAlways: always, SyncInterval: every, MaxFile: int64(n.MaxFile), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	c := connect(b, bus.Config{Service: ops.Role, InProcess: server, Seed: server.Seed()})
	top, err := ops.Topology(n)
	if err != nil {
		b.Fatal(err)
	}
	plan, err := c.Plan(b.Context(), top)
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Apply(b.Context(), plan, false); err != nil {
		b.Fatal(err)
	}
	body := bytes.Repeat([]byte("x"), 4<<10)
	bucket := c.Bucket(event.BucketTaxonomy)
	start := time.Now()
	for i := range feeds * items {
		if _, err := bucket.Put(b.Context(), fmt.Sprintf("k%d", i%100), body); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start)
}
