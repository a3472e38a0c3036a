package projection

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/natstest"
	"tidings.internal/services/publish/internal/feed"
	"tidings.internal/services/publish/internal/render"
)

// fat is an article of 5 KB.
func fat(source string, n int) article.Article {
	a := tagged(fmt.Sprint(source, n), time.Duration(n)*time.Minute)
	a.Source = article.Source{ID: source, Partition: article.Partition(source), Title: source}
	a.HTML = strings.Repeat(fmt.Sprintf("<p>Das Team %d hat jeden Brief am selben Tag beantwortet, und wer zweimal schrieb, bekam einen Anruf.</p>", n), 48)
	return a
}

// BenchmarkRebuild renders a feed of 50 items anew after a change: three formats and the page, each packed.
func BenchmarkRebuild(b *testing.B) {
	s := newStream()
	for i := range 50 {
		s.put(b, fat("blog", i))
	}
	c := feed.Config{ID: "all"}
	p, _ := newProjection(s, feeds(b, c), nil)
	s.fold(b, p)
	settle(p)
	var used time.Duration // of processors
	for i := 0; b.Loop(); i++ {
		a := fat("blog", 0)
		a.Revision, a.Title = uint64(i+2), fmt.Sprint("Neu ", i)
		if err := p.Apply(s.put(b, a)); err != nil {
			b.Fatal(err)
		}
		at := spent(b)
		settle(p)
		used += spent(b) - at
	}
	b.ReportMetric(used.Seconds()*1000/float64(b.N), "cpu-ms")
}

// BenchmarkProject reads 100,000 articles of 5 KB from a broker until the feed made of them stands, as a replica does that
// starts. The baseline reads the same stream with the same consumer and looks at nothing.
func BenchmarkProject(b *testing.B) {
	const articles = 100_000
	server := natstest.Run(b)
	c := server.Bus(b, "enrich")
	s := newStream()
	var batch []event.Message
	for i := range articles {
		batch = append(batch, s.put(b, fat(fmt.Sprint("source", i%200), i)).Message)
		if len(batch) < 1000 {
			continue
		}
		if err := c.Append(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		batch, s.records = batch[:0], map[string]bus.Record{}
	}
	reader := server.Bus(b, "publish")
	read := func(f bus.Fold, level <-chan struct{}) time.Duration {
		ctx, cancel := context.WithCancel(b.Context())
		begun, ended := time.Now(), make(chan struct{})
		go func() {
			defer close(ended)
			_ = reader.Follow(ctx, event.StreamArticles, event.All(event.SpaceEnriched), f)
		}()
		<-level
		took := time.Since(begun)
		cancel()
		<-ended
		return took
	}
	var ours, theirs, cpu, baseCPU time.Duration
	for b.Loop() {
		at := spent(b)
		bare := &blind{level: make(chan struct{})}
		theirs += read(bare, bare.level)
		baseCPU, at = baseCPU+spent(b)-at, spent(b)
		stands := make(chan struct{})
		ctx, stop := context.WithCancel(b.Context())
		p, _ := newProjection(s, feeds(b, feed.Config{ID: "all"}), func(Change) { close(stands) })
		p.Automatic, p.Last = automatic(3), reader.Last
		ended := make(chan struct{})
		go func() { defer close(ended); _ = p.Run(ctx) }()
		ours += read(p, stands)
		cpu += spent(b) - at
		stop()
		<-ended
		if p.Rows() != articles {
			b.Fatalf("%d articles of %d", p.Rows(), articles)
		}
	}
	b.ReportMetric(ours.Seconds()/float64(b.N), "s")
	b.ReportMetric(theirs.Seconds()/float64(b.N), "baseline-s")
	b.ReportMetric(ours.Seconds()/theirs.Seconds(), "ratio")
	b.ReportMetric(cpu.Seconds()/float64(b.N), "cpu-s")
	b.ReportMetric(cpu.Seconds()/baseCPU.Seconds(), "cpu-ratio")
}

// spent is the time of processors that the process has taken: on a machine with other work the clock tells of that.
func spent(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// blind is a fold that looks at nothing.
type blind struct{ level chan struct{} }

func (*blind) Reset(string)             {}
func (*blind) Apply(bus.Record) error   { return nil }
func (f *blind) CaughtUp(event.Applied) { close(f.level) }
func (*blind) Evicted(uint64)           {}

// BenchmarkIndex tells what an article takes in memory that no document shows.
func BenchmarkIndex(b *testing.B) {
	const articles = 20_000
	s := newStream()
	for i := range articles {
		s.put(b, fat(fmt.Sprint("source", i%200), i))
	}
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		p, _ := newProjection(s, feeds(b, feed.Config{ID: "all"}), nil)
		p.Automatic = automatic(3)
		s.fold(b, p)
		settle(p)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/articles, "B/article")
		runtime.KeepAlive(p)
	}
}

// BenchmarkResident holds 1,000 feeds of 30 items, in three formats and a page, plain and packed.
func BenchmarkResident(b *testing.B) {
	for b.Loop() {
		s := newStream()
		var list []*feed.Feed
		for i := range 1000 {
			source := fmt.Sprint("source", i)
			list = append(list, feeds(b, feed.Config{ID: fmt.Sprint("f", i), Select: config.Selection{Sources: []string{source}}})...)
			for n := range 30 {
				s.put(b, fat(source, n))
			}
		}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		p, _ := newProjection(s, list, nil)
		s.fold(b, p)
		begun := time.Now()
		settle(p)
		b.ReportMetric(time.Since(begun).Seconds(), "render-s")
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB")
		one, _ := p.Feed("f7")
		b.ReportMetric(float64(one.Documents[render.RSS].Size)/1000, "rss-KB")
	}
}
