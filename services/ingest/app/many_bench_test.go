package app

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings.internal/pkg/natstest"
	"tidings.internal/pkg/origintest"
)

const (
	manySources = 10_000
	manyWindow  = time.Minute
)

// resident is the memory of this process in MB: ingest, the broker and the origin together. It is 0 where the system does
// not tell.
func resident() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kilobytes, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, err := strconv.ParseFloat(kilobytes, 64)
	if err != nil {
		return 0
	}
	return n / 1024
}

// BenchmarkMany starts with 10,000 sources of 30 minutes each, all of them due, and looks at a minute of it: how much of a
// core and how much memory broker, origin and ingest take together, how many polls start a second (they are set 60 ms
// apart, three times as dense as later), and how late the latest hundredth starts. One host among them has 500 sources
// and answers after 30 s.
func BenchmarkMany(b *testing.B) {
	for b.Loop() {
		s := natstest.Run(b)
		slow := origintest.New(b)
		var origins []*origintest.Origin
		for range 20 {
			o := origintest.New(b)
			f := o.Feed("f").Describe("Many", "en")
			for n := range 20 {
				f.Add(origintest.Sample(o.URL(""), n))
			}
			origins = append(origins, o)
		}
		var y strings.Builder
		y.WriteString("ingest: {allow_networks: [127.0.0.0/8], hosts: {")
		for _, o := range origins {
			fmt.Fprintf(&y, "%q: {concurrency: 4, gap: 0s}, ", o.Addr())
		}
		fmt.Fprintf(&y, "%q: {concurrency: 1, gap: 0s}}}\nsources:\n", slow.Addr())
		for i := range manySources {
			if i%20 == 0 { // 500 of them
				path := fmt.Sprint("/slow", i)
				slow.Script(path, origintest.Step{Delay: 30 * time.Second}.Always())
				fmt.Fprintf(&y, "  - {id: slow%d, url: %q, every: 30m, fulltext: never}\n", i, slow.URL(path))
				continue
			}
			fmt.Fprintf(&y, "  - {id: s%d, url: %q, every: 30m, fulltext: never}\n", i, origins[i%20].URL(fmt.Sprintf("/f.rss?%d", i)))
		}
		before := resident()
		begun := time.Now()
		registry := prometheus.NewRegistry()
		a, stop := running(b, s, registry, y.String())
		for len(a.engine.Status()) < manySources {
			pause(b, time.Millisecond)
		}
		b.ReportMetric(time.Since(begun).Seconds(), "start-s")
		used := cpu()
		pause(b, manyWindow)
		b.ReportMetric((cpu()-used).Seconds()/manyWindow.Seconds()*100, "%core")
		b.ReportMetric(resident()-before, "MB")
		polls := 0
		for _, o := range origins {
			polls += len(o.Requests())
		}
		b.ReportMetric(float64(polls)/manyWindow.Seconds(), "polls/s")
		b.ReportMetric(within(b, registry, 1)*100, "%within-1s")
		b.ReportMetric(within(b, registry, 5)*100, "%within-5s")
		stop()
	}
}

// within gives the share of polls that started at most so many seconds late.
func within(b *testing.B, r *prometheus.Registry, seconds float64) float64 {
	b.Helper()
	families, err := r.Gather()
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "tidings_ingest_poll_lateness_seconds" {
			continue
		}
		h := f.GetMetric()[0].GetHistogram()
		for _, bucket := range h.GetBucket() {
			if bucket.GetUpperBound() == seconds {
				return float64(bucket.GetCumulativeCount()) / float64(max(h.GetSampleCount(), 1))
			}
		}
	}
	b.Fatal("the lateness of polls is not counted")
	return 0
}
