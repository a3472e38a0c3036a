package app

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/run"
	"tidings.internal/services/enrich/internal/pipeline"
)

// The outcomes of an article.
const (
	outcomeEnriched = "enriched"
	outcomeSkipped  = "skipped" // something as new stood there already
	outcomeDeleted  = "deleted"
	outcomeFiltered = "filtered" // a rule of its source leaves it out, now that its whole text is there
	outcomeFailed   = "failed"   // it comes again, or became a dead letter
)

// metrics are what enrich counts. Labels are closed words.
type metrics struct {
	articles  *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	degraded  *prometheus.CounterVec
	rungs     *prometheus.CounterVec
	languages *prometheus.CounterVec
	relations *prometheus.CounterVec
	reranked  *prometheus.CounterVec
	index     prometheus.GaugeFunc
	concepts  prometheus.GaugeFunc
	blocks    prometheus.GaugeFunc
	end       prometheus.Histogram
}

// gauges are read when somebody asks.
type gauges struct{ stories, concepts, blocks func() float64 }

func newMetrics(g gauges) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	return &metrics{
		articles: counter("tidings_enrich_articles_total", "Articles handled, by outcome.", "outcome"),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tidings_enrich_step_seconds", Help: "Time of one step for one article.",
			Buckets: []float64{.0001, .0003, .001, .003, .01, .03, .1, .3, 1, 5},
		}, []string{"step"}),
		degraded:  counter("tidings_enrich_degraded_total", "Steps that failed for an article, by step and reason.", "step", "reason"),
		rungs:     counter("tidings_enrich_extracted_total", "Articles by where their body was found.", "rung"),
		languages: counter("tidings_enrich_languages_total", "Articles by language.", "language"),
		relations: counter("tidings_enrich_stories_total", "Articles by their relation to their story.", "relation"),
		reranked:  counter("tidings_enrich_reranked_total", "Articles for whose tags a model was to be asked, by outcome.", "outcome"),
		index:     prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tidings_enrich_stories_known", Help: "Articles whose story this process knows."}, g.stories),
		concepts:  prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tidings_enrich_concepts", Help: "Concepts of the taxonomy in force."}, g.concepts),
		blocks:    prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tidings_enrich_repeats_known", Help: "Blocks known to come back in the articles of their host."}, g.blocks),
		end:       run.EndToEnd("enriched"),
	}
}

func (m *metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.articles, m.seconds, m.degraded, m.rungs, m.languages, m.relations, m.reranked, m.index, m.concepts, m.blocks}
}

// register makes the metrics visible, all or none.
func (m *metrics) register(r prometheus.Registerer) error {
	for i, c := range m.all() {
		if err := r.Register(c); err != nil {
			for _, done := range m.all()[:i] {
				r.Unregister(done)
			}
			return fault.Errorf(fault.Internal, "register metrics: %w", err)
		}
	}
	return nil
}

// step observes one step of one article.
func (m *metrics) step(name string, took time.Duration, reason pipeline.Reason) {
	m.seconds.WithLabelValues(name).Observe(took.Seconds())
	if reason != "" {
		m.degraded.WithLabelValues(name, string(reason)).Inc()
	}
}
