package schedule

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tidings.internal/pkg/web"
)

// runner polls what the queue hands out, in fake time, and writes down when what started.
type runner struct {
	queue *Queue
	begun time.Time

	mu      sync.Mutex
	starts  []string
	running map[string]int
	most    map[string]int
}

func run(t *testing.T, gate Gate, perHost, workers int, open func(string) bool, job func(j Job) (took, every time.Duration)) *runner {
	t.Helper()
	r := &runner{begun: time.Now(), running: map[string]int{}, most: map[string]int{}}
	r.queue = NewQueue(gate, perHost, time.Now, open)
	ctx, cancel := context.WithCancel(t.Context())
	slots := make(chan struct{}, workers)
	var wg sync.WaitGroup
	wg.Go(func() {
		r.queue.Run(ctx, func(j Job) {
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				r.mu.Lock()
				r.starts = append(r.starts, fmt.Sprintf("%s@%v", j.ID, time.Since(r.begun).Round(10*time.Millisecond)))
				r.running[j.Host]++
				r.most[j.Host] = max(r.most[j.Host], r.running[j.Host])
				r.mu.Unlock()
				took, every := job(j)
				time.Sleep(took) // fake time: the work
				r.mu.Lock()
				r.running[j.Host]--
				r.mu.Unlock()
				j.Release()
				r.queue.Done(j, time.Now().Add(every))
			})
		})
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return r
}

func (r *runner) log() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.starts)
}

func always(string) bool { return true }

func TestSourcesStartWhenTheyAreDueAndComeBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := run(t, web.NewGate(web.GateConfig{}), 4, 8, always, func(Job) (time.Duration, time.Duration) { return 100 * time.Millisecond, 10 * time.Second })
		r.queue.Set("a", "a:80", time.Now())
		r.queue.Set("b", "b:80", time.Now().Add(3*time.Second))
		time.Sleep(25 * time.Second)
		want := []string{"a@0s", "b@3s", "a@10.1s", "b@13.1s", "a@20.2s", "b@23.2s"}
		if got := r.log(); !slices.Equal(got, want) {
			t.Errorf("started %v, want %v", got, want)
		}
	})
}

func TestHostIsAskedOneAtATimeWithAGap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := run(t, web.NewGate(web.GateConfig{}), 4, 8, always, func(Job) (time.Duration, time.Duration) { return 300 * time.Millisecond, time.Hour })
		for n, id := range []string{"a", "b", "c"} {
			r.queue.Set(id, "host:80", time.Now().Add(time.Duration(n)*time.Microsecond))
		}
		time.Sleep(10 * time.Second)
		if got, want := r.log(), []string{"a@0s", "b@1s", "c@2s"}; !slices.Equal(got, want) || r.most["host:80"] != 1 {
			t.Errorf("started %v with %d at once, want %v with 1", got, r.most["host:80"], want)
		}
	})
}

// 500 sources of a host that takes 30 s for each answer: whoever is elsewhere starts on time.
func TestSlowHostWithManySourcesDelaysNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := web.NewGate(web.GateConfig{Hosts: map[string]web.HostLimit{"slow:80": {Concurrency: 64}}})
		r := run(t, gate, 2, 8, always, func(j Job) (time.Duration, time.Duration) {
			if j.Host == "slow:80" {
				return 30 * time.Second, time.Hour
			}
			return 10 * time.Millisecond, 10 * time.Second
		})
		for i := range 500 {
			r.queue.Set(fmt.Sprint("slow-", i), "slow:80", time.Now())
		}
		r.queue.Set("quick", "quick:80", time.Now())
		time.Sleep(35 * time.Second)
		var quick []string
		for _, s := range r.log() {
			if s[0] == 'q' {
				quick = append(quick, s)
			}
		}
		if want := []string{"quick@0s", "quick@10.01s", "quick@20.02s", "quick@30.03s"}; !slices.Equal(quick, want) {
			t.Errorf("started %v, want %v", quick, want)
		}
		if r.most["slow:80"] > 2 {
			t.Errorf("the slow host held %d workers", r.most["slow:80"])
		}
	})
}

func TestClosedAdmissionStartsNothingAndThenAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		open := false
		r := run(t, web.NewGate(web.GateConfig{}), 4, 8, func(string) bool { mu.Lock(); defer mu.Unlock(); return open },
			func(Job) (time.Duration, time.Duration) { return 0, time.Hour })
		r.queue.Set("a", "a:80", time.Now())
		time.Sleep(30*time.Second + time.Millisecond)
		if got := r.log(); len(got) != 0 {
			t.Fatalf("started %v while closed", got)
		}
		mu.Lock()
		open = true
		mu.Unlock()
		time.Sleep(2 * time.Second)
		if got := r.log(); len(got) != 1 {
			t.Errorf("started %v after it opened", got)
		}
	})
}

func TestSetAndRemove(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := run(t, web.NewGate(web.GateConfig{}), 4, 8, always, func(Job) (time.Duration, time.Duration) { return 5 * time.Second, time.Hour })
		r.queue.Set("a", "a:80", time.Now().Add(time.Hour))
		r.queue.Set("a", "a:80", time.Now().Add(time.Second)) // earlier
		r.queue.Set("b", "b:80", time.Now().Add(time.Second))
		r.queue.Remove("b")
		time.Sleep(2 * time.Second)
		r.queue.Set("a", "a:80", time.Now()) // it runs: again when it is done
		time.Sleep(20 * time.Second)
		if got, want := r.log(), []string{"a@1s", "a@6s"}; !slices.Equal(got, want) {
			t.Errorf("started %v, want %v", got, want)
		}
		r.queue.Set("c", "c:80", time.Now())
		time.Sleep(time.Second)
		r.queue.Remove("c") // it runs: it ends and does not come back
		time.Sleep(3 * time.Hour)
		if n := r.queue.Len(); n != 1 {
			t.Errorf("%d sources in the queue, want 1", n)
		}
	})
}

// What became due while nothing could start comes one after the other, what waited longest first, and not in a burst.
func TestWhatIsOverdueIsSetApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var closed atomic.Bool
		closed.Store(true)
		r := run(t, web.NewGate(web.GateConfig{}), 4, 8, func(string) bool { return !closed.Load() }, func(Job) (time.Duration, time.Duration) { return 0, 24 * time.Hour })
		for n, id := range []string{"a", "b", "c", "d"} {
			r.queue.Set(id, id+":80", time.Now().Add(time.Duration(n)*time.Minute))
		}
		r.queue.Set("later", "later:80", time.Now().Add(61*time.Minute))
		time.Sleep(time.Hour)
		r.queue.Spread(func(n, _ int) time.Duration { return time.Duration(n) * 10 * time.Second })
		closed.Store(false)
		time.Sleep(2 * time.Minute)
		want := []string{"a@1h0m0s", "b@1h0m10s", "c@1h0m20s", "d@1h0m30s", "later@1h1m0s"}
		if got := r.log(); !slices.Equal(got, want) {
			t.Errorf("started %v, want %v", got, want)
		}
	})
}
