package engine

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/natstest"
	"tidings.internal/pkg/origintest"
	"tidings.internal/pkg/web"
	"tidings.internal/services/ingest/internal/admission"
	"tidings.internal/services/ingest/internal/fetch"
	"tidings.internal/services/ingest/internal/fulltext"
	"tidings.internal/services/ingest/internal/outage"
	"tidings.internal/services/ingest/internal/poll"
	"tidings.internal/services/ingest/internal/state"
)

// backlog is a broker's answer that a test can change.
type backlog struct {
	mu  sync.Mutex
	lag uint64
}

func (b *backlog) set(lag uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lag = lag
}

func (b *backlog) Backlog(context.Context, string, string) (bus.Backlog, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bus.Backlog{Pending: b.lag}, nil
}

type nobody struct{}

func (nobody) Fetched(string, time.Duration) {}
func (nobody) Bytes(int, int)                {}
func (nobody) Published(string, string, int) {}
func (nobody) Skipped(string, int)           {}

// stand is an engine with sources on an origin, all of one shard, which it owns.
type stand struct {
	*Engine
	origin    *origintest.Origin
	bus       *bus.Bus
	admission *admission.Gate
	backlog   *backlog
	lease     *bus.Lease
	shard     int
	outage    *outage.Detector
	ahead     atomic.Int64 // how far the clock of the detector is ahead
	ended     atomic.Int64 // outages
}

func newStand(t *testing.T, log io.Writer, paths ...string) *stand {
	t.Helper()
	s := &stand{origin: origintest.New(t), bus: natstest.Run(t).Bus(t, "ingest"), backlog: &backlog{}}
	client, err := web.New(web.Config{UserAgent: "test", AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	s.admission = admission.New(s.backlog, admission.Limits{Lag: 50_000, MaxAge: time.Hour}, time.Now, func(string, bool, string) {})
	s.admission.Look(t.Context())
	logger := slog.New(slog.NewTextHandler(log, nil))
	gate := web.NewGate(web.GateConfig{Gap: time.Nanosecond, Concurrency: 4})
	var sources []*poll.Source
	for i, path := range paths {
		c := config.Source{}
		c.SetDefaults()
		c.ID, c.URL, c.Every = fmt.Sprint("s", i), s.origin.URL(path), 50*time.Millisecond
		sources = append(sources, &poll.Source{Source: c})
	}
	s.outage = outage.New(func() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) })
	poller := poll.New(poll.Deps{
		Pages:  fulltext.New(client, gate, time.Now, func(string) {}),
		Outage: s.outage, Online: func(context.Context) { s.Online(); s.ended.Add(1) }, Offline: func(context.Context) {},
		Config: poll.Config{DefaultEvery: time.Minute}, Fetcher: fetch.New(client), Gate: gate, Bus: s.bus,
		States: s.bus.Bucket(event.BucketSourceState), Log: logger, Observe: nobody{}, Now: time.Now,
	})
	s.Engine = New(Config{Poller: poller, Gate: gate, Admission: s.admission, Workers: 8, Sources: sources, Log: logger, Now: time.Now, Late: func(time.Duration) {}, Outage: s.outage})
	s.shard = s.Shards()[0]
	if s.lease, err = s.bus.Acquire(t.Context(), "ingest.test"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := s.lease.Release(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return s
}

// total waits until the origin was asked n times in all for a path.
func (s *stand) total(t *testing.T, path string, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := s.origin.Wait(ctx, n, path); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// asked waits until the origin was asked n more times for a path that is polled all the time.
func (s *stand) asked(t *testing.T, path string, n int) {
	t.Helper()
	s.total(t, path, len(s.origin.Requests(path))+n)
}

// quiet checks that nobody asks for a path while several polls would be due.
func (s *stand) quiet(t *testing.T, path string) {
	t.Helper()
	// The poll that runs at this moment may still arrive; after it none does.
	for range 20 {
		before := len(s.origin.Requests(path))
		ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
		_, err := s.origin.Wait(ctx, before+1, path)
		cancel()
		if err != nil {
			return
		}
	}
	t.Errorf("%s is polled", path)
}

func TestSourcesArePolledOnlyUnderALease(t *testing.T) {
	t.Parallel()
	s := newStand(t, io.Discard, "/f.rss")
	s.origin.Feed("f").Add(origintest.Item{ID: "1", Title: "Eins"})
	s.quiet(t, "/f.rss")
	s.Gained(t.Context(), s.shard, s.lease)
	s.asked(t, "/f.rss", 3)
	if st := s.Status()["s0"]; st.Phase != state.Active || st.Count != 1 {
		t.Errorf("state %+v", st)
	}
	s.Lost(s.shard)
	s.quiet(t, "/f.rss")
	if n := len(s.Status()); n != 0 {
		t.Errorf("%d sources of a shard that is another's", n)
	}
	s.Gained(t.Context(), s.shard, s.lease)
	s.asked(t, "/f.rss", 2)
}

func TestNothingIsPolledWhileTheAdmissionIsClosed(t *testing.T) {
	t.Parallel()
	s := newStand(t, io.Discard, "/f.rss")
	s.origin.Feed("f").Add(origintest.Item{ID: "1", Title: "Eins"})
	s.Gained(t.Context(), s.shard, s.lease)
	s.asked(t, "/f.rss", 2)
	s.backlog.set(60_000)
	s.admission.Look(t.Context())
	s.quiet(t, "/f.rss")
	s.backlog.set(0)
	s.admission.Look(t.Context())
	s.asked(t, "/f.rss", 2)
}

func TestRefreshOfThePastIsNotRepeated(t *testing.T) {
	t.Parallel()
	s := newStand(t, io.Discard, "/f.rss")
	s.origin.Feed("f").Add(origintest.Item{ID: "1", Title: "Eins"})
	s.sources["s0"].source.Every = 24 * time.Hour
	s.Gained(t.Context(), s.shard, s.lease)
	s.total(t, "/f.rss", 1)
	s.quiet(t, "/f.rss")
	s.Refresh("s0", time.Now().Add(-time.Hour))
	s.Refresh("unknown", time.Now())
	s.quiet(t, "/f.rss")
	now := time.Now()
	s.Refresh("s0", now)
	s.Refresh("s0", now) // the bucket may show it again
	s.total(t, "/f.rss", 2)
	s.quiet(t, "/f.rss")
}
