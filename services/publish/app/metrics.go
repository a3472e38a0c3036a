package app

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/run"
)

// metrics are what publish counts. No label holds a feed, a source or a word of a request.
type metrics struct {
	requests  *prometheus.CounterVec
	applied   *prometheus.CounterVec
	renders   prometheus.Histogram
	articles  prometheus.Gauge
	documents prometheus.Gauge
	composed  *prometheus.CounterVec
	reduced   *prometheus.CounterVec
	variants  *prometheus.CounterVec
	end       prometheus.Histogram
}

func newMetrics() *metrics {
	return &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_publish_requests_total", Help: "Answers of the public port by the kind of document and the status.",
		}, []string{"format", "code"}),
		applied: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_publish_applied_total", Help: "Records of ARTICLES that the projection took, by what they were.",
		}, []string{"outcome"}),
		renders: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tidings_publish_render_seconds", Help: "Time to render all documents of one feed.",
			Buckets: []float64{.001, .003, .01, .03, .1, .3, 1, 3},
		}),
		articles:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "tidings_publish_articles", Help: "Articles in the projection."}),
		documents: prometheus.NewGauge(prometheus.GaugeOpts{Name: "tidings_publish_documents", Help: "Documents that are ready to be served."}),
		composed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_posts_composed_total", Help: "Posts that were composed, by action; or why none could be.",
		}, []string{"channel", "network", "outcome"}),
		reduced: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_publish_reduced_total", Help: "Articles that are shown without their body, by the reason.",
		}, []string{"reason"}),
		variants: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_publish_variants_total", Help: "Documents that are made on demand, by how they were come by: hit, built, stale or failed.",
		}, []string{"outcome"}),
		end: run.EndToEnd("served"),
	}
}

// register makes the metrics visible, all or none.
func (m *metrics) register(r prometheus.Registerer) error {
	all := []prometheus.Collector{m.requests, m.applied, m.renders, m.articles, m.documents, m.composed, m.reduced, m.variants}
	for i, c := range all {
		if err := r.Register(c); err != nil {
			for _, done := range all[:i] {
				r.Unregister(done)
			}
			return fault.Errorf(fault.Internal, "register metrics: %w", err)
		}
	}
	return nil
}

func (m *metrics) served(kind string, status int) {
	m.requests.WithLabelValues(kind, strconv.Itoa(status)).Inc()
}

// Applied counts a record.
func (m *metrics) Applied(outcome string) { m.applied.WithLabelValues(outcome).Inc() }

// Rendered observes a rendering.
func (m *metrics) Rendered(took time.Duration) { m.renders.Observe(took.Seconds()) }

// Sizes tells how much is held.
func (m *metrics) Sizes(articles, documents int) {
	m.articles.Set(float64(articles))
	m.documents.Set(float64(documents))
}

// Variant counts a document that is made on demand.
func (m *metrics) Variant(outcome string) { m.variants.WithLabelValues(outcome).Inc() }

// Shown observes that a feed shows a new version of an article for the first time.
func (m *metrics) Shown(since time.Duration) { m.end.Observe(since.Seconds()) }
