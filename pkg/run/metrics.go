package run

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metrics is the registry of a process with what every process reports.
type metrics struct {
	registry *prometheus.Registry
	reloadOK prometheus.Gauge
	reloadAt prometheus.Gauge
	app      *generation
}

// renew takes back what the last app registered and gives the next one a place of its own.
func (m *metrics) renew(env *Env) {
	if m.app != nil {
		m.app.end()
	}
	m.app = &generation{registry: m.registry}
	env.Metrics = m.app
}

func newMetrics(b Build, checks *Checks) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		reloadOK: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tidings_config_last_reload_successful",
			Help: "1 when the configuration in use is the newest that was offered, 0 when the last reload was refused.",
		}),
		reloadAt: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tidings_config_last_reload_success_timestamp_seconds",
			Help: "When the configuration in use was taken over, in seconds since 1970.",
		}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "tidings_build_info",
		Help:        "Always 1; the labels say which build this is.",
		ConstLabels: prometheus.Labels{"version": b.Version, "revision": b.Revision, "goversion": b.Go},
	})
	build.Set(1)
	m.reloadOK.Set(1)
	m.reloadAt.SetToCurrentTime()
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		build, m.reloadOK, m.reloadAt, readyCollector{checks},
	)
	return m
}

// readyCollector asks the probes at each scrape, so that the figure is never older than the scrape.
type readyCollector struct{ checks *Checks }

var _ prometheus.Collector = readyCollector{}

func readyDesc() *prometheus.Desc {
	return prometheus.NewDesc("tidings_ready", "1 while the named check of /readyz is well, else 0.", []string{"check"}, nil)
}

// Describe names the one metric.
func (readyCollector) Describe(ch chan<- *prometheus.Desc) { ch <- readyDesc() }

// Collect reports every check.
func (c readyCollector) Collect(ch chan<- prometheus.Metric) {
	desc := readyDesc()
	for _, check := range c.checks.Report(context.Background()).Checks {
		v := 0.0
		if check.OK {
			v = 1
		}
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, check.Name)
	}
}
