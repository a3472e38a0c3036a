package run

import (
	"bytes"
	"context"
	"crypto/rand"
	"net/http"
	"time"

	"tidings.internal/pkg/fault"
)

// The verbs that every process answers an operator over the bus. This package may not import it, so an app serves what
// [Env.Offer] hands it.
const (
	VerbCheck  = "check"  // look at the file as it is now, and change nothing; answered with a [Standing]
	VerbReload = "reload" // take it over; answered with a [Standing] before it begins
	VerbStatus = "status" // version, checks and metrics; answered with [Pages]
	VerbLogs   = "logs"   // the last lines of the log; answered with [Pages]
)

// Verb answers an operator.
type Verb func(ctx context.Context, request []byte) (any, error)

// Standing is how a process stands with its configuration.
type Standing struct {
	Service string `json:"service"`
	// Process is a name that no other process has, and none of the same service after a restart.
	Process string `json:"process"`
	// Problem is why the file as it is now cannot be taken over; empty where it can.
	Problem string `json:"problem,omitempty"`
	// Reloads counts the reloads that have ended, and Failed says why the last one was refused, if it was.
	Reloads int    `json:"reloads"`
	Failed  string `json:"failed,omitempty"`
}

// Pages are what a process shows of itself, by the names that they have in a support bundle.
type Pages struct {
	Service string            `json:"service"`
	Process string            `json:"process"`
	Pages   map[string]string `json:"pages"`
}

// Bounds of what is sent over the bus, where a message may have 1 MB: quotes and the like are written as two characters.
const (
	maxPage = 400 << 10
	maxLog  = 450 << 10
)

// Offer calls serve for each verb. It ends with the first error.
func (e *Env) Offer(serve func(name string, verb Verb) error) error {
	if e.process == nil {
		return nil // an environment of a test
	}
	for _, v := range []struct {
		name string
		verb Verb
	}{
		{VerbCheck, e.process.verbCheck}, {VerbReload, e.process.verbReload}, {VerbStatus, e.process.verbStatus}, {VerbLogs, e.process.verbLogs},
	} {
		if err := serve(v.name, v.verb); err != nil {
			return err
		}
	}
	return nil
}

// newName returns a name for a process.
func newName() string { return rand.Text()[:8] }

func (p *process) standing() Standing {
	s := Standing{Service: p.program.Name, Process: p.name}
	if p.reloader != nil {
		s.Reloads, s.Failed = p.reloader.stands()
	}
	return s
}

func (p *process) verbCheck(context.Context, []byte) (any, error) {
	s := p.standing()
	if err := p.acceptable(); err != nil {
		s.Problem = err.Error()
	}
	return s, nil
}

// acceptable says why the file as it is now cannot be taken over.
func (p *process) acceptable() error {
	if p.reloader == nil {
		return fault.Errorf(fault.Invalid, "the process runs without a configuration file, so there is nothing to read again")
	}
	_, err := p.reloader.read()
	return err
}

// verbReload answers before it begins: the connection of the answer goes with the app that ends.
func (p *process) verbReload(context.Context, []byte) (any, error) {
	if p.reloader == nil {
		return nil, p.acceptable()
	}
	s := p.standing()
	p.background.Go(func() {
		// Refused or not, the log, the metrics and the next standing say so.
		_ = p.reloader.do(p.ctx)
	})
	return s, nil
}

func (p *process) verbStatus(context.Context, []byte) (any, error) {
	pages := map[string]string{}
	for path, name := range map[string]string{"/version": "version.json", "/readyz": "readyz.json", "/healthz": "healthz.json", "/metrics": "metrics.txt"} {
		r, err := http.NewRequestWithContext(p.ctx, http.MethodGet, path, nil)
		if err != nil {
			return nil, err
		}
		var w page
		p.pages.ServeHTTP(&w, r)
		pages[name] = string(w.body.Bytes()[:min(w.body.Len(), maxPage)])
	}
	return Pages{p.program.Name, p.name, pages}, nil
}

func (p *process) verbLogs(context.Context, []byte) (any, error) {
	text := p.recent.text()
	if len(text) > maxLog {
		text = text[len(text)-maxLog:] // the newest
		text = text[bytes.IndexByte(text, '\n')+1:]
	}
	return Pages{p.program.Name, p.name, map[string]string{"log.txt": string(text)}}, nil
}

// page takes what a page of the admin port would show.
type page struct {
	header http.Header
	body   bytes.Buffer
}

var _ http.ResponseWriter = (*page)(nil)

// Header implements [http.ResponseWriter].
func (w *page) Header() http.Header {
	if w.header == nil {
		w.header = http.Header{}
	}
	return w.header
}

// Write implements [http.ResponseWriter].
func (w *page) Write(b []byte) (int, error) { return w.body.Write(b) }

// WriteHeader implements [http.ResponseWriter]: a process that is not ready shows why all the same.
func (*page) WriteHeader(int) {}

// ReloadLimit is how long a reload may take: an app may take [StopLimit] to end, and another one opens then.
const ReloadLimit = StopLimit + 30*time.Second
