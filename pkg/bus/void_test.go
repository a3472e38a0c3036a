package bus_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tidings.internal/pkg/article"
	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/natstest"
)

// void hands out connections, and can have the newest one lead nowhere: it stays open, what is written to it is lost, and
// nothing comes back, as when the machine at the other end is cut off.
type void struct {
	nats.InProcessConnProvider
	mu     sync.Mutex
	newest *nowhere
}

func (v *void) InProcessConn() (net.Conn, error) {
	conn, err := v.InProcessConnProvider.InProcessConn()
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.newest = &nowhere{Conn: conn, cut: make(chan struct{}), closed: make(chan struct{})}
	return v.newest, nil
}

func (v *void) cutOff() {
	v.mu.Lock()
	defer v.mu.Unlock()
	close(v.newest.cut)
}

type nowhere struct {
	net.Conn
	cut, closed chan struct{}
	once        sync.Once
}

func (n *nowhere) Read(p []byte) (int, error) {
	size, err := n.Conn.Read(p)
	select {
	case <-n.cut:
		<-n.closed
		return 0, net.ErrClosed
	default:
		return size, err
	}
}

func (n *nowhere) Write(p []byte) (int, error) {
	select {
	case <-n.cut:
		return len(p), nil
	default:
		return n.Conn.Write(p)
	}
}

func (n *nowhere) Close() error {
	n.once.Do(func() { close(n.closed) })
	return n.Conn.Close()
}

// One of two brokers, to which the connection leads, is gone without a word. That is noticed while another leader is chosen,
// and what was under way does not wait for the rest of its time.
func TestAConnectionIntoNowhereEndsSoon(t *testing.T) {
	t.Parallel()
	v := &void{InProcessConnProvider: natstest.Run(t)}
	b := connect(t, bus.Config{Service: "enrich", URL: "nats://one.invalid,nats://two.invalid", InProcess: v})
	if err := b.WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	m := enriched(t, article.NewID("blog", "one"), event.Version{Revision: 1, Fence: 1}, "a")
	if outcome, err := b.Emit(t.Context(), m); outcome != bus.Stored || err != nil {
		t.Fatal(outcome, err)
	}
	v.cutOff()
	// It is noticed after 6 s at the latest; a busy machine may take twice as long. With the patience for one it takes 20 s.
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	m = enriched(t, article.NewID("blog", "one"), event.Version{Revision: 2, Fence: 1}, "b")
	if outcome, err := b.Emit(ctx, m); outcome != bus.Stored || err != nil {
		t.Errorf("Emit = %s, %v; want it stored over the next connection", outcome, err)
	}
}
