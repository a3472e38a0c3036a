package web

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/pkg/fault"
)

func enter(t *testing.T, g *Gate, host string) func() {
	t.Helper()
	release, err := g.Enter(t.Context(), host)
	if err != nil {
		t.Fatal(err)
	}
	return release
}

func TestGateSpacesStartsInTheOrderTheyCame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateConfig{})
		began := time.Now()
		type start struct {
			N  int
			At time.Duration
		}
		var mu sync.Mutex
		var got []start
		var wg sync.WaitGroup
		for n := range 4 {
			wg.Go(func() {
				release := enter(t, g, "a:80")
				mu.Lock()
				got = append(got, start{n, time.Since(began)})
				mu.Unlock()
				if n == 1 {
					time.Sleep(2500 * time.Millisecond) // longer than the gap: the next waits for the end
				}
				release()
				release() // a second call must not let two in
			})
			synctest.Wait()
		}
		wg.Wait()
		want := []start{{0, 0}, {1, time.Second}, {2, 3500 * time.Millisecond}, {3, 4500 * time.Millisecond}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("starts (-want +got):\n%s", diff)
		}
	})
}

func TestGateKeepsHostsApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateConfig{})
		began := time.Now()
		enter(t, g, "a:80")
		enter(t, g, "a:443")
		enter(t, g, "b:80")
		if time.Since(began) != 0 {
			t.Errorf("other hosts waited %v", time.Since(began))
		}
	})
}

func TestGateOfOneHostMayDiffer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateConfig{Hosts: map[string]HostLimit{"bridge:1200": {Concurrency: 3}, "slow:80": {Gap: time.Minute}}})
		began := time.Now()
		for range 3 {
			enter(t, g, "bridge:1200")
		}
		if time.Since(began) != 0 {
			t.Errorf("three at once waited %v", time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := g.Enter(ctx, "bridge:1200"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a fourth: %v", err)
		}
		began = time.Now()
		enter(t, g, "slow:80")()
		enter(t, g, "slow:80")()
		if time.Since(began) != time.Minute {
			t.Errorf("the gap was %v", time.Since(began))
		}
	})
}

func TestGateIsBlockedUntilATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateConfig{})
		began := time.Now()
		g.Block("a:80", began.Add(time.Hour))
		g.Block("a:80", began.Add(time.Minute)) // the later time wins
		done := make(chan time.Duration, 1)
		go func() {
			enter(t, g, "a:80")
			done <- time.Since(began)
		}()
		synctest.Wait()
		g.Block("a:80", began.Add(2*time.Hour)) // also for those who wait already
		if got := <-done; got != 2*time.Hour {
			t.Errorf("it opened after %v", got)
		}
	})
}

func TestGateSlowsDownAndRecovers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateConfig{})
		gap := func() time.Duration {
			enter(t, g, "a:80")()
			began := time.Now()
			enter(t, g, "a:80")()
			return time.Since(began)
		}
		g.Slow("a:80")
		got := []time.Duration{gap()}
		for range 3 {
			g.Ease("a:80")
			got = append(got, gap())
		}
		for range 10 {
			g.Slow("a:80")
		}
		got = append(got, gap())
		g.Ease("never:80")
		want := []time.Duration{4 * time.Second, 2 * time.Second, time.Second, time.Second, 256 * time.Second}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("gaps (-want +got):\n%s", diff)
		}
	})
}

func TestGateGivesUpItsPlaceWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateConfig{})
		first := enter(t, g, "a:80")
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		go func() {
			_, err := g.Enter(ctx, "a:80")
			gone <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if _, err := g.Enter(ctx, "b:80"); !errors.Is(err, context.Canceled) {
			t.Errorf("under an ended context: %v", err)
		}
		first()
		began := time.Now()
		enter(t, g, "a:80")
		if time.Since(began) != time.Second {
			t.Errorf("the next waited %v", time.Since(began))
		}
	})
}

func TestGateWithoutWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateConfig{})
		release, _, ok := g.TryEnter("a:80")
		if !ok {
			t.Fatal("a free host is closed")
		}
		if _, wait, ok := g.TryEnter("a:80"); ok || wait != time.Second {
			t.Errorf("while one runs: %v, %v", wait, ok)
		}
		time.Sleep(300 * time.Millisecond)
		release()
		if _, wait, ok := g.TryEnter("a:80"); ok || wait != 700*time.Millisecond {
			t.Errorf("inside the gap: %v, %v", wait, ok)
		}
		// It must not overtake those who wait.
		done := make(chan struct{})
		go func() {
			defer close(done)
			enter(t, g, "a:80")()
		}()
		synctest.Wait()
		if _, _, ok := g.TryEnter("a:80"); ok {
			t.Error("it overtook the queue")
		}
		<-done
	})
}

func TestGateRefusesAnEndlessQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateConfig{Queue: 2})
		release := enter(t, g, "a:80")
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { enter(t, g, "a:80")() })
		}
		synctest.Wait()
		if _, err := g.Enter(t.Context(), "a:80"); fault.KindOf(err) != fault.Throttled {
			t.Errorf("a third in the queue: %v", err)
		}
		release()
		wg.Wait()
	})
}

func TestGateForgetsHosts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateConfig{})
		g.Block("blocked:80", time.Now().Add(24*time.Hour))
		g.Slow("slow:80")
		held := enter(t, g, "held:80")
		for i := range 20_000 {
			enter(t, g, fmt.Sprintf("h%d:80", i))()
			time.Sleep(10 * time.Millisecond)
		}
		g.mu.Lock()
		n := len(g.hosts)
		for _, host := range []string{"blocked:80", "slow:80", "held:80"} {
			if g.hosts[host] == nil {
				t.Errorf("%s was forgotten", host)
			}
		}
		g.mu.Unlock()
		if n > 2*sweepFloor {
			t.Errorf("%d hosts are remembered", n)
		}
		held()
	})
}

// Whatever the mix of callers, cancellations and blocks, a host has one request at a time, starts keep their distance,
// and nobody waits for ever.
func TestGateUnderLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateConfig{})
		var mu sync.Mutex
		running := map[string]int{}
		last := map[string]time.Time{}
		entered := 0
		var wg sync.WaitGroup
		for n := range 400 {
			wg.Go(func() {
				host := fmt.Sprintf("h%d:80", n%7)
				ctx := t.Context()
				if n%5 == 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, time.Duration(n)*100*time.Millisecond)
					defer cancel()
				}
				if n%97 == 0 {
					g.Block(host, time.Now().Add(10*time.Second))
				}
				release, err := g.Enter(ctx, host)
				if err != nil {
					return
				}
				mu.Lock()
				entered++
				if running[host]++; running[host] > 1 {
					t.Errorf("%s has %d at once", host, running[host])
				}
				if gap := time.Since(last[host]); gap < time.Second {
					t.Errorf("%s started again after %v", host, gap)
				}
				last[host] = time.Now()
				mu.Unlock()
				time.Sleep(time.Duration(n%13) * 200 * time.Millisecond)
				mu.Lock()
				running[host]--
				mu.Unlock()
				release()
			})
		}
		wg.Wait()
		if entered < 320 {
			t.Errorf("only %d of 400 entered", entered)
		}
	})
}
