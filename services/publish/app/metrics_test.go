package app

import (
	"fmt"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestMetricsKeepTheirNames(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	m := newMetrics()
	if err := m.register(r); err != nil {
		t.Fatal(err)
	}
	m.served("rss", 200)
	m.Applied("stored")
	m.Rendered(time.Millisecond)
	m.Sizes(1, 4)
	m.composed.WithLabelValues("hook", "webhook", "create").Inc()
	m.Variant("hit")
	m.reduced.WithLabelValues("item_unsafe").Inc()
	problems, err := testutil.GatherAndLint(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range families {
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		sort.Strings(labels)
		lines = append(lines, fmt.Sprintf("%s{%s} %s\n", f.GetName(), strings.Join(labels, ","), f.GetHelp()))
	}
	golden(t, "metrics", strings.Join(lines, ""))
	if m := newMetrics(); m.register(r) == nil {
		t.Error("a second set is registered")
	}
}
