package natstest

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Serve runs a NATS server with JetStream on a loopback address until ctx ends. It is for a test that starts itself
// again as a process of its own, to kill it. Each write is flushed to disk, as in the shipped configuration.
func Serve(ctx context.Context, dir, address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("read address %s: %w", address, err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return fmt.Errorf("read address %s: %w", address, err)
	}
	s, err := server.NewServer(&server.Options{
		ServerName: "faults", Host: host, Port: number, JetStream: true, StoreDir: dir, SyncAlways: true,
		JetStreamMaxStore: 32 << 30, JetStreamMaxMemory: 64 << 20, MaxPayload: 1 << 20, NoSigs: true, NoLog: true,
	})
	if err != nil {
		return fmt.Errorf("start NATS: %w", err)
	}
	s.Start()
	if !s.ReadyForConnections(30 * time.Second) {
		return fmt.Errorf("start NATS on %s: not ready within 30 s", address)
	}
	<-ctx.Done()
	s.Shutdown()
	s.WaitForShutdown()
	return nil
}
