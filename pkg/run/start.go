package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/trace"
)

// StopLimit is how long a process may take from being told to stop until it has ended. It is below the 30 s after
// which the shipped compose file, systemd unit and most schedulers kill.
const StopLimit = 25 * time.Second

// Options is what a process gets from its command line and surroundings.
type Options struct {
	// Config is the configuration file. Empty means none: defaults and environment alone.
	Config string
	// Doc is used instead of Config when it is not nil, for a configuration that is in no file.
	Doc *config.Doc
	// Data is the data directory. It is made with mode 0700 and tried; empty means that the program keeps none.
	Data string
	// Lock takes Data for this process alone, see [LockData].
	Lock bool
	// Environ has the form of [os.Environ]. The configuration reads TIDINGS_ variables from it.
	Environ []string
	// Stdout becomes [Env.Out], Stderr takes the log. Nil means to discard.
	Stdout, Stderr io.Writer
	// Ready is called once, with the address of the admin port, when all needed checks are well for the first time.
	Ready func(addr string)
}

// Start runs a program until it ends, ctx ends, or SIGINT or SIGTERM asks for the end; a second signal ends the process
// at once, with exit code 1. The error's kind gives the exit code.
func Start(ctx context.Context, p Program, o Options) error {
	return start(ctx, p, o, host{limit: StopLimit, exit: os.Exit})
}

// host is what a test replaces.
type host struct {
	limit time.Duration
	exit  func(code int)
	// bound, when not nil, gets the address of the admin port before the program opens.
	bound func(addr string)
}

// settings are the sections of this package.
type settings struct {
	log     config.Log
	tracing config.Tracing
	admin   config.Admin
}

func read(doc *config.Doc) settings {
	s := settings{log: config.DefaultLog(), tracing: config.DefaultTracing(), admin: config.DefaultAdmin()}
	doc.Section("log", &s.log)
	doc.Section("tracing", &s.tracing)
	doc.Section("admin", &s.admin)
	return s
}

// document loads the configuration and lets the program collect its problems too.
func document(p Program, o Options) (*config.Doc, settings, error) {
	doc := o.Doc
	if doc == nil {
		var err error
		if doc, err = config.Load(o.Config, o.Environ); err != nil {
			return nil, settings{}, err
		}
	}
	s := read(doc)
	if p.Check != nil {
		p.Check(doc)
	}
	return doc, s, doc.Err()
}

func start(ctx context.Context, p Program, o Options, h host) (err error) {
	if o.Stdout == nil {
		o.Stdout = io.Discard
	}
	if o.Stderr == nil {
		o.Stderr = io.Discard
	}
	doc, s, err := document(p, o)
	if err != nil {
		return err
	}
	kept := new(recent)
	base, err := newLogger(o.Stderr, kept, s.log)
	if err != nil {
		return err
	}
	unlock, err := takeData(o)
	if err != nil {
		return err
	}
	build, checks := BuildInfo(), new(Checks)
	m := newMetrics(build, checks)
	log := base.With("service", p.Name)
	warnOfCompose(o.Environ, log)
	pr := &process{
		program: p, options: o, host: h, settings: s, build: build, checks: checks, metrics: m, log: log, recent: kept, name: newName(),
		env: &Env{
			Config: doc, Log: log, Metrics: m.registry, Checks: checks, Data: o.Data, Version: build.Version,
			Out: o.Stdout, base: base,
		},
	}
	if s.tracing.OTLP != "" {
		exporter := trace.Open(trace.Config{URL: s.tracing.OTLP, Sample: s.tracing.Sample, Version: build.Version, Log: log})
		pr.env.Trace = exporter.Tracer(p.Name)
		defer exporter.Close() // last: what the app does while it drains is told, too
	}
	err = pr.run(ctx)
	if errors.Is(err, errBusy) {
		// The app still works in the directory. The lock goes with the process.
		return err
	}
	return errors.Join(err, unlock())
}

// takeData makes the data directory ready, if there is to be one.
func takeData(o Options) (unlock func() error, err error) {
	switch {
	case o.Data == "":
		return func() error { return nil }, nil
	case o.Lock:
		return LockData(o.Data)
	default:
		return func() error { return nil }, makeData(o.Data)
	}
}

// errBusy marks the end of a process whose app did not stop in time.
var errBusy = errors.New("still busy")

// stopped reads what an app returned after its context ended: being cancelled is no fault, all else is.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && onlyCancelled(err) {
		return nil
	}
	return err
}

// onlyCancelled reports whether err says nothing but that a context was cancelled. [errors.Is] would also say so of a
// joined error that holds a real fault beside it.
func onlyCancelled(err error) bool {
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		for _, part := range e.Unwrap() {
			if !onlyCancelled(part) {
				return false
			}
		}
		return true
	case interface{ Unwrap() error }:
		return onlyCancelled(e.Unwrap())
	default:
		return err == context.Canceled
	}
}

// busyError is the sentence for an app that hangs.
func busyError(name string, limit time.Duration) error {
	return fault.Errorf(fault.Internal, "stop %s: %w %v after it was told to stop; ended all the same, the next start takes up what was in hand", name, errBusy, limit)
}

// openError says which step of the start went wrong.
func openError(name string, err error) error { return fmt.Errorf("start %s: %w", name, err) }
