package natstest_test

import (
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/natstest"
)

func TestAServerHasTheTopologyAndKeepsItsStore(t *testing.T) {
	t.Parallel()
	s := natstest.Run(t)
	b := s.Bus(t, "tidings")
	if err := b.ProbeTopology(t.Context(), event.StreamRaw, "KV_"+event.BucketLeases, "OBJ_"+event.StoreBlobs); err != nil {
		t.Fatal(err)
	}
	before, err := b.StreamState(t.Context(), event.StreamRaw)
	if err != nil {
		t.Fatal(err)
	}
	s.Stop()
	s.Stop() // once more is harmless
	if c, err := s.InProcessConn(); err == nil {
		_ = c.Close()
		t.Error("a stopped server takes connections")
	}
	s.Start(t)
	after, err := s.Bus(t, "ingest").StreamState(t.Context(), event.StreamRaw)
	if err != nil || !after.Created.Equal(before.Created) {
		t.Errorf("after the restart RAW was made at %v, %v; before at %v", after.Created, err, before.Created)
	}
}

func TestServersAreApart(t *testing.T) {
	t.Parallel()
	one, two := natstest.Bare(t), natstest.Run(t)
	if err := one.Bus(t, "tidings").ProbeTopology(t.Context(), event.StreamRaw); err == nil {
		t.Error("a bare server has a stream")
	}
	if one.Dir() == two.Dir() {
		t.Error("two servers share a folder")
	}
	named := natstest.With(t, func(o *server.Options) { o.ServerName = "named" })
	named.Bus(t, "tidings")
}

// BenchmarkRun is what each test of the broker pays: a server with the whole topology, or one without a stream.
func BenchmarkRun(b *testing.B) {
	for name, run := range map[string]func(testing.TB) *natstest.Server{"topology": natstest.Run, "bare": natstest.Bare} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s := run(b)
				b.StopTimer()
				s.Stop()
				b.StartTimer()
			}
		})
	}
}
