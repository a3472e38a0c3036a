// Package runtest holds what tests of programs share: the list of the metrics that a program registers, with or without
// a value yet.
package runtest

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Metrics lists what a program registers, two lines a metric in the order of their names: name, labels and type, then the
// help. The list is a contract with dashboards and alert rules, so it is golden, and the manual is made of it.
func Metrics(register func(prometheus.Registerer) error) (string, error) {
	var r recorder
	if err := register(&r); err != nil {
		return "", fmt.Errorf("register metrics: %w", err)
	}
	var list []string
	for _, c := range r.collectors {
		made := kindsOf(c)
		descs := make(chan *prometheus.Desc, 100)
		c.Describe(descs)
		close(descs)
		for d := range descs {
			kind := kindOf(c)
			if kind == "" {
				kind = made[d.String()]
			}
			text, err := describe(d, kind)
			if err != nil {
				return "", err
			}
			list = append(list, text)
		}
	}
	slices.Sort(list)
	return strings.Join(list, ""), nil
}

// recorder is a registerer that keeps what it is given.
type recorder struct{ collectors []prometheus.Collector }

// Register keeps a collector.
func (r *recorder) Register(c prometheus.Collector) error {
	r.collectors = append(r.collectors, c)
	return nil
}

// MustRegister keeps collectors.
func (r *recorder) MustRegister(list ...prometheus.Collector) {
	r.collectors = append(r.collectors, list...)
}

// Unregister forgets nothing.
func (r *recorder) Unregister(prometheus.Collector) bool { return false }

// kindOf is the type of a collector that has only one, "" for one that makes its metrics as it is asked.
func kindOf(c prometheus.Collector) string {
	switch c.(type) {
	case *prometheus.CounterVec:
		return "counter"
	case *prometheus.GaugeVec:
		return "gauge"
	case *prometheus.HistogramVec:
		return "histogram"
	}
	return ""
}

// kindsOf are the types of the metrics that a collector has a value of, by their descriptions.
func kindsOf(c prometheus.Collector) map[string]string {
	metrics := make(chan prometheus.Metric, 1000)
	c.Collect(metrics)
	close(metrics)
	kinds := map[string]string{}
	for m := range metrics {
		var out dto.Metric
		if m.Write(&out) != nil {
			continue
		}
		switch {
		case out.Counter != nil:
			kinds[m.Desc().String()] = "counter"
		case out.Gauge != nil:
			kinds[m.Desc().String()] = "gauge"
		case out.Histogram != nil:
			kinds[m.Desc().String()] = "histogram"
		}
	}
	return kinds
}

// form is how a description prints itself: nothing else tells its parts.
var form = regexp.MustCompile(`^Desc\{fqName: ("(?:[^"\\]|\\.)*"), help: ("(?:[^"\\]|\\.)*"),.* variableLabels: \{(.*)\}\}$`)

func describe(d *prometheus.Desc, kind string) (string, error) {
	m := form.FindStringSubmatch(d.String())
	if m == nil {
		return "", fmt.Errorf("cannot read %s", d)
	}
	name, err := strconv.Unquote(m[1])
	if err != nil {
		return "", err
	}
	help, err := strconv.Unquote(m[2])
	if err != nil {
		return "", err
	}
	if kind == "" {
		// A collector without a value yet: the name says the type (Prometheus, "Metric and label naming").
		if kind = "gauge"; strings.HasSuffix(name, "_total") {
			kind = "counter"
		}
	}
	labels := strings.Split(m[3], ",")
	slices.Sort(labels)
	return fmt.Sprintf("%s{%s} %s\n  %s\n", name, strings.Join(labels, ","), kind, help), nil
}
