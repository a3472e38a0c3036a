package run

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tidings.internal/pkg/fault"
)

// admin serves the admin port. It has no login and is never published.
type admin struct {
	name    string
	build   Build
	checks  *Checks
	log     *slog.Logger
	metrics *metrics
	// reconfigure takes the configuration over anew; nil where there is no file of it.
	reconfigure func(context.Context) error
	recent      *recent
	pprof       bool
	local       bool // bound to a loopback address
}

// server returns the HTTP server. Its write time is above the 30 s that a CPU profile takes by default; everything
// else answers within the limit of the probes.
func (a *admin) server() *http.Server {
	return &http.Server{
		Handler:           a.guarded(a.routes()),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      90 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),
	}
}

// guarded keeps web pages away that a browser on this machine shows: they reach loopback too. A page of another origin
// may not post. A page whose own name was made to point here (DNS rebinding) counts as the same origin, so on a loopback
// address only an IP address or localhost is taken for a host. Elsewhere names are usual: Prometheus asks ingest:9090.
func (a *admin) guarded(next http.Handler) http.Handler {
	next = http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.local && !localHost(r.Host) {
			http.Error(w, "this port answers to localhost and IP addresses only", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// localHost reports whether a Host header is something that no foreign name server decides about.
func localHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil || host == "localhost"
}

func (a *admin) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", a.healthz)
	mux.HandleFunc("GET /readyz", a.readyz)
	mux.HandleFunc("GET /version", a.version)
	// One collector that fails must not hide the others.
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.metrics.registry, promhttp.HandlerOpts{
		ErrorLog:      slog.NewLogLogger(a.log.Handler(), slog.LevelError),
		ErrorHandling: promhttp.ContinueOnError,
	}))
	mux.HandleFunc("GET /-/log", a.lastLines)
	mux.HandleFunc("POST /-/reload", a.reload)
	if a.pprof {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol) // go tool pprof asks for many at once
	}
	return mux
}

// healthz knows nothing of the broker: restarting us does not repair it.
func (a *admin) healthz(w http.ResponseWriter, _ *http.Request) {
	stuck := a.checks.Stuck()
	answer := struct {
		Status string `json:"status"`
		Stuck  []Loop `json:"stuck"`
	}{"alive", stuck}
	code := http.StatusOK
	if len(stuck) > 0 {
		answer.Status, code = "stuck", http.StatusServiceUnavailable
	}
	a.answer(w, code, answer)
}

func (a *admin) readyz(w http.ResponseWriter, r *http.Request) {
	report := a.checks.Report(r.Context())
	code := http.StatusOK
	if !report.Status.Serving() {
		code = http.StatusServiceUnavailable
	}
	a.answer(w, code, struct {
		Service string `json:"service"`
		Report
	}{a.name, report})
}

func (a *admin) version(w http.ResponseWriter, _ *http.Request) {
	a.answer(w, http.StatusOK, struct {
		Service string `json:"service"`
		Build
	}{a.name, a.build})
}

func (a *admin) lastLines(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(a.recent.text()) // the reader has gone: nobody is left to tell
}

func (a *admin) reload(w http.ResponseWriter, r *http.Request) {
	if a.reconfigure == nil {
		a.answer(w, http.StatusUnprocessableEntity, map[string]string{"status": "refused", "reason": "the process runs without a configuration file, so there is nothing to read again"})
		return
	}
	// The caller going away must not leave half a reload.
	err := a.reconfigure(context.WithoutCancel(r.Context()))
	switch {
	case err == nil:
		a.answer(w, http.StatusOK, map[string]string{"status": "reloaded"})
	case fault.KindOf(err) == fault.Invalid:
		a.answer(w, http.StatusUnprocessableEntity, map[string]string{"status": "refused", "reason": err.Error()})
	default:
		a.answer(w, http.StatusInternalServerError, map[string]string{"status": "failed", "reason": err.Error()})
	}
}

func (a *admin) answer(w http.ResponseWriter, code int, v any) {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		a.log.Error("admin answer could not be written", "err", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = w.Write(append(body, '\n')) // the reader has gone: nobody is left to tell
}

// serve answers until stop is called; the error tells that the port broke before.
func serve(s *http.Server, l net.Listener) error {
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fault.Errorf(fault.Internal, "serve the admin port: %w", err)
	}
	return nil
}

// shut ends a server within a time: requests under way may finish, what is left is cut.
func shut(s *http.Server, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		return s.Close()
	}
	return nil
}
