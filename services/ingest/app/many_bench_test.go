package app

import (
	"fmt"
	"os"
	"runtime/debug"
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
		for len(origins[1].Requests()) == 0 {
			pause(b, time.Millisecond)
		}
		b.ReportMetric(time.Since(begun).Seconds(), "first-poll-s")
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

// BenchmarkSteady is an hour like any other of 10,000 sources, of which it looks at a minute: their first polls lie
// behind, and with 30 minutes each 5.6 are polled a second. One in ten has something new.
func BenchmarkSteady(b *testing.B) {
	for b.Loop() {
		s := natstest.Run(b)
		o := origintest.New(b)
		const documents = 100
		for i := range documents {
			f := o.Feed(fmt.Sprint("f", i)).Describe("Steady", "en")
			for n := range 20 {
				f.Add(origintest.Sample(o.URL(""), n))
			}
		}
		var y strings.Builder
		fmt.Fprintf(&y, "ingest: {allow_networks: [127.0.0.0/8], hosts: {%q: {concurrency: 16, gap: 0s}}}\nsources:\n", o.Addr())
		for i := range manySources {
			fmt.Fprintf(&y, "  - {id: s%d, url: %q, every: 30m, fulltext: never}\n", i, o.URL(fmt.Sprintf("/f%d.rss?%d", i%documents, i)))
		}
		before := resident()
		a, stop := running(b, s, prometheus.NewRegistry(), y.String())
		for len(a.engine.Status()) < manySources {
			pause(b, time.Millisecond)
		}
		poll := func(i int) { a.engine.Refresh(fmt.Sprint("s", i), time.Now()) }
		for i := range manySources {
			poll(i)
		}
		for {
			first := 0
			for _, st := range a.engine.Status() {
				if st.First() {
					first++
				}
			}
			if first == 0 {
				break
			}
			pause(b, 100*time.Millisecond)
		}
		o.Forget()
		used := cpu()
		const each = 30 * time.Minute / manySources
		polls := int(manyWindow / each)
		for n := range polls {
			if n%10 == 0 {
				o.Feed(fmt.Sprint("f", n%documents)).Add(origintest.Sample(o.URL(""), 1000+n))
			}
			poll(n)
			pause(b, each)
		}
		b.ReportMetric((cpu()-used).Seconds()/manyWindow.Seconds()*100, "%core")
		b.ReportMetric(resident()-before, "MB")
		debug.FreeOSMemory() // the rest is what the collector had not given back yet of the first polls
		b.ReportMetric(resident()-before, "held-MB")
		b.ReportMetric(float64(len(o.Requests()))/manyWindow.Seconds(), "polls/s")
		stop()
	}
}
