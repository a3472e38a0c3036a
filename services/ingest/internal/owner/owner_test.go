package owner

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/hosttest"
	"tidings.internal/pkg/natstest"
)

// replica is an owner with a list of what it was told.
type replica struct {
	*Owner
	mu   sync.Mutex
	mine map[int]bool
	stop func()
}

func start(t *testing.T, server *natstest.Server, name string) *replica {
	t.Helper()
	b := server.Bus(t, "ingest")
	r := &replica{mine: map[int]bool{}}
	r.Owner = New(Config{
		Bus: b, Leases: b.Bucket(event.BucketLeases), Replica: name, Log: slog.New(slog.DiscardHandler), Tick: 20 * time.Millisecond,
		Wanted: func() []int {
			list := make([]int, article.Shards)
			for i := range list {
				list[i] = i
			}
			return list
		},
		Gained: func(_ context.Context, shard int, l *bus.Lease) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.mine[shard] = l.Valid()
		},
		Lost: func(shard int) {
			r.mu.Lock()
			defer r.mu.Unlock()
			delete(r.mine, shard)
		},
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	drained, done := make(chan struct{}), make(chan error, 1)
	close(drained)
	go func() { done <- r.Run(ctx, drained) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

func (r *replica) shards() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []int
	for s := range r.mine {
		list = append(list, s)
	}
	slices.Sort(list)
	return list
}

func until(t *testing.T, what string, ok func() (bool, string)) {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		good, last := ok()
		if good {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("%s did not come true: %s", what, last)
		case <-tick.C:
		}
	}
}

func TestShardsAreSharedFairlyAndEachHasOneOwner(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	a := start(t, server, "a")
	until(t, "one replica owns all", func() (bool, string) { return len(a.shards()) == article.Shards, fmt.Sprint(len(a.shards())) })
	b := start(t, server, "b")
	until(t, "two replicas own a half each", func() (bool, string) {
		one, two := a.shards(), b.shards()
		for _, s := range two {
			if slices.Contains(one, s) {
				return false, fmt.Sprintf("both own %d", s)
			}
		}
		return len(one) == 32 && len(two) == 32, fmt.Sprint(len(one), " and ", len(two))
	})
	a.stop()
	until(t, "the one that is left owns all", func() (bool, string) { return len(b.shards()) == article.Shards, fmt.Sprint(len(b.shards())) })
	if a.Held() != 0 {
		t.Errorf("the one that ended holds %d", a.Held())
	}
}

// A process that was killed counts no longer as soon as somebody on its machine sees that it is dead.
func TestDeadMembersDoNotCount(t *testing.T) {
	t.Parallel()
	server := natstest.Run(t)
	b := server.Bus(t, "ingest")
	leases := b.Bucket(event.BucketLeases)
	l, err := b.Acquire(t.Context(), memberNames+"old")
	if err != nil {
		t.Fatal(err)
	}
	e, _, err := leases.Read(t.Context(), memberNames+"old")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	var holder map[string]string
	if err := json.Unmarshal(e.Value, &holder); err != nil || holder["process"] == "" {
		hosttest.Lacks(t, fmt.Sprintf("this system does not tell which processes are dead (Linux does): %v", holder))
	}
	holder["process"] += "0" // started at another time: it is over
	value, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leases.Put(t.Context(), memberNames+"old", value); err != nil {
		t.Fatal(err)
	}
	a := start(t, server, "new")
	until(t, "the new replica owns all", func() (bool, string) { return len(a.shards()) == article.Shards, fmt.Sprint(len(a.shards())) })
}
