package app

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"tidings.internal/pkg/run/runtest"
	"tidings.internal/services/enrich/internal/pipeline"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares a text with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); if it should, run go test with -update:\n%s", file, diff)
	}
}

func TestMetricsAreThoseOfTheGoldenList(t *testing.T) {
	t.Parallel()
	one := func() float64 { return 1 }
	all := gauges{one, one, one}
	m := newMetrics(all)
	r := prometheus.NewRegistry()
	if err := m.register(r); err != nil {
		t.Fatal(err)
	}
	if err := newMetrics(all).register(r); err == nil {
		t.Error("registered twice without an error")
	}
	m.step("decode", time.Second, pipeline.TooDeep)
	for _, v := range []*prometheus.CounterVec{m.articles, m.rungs, m.languages, m.relations, m.reranked} {
		v.WithLabelValues("x").Inc()
	}
	problems, err := testutil.GatherAndLint(r)
	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	list, err := runtest.Metrics(m.register)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "metrics", list)
}
