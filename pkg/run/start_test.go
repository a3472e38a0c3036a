package run

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tidings.internal/pkg/fault"
)

// running is a process under test.
type running struct {
	url   string
	stop  context.CancelFunc
	ended chan error
	log   *buffer
}

// begin starts a process in this one and waits for its admin port.
func begin(t *testing.T, p Program, o Options, limit time.Duration) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{stop: cancel, ended: make(chan error, 1), log: &buffer{}}
	o.Stderr = r.log
	if o.Environ == nil {
		o.Environ = anyPort()
	}
	bound := make(chan string, 1)
	go func() {
		r.ended <- start(ctx, p, o, host{limit: limit, exit: func(int) {}, bound: func(a string) { bound <- a }})
	}()
	t.Cleanup(cancel)
	select {
	case a := <-bound:
		r.url = "http://" + a
	case err := <-r.ended:
		t.Fatalf("ended before the admin port was there: %v\n%s", err, r.log)
	case <-time.After(10 * time.Second):
		t.Fatalf("no admin port\n%s", r.log)
	}
	return r
}

// end stops the process and returns what it ended with.
func (r *running) end(t *testing.T) error {
	t.Helper()
	r.stop()
	return r.wait(t)
}

func (r *running) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.ended:
		return err
	case <-time.After(20 * time.Second):
		t.Fatalf("does not end\n%s", r.log)
		return nil
	}
}

// get reads a page of the admin port.
func (r *running) get(t *testing.T, method, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{DisableKeepAlives: true}
	res, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// await asks until what is asked for is true, and shows the last state when it does not come.
func await(t *testing.T, what string, last func() (string, bool)) {
	t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		state, ok := last()
		if ok {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s does not come; last state:\n%s", what, state)
		}
	}
}

// readyz waits for a code and a status.
func (r *running) readyz(t *testing.T, code int, status Status) Report {
	t.Helper()
	var report Report
	await(t, string(status), func() (string, bool) {
		got, body := r.get(t, http.MethodGet, "/readyz")
		report = Report{}
		if err := json.Unmarshal([]byte(body), &report); err != nil {
			t.Fatalf("readyz is no JSON: %v\n%s", err, body)
		}
		return body, got == code && report.Status == status
	})
	return report
}

func TestReadinessFollowsTheLifeOfTheProcess(t *testing.T) {
	t.Parallel()
	open, drained := make(chan struct{}), make(chan struct{})
	var bus, cache atomic.Pointer[error]
	probe := func(p *atomic.Pointer[error]) func(context.Context) error {
		return func(context.Context) error {
			if err := p.Load(); err != nil {
				return *err
			}
			return nil
		}
	}
	p := Program{Name: "probe", Open: func(ctx context.Context, env *Env) (App, error) {
		env.Checks.Add("nats", probe(&bus))
		env.Checks.Degrade("cache", probe(&cache))
		<-open
		return appFunc(func(ctx context.Context) error {
			<-ctx.Done()
			<-drained
			return nil
		}), nil
	}}
	first := make(chan string, 2)
	r := begin(t, p, Options{Ready: func(a string) { first <- a }}, time.Minute)
	r.readyz(t, 503, Starting)
	if _, err := Health(t.Context(), r.url, false); err == nil || err.Error() != "starting" {
		t.Errorf("health while starting: %v", err)
	}
	if _, err := Health(t.Context(), r.url, true); err != nil {
		t.Errorf("a process that starts is alive, but health says %v", err)
	}

	bus.Store(new(fault.Errorf(fault.Unreachable, "dial nats:\n refused")))
	cache.Store(new(fault.Errorf(fault.Unreachable, "cold; run \"warm\"")))
	close(open)
	report := r.readyz(t, 503, NotReady)
	want := []Check{
		{Name: "cache", Reason: "cold; run \"warm\""},
		{Name: "nats", Needed: true, Reason: "dial nats:\n refused", Hint: fault.Unreachable.Row().Hint},
	}
	if diff := cmp.Diff(want, report.Checks, cmpopts.IgnoreFields(Check{}, "Since", "kind")); diff != "" {
		t.Error(diff)
	}
	if _, err := Health(t.Context(), r.url, false); err == nil ||
		err.Error() != "not ready: nats: dial nats: refused ("+fault.Unreachable.Row().Hint+"); cache: cold; run \"warm\"" {
		t.Errorf("health while not ready: %v", err)
	}
	if len(first) != 0 {
		t.Error("Ready was called before the process was ready")
	}

	bus.Store(nil)
	cache.Store(nil)
	r.readyz(t, 200, Ready)
	select {
	case a := <-first:
		if "http://"+a != r.url {
			t.Errorf("Ready(%q), the port is at %s", a, r.url)
		}
	case <-time.After(10 * time.Second):
		t.Error("Ready is not called")
	}
	if line, err := Health(t.Context(), r.url, false); err != nil || line != "ready" {
		t.Errorf("health when ready: %q, %v", line, err)
	}

	cache.Store(new(errors.New("cold")))
	r.readyz(t, 200, Degraded)
	if line, err := Health(t.Context(), r.url, false); err != nil || !strings.HasPrefix(line, "degraded: cache: cold") {
		t.Errorf("health when degraded: %q, %v", line, err)
	}

	r.stop()
	r.readyz(t, 503, Draining)
	if _, err := Health(t.Context(), r.url, false); err == nil || err.Error() != "draining" {
		t.Errorf("health while draining: %v", err)
	}
	close(drained)
	if err := r.wait(t); err != nil {
		t.Errorf("ended with %v", err)
	}
	if _, err := Health(t.Context(), r.url, false); err == nil || !strings.HasPrefix(err.Error(), "nothing answers at ") {
		t.Errorf("health after the end: %v", err)
	}
	for _, message := range []string{`"msg":"starting"`, `"msg":"ready"`, `"msg":"stopping"`, `"msg":"stopped"`, `"service":"probe"`} {
		if strings.Count(r.log.String(), message) == 0 {
			t.Errorf("the log lacks %s:\n%s", message, r.log)
		}
	}
}

func TestStopIsBounded(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	gone := make(chan struct{})
	r := begin(t, program(func(context.Context) error {
		defer close(gone)
		<-release
		return nil
	}), Options{}, 250*time.Millisecond)
	r.readyz(t, 200, Ready)
	err := r.end(t)
	if err == nil || !strings.HasPrefix(err.Error(), "stop probe: still busy 230ms after it was told to stop") || fault.Exit(err) != 1 {
		t.Errorf("ended with %v", err)
	}
	close(release)
	<-gone
}

func TestAHangingOpenIsBoundedToo(t *testing.T) {
	t.Parallel()
	release, gone := make(chan struct{}), make(chan struct{})
	r := begin(t, Program{Name: "probe", Open: func(context.Context, *Env) (App, error) {
		defer close(gone)
		<-release
		return nil, errors.New("too late")
	}}, Options{}, 250*time.Millisecond)
	if err := r.end(t); !errors.Is(err, errBusy) {
		t.Errorf("ended with %v", err)
	}
	close(release)
	<-gone
}

func TestTheLockOutlivesAnAppThatDoesNotStop(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	release, gone := make(chan struct{}), make(chan struct{})
	r := begin(t, program(func(context.Context) error {
		defer close(gone)
		<-release
		return nil
	}), Options{Data: dir, Lock: true}, 250*time.Millisecond)
	if err := r.end(t); !errors.Is(err, errBusy) {
		t.Errorf("ended with %v", err)
	}
	if _, err := LockData(dir); err == nil || !strings.Contains(err.Error(), "is in use by process ") {
		t.Errorf("the directory is free while the app still works in it: %v", err)
	}
	close(release)
	<-gone
}

func TestWhatAnAppReturnsAfterTheStop(t *testing.T) {
	t.Parallel()
	broken := fault.Errorf(fault.Unreachable, "drain: gone")
	for _, c := range []struct {
		name string
		give func(ctx context.Context) error
		want error
	}{
		{"nil", func(context.Context) error { return nil }, nil},
		{"being cancelled is no fault", func(ctx context.Context) error { return ctx.Err() }, nil},
		{"nor several times", func(ctx context.Context) error { return errors.Join(ctx.Err(), openError("x", ctx.Err())) }, nil},
		{"a fault beside it is kept", func(ctx context.Context) error { return errors.Join(ctx.Err(), broken) }, broken},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := begin(t, program(func(ctx context.Context) error {
				<-ctx.Done()
				return c.give(ctx)
			}), Options{}, time.Minute)
			if err := r.end(t); !errors.Is(err, c.want) || c.want == nil && err != nil {
				t.Errorf("ended with %v, want %v", err, c.want)
			}
		})
	}
}

func TestAnAppMayEndByItself(t *testing.T) {
	t.Parallel()
	r := begin(t, program(func(context.Context) error { return nil }), Options{}, time.Minute)
	if err := r.wait(t); err != nil {
		t.Errorf("ended with %v", err)
	}
}

func TestAppsFailureEndsTheProcess(t *testing.T) {
	t.Parallel()
	r := begin(t, program(func(context.Context) error { return fault.Errorf(fault.Unreachable, "lost") }), Options{}, time.Minute)
	if err := r.wait(t); fault.Exit(err) != 3 {
		t.Errorf("ended with %v, exit code %d, want 3", err, fault.Exit(err))
	}
}

// Without a collector there is no exporter: no connection, no goroutine, and programs are told so by a nil.
func TestSpansAreExportedOnlyWhereACollectorIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		environ []string
		on      bool
	}{{nil, false}, {[]string{"TIDINGS_TRACING__SAMPLE=0.5"}, false}, {[]string{"TIDINGS_TRACING__OTLP=http://127.0.0.1:1"}, true}} {
		on := make(chan bool, 1)
		p := Program{Name: "probe", Open: func(_ context.Context, env *Env) (App, error) {
			on <- env.Trace != nil
			return appFunc(func(ctx context.Context) error { <-ctx.Done(); return nil }), nil
		}}
		r := begin(t, p, Options{Environ: append(anyPort(), c.environ...)}, time.Minute)
		if got := <-on; got != c.on {
			t.Errorf("%v: exported %v, want %v", c.environ, got, c.on)
		}
		if err := r.end(t); err != nil {
			t.Error(err)
		}
	}
}
