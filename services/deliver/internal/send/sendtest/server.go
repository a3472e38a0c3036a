// Package sendtest holds what every network's tests share: a scripted server, the suite that every sender must pass
// ([Conform]), and the suite that kills the process at each point of a delivery ([Survive]). It is for tests alone.
package sendtest

import (
	"bytes"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

// Step is what the server does with one request instead of its usual work.
type Step struct {
	// Status answers without acting; with Act it answers so after acting.
	Status int
	Header http.Header
	Body   string
	// Act does the usual work first and drops its answer.
	Act bool
	// Cut closes the connection without an answer, after the request was read.
	Cut bool
	// Hang answers nothing until the client goes away.
	Hang bool
	// Echo puts all that the request said into the body of the answer, as careless servers do.
	Echo bool
}

// Call is a request that arrived.
type Call struct {
	Method, Path string
	Header       http.Header
	Body         string
}

// Server is a scripted server in front of a network's usual behaviour.
type Server struct {
	*httptest.Server
	// Aside, if set, names requests that are neither scripted nor counted: those by which a client logs in.
	Aside func(*http.Request) bool

	act http.Handler

	mu    sync.Mutex
	steps []Step
	calls []Call
}

// NewServer starts a server that does as act does unless it is told otherwise.
func NewServer(t testing.TB, act http.Handler) *Server {
	s := &Server{act: act}
	s.Server = httptest.NewServer(s)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

// Next scripts the coming requests that change something: one step each. Requests that only read are not counted.
func (s *Server) Next(steps ...Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steps = append(s.steps, steps...)
}

// Calls returns the requests that changed something, or wanted to, since the start.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// ServeHTTP takes the next step.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet || s.Aside != nil && s.Aside(r) {
		s.act.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.mu.Lock()
	s.calls = append(s.calls, Call{Method: r.Method, Path: r.URL.RequestURI(), Header: r.Header.Clone(), Body: string(body)})
	var step *Step
	if len(s.steps) > 0 {
		step, s.steps = &s.steps[0], s.steps[1:]
	}
	s.mu.Unlock()
	if step == nil {
		s.act.ServeHTTP(w, r)
		return
	}
	s.take(*step, w, r, body)
}

func (s *Server) take(step Step, w http.ResponseWriter, r *http.Request, body []byte) {
	if step.Act {
		s.act.ServeHTTP(httptest.NewRecorder(), r)
	}
	switch {
	case step.Hang:
		<-r.Context().Done()
	case step.Cut:
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset, as of a process that died
		}
		_ = conn.Close()
	default:
		maps.Copy(w.Header(), step.Header)
		w.WriteHeader(step.Status)
		_, _ = io.WriteString(w, step.Body)
		if step.Echo {
			_, _ = io.WriteString(w, r.Method+" "+r.URL.String()+" "+string(body))
			_ = r.Header.Write(w)
		}
	}
}

// Clock is a clock that only the test moves.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that stands at a fixed time.
func NewClock() *Clock { return &Clock{now: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)} }

// Now tells the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Add moves the clock on.
func (c *Clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
