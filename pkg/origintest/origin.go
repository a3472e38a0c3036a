package origintest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Origin is a running server. It is safe for concurrent use.
type Origin struct {
	listener net.Listener
	server   *http.Server
	served   chan struct{}
	stop     chan struct{} // closed first, so that slow and endless answers end
	stopOnce sync.Once

	mu          sync.Mutex
	feeds       map[string]*Feed
	bodies      map[string]static
	scripts     map[string][]Step
	requests    []Request
	changed     chan struct{} // closed and replaced with each request
	connections int
}

type static struct {
	contentType string
	body        []byte
}

// Request is what a client sent.
type Request struct {
	Time   time.Time
	Method string
	// Path is the path with its query.
	Path   string
	Host   string
	Header http.Header
	Remote string
}

// New starts an origin on a free port of loopback and stops it when the test ends.
func New(t testing.TB) *Origin {
	t.Helper()
	o, err := Start()
	if err != nil {
		t.Fatalf("start origin: %v", err)
	}
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Errorf("stop origin: %v", err)
		}
	})
	return o
}

// Start starts an origin on a free port of loopback.
func Start() (*Origin, error) { return StartAt("127.0.0.1:0") }

// StartAt starts an origin on an address, so that one started later can take the place of one that ended: the same
// items give the same bytes and the same ETag.
func StartAt(address string) (*Origin, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for origin: %w", err)
	}
	o := &Origin{
		listener: l,
		served:   make(chan struct{}),
		stop:     make(chan struct{}),
		feeds:    map[string]*Feed{},
		bodies:   map[string]static{},
		scripts:  map[string][]Step{},
		changed:  make(chan struct{}),
	}
	o.server = &http.Server{Handler: o, ReadHeaderTimeout: 10 * time.Second, ConnState: o.count}
	go func() {
		defer close(o.served)
		_ = o.server.Serve(l) // ends with ErrServerClosed
	}()
	return o, nil
}

// Close stops the origin and cuts what is in flight. It may be called more than once.
func (o *Origin) Close() error {
	var err error
	o.stopOnce.Do(func() {
		close(o.stop)
		err = o.server.Close()
	})
	<-o.served
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Addr is the host:port of the origin.
func (o *Origin) Addr() string { return o.listener.Addr().String() }

// URL gives the address of a path, which starts with a slash.
func (o *Origin) URL(path string) string { return "http://" + o.Addr() + path }

// Serve puts a fixed document at a path: a page, an image, a robots.txt.
func (o *Origin) Serve(path, contentType string, body []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bodies[path] = static{contentType, slices.Clone(body)}
}

// Script says how the next requests of a path are answered: one step each, in order, added behind those that wait
// already. A path without steps is answered plainly.
func (o *Origin) Script(path string, steps ...Step) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.scripts[path] = append(o.scripts[path], steps...)
}

// Unscript drops the steps that a path has left.
func (o *Origin) Unscript(path string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.scripts, path)
}

// Requests gives what was asked so far, oldest first. With paths only theirs, whatever the query.
func (o *Origin) Requests(paths ...string) []Request {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.matching(paths)
}

func (o *Origin) matching(paths []string) []Request {
	var list []Request
	for _, r := range o.requests {
		path, _, _ := strings.Cut(r.Path, "?")
		if len(paths) == 0 || slices.Contains(paths, path) {
			r.Header = r.Header.Clone()
			list = append(list, r)
		}
	}
	return list
}

// Forget drops the requests recorded so far; a long run would keep them all.
func (o *Origin) Forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.requests = nil
}

// Wait blocks until at least n requests to the paths were made, and gives them.
func (o *Origin) Wait(ctx context.Context, n int, paths ...string) ([]Request, error) {
	for {
		o.mu.Lock()
		list, changed := o.matching(paths), o.changed
		o.mu.Unlock()
		if len(list) >= n {
			return list, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return list, fmt.Errorf("wait for %d requests, saw %d: %w", n, len(list), context.Cause(ctx))
		}
	}
}

// Connections counts the connections accepted so far, those that never asked included.
func (o *Origin) Connections() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.connections
}

func (o *Origin) count(_ net.Conn, s http.ConnState) {
	if s != http.StateNew {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.connections++
}

// record notes a request and takes the step it is to be answered by.
func (o *Origin) record(r *http.Request) (Step, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.requests = append(o.requests, Request{
		Time: time.Now(), Method: r.Method, Path: r.URL.RequestURI(), Host: r.Host, Header: r.Header.Clone(),
		Remote: r.RemoteAddr,
	})
	close(o.changed)
	o.changed = make(chan struct{})
	steps := o.scripts[r.URL.Path]
	if len(steps) == 0 {
		return Step{}, false
	}
	s := steps[0]
	switch {
	case s.Times < 0: // for good
	case s.Times > 1:
		steps[0].Times--
	default:
		o.scripts[r.URL.Path] = steps[1:]
	}
	return s, true
}

// ServeHTTP answers a request.
func (o *Origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	step, scripted := o.record(r)
	if scripted {
		o.play(w, r, step)
		return
	}
	o.plain(r).write(w, r)
}

// plain finds what a path holds.
func (o *Origin) plain(r *http.Request) document {
	o.mu.Lock()
	defer o.mu.Unlock()
	if b, ok := o.bodies[r.URL.Path]; ok {
		return document{contentType: b.contentType, body: b.body}
	}
	for _, f := range Formats() {
		name, ok := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/"), "."+string(f))
		if feed := o.feeds[name]; ok && feed != nil {
			return feed.document(f)
		}
	}
	return document{status: http.StatusNotFound, contentType: "text/plain", body: []byte("no such document\n")}
}
