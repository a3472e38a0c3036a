// Package app is the deliver service: it puts the posts of the bus into the ledger and sends them to their channels, and
// pushes feeds that changed to the sites that subscribe to them.
//
// It holds the credentials and is the only service that does. It listens to nothing but the bus, and reaches others
// only through package web.
package app

import (
	"context"
	crand "crypto/rand"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/run"
	"tidings.internal/pkg/trace"
	"tidings.internal/pkg/web"
	"tidings.internal/services/deliver/internal/dispatch"
	"tidings.internal/services/deliver/internal/readers"
	"tidings.internal/services/deliver/internal/send"
	"tidings.internal/services/deliver/internal/websub"
)

// Name is the service's name.
const Name = "deliver"

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
	bus      *bus.Bus
	log      *slog.Logger
	client   *web.Client
	channels []*dispatch.Channel
	// sites is the client by which subscribing sites are reached. What an operator opens for them is open to no channel.
	sites *web.Client
	hub   *websub.Hub
	// desk deals with what readers of newsletters ask for; nil where no list is sent.
	desk  *readers.Desk
	lists []*letter
}

// oldVersion is the age from which the version of an API is warned of: LinkedIn keeps one for a year.
const oldVersion = 11 * 30 * 24 * time.Hour

// pulse is how long a channel's loop may be silent beyond its longest request.
const pulse = 2 * time.Minute

// New makes the service. It dials nobody: channels are opened, and what they need of the bus is made, in Run.
func New(ctx context.Context, d Deps) (*App, error) {
	s := read(d.Config)
	if err := d.Config.Err(); err != nil {
		return nil, err
	}
	client, err := web.New(web.Config{UserAgent: userAgent(s.site)})
	if err != nil {
		return nil, err
	}
	sites, err := newSites(s)
	if err != nil {
		return nil, err
	}
	a := &App{bus: d.Bus, log: d.Log, client: client, sites: sites}
	m := newMetrics(a)
	a.hub = websub.New(websub.Options{
		Bus: d.Bus, Client: sites, Log: d.Log, LeaseMin: s.deliver.Hub.LeaseMin, LeaseMax: s.deliver.Hub.LeaseMax,
		PerTopic: s.deliver.Hub.PerTopic, PerHost: s.deliver.Hub.PerHost, Observe: m, Now: time.Now, Random: rand.Float64,
		Tick: d.Checks.Alive("subscriptions", pulse).Tick,
	})
	owner := crand.Text()[:12]
	for _, c := range s.channels {
		sender, err := c.network.Open(send.Options{Channel: c.Channel, Client: client, Now: time.Now})
		if err != nil {
			return nil, err
		}
		if dated, ok := sender.(send.Dated); ok && dated.Age(time.Now()) > oldVersion {
			d.Log.Warn("found a channel whose version of the network's API ends soon; set a newer one", "channel", c.ID, "network", c.Network)
		}
		a.channels = append(a.channels, dispatch.New(dispatch.Options{
			Config: c.Channel, Network: c.network, Sender: sender, Ledger: book(d.Bus), Bus: d.Bus, Log: d.Log, Observe: m, Trace: d.Trace,
			Owner: owner, MaxOpen: s.deliver.MaxOpen, Now: time.Now, Random: rand.Float64,
			Tick: d.Checks.Alive("channel "+c.ID, pulse+c.Timeout).Tick,
		}))
	}
	if err := a.openNewsletters(s, d, m); err != nil {
		return nil, err
	}
	if err := errors.Join(m.register(d.Metrics), d.Metrics.Register(m.end)); err != nil {
		return nil, err
	}
	d.Checks.Add("nats", d.Bus.Probe)
	d.Checks.Add("topology", func(ctx context.Context) error {
		return d.Bus.ProbeTopology(ctx, event.StreamPosts, event.StreamFeeds, "KV_"+event.BucketDeliveries, "KV_"+event.BucketLeases,
			"KV_"+event.BucketSubscriptions, "KV_"+event.BucketRequests, "KV_"+event.BucketSubscribers)
	})
	d.Checks.Degrade("channels", a.probe)
	return a, nil
}

// newSites makes the way to subscribing sites.
func newSites(s settings) (*web.Client, error) {
	c := web.Config{UserAgent: userAgent(s.site), DenyPorts: s.denied}
	for _, text := range s.deliver.Hub.AllowNetworks {
		allowed, err := web.ParseAllowed(text)
		if err != nil {
			return nil, err
		}
		c.Allow = append(c.Allow, allowed)
	}
	for _, port := range s.deliver.Hub.AllowPorts {
		c.AllowPorts = append(c.AllowPorts, uint16(port))
	}
	return web.New(c)
}

func userAgent(site config.Site) string {
	agent := "Tidings/" + run.BuildInfo().Version
	if site.URL != "" {
		agent += " (+" + site.URL + ")"
	}
	return agent
}

// Run works on all channels until ctx ends. A channel whose configuration names another account than its rows ends it
// with an error: to go on would point receipts at the wrong account.
func (a *App) Run(ctx context.Context) error {
	defer a.client.Close()
	defer a.sites.Close()
	group, ctx := errgroup.WithContext(ctx)
	for _, c := range a.channels {
		group.Go(func() error { return c.Run(ctx) })
	}
	group.Go(func() error { return a.serve(ctx, verbChannel, a.policy) })
	group.Go(func() error { return a.serve(ctx, verbTest, a.identity) })
	group.Go(func() error { return a.serve(ctx, verbVerdict, a.verdict) })
	group.Go(func() error { return a.hub.Run(ctx) })
	a.runNewsletters(ctx, group)
	return group.Wait()
}

// Check decodes what deliver reads, so that all problems come together. It dials nothing.
func Check(doc *config.Doc) { read(doc) }

// probe names the channels that are paused.
func (a *App) probe(context.Context) error {
	var paused []error
	for _, c := range a.channels {
		if reason := c.Paused(); reason != "" {
			paused = append(paused, pausedError(c.ID(), reason))
		}
	}
	return errors.Join(paused...)
}
