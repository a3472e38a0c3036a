package run

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
	all, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range all {
		labels := []string{}
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		fmt.Fprintf(&b, "%s{%s} %s\n  %s\n", f.GetName(), strings.Join(labels, ","), strings.ToLower(f.GetType().String()), f.GetHelp())
	}
	const golden = "testdata/bus_metrics.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Error(diff)
	}
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
