package natstest

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
)

// Server is a private NATS server. It can be stopped and started again on the same store.
type Server struct {
	dir string

	mu     sync.Mutex
	s      *server.Server
	change func(*server.Options)
}

// Run starts a server with JetStream on a folder of the test, applies the topology, and stops it when the test ends.
func Run(t testing.TB) *Server {
	t.Helper()
	return furnish(t, Bare(t))
}

// Listening is [Run] on a port of loopback and with every write flushed, for services that run as programs.
func Listening(t testing.TB) *Server {
	t.Helper()
	return furnish(t, With(t, func(o *server.Options) { o.DontListen, o.Host, o.Port, o.SyncAlways = false, "127.0.0.1", -1, true }))
}

// furnish applies the topology.
func furnish(t testing.TB, s *Server) *Server {
	t.Helper()
	top, err := event.NewTopology(event.DefaultSettings())
	if err != nil {
		t.Fatal(err)
	}
	b := s.Bus(t, "tidings")
	plan, err := b.Plan(t.Context(), top)
	if err != nil {
		t.Fatalf("plan the topology: %v", err)
	}
	if err := b.Apply(t.Context(), plan, false); err != nil {
		t.Fatalf("apply the topology: %v", err)
	}
	return s
}

// Bare starts a server without any stream.
func Bare(t testing.TB) *Server {
	t.Helper()
	return With(t, nil)
}

// With is [Bare] with options of the test's own, users for instance.
func With(t testing.TB, change func(*server.Options)) *Server {
	t.Helper()
	// The folder is asked for before the clean-up is registered, so that it goes after the server has stopped.
	s := &Server{dir: t.TempDir(), change: change}
	s.Start(t)
	t.Cleanup(s.Stop)
	return s
}

// Start starts the server, or starts it again after [Server.Stop] on the same store.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	o := &server.Options{
		ServerName: "test", DontListen: true, JetStream: true, StoreDir: s.dir, JetStreamMaxStore: 32 << 30, JetStreamMaxMemory: 64 << 20,
		MaxPayload: 1 << 20, NoSigs: true, NoLog: true,
	}
	s.mu.Lock()
	if s.change != nil {
		s.change(o)
	}
	s.mu.Unlock()
	srv, err := server.NewServer(o)
	if err != nil {
		t.Fatalf("start NATS: %v", err)
	}
	srv.Start()
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("NATS did not become ready within 10 s")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.s = srv
}

// Change sets the options of the next start.
func (s *Server) Change(change func(*server.Options)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.change = change
}

// URL is the address of a server whose options let it listen.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.s.ClientURL()
}

// Dir is the folder of the store. A test may copy it, or put a copy back, while the server is stopped.
func (s *Server) Dir() string { return s.dir }

// Stop stops the server and waits until it has stopped. Stopping twice is harmless.
func (s *Server) Stop() {
	s.mu.Lock()
	srv := s.s
	s.s = nil
	s.mu.Unlock()
	if srv != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
	}
}

// InProcessConn connects to the server as it is now, so that clients find it again after a restart.
func (s *Server) InProcessConn() (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.s == nil {
		return nil, nats.ErrNoServers
	}
	return s.s.InProcessConn()
}

var _ nats.InProcessConnProvider = (*Server)(nil)

// Bus connects in the role of a service and closes the connection when the test ends.
func (s *Server) Bus(t testing.TB, service string) *bus.Bus {
	t.Helper()
	b, err := bus.Connect(t.Context(), bus.Config{Service: service, InProcess: s})
	if err != nil {
		t.Fatalf("connect to NATS: %v", err)
	}
	t.Cleanup(func() {
		// The test's own context has ended by now.
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Errorf("close the bus: %v", err)
		}
	})
	if err := b.WaitConnected(t.Context()); err != nil {
		t.Fatalf("connect to NATS: %v", err)
	}
	return b
}
