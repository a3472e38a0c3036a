package app

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/run"
	"tidings.internal/services/deliver/internal/ledger"
	"tidings.internal/services/deliver/internal/readers"
	"tidings.internal/services/deliver/internal/send"
)

// metrics are what deliver counts. No label holds a URL, a host or a word of a server.
type metrics struct {
	app        *App
	deliveries *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	end        prometheus.Histogram
	open       *prometheus.Desc
	paused     *prometheus.Desc
	age        *prometheus.Desc
	requests   *prometheus.CounterVec
	pushes     *prometheus.CounterVec
	fanout     prometheus.Histogram
	sites      *prometheus.Desc
	mails      *prometheus.CounterVec
	bounces    *prometheus.CounterVec
	readers    *prometheus.Desc
}

func newMetrics(a *App) *metrics {
	return &metrics{
		app: a,
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_deliveries_total", Help: "Attempts and decisions on deliveries by their outcome.",
		}, []string{"channel", "network", "op", "outcome", "reason"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tidings_delivery_seconds", Help: "Time of one request to a network.",
			Buckets: []float64{.01, .03, .1, .3, 1, 3, 10, 30},
		}, []string{"network"}),
		end: run.EndToEnd("sent"),
		open: prometheus.NewDesc("tidings_deliveries_open", "Deliveries that have not come to an end, by state.",
			[]string{"channel", "state"}, nil),
		paused: prometheus.NewDesc("tidings_channel_paused", "1 while a channel is paused, by the reason.",
			[]string{"channel", "reason"}, nil),
		age: prometheus.NewDesc("tidings_linkedin_version_age_days", "Age of the version of LinkedIn's API that a channel speaks; it ends at about 365.",
			[]string{"channel"}, nil),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_websub_requests_total", Help: "Requests of sites to our hub by what became of them.",
		}, []string{"outcome"}),
		pushes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_websub_deliveries_total", Help: "Documents pushed to subscribing sites by the outcome: sent, failed or gone.",
		}, []string{"outcome"}),
		fanout: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tidings_websub_fanout_seconds", Help: "Time until a changed document was pushed once to all its subscriptions.",
			Buckets: []float64{.03, .1, .3, 1, 3, 10, 30, 100},
		}),
		sites: prometheus.NewDesc("tidings_websub_subscriptions", "Subscriptions to our feeds where this replica works on them: in order, failing, or waiting to be verified.",
			[]string{"state"}, nil),
		mails: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_mail_total", Help: "Tries to send a mail to a reader of a list, by the outcome.",
		}, []string{"list", "kind", "outcome"}),
		bounces: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tidings_mail_bounces_total", Help: "Mails that were turned away or came back: hard, soft or complaint.",
		}, []string{"list", "class"}),
		readers: prometheus.NewDesc("tidings_subscribers", "Readers of a list that this replica sends, by their state.",
			[]string{"list", "state"}, nil),
	}
}

// register makes the metrics visible, all or none.
func (m *metrics) register(r prometheus.Registerer) error {
	all := []prometheus.Collector{m.deliveries, m.seconds, m.requests, m.pushes, m.fanout, m.mails, m.bounces, m}
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

// Delivered counts an outcome.
func (m *metrics) Delivered(channel, network string, op ledger.Op, outcome, reason string) {
	m.deliveries.WithLabelValues(channel, network, string(op), outcome, reason).Inc()
}

// Took observes a request.
func (m *metrics) Took(network string, took time.Duration) {
	m.seconds.WithLabelValues(network).Observe(took.Seconds())
}

// Arrived observes how long an article took to its first post.
func (m *metrics) Arrived(since time.Duration) { m.end.Observe(since.Seconds()) }

// Asked counts a request of a site.
func (m *metrics) Asked(outcome string) { m.requests.WithLabelValues(outcome).Inc() }

// Pushed counts a push to a site.
func (m *metrics) Pushed(outcome string) { m.pushes.WithLabelValues(outcome).Inc() }

// FannedOut observes a distribution.
func (m *metrics) FannedOut(took time.Duration) { m.fanout.Observe(took.Seconds()) }

// Mailed counts a try to send a mail.
func (m *metrics) Mailed(list, kind, outcome string) {
	m.mails.WithLabelValues(list, kind, outcome).Inc()
}

// Bounced counts a mail that came back.
func (m *metrics) Bounced(list, class string) { m.bounces.WithLabelValues(list, class).Inc() }

// Describe is for the registry.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- m.open
	ch <- m.paused
	ch <- m.age
	ch <- m.sites
	ch <- m.readers
}

// Collect asks the channels as they are now.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	if m.app.hub != nil {
		live, failing, pending := m.app.hub.Counts()
		for state, n := range map[string]int{"live": live, "failing": failing, "pending": pending} {
			ch <- prometheus.MustNewConstMetric(m.sites, prometheus.GaugeValue, float64(n), state)
		}
	}
	for _, l := range m.app.lists {
		if counts := l.Counts(); counts != nil {
			for _, s := range readers.States() {
				ch <- prometheus.MustNewConstMetric(m.readers, prometheus.GaugeValue, float64(counts[s]), l.ID(), string(s))
			}
		}
	}
	for _, c := range m.app.channels {
		counts := c.Counts()
		for _, s := range ledger.States() {
			if s.Open() {
				ch <- prometheus.MustNewConstMetric(m.open, prometheus.GaugeValue, float64(counts[s]), c.ID(), string(s))
			}
		}
		if reason := c.Paused(); reason != "" {
			ch <- prometheus.MustNewConstMetric(m.paused, prometheus.GaugeValue, 1, c.ID(), reason)
		}
		if dated, ok := c.Sender.(send.Dated); ok {
			ch <- prometheus.MustNewConstMetric(m.age, prometheus.GaugeValue, dated.Age(c.Now()).Hours()/24, c.ID())
		}
	}
}
