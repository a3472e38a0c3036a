package run

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// BusMetrics counts what a connection to the broker does. It has the methods of bus.Observer, which this package may
// not import.
type BusMetrics struct {
	emitted    *prometheus.CounterVec
	handled    *prometheus.CounterVec
	again      *prometheus.CounterVec
	took       *prometheus.HistogramVec
	acked      *prometheus.HistogramVec
	connected  prometheus.Gauge
	reconnects prometheus.Counter
	violations prometheus.Counter
	slow       prometheus.Counter
	rebuilt    *prometheus.CounterVec

	mu   sync.Mutex
	seen bool // the connection was up before
}

// NewBusMetrics makes the metrics of one connection and registers them. A process has one connection; registering a
// second set panics.
func NewBusMetrics(r prometheus.Registerer) *BusMetrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	seconds := func(name, help, label string, buckets []float64) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, []string{label})
	}
	m := &BusMetrics{
		emitted: counters("tidings_emit_total", "Versions offered to a table by what became of them: stored, skipped, diverged, or the kind of the error.", "stream", "outcome"),
		handled: counters("tidings_messages_total", "Messages that a service was given, by verdict and, where it was not taken, the kind of the fault.", "stage", "outcome", "reason"),
		again:   counters("tidings_redeliveries_total", "Messages that a service was given a second time or more often: given back, or not settled in time.", "stage"),
		// A handler is mostly one write to the broker; its deadline is 25 s.
		took: seconds("tidings_stage_duration_seconds", "Time that a service took for one message.", "stage", []float64{.001, .003, .01, .03, .1, .3, 1, 3, 10, 30}),
		// An ack waits for one flush of the disk, and gives up after 5 s.
		acked:      seconds("tidings_publish_ack_seconds", "Time until the broker acknowledged a message.", "stream", []float64{.0003, .001, .003, .01, .03, .1, .3, 1, 3}),
		connected:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "tidings_nats_connected", Help: "1 while the connection to NATS is up, else 0."}),
		reconnects: counter("tidings_nats_reconnects_total", "How often the connection to NATS came back."),
		violations: counter("tidings_nats_violations_total", "How often NATS denied a subject."),
		slow:       counter("tidings_nats_slow_consumers_total", "How often a subscription fell behind and lost messages, which are then asked for again."),
		rebuilt:    counters("tidings_projection_rebuilds_total", "How often a projection was made anew because its stream was no longer the same.", "reason"),
	}
	r.MustRegister(m.emitted, m.handled, m.again, m.took, m.acked, m.connected, m.reconnects, m.violations, m.slow, m.rebuilt)
	return m
}

// Emitted counts a version offered to a table.
func (m *BusMetrics) Emitted(stream, outcome string) {
	m.emitted.WithLabelValues(stream, outcome).Inc()
}

// Handled counts a message and its time. The name of the consumer would add a label for each channel and is left out.
func (m *BusMetrics) Handled(service, _, verdict, kind string, took time.Duration) {
	m.handled.WithLabelValues(service, verdict, kind).Inc()
	m.took.WithLabelValues(service).Observe(took.Seconds())
}

// Redelivered counts a message that was handed out before.
func (m *BusMetrics) Redelivered(service string) { m.again.WithLabelValues(service).Inc() }

// Acked observes the time of an ack.
func (m *BusMetrics) Acked(stream string, took time.Duration) {
	m.acked.WithLabelValues(stream).Observe(took.Seconds())
}

// Connected follows the connection; each time it comes up but the first is a reconnect.
func (m *BusMetrics) Connected(up bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !up {
		m.connected.Set(0)
		return
	}
	m.connected.Set(1)
	if m.seen {
		m.reconnects.Inc()
	}
	m.seen = true
}

// Violation counts a denied subject. The subject is in the log: as a label it could be anything.
func (m *BusMetrics) Violation(string) { m.violations.Inc() }

// SlowConsumer counts a subscription that fell behind.
func (m *BusMetrics) SlowConsumer() { m.slow.Inc() }

// Rebuilt counts a projection that was made anew.
func (m *BusMetrics) Rebuilt(reason string) { m.rebuilt.WithLabelValues(reason).Inc() }
