package app

import (
	"context"
	"errors"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/run"
)

// closeLimit bounds the drain of the bus at the end.
const closeLimit = 10 * time.Second

// defaultNATS is where a single service looks for its broker.
const defaultNATS = "nats://127.0.0.1:4222"

// Program is the service as a process of its own.
func Program() run.Program {
	return run.Program{Name: Name, Check: check, Open: open}
}

func check(doc *config.Doc) {
	Check(doc)
	readNATS(doc)
}

func readNATS(doc *config.Doc) config.NATS {
	n := config.DefaultNATS()
	doc.Section("nats", &n)
	if n.URL == "" {
		n.URL = defaultNATS
	}
	return n
}

// process is the service with a bus of its own.
type process struct {
	app *App
	bus *bus.Bus
}

func open(ctx context.Context, env *run.Env) (run.App, error) {
	n := readNATS(env.Config)
	if err := env.Config.Err(); err != nil {
		return nil, err
	}
	b, err := bus.Connect(ctx, bus.Config{Service: Name, URL: n.URL, CredentialsFile: n.CredentialsFile, TLS: bus.TLS(n.TLS), Log: env.Log, Observer: run.NewBusMetrics(env.Metrics)})
	if err != nil {
		return nil, err
	}
	p := &process{bus: b}
	if err := env.Offer(func(name string, verb run.Verb) error {
		_, err := b.Serve(ctx, serveVersion, name, verb) // it ends with the bus
		return err
	}); err != nil {
		return nil, errors.Join(err, p.close(ctx))
	}
	p.app, err = New(ctx, Deps{Config: env.Config, Bus: b, Log: env.Log, Metrics: env.Metrics, Checks: env.Checks, Trace: env.Trace})
	if err != nil {
		return nil, errors.Join(err, p.close(ctx))
	}
	return p, nil
}

// Run works until ctx ends, then drains the bus.
func (p *process) Run(ctx context.Context) error {
	err := p.app.Run(ctx)
	return errors.Join(err, p.close(ctx))
}

func (p *process) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
	defer cancel()
	return p.bus.Close(ctx)
}
