package app

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"tidings.internal/pkg/run/runtest"
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
	list, err := runtest.Metrics(m.register)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "metrics", list)
	if m := newMetrics(); m.register(r) == nil {
		t.Error("a second set is registered")
	}
}
