package run

import (
	"context"
	"io"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/trace"
)

// Program is what a binary is: a name and the way to its work.
type Program struct {
	// Name is the service's name in logs, /version and messages, such as "ingest".
	Name string
	// Check decodes every section that the program reads, so that all problems come together. It dials nothing.
	// The sections log, tracing and admin are this package's own.
	Check func(doc *config.Doc)
	// Open builds the app: it dials and binds, fails fast, and undoes what it did when it fails. The context ends
	// when the process is told to stop. A reload opens another app once the one before has ended.
	Open func(ctx context.Context, env *Env) (App, error)
}

// App is the running part of a program.
type App interface {
	// Run blocks. It returns nil once ctx has ended and everything is drained; any other return ends the process.
	Run(ctx context.Context) error
}

// Env is what a process gives its program.
type Env struct {
	Config *config.Doc
	// Log carries the attribute service with the program's name.
	Log *slog.Logger
	// Metrics leads to the registry behind /metrics, which already holds the Go and process collectors. What an app
	// registers goes with it.
	Metrics prometheus.Registerer
	Checks  *Checks
	// Trace begins spans in the name of the program; nil when they go nowhere.
	Trace *trace.Tracer
	// Data is the data directory, present and writable, or empty when the process was given none.
	Data string
	// Version is the version of the build.
	Version string
	// Out takes what is meant for a person or a pipe; logs go elsewhere.
	Out io.Writer

	base    *slog.Logger
	process *process
}

// LogFor returns the process's logger with another service's name, for a process that holds several services.
func (e *Env) LogFor(service string) *slog.Logger {
	if e.base == nil {
		return e.Log.With("service", service)
	}
	return e.base.With("service", service)
}
