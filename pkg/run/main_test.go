package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"tidings.internal/pkg/fault"
)

// childMode makes the test binary a program of its own, so that signals can be sent to a real process.
const childMode = "RUN_TEST_CHILD"

func TestMain(m *testing.M) {
	if mode := os.Getenv(childMode); mode != "" {
		child(mode)
	}
	// Under nohup a hang-up is ignored, and children would inherit that. One that is caught they do not inherit.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	goleak.VerifyTestMain(m)
}

// appFunc is an app without a type of its own.
type appFunc func(ctx context.Context) error

func (f appFunc) Run(ctx context.Context) error { return f(ctx) }

// obedient blocks until it is told to stop.
func obedient(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// program returns a program that runs app.
func program(app appFunc) Program {
	return Program{Name: "probe", Open: func(context.Context, *Env) (App, error) { return app, nil }}
}

// buffer is an output that a test may read while a process writes it.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// anyPort gives a process an admin port that nothing else has.
func anyPort(more ...string) []string {
	return append([]string{"TIDINGS_ADMIN__LISTEN=127.0.0.1:0"}, more...)
}

// write makes a file in a directory of the test.
func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "tidings.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	good := write(t, "log: {level: warn}\n")
	bad := write(t, "log: {level: warn, levle: info}\nadmin:\n  lisen: 127.0.0.1:1\n")
	for _, c := range []struct {
		name     string
		args     []string
		open     func() (App, error)
		code     int
		out, err []string // parts of stdout and stderr
		opened   bool
	}{
		{name: "no verb is run", opened: true},
		{name: "run", args: []string{"run", "--config", good}, opened: true},
		{name: "flags without verb", args: []string{"--config", good}, opened: true},
		{name: "version", args: []string{"version"}, out: []string{"probe ", "go1."}},
		{name: "help", args: []string{"--help"}, out: []string{"Usage: probe [run]"}},
		{name: "help of a verb", args: []string{"check", "-h"}, out: []string{"Usage: probe [run]"}},
		{name: "unknown verb", args: []string{"serve"}, code: 2, err: []string{`unknown verb "serve"`, "Usage:"}},
		{name: "unknown flag", args: []string{"--confg", good}, code: 2, err: []string{"-confg", "Usage:"}},
		{name: "flag of another verb", args: []string{"run", "--alive"}, code: 2, err: []string{"-alive"}},
		{name: "stray argument", args: []string{"run", "now"}, code: 2, err: []string{`unexpected argument "now"`}},
		{name: "check of a good file", args: []string{"check", "--config", good}, out: []string{good, "not checked: NATS"}},
		{name: "check of a bad file", args: []string{"check", "--config", bad}, code: 1, err: []string{":1:", "levle", ":3:", "lisen"}},
		{name: "run of a bad file", args: []string{"--config", bad}, code: 1, err: []string{":1:", "levle", ":3:", "lisen"}},
		{name: "missing file", args: []string{"--config", good + ".no"}, code: 1, err: []string{good + ".no"}},
		{
			name: "broker down is 3", code: 3, opened: true, err: []string{"start probe: dial", "could not be reached"},
			open: func() (App, error) { return nil, fault.Errorf(fault.Unreachable, "dial: refused") },
		},
		{
			name: "app fails", code: 1, opened: true, err: []string{"probe: no luck"},
			open: func() (App, error) {
				return appFunc(func(context.Context) error { return errors.New("no luck") }), nil
			},
		},
		{
			name: "panic in open", code: 1, opened: true, err: []string{"panic: oh", "internal"},
			open: func() (App, error) { panic("oh") },
		},
		{
			name: "panic in run", code: 1, opened: true, err: []string{"panic: oh", "process_panics"},
			open: func() (App, error) { return appFunc(processPanics), nil },
		},
		{name: "reload of nothing", args: []string{"reload"}, code: 1, err: []string{"nothing answers at http://127.0.0.1:1", "TIDINGS_ADMIN__LISTEN=HOST:PORT"}},
		{name: "health of nothing", args: []string{"health"}, code: 1, err: []string{"nothing answers at http://127.0.0.1:1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := anyPort()
			if len(c.args) > 0 && (c.args[0] == "health" || c.args[0] == "reload") {
				env = []string{"TIDINGS_ADMIN__LISTEN=127.0.0.1:1"} // tcpmux, nowhere in use
			}
			opened := false
			p := Program{Name: "probe", Open: func(context.Context, *Env) (App, error) {
				opened = true
				if c.open != nil {
					return c.open()
				}
				return appFunc(func(context.Context) error { return nil }), nil
			}}
			var out, errs buffer
			o := Options{Environ: env, Stdout: &out, Stderr: &errs}
			code := command(t.Context(), p, c.args, o, host{limit: 25 * time.Second, exit: func(int) {}})
			if code != c.code || opened != c.opened {
				t.Errorf("exit code %d, opened %v; want %d, %v\nstdout: %s\nstderr: %s", code, opened, c.code, c.opened, out.String(), errs.String())
			}
			for _, part := range c.out {
				if !strings.Contains(out.String(), part) {
					t.Errorf("stdout lacks %q:\n%s", part, out.String())
				}
			}
			for _, part := range c.err {
				if part == "process_panics" {
					part = "run.processPanics" // the stack, in the log
				}
				if !strings.Contains(errs.String(), part) {
					t.Errorf("stderr lacks %q:\n%s", part, errs.String())
				}
			}
		})
	}
}

func processPanics(context.Context) error { panic("oh") }

func TestDataDirectoryComesFromFlagThenEnvironment(t *testing.T) {
	t.Parallel()
	flagged, named := filepath.Join(t.TempDir(), "flag", "deep"), filepath.Join(t.TempDir(), "env")
	for _, c := range []struct {
		name string
		args []string
		env  []string
		want string
	}{
		{"none", nil, anyPort(), ""},
		{"environment", nil, anyPort("TIDINGS_DATA=" + named), named},
		{"flag wins", []string{"run", "--data", flagged}, anyPort("TIDINGS_DATA=" + named), flagged},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := "not opened"
			p := Program{Name: "probe", Open: func(_ context.Context, env *Env) (App, error) {
				got = env.Data
				return appFunc(func(context.Context) error { return nil }), nil
			}}
			var errs buffer
			code := command(t.Context(), p, c.args, Options{Environ: c.env, Stdout: io.Discard, Stderr: &errs}, host{limit: time.Minute})
			if code != 0 || got != c.want {
				t.Fatalf("code %d, data %q, want 0, %q: %s", code, got, c.want, errs.String())
			}
			if c.want == "" {
				return
			}
			info, err := os.Stat(c.want)
			if err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("data directory: %v, %v; want mode 0700", info, err)
			}
		})
	}
}

func TestConfigFileIsTheFlagThenTheVariable(t *testing.T) {
	t.Parallel()
	env := []string{"TIDINGS_CONFIG=a.yaml", "TIDINGS_CONFIG=b.yaml", "OTHER"}
	got := []string{ConfigFile("given.yaml", env), ConfigFile("", env), ConfigFile("", nil)}
	if diff := cmp.Diff([]string{"given.yaml", "b.yaml", ""}, got); diff != "" {
		t.Error(diff)
	}
}

func TestBusyPortNamesKeyAndVariable(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	addr := l.Addr().String()
	var out, errs buffer
	code := command(t.Context(), program(obedient), nil, Options{
		Environ: []string{"TIDINGS_ADMIN__LISTEN=" + addr}, Stdout: &out, Stderr: &errs,
	}, host{limit: time.Minute})
	want := fmt.Sprintf("probe: admin.listen: address %[1]s is in use by another process; stop it, or set admin.listen or TIDINGS_ADMIN__LISTEN to a free address\n", addr)
	if diff := cmp.Diff(want, errs.String()); code != 1 || diff != "" {
		t.Errorf("code %d, want 1; %s", code, diff)
	}
}

func TestListenSentences(t *testing.T) {
	t.Parallel()
	for address, part := range map[string]string{
		"127.0.0.1":              "HOST:PORT",
		"192.0.2.1:8080":         "not one of this machine", // TEST-NET-1, RFC 5737
		"127.0.0.1:http-no-such": "TIDINGS_PUBLISH__LISTEN",
	} {
		_, err := Listen(t.Context(), "publish.listen", address)
		if err == nil || !strings.Contains(err.Error(), part) || fault.KindOf(err) != fault.Invalid {
			t.Errorf("Listen(%q) = %v, want an invalid with %q", address, err, part)
		}
	}
}

func TestBaseURLReachesTheProcessFromItsOwnMachine(t *testing.T) {
	t.Parallel()
	got := map[string]string{}
	for _, a := range []string{"127.0.0.1:9090", ":9090", "0.0.0.0:9090", "[::]:9090", "[::1]:9090", "admin.internal:1"} {
		got[a] = BaseURL(a)
	}
	want := map[string]string{
		"127.0.0.1:9090":   "http://127.0.0.1:9090",
		":9090":            "http://127.0.0.1:9090",
		"0.0.0.0:9090":     "http://127.0.0.1:9090",
		"[::]:9090":        "http://[::1]:9090",
		"[::1]:9090":       "http://[::1]:9090",
		"admin.internal:1": "http://admin.internal:1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
