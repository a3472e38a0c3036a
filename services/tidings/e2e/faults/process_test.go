package faults

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tidings.internal/pkg/natstest"
)

// natsDir makes this test binary run a NATS server on that folder instead of tests; natsAddr is its address.
const (
	natsDir  = "FAULTS_NATS_DIR"
	natsAddr = "FAULTS_NATS_ADDR"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(natsDir); dir != "" {
		if err := natstest.Serve(context.Background(), dir, os.Getenv(natsAddr)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// services are the binaries under test.
func services() []string { return []string{"ingest", "enrich", "publish", "deliver"} }

// build compiles the four services, with build tags if any.
func build(t *testing.T, tags string) string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"build", "-o", dir + string(filepath.Separator)}
	if tags != "" {
		args = append(args, "-tags", tags)
	}
	for _, s := range services() {
		args = append(args, "tidings.internal/services/"+s)
	}
	if out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return dir
}

// process is a program that is killed and started again.
type process struct {
	name string
	path string
	args []string
	env  []string
	// ready is an address that answers 200 once the process works, or host:port to dial.
	ready string
	log   string // file that all its runs write to

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{}
	kills  int
}

func (p *process) start(t *testing.T) {
	t.Helper()
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(p.path, p.args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), p.env...), out, out
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", p.name, err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // killed on purpose; an exit of its own is seen by who waits for readiness
		_ = out.Close()
		close(exited)
	}()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd, p.exited = cmd, exited
}

// kill sends kill -9 and waits until the process is gone.
func (p *process) kill() {
	p.mu.Lock()
	cmd, exited := p.cmd, p.exited
	p.kills++
	p.mu.Unlock()
	_ = cmd.Process.Kill() // it may have ended by itself
	<-exited
}

// awaitReady waits until the process answers.
func (p *process) awaitReady(t *testing.T, limit time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !p.answers(ctx) {
		p.mu.Lock()
		exited := p.exited
		p.mu.Unlock()
		select {
		case <-exited:
			t.Fatalf("%s ended by itself:\n%s", p.name, p.tail())
		case <-ctx.Done():
			t.Fatalf("%s was not ready within %v:\n%s", p.name, limit, p.tail())
		case <-tick.C:
		}
	}
}

func (p *process) answers(ctx context.Context) bool {
	if !strings.HasPrefix(p.ready, "http") {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.ready)
		if err != nil {
			return false
		}
		_ = conn.Close()
		return true
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.ready, nil)
	if err != nil {
		return false
	}
	resp, err := (&http.Client{Timeout: 2 * time.Second}).Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// tail is the end of what the process wrote.
func (p *process) tail() string {
	data, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-25):], "\n")
}
