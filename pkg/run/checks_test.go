package run

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
)

func discard() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func well(context.Context) error { return nil }

func TestStatusOfChecks(t *testing.T) {
	t.Parallel()
	ill := func(context.Context) error { return errors.New("ill") }
	for _, c := range []struct {
		name string
		make func(c *Checks)
		want Status
	}{
		{"nothing to check", func(*Checks) {}, Ready},
		{"all well", func(c *Checks) { c.Add("a", well); c.Degrade("b", well) }, Ready},
		{"needed ill", func(c *Checks) { c.Add("a", ill); c.Add("b", well) }, NotReady},
		{"other ill", func(c *Checks) { c.Add("a", well); c.Degrade("b", ill) }, Degraded},
		{"needed outweighs", func(c *Checks) { c.Degrade("a", ill); c.Add("b", ill); c.Degrade("c", ill) }, NotReady},
		{"same name, later ill", func(c *Checks) { c.Add("a", well); c.Add("a", ill) }, NotReady},
		{"same name, earlier ill", func(c *Checks) { c.Add("a", ill); c.Add("a", well) }, NotReady},
		{"same name, needed outweighs", func(c *Checks) { c.Degrade("a", ill); c.Add("a", ill) }, NotReady},
		{"panic is ill", func(c *Checks) { c.Add("a", func(context.Context) error { panic("oh") }) }, NotReady},
		{"draining", func(c *Checks) { c.Add("a", well); c.drain(); c.started() }, Draining},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			checks := new(Checks)
			if got := checks.Report(t.Context()).Status; got != Starting {
				t.Errorf("status before the start is %q", got)
			}
			checks.started()
			c.make(checks)
			if got := checks.Report(t.Context()).Status; got != c.want {
				t.Errorf("status %q, want %q", got, c.want)
			}
		})
	}
}

func TestSinceIsTheMomentOfTheChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ill atomic.Bool
		checks := new(Checks)
		checks.started()
		checks.Add("nats", func(context.Context) error {
			if ill.Load() {
				return fault.Errorf(fault.Unreachable, "down")
			}
			return nil
		})
		begin := time.Now()
		since := func() time.Duration { return checks.Report(t.Context()).Checks[0].Since.Sub(begin) }
		got := []time.Duration{since()}
		time.Sleep(time.Minute) // moves the bubble's clock
		got = append(got, since())
		ill.Store(true)
		got = append(got, since())
		time.Sleep(time.Minute)
		got = append(got, since())
		if diff := cmp.Diff([]time.Duration{0, 0, time.Minute, time.Minute}, got); diff != "" {
			t.Error(diff)
		}
	})
}

// A probe that hangs until its context ends must neither hold the others up nor make the report later than the
// health verb waits.
func TestSlowProbesRunSideBySideWithinTheLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		checks := new(Checks)
		checks.started()
		for _, name := range []string{"a", "b", "c"} {
			checks.Add(name, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		}
		checks.Add("quick", well)
		begin := time.Now()
		r := checks.Report(t.Context())
		if took := time.Since(begin); took != probeLimit {
			t.Errorf("took %v, want %v", took, probeLimit)
		}
		if r.Status != NotReady || !r.Checks[3].OK {
			t.Errorf("report %+v", r)
		}
	})
}

// Two rounds may overlap. What an earlier, slower one found must not replace what the later one knows.
func TestLaterRoundWins(t *testing.T) {
	t.Parallel()
	checks := new(Checks)
	checks.settle(2, map[string]Check{"nats": {Name: "nats", OK: true}})
	checks.settle(1, map[string]Check{"nats": {Name: "nats", Reason: "old"}})
	if got := checks.states["nats"]; !got.OK {
		t.Errorf("kept %+v", got)
	}
}

func TestPulse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		checks := new(Checks)
		poll, render := checks.Alive("poll", 30*time.Second), checks.Alive("render", time.Minute)
		names := func() (s []string) {
			for _, l := range checks.Stuck() {
				s = append(s, l.Name)
			}
			return s
		}
		var got [][]string
		step := func(d time.Duration, ticks ...*Pulse) {
			time.Sleep(d)
			for _, p := range ticks {
				p.Tick()
			}
			got = append(got, names())
		}
		step(30 * time.Second)
		step(time.Second)
		step(0, poll)
		step(30*time.Second, poll)
		step(time.Hour)
		step(0, poll, render)
		want := [][]string{nil, {"poll"}, nil, {"render"}, {"poll", "render"}, nil}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// The log tells when a process became ready and which check changed, once each, and an idle hour adds nothing.
func TestWatcherLogsChangesOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ill atomic.Bool
		ill.Store(true)
		checks := new(Checks)
		checks.Add("nats", func(context.Context) error {
			if ill.Load() {
				return fault.Errorf(fault.Unreachable, "down")
			}
			return nil
		})
		checks.started()
		var out bytes.Buffer
		ready := 0
		log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "hint" {
				return slog.Attr{}
			}
			return a
		}}))
		w := &watcher{checks: checks, log: log, began: time.Now(), ready: func() { ready++ }}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); w.run(ctx) }()

		time.Sleep(time.Minute) // waiting for NATS
		synctest.Wait()
		ill.Store(false)
		time.Sleep(time.Hour) // idle
		synctest.Wait()
		ill.Store(true)
		time.Sleep(time.Hour)
		synctest.Wait()
		ill.Store(false)
		time.Sleep(time.Hour)
		synctest.Wait()
		cancel()
		<-done

		want := []string{
			`level=WARN msg="not ready yet" status=not_ready reason="nats: down"`,
			`level=INFO msg=ready took=1m0s status=ready`,
			`level=WARN msg="check failed" check=nats err=down kind=unreachable`,
			`level=INFO msg="check recovered" check=nats`,
		}
		got := strings.Split(strings.TrimSpace(out.String()), "\n")
		if diff := cmp.Diff(want, got, cmpopts.AcyclicTransformer("took", func(s string) string {
			return strings.ReplaceAll(s, "took=1m0.1s", "took=1m0s")
		})); diff != "" || ready != 1 {
			t.Errorf("ready called %d times, want 1; %s", ready, diff)
		}
	})
}

func TestLoggerFormatAndLevel(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		log  config.Log
		want string // first byte of a line, or a part of the error
	}{
		{config.Log{}, "{"},
		{config.Log{Format: "json"}, "{"},
		{config.Log{Format: "text"}, "t"},
		{config.Log{Level: "loud"}, "log.level"},
		{config.Log{Format: "xml"}, "log.format"},
		{config.Log{Level: "error"}, ""},
	} {
		var out bytes.Buffer
		log, err := newLogger(&out, new(recent), c.log)
		if err != nil {
			if c.want == "" || !strings.Contains(err.Error(), c.want) || fault.KindOf(err) != fault.Invalid {
				t.Errorf("%+v: %v", c.log, err)
			}
			continue
		}
		log.Info("x")
		if got := out.String(); c.want == "" && got != "" || !strings.HasPrefix(got, c.want) {
			t.Errorf("%+v: %q, want it to begin with %q", c.log, got, c.want)
		}
	}
}

func TestOneLogAServiceInAProcessOfSeveral(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	base := slog.New(slog.NewTextHandler(&out, nil))
	env := &Env{Log: base.With("service", "tidings"), base: base}
	env.LogFor("ingest").Info("x")
	if got := out.String(); !strings.Contains(got, "service=ingest") || strings.Contains(got, "tidings") {
		t.Errorf("logged %q", got)
	}
}
