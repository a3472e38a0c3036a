package pipeline

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/hosttest"
	"tidings.internal/services/tidings/internal/ops"
)

// BenchmarkBroker measures the memory of a NATS server of its own: bare, which is the baseline, with the topology and
// nothing in it, and with what 100,000 sources leave there that were added at run time and polled.
func BenchmarkBroker(b *testing.B) {
	const sources = 100_000
	dir := b.TempDir()
	nats := filepath.Join(dir, "nats-server")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", nats, "github.com/nats-io/nats-server/v2").CombinedOutput(); err != nil {
		b.Fatalf("build nats-server: %v\n%s", err, out)
	}
	for b.Loop() {
		home, address, monitor := b.TempDir(), hosttest.Address(b), hosttest.Address(b)
		file := filepath.Join(home, "nats.conf")
		// A flush for each row would take an hour and change nothing of the memory.
		conf := fmt.Sprintf("listen: %q\nhttp: %q\njetstream { store_dir: %q, max_file: 20GB, max_mem: 64MB }\n", address, monitor, home)
		if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
			b.Fatal(err)
		}
		cmd := exec.CommandContext(b.Context(), nats, "-c", file)
		launch(b, cmd)
		await(b, func() bool { return answers(b, "http://"+monitor+"/healthz") })
		b.ReportMetric(memory(b, cmd), "baseline-MB")
		o, fill := operator(b, "nats://"+address)
		if _, err := o.Apply(b.Context(), false); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(memory(b, cmd), "idle-MB")
		for _, bucket := range []string{event.BucketSourceConfig, event.BucketSourceState} {
			var group errgroup.Group
			group.SetLimit(64)
			for n := range sources {
				group.Go(func() error {
					_, err := fill.Bucket(bucket).Put(b.Context(), fmt.Sprintf("source-%d", n), []byte(strings.Repeat("x", 400)))
					return err
				})
			}
			if err := group.Wait(); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(memory(b, cmd), "sources-MB")
		end(b, cmd)
	}
}

// operator connects to a server that knows no users.
func operator(b *testing.B, url string) (*ops.Ops, *bus.Bus) {
	b.Helper()
	c, err := bus.Connect(b.Context(), bus.Config{Service: ops.Role, URL: url})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = c.Close(ctx) // its server has been killed
	})
	if err := c.WaitConnected(b.Context()); err != nil {
		b.Fatal(err)
	}
	return ops.On(c, config.New("", nil, nil), config.DefaultNATS()), c
}

// memory is what a process has in memory, in MB; 0 where the system does not tell.
func memory(b *testing.B, cmd *exec.Cmd) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kilobytes, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, err := strconv.ParseFloat(kilobytes, 64)
	if err != nil {
		b.Fatal(err)
	}
	return n / 1024
}
