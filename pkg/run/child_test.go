package run

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"tidings.internal/pkg/hosttest"
)

// child is the main function of the test binary as a program.
func child(mode string) {
	p := Program{Name: "child", Open: func(_ context.Context, env *Env) (App, error) {
		return appFunc(func(ctx context.Context) error {
			_, _ = fmt.Fprintln(env.Out, "running")
			<-ctx.Done()
			_, _ = fmt.Fprintln(env.Out, "draining")
			if mode == "hang" {
				select {}
			}
			return nil
		}), nil
	}}
	if mode == "lock" {
		err := Start(context.Background(), p, Options{
			Environ: os.Environ(), Stdout: os.Stdout, Stderr: os.Stderr, Data: os.Getenv("RUN_TEST_DATA"), Lock: true,
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	Main(p)
}

// spawn starts the test binary as a program and returns it with its lines of stdout.
type spawned struct {
	t      *testing.T
	cmd    *exec.Cmd
	lines  *bufio.Scanner
	stderr *bytes.Buffer
}

func spawn(t *testing.T, mode string, env ...string) *spawned {
	t.Helper()
	return spawnAs(t, nil, mode, env...)
}

// spawnAs is spawn for another user when who is not nil.
func spawnAs(t *testing.T, who *syscall.Credential, mode string, env ...string) *spawned {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	s := &spawned{t: t, cmd: exec.CommandContext(ctx, os.Args[0]), stderr: &bytes.Buffer{}}
	s.cmd.Env = append(anyPort("PATH="+os.Getenv("PATH"), childMode+"="+mode), env...)
	s.cmd.Dir = t.TempDir()
	if who != nil {
		// Another user reaches neither the folder of the test nor that of its binary; the kernel's link to it works.
		s.cmd.Path, s.cmd.Dir = "/proc/self/exe", "/"
		s.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	}
	s.cmd.Stderr = s.stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.lines = bufio.NewScanner(out)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return s
}

// expect reads the next line of stdout.
func (s *spawned) expect(line string) {
	s.t.Helper()
	if !s.lines.Scan() || s.lines.Text() != line {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.t.Fatalf("stdout has %q, want %q; stderr:\n%s", s.lines.Text(), line, s.stderr)
	}
}

func (s *spawned) signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// code waits for the end and returns the exit code.
func (s *spawned) code() int {
	s.t.Helper()
	err := s.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return s.cmd.ProcessState.ExitCode()
}

func TestSignalsStopWithinOrder(t *testing.T) {
	t.Parallel()
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			s := spawn(t, "drain")
			s.expect("running")
			s.signal(sig)
			s.expect("draining")
			if code := s.code(); code != 0 || !strings.Contains(s.stderr.String(), `"msg":"stopped"`) {
				t.Errorf("exit code %d, want 0; stderr:\n%s", code, s.stderr)
			}
		})
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	s := spawn(t, "hang")
	s.expect("running")
	s.signal(syscall.SIGTERM)
	s.expect("draining")
	s.signal(syscall.SIGTERM)
	if code := s.code(); code != 1 || !strings.Contains(s.stderr.String(), "second signal (terminated): ended at once") {
		t.Errorf("exit code %d, want 1; stderr:\n%s", code, s.stderr)
	}
}

func TestHangupReloadsWhatCanReload(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "tidings.yaml")
	if err := os.WriteFile(file, []byte("log: {level: info}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := spawn(t, "reload", "TIDINGS_CONFIG="+file)
	s.expect("running")
	for range 2 {
		s.signal(syscall.SIGHUP)
		s.expect("draining")
		s.expect("running")
	}
	s.signal(syscall.SIGTERM)
	s.expect("draining")
	if code := s.code(); code != 0 {
		t.Errorf("exit code %d, want 0; stderr:\n%s", code, s.stderr)
	}
}

// The kernel drops the lock of a process that was killed, and until then the sentence names it.
func TestKilledProcessLeavesTheDirectoryFree(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	s := spawn(t, "lock", "RUN_TEST_DATA="+dir)
	s.expect("running")
	_, err := LockData(dir)
	if want := fmt.Sprintf("data directory %s is in use by process %d;", dir, s.cmd.Process.Pid); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("while it runs: %v, want %s", err, want)
	}
	s.signal(syscall.SIGKILL)
	if code := s.code(); code != -1 {
		t.Errorf("exit code %d of a killed process", code)
	}
	unlock, err := LockData(dir)
	if err != nil {
		t.Fatalf("after the kill: %v", err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
}

func TestUnwritableDataDirectoryIsASentence(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	var who *syscall.Credential
	uid := os.Getuid()
	if uid == 0 { // root may write anywhere, so somebody else has to try
		if runtime.GOOS != "linux" {
			hosttest.Lacks(t, "as root this test needs /proc/self/exe: run it on Linux, or as somebody else")
		}
		uid = 65534
		who = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	s := spawnAs(t, who, "lock", "RUN_TEST_DATA="+dir)
	code := s.code()
	for _, part := range []string{"data directory " + dir + " cannot be written to", fmt.Sprintf("give uid %d the right to", uid)} {
		if code != 1 || !strings.Contains(s.stderr.String(), part) {
			t.Errorf("exit code %d, want 1; stderr lacks %q:\n%s", code, part, s.stderr)
		}
	}
}
