package app

import (
	"errors"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings.internal/pkg/web"
	"tidings.internal/services/ingest/internal/admission"
	"tidings.internal/services/ingest/internal/cause"
	"tidings.internal/services/ingest/internal/poll"
	"tidings.internal/services/ingest/internal/state"
	"tidings.internal/services/ingest/internal/websub"
)

// metrics counts what ingest does. No label names a source: they are without number, and /metrics is not the place to
// look at one.
type metrics struct {
	fetches  *prometheus.CounterVec
	seconds  prometheus.Histogram
	bytes    *prometheus.CounterVec
	articles *prometheus.CounterVec
	skipped  *prometheus.CounterVec
	refused  *prometheus.CounterVec
	pages    *prometheus.CounterVec
	pushes   *prometheus.CounterVec
	lateness prometheus.Histogram

	sources *prometheus.Desc
	closed  *prometheus.Desc
	shards  *prometheus.Desc
	offline *prometheus.Desc
	hubs    *prometheus.Desc
	app     *App
}

var (
	_ poll.Observer        = (*metrics)(nil)
	_ prometheus.Collector = (*metrics)(nil)
)

func newMetrics(a *App) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tidings_ingest_" + name, Help: help}, labels)
	}
	return &metrics{
		fetches:  counter("fetches_total", "Polls by what came of them: ok, unchanged, partial, offline, or the reason of the failure.", "outcome"),
		bytes:    counter("bytes_total", "Bytes of documents: as they travelled (wire) and as clean text (decoded).", "kind"),
		articles: counter("articles_total", "Articles appended to RAW, by lane (live, backfill) and change (new, edited, removed).", "lane", "change"),
		skipped:  counter("items_skipped_total", "Items and addresses of documents that were left out, by reason.", "reason"),
		refused:  counter("refused_total", "Polls refused for safety, by reason: an address, port or redirect that is not open, or a document beyond a limit.", "reason"),
		pages:    counter("pages_total", "Web pages of articles by what came of them: ok, or the reason why there is none.", "outcome"),
		pushes:   counter("websub_deliveries_total", "Calls of hubs by what came of them: taken, confirmed, or why not.", "outcome"),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tidings_ingest_fetch_duration_seconds", Help: "Time of an exchange with a host.",
			Buckets: []float64{0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30},
		}),
		lateness: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tidings_ingest_poll_lateness_seconds", Help: "How long after its time a poll started.",
			Buckets: []float64{0.01, 0.1, 0.5, 1, 2.5, 5, 15, 60, 300},
		}),
		sources: prometheus.NewDesc("tidings_ingest_sources", "Sources of the shards that this replica owns, by state.", []string{"state"}, nil),
		closed:  prometheus.NewDesc("tidings_ingest_admission_closed", "1 while no poll starts because RAW could not keep what it finds.", []string{"lane"}, nil),
		shards:  prometheus.NewDesc("tidings_ingest_shards_owned", "Polling shards that this replica owns.", nil, nil),
		offline: prometheus.NewDesc("tidings_ingest_offline", "1 while it is us who are cut off: no host can be reached, and nothing counts against a source.", nil, nil),
		hubs:    prometheus.NewDesc("tidings_ingest_websub_subscriptions", "Subscriptions at hubs of the sources of this replica, by state.", []string{"state"}, nil),
		app:     a,
	}
}

func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.fetches, m.seconds, m.bytes, m.articles, m.skipped, m.refused, m.pages, m.pushes, m.lateness, m}
}

// register registers all or none.
func (m *metrics) register(r prometheus.Registerer) error {
	var done []prometheus.Collector
	for _, c := range m.collectors() {
		if err := r.Register(c); err != nil {
			for _, d := range done {
				r.Unregister(d)
			}
			return errors.Join(errors.New("register metrics of ingest"), err)
		}
		done = append(done, c)
	}
	return nil
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- m.sources
	ch <- m.closed
	ch <- m.shards
	ch <- m.offline
	ch <- m.hubs
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	if m.app.engine == nil {
		return
	}
	phases := m.app.engine.Phases()
	for _, p := range []state.Phase{state.Waiting, state.Active, state.Failing, state.Dormant, state.Gone, state.Ended, state.Merged, state.Paused} {
		ch <- prometheus.MustNewConstMetric(m.sources, prometheus.GaugeValue, float64(phases[p]), string(p))
	}
	subscriptions := m.app.engine.Subscriptions()
	for _, s := range []websub.Status{websub.Pending, websub.Active, websub.Lost} {
		ch <- prometheus.MustNewConstMetric(m.hubs, prometheus.GaugeValue, float64(subscriptions[s]), string(s))
	}
	for _, lane := range []string{admission.Live, admission.Backfill} {
		v := 1.0
		if m.app.admission.Open(lane) {
			v = 0
		}
		ch <- prometheus.MustNewConstMetric(m.closed, prometheus.GaugeValue, v, lane)
	}
	cut := 0.0
	if m.app.outage.Offline() {
		cut = 1
	}
	ch <- prometheus.MustNewConstMetric(m.offline, prometheus.GaugeValue, cut)
	ch <- prometheus.MustNewConstMetric(m.shards, prometheus.GaugeValue, float64(m.app.owner.Held()))
}

// refusals are the outcomes by which something was refused that could have done harm.
var refusals = []string{
	string(web.RefusedAddress), string(web.RefusedPort), string(web.RefusedScheme), string(web.RedirectLimit), string(web.RedirectRefused), string(web.TooLarge),
	string(cause.TooDeep), string(cause.TooDense),
}

// Fetched implements poll.Observer.
func (m *metrics) Fetched(outcome string, took time.Duration) {
	m.fetches.WithLabelValues(outcome).Inc()
	if slices.Contains(refusals, outcome) {
		m.refused.WithLabelValues(outcome).Inc()
	}
	if took > 0 {
		m.seconds.Observe(took.Seconds())
	}
}

// Bytes implements poll.Observer.
func (m *metrics) Bytes(wire, decoded int) {
	m.bytes.WithLabelValues("wire").Add(float64(wire))
	m.bytes.WithLabelValues("decoded").Add(float64(decoded))
}

// Published implements poll.Observer.
func (m *metrics) Published(lane, change string, n int) {
	m.articles.WithLabelValues(lane, change).Add(float64(n))
}

// Skipped implements poll.Observer.
func (m *metrics) Skipped(reason string, n int) {
	if n > 0 {
		m.skipped.WithLabelValues(reason).Add(float64(n))
	}
}

// page counts a web page.
func (m *metrics) page(outcome string) { m.pages.WithLabelValues(outcome).Inc() }

// push counts a call of a hub.
func (m *metrics) push(outcome string) { m.pushes.WithLabelValues(outcome).Inc() }

// late observes how late a poll starts.
func (m *metrics) late(d time.Duration) { m.lateness.Observe(max(d, 0).Seconds()) }
