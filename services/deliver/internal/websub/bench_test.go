package websub

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tidings.internal/pkg/web"
)

// sink is a server of many callbacks that counts pushes, and knows when so many have come.
type sink struct {
	*httptest.Server
	left  atomic.Int64
	first atomic.Int64 // when the first push came, in nanoseconds
	done  chan struct{}
}

func newSink(b *testing.B) *sink {
	s := &sink{done: make(chan struct{}, 1)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			return
		}
		s.first.CompareAndSwap(0, time.Now().UnixNano())
		if s.left.Add(-1) == 0 {
			s.done <- struct{}{}
		}
	}))
	b.Cleanup(s.Close)
	return s
}

func (s *sink) expect(n int) {
	s.first.Store(0)
	s.left.Store(int64(n))
}

// BenchmarkFanOut pushes a document of 20 KB to 1,000 subscriptions on 64 hosts, from the message on the bus to the last
// push, and compares that with the same requests from as many goroutines as there are places, without any state.
func BenchmarkFanOut(b *testing.B) {
	const subscriptions, hosts = 1000, 64
	w := newWorld(b)
	var sinks []*sink
	var callbacks []string
	for range hosts {
		sinks = append(sinks, newSink(b))
	}
	total := func(n int) {
		for i, s := range sinks {
			s.expect((n + hosts - 1 - i) / hosts)
		}
	}
	wait := func() {
		for _, s := range sinks {
			<-s.done
		}
	}
	rows := w.bus.Bucket("subscriptions")
	for i := range subscriptions {
		c := fmt.Sprintf("%s/%d", sinks[i%hosts].URL, i)
		callbacks = append(callbacks, c)
		value := fmt.Appendf(nil, `{"feed":"all","topic":%q,"callback":%q,"secret":"s","since":"2026-01-01T00:00:00Z","lease":"2100-01-01T00:00:00Z"}`, topicOf("all"), c)
		if _, err := rows.Put(b.Context(), subscriptionKey(topicOf("all"), c), value); err != nil {
			b.Fatal(err)
		}
	}
	h, _ := w.hub()
	until(b, "the subscriptions to be known", func() bool { live, _, _ := h.Counts(); return live == subscriptions })
	body := strings.Repeat("news ", 4000)
	var bare, whole []time.Duration
	var firsts []time.Duration
	for n := 0; b.Loop(); n++ {
		total(subscriptions)
		start := time.Now()
		plain(b, h, callbacks, body)
		wait()
		bare = append(bare, time.Since(start))

		total(subscriptions)
		text := fmt.Sprint(n, body)
		start = time.Now()
		w.publish("all", text)
		wait()
		whole = append(whole, time.Since(start))
		first := int64(1 << 62)
		for _, s := range sinks {
			first = min(first, s.first.Load())
		}
		firsts = append(firsts, time.Unix(0, first).Sub(start))
		w.settled("all", text)
	}
	slices.Sort(bare)
	slices.Sort(whole)
	slices.Sort(firsts)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(subscriptions/whole[len(whole)/2].Seconds(), "pushes/s")
	b.ReportMetric(subscriptions/bare[len(bare)/2].Seconds(), "bare/s")
	b.ReportMetric(bare[len(bare)/2].Seconds()/whole[len(whole)/2].Seconds(), "ratio")
	b.ReportMetric(float64(firsts[len(firsts)/2].Milliseconds()), "ms-to-first")
}

// plain pushes from memory.
func plain(b *testing.B, h *Hub, callbacks []string, body string) {
	b.Helper()
	jobs := make(chan string, len(callbacks))
	for _, c := range callbacks {
		jobs <- c
	}
	close(jobs)
	all, _ := fast.places()
	var group sync.WaitGroup
	for range all {
		group.Go(func() {
			for c := range jobs {
				req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, c, bytes.NewReader([]byte(body)))
				if err != nil {
					b.Error(err)
					return
				}
				req.Header.Set("X-Hub-Signature", signature("s", body))
				if _, err := h.Client.Do(b.Context(), req, web.Options{}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	group.Wait()
}
