// Package app is the publish service: it projects articles into feeds, serves them, and composes posts.
//
// It faces the public, so it holds no credential but that of the broker and makes no other connection.
package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/run"
	"tidings.internal/pkg/trace"
	"tidings.internal/services/publish/internal/announce"
	"tidings.internal/services/publish/internal/audience"
	"tidings.internal/services/publish/internal/composer"
	"tidings.internal/services/publish/internal/feed"
	"tidings.internal/services/publish/internal/hub"
	"tidings.internal/services/publish/internal/limit"
	"tidings.internal/services/publish/internal/projection"
	"tidings.internal/services/publish/internal/site"
)

// Name is the service's name.
const Name = "publish"

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
	bus        *bus.Bus
	log        *slog.Logger
	listener   net.Listener
	server     *http.Server
	base       string
	feeds      []*feed.Feed
	projection *projection.Projection
	announcer  *announce.Announcer
	composer   *composer.Composer
	gate       *composer.Gate
	audience   audience.Counter
}

const (
	// composers is how many articles one replica composes for at once.
	composers = 4
	// closeLimit bounds how long requests under way may go on after a stop.
	closeLimit = 5 * time.Second
)

// New makes the service: it reads its sections and binds the public port, so that the address is known. It asks nothing
// of the broker.
func New(ctx context.Context, d Deps) (*App, error) {
	s := read(d.Config)
	if err := d.Config.Err(); err != nil {
		return nil, err
	}
	listener, err := run.Listen(ctx, "publish.listen", s.publish.Listen)
	if err != nil {
		return nil, err
	}
	a, err := build(d, s, listener)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return a, nil
}

// build makes everything that needs no undoing but the listener's.
func build(d Deps, s settings, listener net.Listener) (*App, error) {
	a := &App{bus: d.Bus, log: d.Log, listener: listener, base: s.base(listener.Addr())}
	moved, gone := map[string]string{}, map[string]bool{}
	for _, c := range s.feeds {
		for _, id := range c.Was {
			moved[id] = c.ID
		}
		if c.Status == feed.Gone {
			gone[c.ID] = true
			continue
		}
		f, err := feed.New(c, s.site, a.base)
		if err != nil {
			return nil, err
		}
		if s.publish.Hub {
			f.Join(a.base + hub.Path)
		}
		a.feeds = append(a.feeds, f)
	}
	m := newMetrics()
	id := feed.SiteID(s.site)
	a.announcer = announce.New(d.Bus, d.Log, time.Now)
	watch, err := watched(s)
	if err != nil {
		return nil, err
	}
	a.projection = projection.New(projection.Config{
		Site: id, Language: s.site.Language, Feeds: a.feeds, Watch: watch, Automatic: automatic(s, a.base), Codings: s.publish.Codings, Last: d.Bus.Last, Changed: a.announcer.Changed, Log: d.Log, Observe: m,
	})
	a.gate = &composer.Gate{
		State: func(ctx context.Context) (bus.StreamState, error) { return d.Bus.StreamState(ctx, event.StreamPosts) }, Log: d.Log, Now: time.Now,
	}
	a.composer = composer.New(composer.Config{
		Channels: s.channels, Site: id, Bus: d.Bus, Log: d.Log, Trace: d.Trace, Now: time.Now,
		Wrote:    a.gate.Wrote,
		Composed: func(channel, network, outcome string) { m.composed.WithLabelValues(channel, network, outcome).Inc() },
		Reduced:  func(reason string) { m.reduced.WithLabelValues(reason).Inc() },
	})
	c := site.Config{
		Feeds: a.projection, List: a.feeds, Base: a.base, Title: s.site.Title, Description: s.site.Description, Language: s.site.Language,
		SitemapHosts: s.sitemapHosts(a.base),
		Moved:        moved, Gone: gone, Served: m.served, Read: a.audience.Saw, Limit: limit.New(s.publish.RateLimit, limit.Window, s.publish.proxies(), time.Now),
	}
	if s.publish.Hub {
		c.Hub = hub.New(a.feeds, a.leave, time.Now).Take
	}
	if lists := s.lists(); len(lists) > 0 {
		pages, err := a.newsletters(s, lists)
		if err != nil {
			return nil, err
		}
		c.Newsletter, c.Lists = pages.Answer, pages.Links()
	}
	pages, err := site.New(c)
	if err != nil {
		return nil, err
	}
	a.server = pages.Server(d.Log)
	if err := errors.Join(m.register(d.Metrics), d.Metrics.Register(m.end), d.Metrics.Register(a.flow())); err != nil {
		return nil, err
	}
	d.Checks.Add("feeds", a.probeFeeds)
	// Feeds are served from memory, so the loss of the broker or of its streams makes them stale and not unavailable.
	d.Checks.Degrade("nats", d.Bus.Probe)
	d.Checks.Degrade("topology", func(ctx context.Context) error {
		return d.Bus.ProbeTopology(ctx, event.StreamArticles, event.StreamPosts, event.StreamFeeds)
	})
	return a, nil
}

// leave stores what a site asked the hub for, for deliver. Nil means that it is on disk.
func (a *App) leave(ctx context.Context, r event.HubRequest) error {
	value, err := json.Marshal(r)
	if err == nil {
		err = a.bus.Bucket(event.BucketRequests).Leave(ctx, event.RequestsOfSites+r.ID, value)
	}
	if err != nil {
		a.log.Debug("could not leave a request for deliver", "feed", r.Feed, "kind", fault.KindOf(err), "err", err)
	}
	return err
}

// probeFeeds tells whether there is anything to serve.
func (a *App) probeFeeds(context.Context) error {
	if !a.projection.Ready() {
		return fault.Errorf(fault.Unreachable, "the feeds are being built from ARTICLES")
	}
	return nil
}

// Addr is the address that is listened on.
func (a *App) Addr() net.Addr { return a.listener.Addr() }

// Base is the address that stands in feeds, without a slash at its end.
func (a *App) Base() string { return a.base }

// Feeds lists the addresses of the public landing pages, in the order of the configuration.
func (a *App) Feeds() []string {
	var list []string
	for _, f := range feed.Public(a.feeds) {
		list = append(list, f.Head.Page)
	}
	return list
}

// Run serves, projects and composes until ctx ends, and then ends what is under way.
func (a *App) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := a.server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
			return fault.Errorf(fault.Internal, "serve %s: %w", a.listener.Addr(), err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		return a.close(ctx)
	})
	group.Go(func() error { return a.projection.Run(ctx) })
	group.Go(func() error { return a.announcer.Run(ctx) })
	hourly := time.NewTicker(audienceEvery)
	defer hourly.Stop()
	group.Go(func() error { return a.tellAudience(ctx, hourly.C) })
	for verb, answer := range map[string]func(context.Context, []byte) (any, error){event.VerbDocument: a.document, event.VerbFeed: a.shownFeed} {
		group.Go(func() error {
			stop, err := a.bus.Serve(ctx, serveVersion, verb, answer)
			if err != nil {
				return err
			}
			<-ctx.Done()
			stop()
			return nil
		})
	}
	group.Go(func() error {
		return a.bus.Follow(ctx, event.StreamArticles, event.All(event.SpaceEnriched), a.projection)
	})
	// Without a channel, too: articles that come before the first one is set up are not to be composed for it later.
	group.Go(func() error {
		return a.bus.Consume(ctx, bus.Consume{
			Stream: event.StreamArticles, Consumer: event.ConsumerComposer, Workers: composers, While: a.gate.Open, Each: a.gate.Open, Handle: a.composer.Handle,
		})
	})
	for i, ch := range a.composer.Channels {
		group.Go(func() error {
			return a.composer.Backfill(ctx, ch, func(n int) ([]string, time.Duration) { return a.projection.Newest(i, n) })
		})
	}
	return group.Wait()
}

// automatic says which feeds come into being by themselves.
func automatic(s settings, base string) projection.Automatic {
	c := s.publish.Automatic
	return projection.Automatic{
		Tags: c.Tags, Phrases: c.Phrases, Sources: c.Sources, Languages: c.Languages, Least: c.MinItems,
		Make: func(id string) (*feed.Feed, error) { return feed.Automatic(id, s.site, base) },
	}
}

// watched gives the selections of the channels, in their order, for the projection to keep.
func watched(s settings) ([]*feed.Feed, error) {
	var list []*feed.Feed
	for _, ch := range s.channels {
		var c feed.Config
		c.SetDefaults()
		if ch.Channel.Backfill > 0 {
			c.Select = ch.Select
		} else {
			c.Select.Sources = []string{""} // nothing: nobody asks for it
		}
		f, err := feed.New(c, s.site, "")
		if err != nil {
			return nil, err
		}
		list = append(list, f)
	}
	return list, nil
}

// close lets requests under way end, for a short time.
func (a *App) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
	defer cancel()
	if err := a.server.Shutdown(ctx); err != nil {
		// A client that reads slowly or holds a connection open does not hold up the stop.
		if err := a.server.Close(); err != nil {
			return fmt.Errorf("close the public port: %w", err)
		}
	}
	return nil
}

// Check decodes what publish reads, so that all problems come together. It dials and binds nothing.
func Check(doc *config.Doc) { read(doc) }
