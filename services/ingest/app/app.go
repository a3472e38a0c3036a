// Package app is the ingest service: it polls the sources of the configuration and appends what is new in them to RAW.
//
// It is the only service that asks strangers for documents, and it does so only through package web. It tags nothing,
// cleans nothing and decides nothing about who reads an article; it says what a source offered, once, and remembers it.
package app

import (
	"context"
	crand "crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/run"
	"tidings.internal/pkg/trace"
	"tidings.internal/pkg/web"
	"tidings.internal/services/ingest/internal/admission"
	"tidings.internal/services/ingest/internal/engine"
	"tidings.internal/services/ingest/internal/fetch"
	"tidings.internal/services/ingest/internal/fulltext"
	"tidings.internal/services/ingest/internal/identity"
	"tidings.internal/services/ingest/internal/outage"
	"tidings.internal/services/ingest/internal/owner"
	"tidings.internal/services/ingest/internal/poll"
)

// Name is the service's name.
const Name = "ingest"

// Deps are what the service is given.
type Deps struct {
	Config  *config.Doc
	Bus     *bus.Bus
	Log     *slog.Logger
	Metrics prometheus.Registerer
	Checks  *run.Checks
	// Trace may be nil: nothing is exported then.
	Trace *trace.Tracer
}

// App is the running service.
type App struct {
	bus       *bus.Bus
	log       *slog.Logger
	client    *web.Client
	admission *admission.Gate
	engine    *engine.Engine
	outage    *outage.Detector
	hubs      *hubs
	owner     *owner.Owner
	proxy     string
	declared  map[string]bool   // sources of the configuration
	added     map[string]string // definitions of those added at run time, by source; the watch's alone
}

// pulse is how long the loop that looks after the shards may be silent: one look waits for the broker several times.
const pulse = 3 * time.Minute

// New makes the service. It dials nobody: leases, states and sources are asked for in Run.
func New(ctx context.Context, d Deps) (*App, error) {
	s := read(d.Config)
	if err := d.Config.Err(); err != nil {
		return nil, err
	}
	client, err := newClient(s)
	if err != nil {
		return nil, err
	}
	a := &App{bus: d.Bus, log: d.Log, client: client}
	m := newMetrics(a)
	if err := errors.Join(m.register(d.Metrics), d.Metrics.Register(a.flow())); err != nil {
		return nil, err
	}
	if a.hubs, err = newHubs(ctx, s.ingest.WebSub); err != nil {
		return nil, err
	}
	a.outage = outage.New(time.Now)
	gate := web.NewGate(web.GateConfig{Hosts: hosts(s.ingest.Hosts)})
	a.admission = admission.New(d.Bus, admission.Limits{Lag: s.ingest.MaxPending, MaxAge: s.raw}, time.Now, a.admissionChanged)
	poller := poll.New(poll.Deps{
		Config: poll.Config{
			DefaultEvery: s.ingest.DefaultEvery, BackfillAfter: s.ingest.BackfillAfter, RevisionGap: s.ingest.RevisionGap, Tracking: identity.Tracking(s.ingest.Tracking),
			BackfillPages: s.ingest.BackfillPages,
		},
		Fetcher: fetch.New(client), Gate: gate, Bus: d.Bus, States: d.Bus.Bucket(event.BucketSourceState), Log: d.Log, Observe: m, Now: time.Now,
		Other:  func(id, address string) string { return a.engine.Other(id, address) },
		Pages:  fulltext.New(client, gate, time.Now, m.page),
		Hubs:   a.hubs.poller(a),
		Trace:  d.Trace,
		Outage: a.outage, Online: a.online, Offline: a.offline,
	})
	a.proxy, a.declared, a.added = s.ingest.Proxy, map[string]bool{}, map[string]string{}
	for _, src := range s.sources {
		a.declared[src.ID] = true
	}
	a.engine = engine.New(engine.Config{
		Poller: poller, Gate: gate, Admission: a.admission, Workers: s.ingest.Workers, Sources: s.sources, Log: d.Log, Now: time.Now,
		Late: m.late, Outage: a.outage, Fence: a.fence,
	})
	a.hubs.open(a, s.ingest.WebSub.AllowSHA1, m.push)
	a.owner = owner.New(owner.Config{
		Bus: d.Bus, Leases: d.Bus.Bucket(event.BucketLeases), Replica: strings.ToLower(crand.Text()[:12]), Wanted: a.engine.Shards,
		Gained: a.engine.Gained, Lost: a.engine.Lost, Log: d.Log, Alive: d.Checks.Alive("ingest shards", pulse).Tick,
	})
	d.Checks.Add("nats", d.Bus.Probe)
	d.Checks.Add("topology", func(ctx context.Context) error {
		return d.Bus.ProbeTopology(ctx, event.StreamRaw, "KV_"+event.BucketSourceState, "KV_"+event.BucketSourceConfig, "KV_"+event.BucketLeases, "OBJ_"+event.StoreBlobs)
	})
	d.Checks.Degrade("admission", a.admitted)
	d.Checks.Degrade("network", a.reachable)
	return a, nil
}

// newClient makes the way out.
func newClient(s settings) (*web.Client, error) {
	c := web.Config{UserAgent: userAgent(s.site, run.BuildInfo().Version), DenyPorts: s.denied}
	for _, text := range s.ingest.AllowNetworks {
		allowed, err := web.ParseAllowed(text)
		if err != nil {
			return nil, err
		}
		c.Allow = append(c.Allow, allowed)
	}
	for _, port := range s.ingest.AllowPorts {
		c.AllowPorts = append(c.AllowPorts, uint16(port))
	}
	return web.New(c)
}

func hosts(in map[string]Host) map[string]web.HostLimit {
	out := make(map[string]web.HostLimit, len(in))
	for name, h := range in {
		out[strings.ToLower(name)] = web.HostLimit{Concurrency: h.Concurrency, Gap: h.Gap}
	}
	return out
}

// Run polls until ctx ends, then finishes what publishes, and gives the leases back.
func (a *App) Run(ctx context.Context) error {
	defer a.client.Close()
	group, ctx := errgroup.WithContext(ctx)
	drained := make(chan struct{})
	group.Go(func() error {
		// Leases are given back only after the last poll under them has ended.
		defer close(drained)
		return a.engine.Run(ctx)
	})
	// No shard is taken before it is known what was wished while nobody ran: a paused source is not polled once more.
	known := make(chan struct{})
	group.Go(func() error {
		select {
		case <-known:
		case <-ctx.Done():
		}
		return a.owner.Run(ctx, drained)
	})
	group.Go(func() error { return a.admission.Run(ctx) })
	group.Go(func() error { return a.watch(ctx, sync.OnceFunc(func() { close(known) })) })
	group.Go(func() error { return a.serve(ctx) })
	group.Go(func() error { return a.hubs.run(ctx) })
	return group.Wait()
}

// serve answers how the sources of this replica stand, which is newer than what the bucket holds.
func (a *App) serve(ctx context.Context) error {
	for {
		stop, err := a.bus.Serve(ctx, serveVersion, verbSources, a.answer)
		if err == nil {
			<-ctx.Done()
			stop()
			return nil
		}
		a.log.Debug("could not serve the verb of the operator", "kind", fault.KindOf(err), "err", err)
		again := time.NewTimer(time.Second)
		select {
		case <-ctx.Done():
			again.Stop()
			return nil
		case <-again.C:
		}
	}
}

// serveVersion is that of the verbs, in the form that micro services ask for.
const serveVersion = "1.0.0"

func (a *App) admissionChanged(lane string, open bool, reason string) {
	typ, text := "admission_closed", "no poll starts: "+reason
	if open {
		typ, text = "admission_opened", "polls start again"
		a.log.Info("admission opened", "lane", lane)
	} else {
		a.log.Warn("admission closed", "lane", lane, "err", reason)
	}
	ctx, cancel := context.WithTimeout(context.Background(), noticeLimit)
	defer cancel()
	a.bus.Notice(ctx, event.Notice{Type: typ, Reason: lane, Text: text})
}

func (a *App) offline(ctx context.Context) {
	const text = "none of the hosts asked last can be reached, so it is us who are cut off; nothing counts against a source until one answers"
	a.log.Warn("cut off from the network", "err", text)
	a.bus.Notice(ctx, event.Notice{Type: "outage_began", Text: text})
}

func (a *App) online(ctx context.Context) {
	a.engine.Online()
	a.log.Info("the network is back")
	a.bus.Notice(ctx, event.Notice{Type: "outage_ended", Text: "a host answered; what became due meanwhile is polled bit by bit"})
}

// reachable says that we are cut off.
func (a *App) reachable(context.Context) error {
	if a.outage.Offline() {
		return fault.Errorf(fault.Unreachable, "none of the hosts asked last can be reached")
	}
	return nil
}

const noticeLimit = 5 * time.Second

// admitted says why no poll starts.
func (a *App) admitted(context.Context) error {
	var errs []error
	for _, lane := range []string{admission.Live, admission.Backfill} {
		if open, reason := a.admission.State(lane); !open && reason != "" {
			errs = append(errs, fault.Errorf(fault.Throttled, "%s: %s", lane, reason))
		}
	}
	return errors.Join(errs...)
}

// Check decodes what ingest reads, so that all problems come together. It dials nothing.
func Check(doc *config.Doc) { read(doc) }
