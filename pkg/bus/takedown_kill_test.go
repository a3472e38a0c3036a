package bus_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/natstest"
)

// killer is a way to a server that ends at a certain write, as a process does that is killed: what was written before
// has arrived, nothing after it ever leaves.
type killer struct {
	server *natstest.Server
	armed  atomic.Bool
	left   atomic.Int64
	died   context.CancelFunc
}

func (k *killer) InProcessConn() (net.Conn, error) {
	if k.armed.Load() && k.left.Load() < 0 {
		return nil, nats.ErrNoServers
	}
	c, err := k.server.InProcessConn()
	return &mortal{c, k}, err
}

type mortal struct {
	net.Conn
	killer *killer
}

func (m *mortal) Write(p []byte) (int, error) {
	if m.killer.armed.Load() && m.killer.left.Add(-1) < 0 {
		m.killer.died()
		return 0, net.ErrClosed
	}
	return m.Conn.Write(p)
}

// killed calls do with a bus that dies at its nth write and reports whether it died before do was done.
func killed(t *testing.T, s *natstest.Server, service string, n int, do func(ctx context.Context, b *bus.Bus) error) bool {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	k := &killer{server: s, died: cancel}
	k.left.Store(int64(n))
	b, err := bus.Connect(ctx, bus.Config{Service: service, InProcess: k})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.WaitConnected(ctx); err != nil {
		t.Fatal(err)
	}
	k.armed.Store(true)
	err = do(ctx, b)
	if err != nil && ctx.Err() == nil {
		t.Errorf("failed without having been killed at write %d: %v", n, err)
	}
	cancel()
	_ = b.Close(ctx) // at once: a dead connection has nothing to flush
	return err != nil
}
