package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a running tidings.
type process struct {
	cmd   *exec.Cmd
	ready chan struct{}

	mu     sync.Mutex
	stdout []string
	stderr bytes.Buffer
	ended  chan error
}

// Write collects stderr.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.Write(b)
}

func (p *process) lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.stdout...)
}

func (p *process) errors() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.String()
}

// environ is the environment of this test without the variables that would configure the binary.
func environ(extra ...string) []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "TIDINGS_") {
			env = append(env, e)
		}
	}
	return append(env, extra...)
}

// anyPort lets both ports be free ones.
func anyPort() []string {
	return []string{"TIDINGS_PUBLISH__LISTEN=127.0.0.1:0", "TIDINGS_ADMIN__LISTEN=127.0.0.1:0"}
}

// start runs the binary and returns at once. The process is killed at the end of the test if it still runs.
func start(t *testing.T, dir string, env []string, args ...string) *process {
	t.Helper()
	if len(args) == 0 {
		tell(t, dir, 0)
	}
	p := &process{cmd: exec.Command(binary, args...), ready: make(chan struct{}), ended: make(chan error, 1)}
	p.cmd.Dir, p.cmd.Env, p.cmd.Stderr = dir, environ(env...), p
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			p.mu.Lock()
			p.stdout = append(p.stdout, lines.Text())
			p.mu.Unlock()
			if strings.HasPrefix(lines.Text(), "ready in ") {
				close(p.ready)
			}
		}
		p.ended <- p.cmd.Wait()
	}()
	t.Cleanup(p.kill)
	return p
}

// tell has the origin of the demo tell news so often, unless the demo ran there already. Most tests count the samples, which
// are all that comes where nothing new does.
func tell(t *testing.T, dir string, every time.Duration) {
	t.Helper()
	data := filepath.Join(dir, ".tidings", "demo")
	if _, err := os.Stat(data); err == nil {
		return
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(data, "demo.json"), fmt.Sprintf(`{"every": %d}`, every))
}

// awaitReady waits for the line that says so.
func (p *process) awaitReady(t *testing.T) {
	t.Helper()
	select {
	case <-p.ready:
	case err := <-p.ended:
		p.ended <- err
		t.Fatalf("it ended before it was ready: %v\n%s", err, p.errors())
	case <-time.After(30 * time.Second):
		t.Fatalf("not ready within 30 s; it printed %q\n%s", p.lines(), p.errors())
	}
}

// kill ends the process as a power cut would, and waits until it is gone. Once more does no harm.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended by itself
	p.ended <- <-p.ended
}

// exit waits for the end and returns the exit code.
func (p *process) exit(t *testing.T, limit time.Duration) int {
	t.Helper()
	select {
	case err := <-p.ended:
		p.ended <- err
		if e, ok := errors.AsType[*exec.ExitError](err); ok {
			return e.ExitCode()
		}
		if err != nil {
			t.Fatal(err)
		}
		return 0
	case <-time.After(limit):
		t.Fatalf("it did not end within %v\n%s", limit, p.errors())
		return -1
	}
}

// stop asks for the end as an operator does.
func (p *process) stop(t *testing.T) int {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	return p.exit(t, 30*time.Second)
}

// address finds the first line with a text and returns the part from "http" on.
func (p *process) address(t *testing.T, part string) string {
	t.Helper()
	for _, l := range p.lines() {
		if i := strings.Index(l, "http://"); i >= 0 && strings.Contains(l, part) {
			return l[i:]
		}
	}
	t.Fatalf("no address with %q in %q", part, p.lines())
	return ""
}

// verb runs another command of the binary and returns what it printed.
func verb(t *testing.T, dir string, want int, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, environ(), &stdout, &stderr
	code := 0
	if err := cmd.Run(); err != nil {
		e, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			t.Fatal(err)
		}
		code = e.ExitCode()
	}
	if code != want {
		t.Fatalf("tidings %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), code, want, stdout.String(), stderr.String())
	}
	return stdout.String()
}

// get asks once; a status of zero means that nobody answered.
func get(url string) (status int, body []byte, header http.Header) {
	c := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := c.Get(url)
	if err != nil {
		return 0, nil, nil
	}
	defer func() { _ = res.Body.Close() }() // it is read
	body, err = io.ReadAll(res.Body)
	if err != nil {
		return 0, nil, nil
	}
	return res.StatusCode, body, res.Header
}

// within polls until a condition holds and fails with the last state.
func within(t *testing.T, limit time.Duration, what string, try func() (bool, string)) {
	t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, state := try()
		if ok {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("waited %v in vain for %s; last seen: %s", limit, what, state)
		case <-tick.C:
		}
	}
}

func decode(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%v in %.300q", err, text)
	}
}
