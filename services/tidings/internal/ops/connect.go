package ops

import (
	"context"
	"log/slog"
	"os"
	"time"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/fault"
	"tidings.internal/services/tidings/internal/embedded"
)

// Role is the operator's name on the bus.
const Role = "tidings"

const (
	// connectLimit is how long an operator waits for the broker before he is told that it is away.
	connectLimit = 3 * time.Second
	closeLimit   = 5 * time.Second
)

// Options say which Tidings is meant.
type Options struct {
	Config *config.Doc
	// Data is the data directory; its server is asked unless the configuration names another one.
	Data string
	Log  *slog.Logger
}

// Ops is a connection in the role of the operator.
type Ops struct {
	bus  *bus.Bus
	doc  *config.Doc
	nats config.NATS
}

// Open connects to the broker that the configuration names, or to the server of the Tidings that runs in the data
// directory. A broker that does not answer is unreachable.
func Open(ctx context.Context, o Options) (*Ops, error) {
	n := ReadNATS(o.Config)
	if err := o.Config.Err(); err != nil {
		return nil, err
	}
	c := bus.Config{Service: Role, URL: n.URL, CredentialsFile: n.CredentialsFile, TLS: bus.TLS(n.TLS), Log: o.Log}
	where := "NATS at " + n.URL
	if n.URL == "" {
		a, err := embedded.ReadAddress(o.Data)
		if err != nil {
			return nil, err
		}
		if c.Seed, err = os.ReadFile(embedded.SeedFile(o.Data)); err != nil {
			return nil, fault.Errorf(fault.Refused, "read the operator's seed: %w", err)
		}
		c.URL, c.CredentialsFile, where = a.URL, "", "the Tidings of data directory "+o.Data
	}
	b, err := bus.Connect(ctx, c)
	if err != nil {
		return nil, err
	}
	return wait(ctx, &Ops{bus: b, doc: o.Config, nats: n}, where)
}

func wait(ctx context.Context, o *Ops, where string) (*Ops, error) {
	within, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	if err := o.bus.WaitConnected(within); err != nil {
		kind := fault.KindOf(err)
		if kind == fault.Internal {
			kind = fault.Unreachable
		}
		_ = o.Close() // it never connected: there is nothing to flush
		return nil, fault.Errorf(kind, "connect to %s: %w", where, err)
	}
	return o, nil
}

// On is the operator on a bus that is there already, as the all-in-one process has one.
func On(b *bus.Bus, doc *config.Doc, n config.NATS) *Ops {
	return &Ops{bus: b.As(Role), doc: doc, nats: n}
}

// Close ends the connection.
func (o *Ops) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	return o.bus.Close(ctx)
}
