// Package app is the enrich service: it turns raw articles into clean, tagged ones with a language, a summary and a
// story.
//
// It has no network but the bus, unless an operator names a model in a private network that ranks tags. It consumes RAW,
// the new articles first and old ones when it has time, and keeps the newest version of each article in ARTICLES. What it
// makes is a pure function of the raw article, the versions of engine, taxonomy and knowledge, and the story; no clock and
// no chance enter it, so a message that is handled twice gives the same bytes and is skipped the second time. What a model said is
// no such function, so it is kept with the article and asked for once.
package app

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/run"
	"tidings.internal/pkg/trace"
	"tidings.internal/services/enrich/internal/pipeline"
	"tidings.internal/services/enrich/internal/rerank"
	"tidings.internal/services/enrich/internal/story"
	"tidings.internal/services/enrich/internal/taxonomy"
)

// Name is the service's name.
const Name = "enrich"

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
	settings Settings
	bus      *bus.Bus
	log      *slog.Logger
	metrics  *metrics
	trace    *trace.Tracer
	stories  *story.Stories
	runner   *pipeline.Runner // of no steps; that of the vocabulary in force has them
	base     *taxonomy.Vocabulary
	more     []pipeline.Step
	// ranker is nil where no model is configured; asking runs it, with the time that an answer may take.
	ranker   *rerank.Ranker
	asking   *pipeline.Runner
	current  atomic.Pointer[edition]
	renewing sync.Mutex // of current
	// now and learnEvery are the clock by which what is known of hosts and sources is renewed; no article depends on them.
	now        func() time.Time
	learnEvery time.Duration
	// slots bounds the articles that compute at once. The budgets are wall time: with all workers on the few cores a
	// large page would use up the time of its neighbours.
	slots chan struct{}
	pulse *run.Pulse
}

const (
	// backfillBelow is how many new articles may wait while old ones are handled.
	backfillBelow = 100
	// askBudget ends what the step itself did not end in its time.
	askBudget = rerank.Limit + time.Second
	// pulseMax is how long the service may be silent before it counts as stuck.
	pulseMax = 2 * time.Minute
	// pulseEvery is how often it shows that it is alive.
	pulseEvery = 5 * time.Second
)

// New makes the service. It dials nobody: consumers are bound in Run.
func New(_ context.Context, d Deps) (*App, error) {
	s := read(d.Config)
	if err := d.Config.Err(); err != nil {
		return nil, err
	}
	return build(d, s, nil)
}

// build makes the service from settings. more are steps that run behind those of the list.
func build(d Deps, s settings, more []pipeline.Step) (*App, error) {
	a := &App{settings: s.enrich, bus: d.Bus, log: d.Log, trace: d.Trace, base: s.taxonomy.vocabulary, more: more, now: time.Now, learnEvery: learnEvery}
	a.stories = story.New(d.Bus.Bucket(event.BucketStories))
	a.slots = make(chan struct{}, 2*runtime.GOMAXPROCS(0))
	a.runner = pipeline.NewRunner(s.enrich.budget(), a.observe)
	a.current.Store(&edition{})
	var err error
	a.ranker, err = rerank.New(rerank.Options{Config: s.enrich.Rerank, UserAgent: "Tidings/" + run.BuildInfo().Version, Log: d.Log, Now: time.Now,
		Observe: func(outcome string) { a.metrics.reranked.WithLabelValues(outcome).Inc() }})
	if err != nil {
		return nil, err
	}
	a.asking = a.runner.Within(pipeline.Budget{Step: askBudget, Article: askBudget}).With(rerank.Step{Ranker: a.ranker})
	a.metrics = newMetrics(gauges{
		stories:  func() float64 { return float64(a.stories.Len()) },
		concepts: func() float64 { return float64(a.vocabulary().Len()) },
		blocks:   func() float64 { return float64(a.current.Load().known.Len()) },
	})
	if err := errors.Join(a.metrics.register(d.Metrics), d.Metrics.Register(a.metrics.end)); err != nil {
		return nil, err
	}
	d.Checks.Add("nats", d.Bus.Probe)
	d.Checks.Add("topology", func(ctx context.Context) error {
		return d.Bus.ProbeTopology(ctx, event.StreamRaw, event.StreamArticles, "KV_"+event.BucketStories, "KV_"+event.BucketTaxonomy, "OBJ_"+event.StoreBlobs, "OBJ_"+event.StoreSnapshots)
	})
	d.Checks.Add("stories", func(context.Context) error { return a.stories.Ready() })
	if a.ranker != nil {
		d.Checks.Degrade("rerank", a.ranker.Probe)
	}
	a.pulse = d.Checks.Alive("enrich", pulseMax)
	return a, nil
}

func (a *App) observe(step string, took time.Duration, reason pipeline.Reason, err error) {
	a.metrics.step(step, took, reason)
	if reason == pipeline.Panic {
		a.log.Error("recovered a panic in a step", "status", step, "err", err)
	}
}

// Run works until ctx ends, then lets what is under way finish.
func (a *App) Run(ctx context.Context) error {
	defer a.ranker.Close()
	group, ctx := errgroup.WithContext(ctx)
	book, known := newBook(a), newKnowledge(a)
	group.Go(func() error { return book.follow(ctx) })
	group.Go(func() error { return known.follow(ctx) })
	group.Go(func() error { return a.work(ctx, book.ready, known.ready) })
	return group.Wait()
}

// work handles articles once the vocabulary in force and what is known of hosts and sources are there.
func (a *App) work(ctx context.Context, ready ...func(context.Context) error) error {
	for _, wait := range ready {
		if err := wait(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	// The watch outlives the consumers: a handler that finishes after the stop still waits for what it shows.
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error { return a.stories.Watch(watching) })
	group.Go(func() error {
		defer stop()
		both, ctx := errgroup.WithContext(ctx)
		both.Go(func() error { return a.consume(ctx, event.ConsumerEnrich, a.settings.workers(), nil) })
		both.Go(func() error { return a.consume(ctx, event.ConsumerBackfill, max(1, a.settings.workers()/2), a.idle) })
		both.Go(func() error { return a.bus.ConsumeReplay(ctx, max(1, a.settings.workers()/2), a.idle, a.handle) })
		return both.Wait()
	})
	group.Go(func() error { return a.supervise(ctx) })
	return group.Wait()
}

func (a *App) consume(ctx context.Context, consumer string, workers int, while func(context.Context) bool) error {
	return a.bus.Consume(ctx, bus.Consume{Stream: event.StreamRaw, Consumer: consumer, Workers: workers, While: while, Handle: a.handle})
}

// idle reports whether there is time for old articles.
func (a *App) idle(ctx context.Context) bool {
	l, err := a.bus.Backlog(ctx, event.StreamRaw, event.ConsumerEnrich)
	return err == nil && l.Lag() < backfillBelow
}

// supervise shows that the process is alive, and ends it when steps hang: nothing else stops them.
func (a *App) supervise(ctx context.Context) error {
	tick := time.NewTicker(pulseEvery)
	defer tick.Stop()
	for {
		a.pulse.Tick()
		select {
		case <-tick.C:
		case <-a.runner.Stuck():
			return fault.Errorf(fault.Internal, "enrich articles: several steps hang; the process must start again")
		case <-ctx.Done():
			return nil
		}
	}
}
