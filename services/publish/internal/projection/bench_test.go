package projection

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
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
	var used time.Duration
	for i := 0; b.Loop(); i++ {
		a := fat("blog", 0)
		a.Revision, a.Title = uint64(i+2), fmt.Sprint("Neu ", i)
		if err := p.Apply(s.put(b, a)); err != nil {
			b.Fatal(err)
		}
		begun := time.Now()
		settle(p)
		used += time.Since(begun)
	}
	b.ReportMetric(used.Seconds()*1000/float64(b.N), "ms")
}

// BenchmarkProject folds 100,000 articles of 5 KB, and decodes the same messages and does nothing with them, which is
// the baseline: what the broker and the wire cost comes on top of both.
func BenchmarkProject(b *testing.B) {
	const articles = 100_000
	s := newStream()
	for i := range articles {
		s.put(b, fat(fmt.Sprint("source", i%200), i))
	}
	records := s.ordered()
	for b.Loop() {
		begun := time.Now()
		for _, r := range records {
			if _, _, err := event.DecodeEnriched(r.Message); err != nil {
				b.Fatal(err)
			}
		}
		base := time.Since(begun)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		begun = time.Now()
		p, _ := newProjection(s, feeds(b, feed.Config{ID: "all"}), nil)
		p.Automatic = automatic(3)
		s.fold(b, p)
		settle(p)
		took := time.Since(begun)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(took.Seconds(), "s")
		b.ReportMetric(base.Seconds(), "baseline-s")
		b.ReportMetric(took.Seconds()/base.Seconds(), "ratio")
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
