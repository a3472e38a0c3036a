package e2e

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tidings.internal/pkg/hosttest"
)

// unread runs a verb whose standard output nobody reads any more.
func unread(t *testing.T, dir string, args ...string) (code int, stderr string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }() // the child has its own
	cmd := exec.CommandContext(t.Context(), binary, args...)
	var errs bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, environ(), w, &errs
	if err := cmd.Run(); err != nil {
		e, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			t.Fatal(err)
		}
		code = e.ExitCode()
	}
	return code, errs.String()
}

// A reader that has seen enough is no fault: the verb says nothing, and its exit code is that of what it found or did.
func TestAClosedOutputChangesNoExitCode(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "bad.yaml"), "site: {titel: Example}\n")
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"version"}, 0},
		{[]string{"--help"}, 0},
		{[]string{"config", "example"}, 0},
		{[]string{"config", "show", "--json"}, 0},
		{[]string{"topology", "plan"}, 0},
		{[]string{"check", "bad.yaml", "--json"}, 1},
	} {
		if code, stderr := unread(t, dir, c.args...); code != c.code || strings.Contains(stderr, "pipe") {
			t.Errorf("tidings %v: exit code %d, want %d; it says %q", c.args, code, c.code, stderr)
		}
	}
}

// What waits to print more ends with its reader, and the service itself goes on without one.
func TestTheServiceOutlivesTheReaderOfItsOutput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "tidings.yaml"), "site: {title: Example}\n")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	admin := hosttest.Address(t)
	cmd := exec.CommandContext(t.Context(), binary, "run", "--config", "tidings.yaml")
	// The log too: what is read by the same pipe breaks with it.
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, environ("TIDINGS_PUBLISH__LISTEN=127.0.0.1:0", "TIDINGS_ADMIN__LISTEN="+admin, "TIDINGS_LOG__LEVEL=debug"), w, w
	if err := errors.Join(cmd.Start(), w.Close()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	})
	within(t, 30*time.Second, "the service to be ready", func() (bool, string) {
		status, body, _ := get("http://" + admin + "/readyz")
		return status == http.StatusOK, string(body)
	})
	for _, args := range [][]string{{"tail", "--since", "1h"}, {"status", "--watch"}} {
		if code, stderr := unread(t, dir, args...); code != 0 {
			t.Errorf("tidings %v: exit code %d, it says %q", args, code, stderr)
		}
	}
	if status, _, _ := get("http://" + admin + "/readyz"); status != http.StatusOK {
		t.Errorf("afterwards it answers %d", status)
	}
}
