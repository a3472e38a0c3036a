package run

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// Names, labels and help are a contract with dashboards and alert rules.
func TestBusMetricsAreTheGoldenOnes(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	m := NewBusMetrics(r)
	m.Emitted("ARTICLES", "stored")
	m.Handled("enrich", "backfill", "ack", "", time.Millisecond)
	m.Redelivered("enrich")
	m.Acked("RAW", time.Millisecond)
	m.Violation("article.raw.>")
	m.SlowConsumer()
	m.Rebuilt("recreated")
	if problems, err := testutil.GatherAndLint(r); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}
	golden(t, "testdata/bus_metrics.golden", r)
}

func TestFirstConnectionIsNoReconnect(t *testing.T) {
	t.Parallel()
	m := NewBusMetrics(prometheus.NewRegistry())
	m.Connected(true)
	if got := testutil.ToFloat64(m.reconnects); got != 0 {
		t.Errorf("%v reconnects after the first connection, want 0", got)
	}
	m.Connected(false)
	if got := testutil.ToFloat64(m.connected); got != 0 {
		t.Errorf("connected is %v after the connection was lost, want 0", got)
	}
	m.Connected(true)
	if got := testutil.ToFloat64(m.reconnects); got != 1 {
		t.Errorf("%v reconnects after one outage, want 1", got)
	}
}
