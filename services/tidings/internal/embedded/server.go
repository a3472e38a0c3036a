package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/run"
)

// Config says how the server runs.
type Config struct {
	// Data is the data directory, which the process holds locked.
	Data string
	// Listen opens the server at an address; empty means loopback at a free port.
	Listen string
	// SyncAlways flushes to disk with every write. Otherwise SyncInterval says how often; zero leaves it to the server.
	SyncAlways   bool
	SyncInterval time.Duration
	// MaxFile is how many bytes the store may hold.
	MaxFile int64
	Log     *slog.Logger
}

const (
	// startLimit is how long the server may take to read its store. A store of a million subjects took 4.3 s.
	startLimit = 60 * time.Second
	maxPayload = 1 << 20
	maxMemory  = 64 << 20 // JetStream in memory is used by nothing of ours but short-lived consumers
)

// Server is a running server.
type Server struct {
	data   string
	user   user
	server *server.Server
	log    *logger
}

var _ nats.InProcessConnProvider = (*Server)(nil)

// HasStore reports whether a server ran in a data directory before.
func HasStore(data string) bool {
	_, err := os.Stat(filepath.Join(data, storeName))
	return err == nil
}

// Start starts the server and returns when it takes connections. What goes wrong is a sentence for an operator.
func Start(ctx context.Context, c Config) (*Server, error) {
	host, port, err := claim(ctx, c.Listen)
	if err != nil {
		return nil, err
	}
	store := filepath.Join(c.Data, storeName)
	if err := tryStore(store); err != nil {
		return nil, err
	}
	user, err := readUser(c.Data)
	if err != nil {
		return nil, err
	}
	s := &Server{data: c.Data, user: user, log: &logger{log: c.Log}}
	o := server.Options{
		ServerName: "tidings", Host: host, Port: port,
		JetStream: true, StoreDir: store, SyncAlways: c.SyncAlways, SyncInterval: c.SyncInterval,
		JetStreamMaxStore: c.MaxFile, JetStreamMaxMemory: maxMemory, MaxPayload: maxPayload,
		Nkeys:  []*server.NkeyUser{{Nkey: user.public}},
		NoSigs: true, DisableJetStreamBanner: true,
	}
	if err := s.start(o); err != nil {
		return nil, err
	}
	reserved, err := s.reserved()
	if err != nil {
		s.stop()
		return nil, err
	}
	if reserved > c.MaxFile {
		// The limit was lowered. With less than its streams have reserved the server refuses each change of them, also
		// those that make them smaller; so it starts as large as it was, and as small as is wanted the next time.
		s.stop()
		o.JetStreamMaxStore = reserved
		if err := s.start(o); err != nil {
			return nil, err
		}
	}
	s.log.started.Store(true)
	if err := writeAddress(c.Data, Address{URL: s.URL()}); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// start starts a server with options. One that does not come up is stopped.
func (s *Server) start(o server.Options) (err error) {
	s.server, err = server.NewServer(&o)
	if err != nil {
		return fault.Errorf(fault.Internal, "start the embedded NATS server: %w", err)
	}
	s.server.SetLoggerV2(s.log, false, false, false)
	s.server.Start()
	ready := s.server.ReadyForConnections(startLimit)
	if fatal := s.log.fatal(); fatal != "" || !ready || !s.server.JetStreamEnabled() {
		s.stop()
		if fatal == "" {
			fatal = fmt.Sprintf("it was not ready within %v", startLimit)
		}
		return fault.Errorf(fault.Invalid, "start the embedded NATS server on %s: %s", o.StoreDir, fatal)
	}
	return nil
}

// reserved is how many bytes the streams of the store may take together.
func (s *Server) reserved() (int64, error) {
	info, err := s.server.Jsz(nil)
	if err != nil {
		return 0, fault.Errorf(fault.Internal, "look at the embedded NATS server: %w", err)
	}
	return int64(info.ReservedStore), nil
}

// claim finds out whether the address is free, in words that name the key, and splits it as the server wants it.
func claim(ctx context.Context, listen string) (host string, port int, err error) {
	if listen == "" {
		return "127.0.0.1", server.RANDOM_PORT, nil
	}
	// The server would only say that it could not listen. Between the two calls another process may still take the
	// port; then its words have to do.
	l, err := run.Listen(ctx, "nats.listen", listen)
	if err != nil {
		return "", 0, err
	}
	addr, ok := l.Addr().(*net.TCPAddr)
	if err := l.Close(); err != nil || !ok {
		return "", 0, fault.Errorf(fault.Internal, "nats.listen: try address %s: %w", listen, err)
	}
	host, text, err := net.SplitHostPort(listen)
	if err != nil {
		return "", 0, fault.Errorf(fault.Invalid, "nats.listen: %w", err)
	}
	if host == "" {
		host = "0.0.0.0"
	}
	if text == "0" {
		return host, server.RANDOM_PORT, nil
	}
	return host, addr.Port, nil
}

// tryStore makes the store's directory and proves that a page can be written there: JetStream starts on a full disk
// too, and then answers nothing.
func tryStore(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return storeError(dir, err)
	}
	f, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return storeError(dir, err)
	}
	_, err = f.Write(make([]byte, 64<<10))
	if err := errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name())); err != nil {
		return storeError(dir, err)
	}
	return nil
}

// storeError is the sentence for what is wrong with the store.
func storeError(dir string, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fault.Errorf(fault.Invalid, "the store %s cannot be written to: %w; give uid %d the right to, or choose another directory with --data", dir, err, os.Getuid())
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fault.Errorf(fault.Invalid, "the store %s has no space left: %w; make room, then start again: what was acknowledged is there", dir, err)
	default:
		return fault.Errorf(fault.Invalid, "open the store %s: %w", dir, err)
	}
}

// InProcessConn connects without a socket. Such a connection too shows the seed.
func (s *Server) InProcessConn() (net.Conn, error) { return s.server.InProcessConn() }

// Seed is the seed of the one user.
func (s *Server) Seed() []byte { return s.user.seed }

// URL is where processes on this machine reach the server.
func (s *Server) URL() string {
	addr, ok := s.server.Addr().(*net.TCPAddr)
	if !ok {
		return ""
	}
	host := addr.IP
	if host.IsUnspecified() {
		host = net.IPv4(127, 0, 0, 1)
	}
	return "nats://" + net.JoinHostPort(host.String(), strconv.Itoa(addr.Port))
}

// Close stops the server and waits until its store is closed. Everything that uses it must have ended.
func (s *Server) Close() error {
	// First, so that nobody is sent to a server that is about to go.
	err := os.Remove(filepath.Join(s.data, addressName))
	s.stop()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.Errorf(fault.Internal, "stop the embedded NATS server: %w", err)
	}
	return nil
}

func (s *Server) stop() {
	s.server.Shutdown()
	s.server.WaitForShutdown()
}
