package run

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
)

func TestHealthzNamesTheLoopThatStandsStill(t *testing.T) {
	t.Parallel()
	r := begin(t, Program{Name: "probe", Open: func(_ context.Context, env *Env) (App, error) {
		env.Checks.Alive("poll", time.Nanosecond)
		env.Checks.Alive("render", time.Hour)
		return appFunc(obedient), nil
	}}, Options{}, time.Minute)
	r.readyz(t, 200, Ready)
	code, body := r.get(t, http.MethodGet, "/healthz")
	if code != 503 || !strings.Contains(body, `"poll"`) || strings.Contains(body, `"render"`) {
		t.Errorf("healthz: %d %s", code, body)
	}
	_, err := Health(t.Context(), r.url, true)
	if err == nil || !strings.HasPrefix(err.Error(), "stuck: poll has not ticked for ") {
		t.Errorf("health --alive: %v", err)
	}
	if err := r.end(t); err != nil {
		t.Error(err)
	}
}

func TestMetricsHoldTheProcessAndItsChecks(t *testing.T) {
	t.Parallel()
	var env *Env
	r := begin(t, Program{Name: "probe", Open: func(_ context.Context, e *Env) (App, error) {
		env = e
		e.Checks.Add("nats", func(context.Context) error { return fault.Errorf(fault.Unreachable, "down") })
		e.Checks.Add("topology", func(context.Context) error { return nil })
		return appFunc(obedient), nil
	}}, Options{}, time.Minute)
	r.readyz(t, 503, NotReady)
	code, body := r.get(t, http.MethodGet, "/metrics")
	for _, part := range []string{
		"go_goroutines ", "process_start_time_seconds ", `goversion="` + runtime.Version() + `"`,
		`tidings_ready{check="nats"} 0`, `tidings_ready{check="topology"} 1`, "tidings_config_last_reload_successful 1",
	} {
		if !strings.Contains(body, part) {
			t.Errorf("metrics (%d) lack %s:\n%s", code, part, body)
		}
	}
	problems, err := testutil.GatherAndLint(env.Metrics.(*generation).registry, "tidings_ready", "tidings_build_info",
		"tidings_config_last_reload_successful", "tidings_config_last_reload_success_timestamp_seconds")
	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	if err := r.end(t); err != nil {
		t.Error(err)
	}
}

func TestVersionPage(t *testing.T) {
	t.Parallel()
	r := begin(t, program(obedient), Options{}, time.Minute)
	code, body := r.get(t, http.MethodGet, "/version")
	var got struct {
		Service, Version, GoVersion string
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || code != 200 {
		t.Fatalf("version: %d %v %s", code, err, body)
	}
	if got.Service != "probe" || got.Version != BuildInfo().Version || got.GoVersion != runtime.Version() {
		t.Errorf("version: %s", body)
	}
	if err := r.end(t); err != nil {
		t.Error(err)
	}
}

func TestPprofIsThereOnlyWhenAskedFor(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]int{"false": 404, "true": 200} {
		r := begin(t, program(obedient), Options{Environ: anyPort("TIDINGS_LOG__PPROF=" + value)}, time.Minute)
		if code, _ := r.get(t, http.MethodGet, "/debug/pprof/cmdline"); code != want {
			t.Errorf("pprof %s: %d, want %d", value, code, want)
		}
		if err := r.end(t); err != nil {
			t.Error(err)
		}
	}
}

// titled is a program that shows the title of its site in a metric and in a check, and cannot open with some.
func titled(opened chan<- string) Program {
	return Program{
		Name:  "probe",
		Check: func(doc *config.Doc) { doc.Section("site", new(config.DefaultSite())) },
		Open: func(_ context.Context, env *Env) (App, error) {
			site := config.DefaultSite()
			env.Config.Section("site", &site)
			gauge := prometheus.NewGauge(prometheus.GaugeOpts{Name: "tidings_title", Help: "The title.", ConstLabels: prometheus.Labels{"title": site.Title}})
			if err := env.Metrics.Register(gauge); err != nil {
				return nil, err
			}
			switch site.Title {
			case "broken":
				return nil, fault.Errorf(fault.Unreachable, "the port is taken")
			case "panic":
				panic("oh")
			}
			env.Checks.Add(site.Title, func(context.Context) error { return nil })
			opened <- site.Title
			return appFunc(obedient), nil
		},
	}
}

func TestReload(t *testing.T) {
	t.Parallel()
	opened := make(chan string, 10)
	file := filepath.Join(t.TempDir(), "tidings.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("site: {title: A}")
	r := begin(t, titled(opened), Options{Config: file}, time.Minute)
	if got := <-opened; got != "A" {
		t.Fatalf("opened with %q", got)
	}
	for _, c := range []struct {
		text  string
		code  int
		part  string
		ok    string
		title string
		opens []string
	}{
		{"site: {title: B}", 200, "reloaded", "1", "B", []string{"B"}},
		{"site: {title: B, titel: C}", 422, "tidings.yaml:1:18", "0", "B", nil},
		{"site: {title: C}\nlog: {level: debug}", 422, "needs restart: log.level", "0", "B", nil},
		{"site: {title: C}\ntracing: {sample: 0.5}\nadmin: {listen: 127.0.0.1:1}", 422, "needs restart: tracing.sample", "0", "B", nil},
		{"site: {title: broken}", 500, "the port is taken", "0", "B", []string{"B"}},
		{"site: {title: panic}", 500, "panic: oh", "0", "B", []string{"B"}},
		{"site: {title: D}", 200, "reloaded", "1", "D", []string{"D"}},
	} {
		write(c.text)
		code, body := r.get(t, http.MethodPost, "/-/reload")
		if code != c.code || !strings.Contains(body, c.part) {
			t.Errorf("%s: %d %s, want %d with %q", c.text, code, body, c.code, c.part)
		}
		for _, want := range c.opens {
			if got := <-opened; got != want {
				t.Errorf("%s: opened with %q, want %q", c.text, got, want)
			}
		}
		_, metrics := r.get(t, http.MethodGet, "/metrics")
		for _, line := range []string{"tidings_config_last_reload_successful " + c.ok + "\n", `tidings_title{title="` + c.title + `"}`, `tidings_ready{check="` + c.title + `"} 1`} {
			if !strings.Contains(metrics, line) {
				t.Errorf("after %s the metrics lack %q", c.text, line)
			}
		}
		if n := strings.Count(metrics, "tidings_title{"); n != 1 {
			t.Errorf("after %s there are metrics of %d apps", c.text, n)
		}
	}
	if code, _ := r.get(t, http.MethodGet, "/-/reload"); code != 405 {
		t.Errorf("reload by GET: %d, want 405", code)
	}
	if err := r.end(t); err != nil {
		t.Error(err)
	}
}

func TestNoReloadWithoutAFile(t *testing.T) {
	t.Parallel()
	r := begin(t, program(obedient), Options{}, time.Minute)
	if err := AskReload(t.Context(), r.url); err == nil || !strings.HasPrefix(err.Error(), "the process runs without a configuration file") {
		t.Errorf("reload: %v", err)
	}
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	if err := AskReload(t.Context(), other.URL); err == nil || !strings.Contains(err.Error(), "is that an admin port?") {
		t.Errorf("reload of something else: %v", err)
	}
	if _, err := Health(t.Context(), other.URL, false); err == nil || !strings.Contains(err.Error(), "is that an admin port?") {
		t.Errorf("health of something else: %v", err)
	}
	if err := r.end(t); err != nil {
		t.Error(err)
	}
}

// A web page that an operator visits can reach loopback addresses; the browser says where such a request comes from
// and under which name it was found.
func TestForeignPageIsTurnedAway(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, host, origin string
		local              bool
		code               int
	}{
		{"no browser", "127.0.0.1:9090", "", true, 200},
		{"localhost", "localhost:9090", "", true, 200},
		{"IPv6", "[::1]:9090", "", true, 200},
		{"own page", "127.0.0.1:9090", "http://127.0.0.1:9090", true, 200},
		{"foreign page", "127.0.0.1:9090", "https://elsewhere.example", true, 403},
		{"foreign name that points here", "elsewhere.example:9090", "http://elsewhere.example:9090", true, 421},
		{"name of a container", "ingest:9090", "", false, 200},
	} {
		called := false
		m := newMetrics(Build{}, new(Checks))
		a := &admin{checks: new(Checks), log: discard(), metrics: m, local: c.local, reconfigure: func(context.Context) error { called = true; return nil }}
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.host+"/-/reload", nil)
		if c.origin != "" {
			req.Header.Set("Origin", c.origin)
		}
		w := httptest.NewRecorder()
		a.server().Handler.ServeHTTP(w, req)
		if w.Code != c.code || called != (c.code == 200) {
			t.Errorf("%s: code %d, called %v; want %d", c.name, w.Code, called, c.code)
		}
	}
}

// An app that does not end is no reason to wait for ever: the process ends, and whoever supervises it starts another.
func TestReloadDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "tidings.yaml")
	if err := os.WriteFile(file, []byte("site: {title: A}"), 0o600); err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	r := begin(t, program(func(context.Context) error { <-over; return nil }), Options{Config: file}, 2*time.Second)
	r.readyz(t, 200, Ready)
	if code, body := r.get(t, http.MethodPost, "/-/reload"); code != 500 || !strings.Contains(body, "still busy") {
		t.Errorf("%d %s", code, body)
	}
	select {
	case err := <-r.ended:
		if !errors.Is(err, errBusy) {
			t.Errorf("the process ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the process goes on without an app")
	}
}
