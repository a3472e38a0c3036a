package run

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// Read by one test only, after the flags are parsed.
var update = flag.Bool("update", false, "write the golden files anew")

// Names, labels and help are a contract with dashboards and alert rules.
func TestMetricsAreTheGoldenOnes(t *testing.T) {
	t.Parallel()
	checks := new(Checks)
	checks.Add("nats", func(context.Context) error { return nil })
	golden(t, "testdata/metrics.golden", newMetrics(BuildInfo(), checks).registry)
}

// golden holds names, labels and help of our metrics to a file.
func golden(t *testing.T, file string, from prometheus.Gatherer) {
	t.Helper()
	all, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range all {
		if !strings.HasPrefix(f.GetName(), "tidings_") {
			continue // the Go and process collectors are not ours to name
		}
		labels := []string{}
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		fmt.Fprintf(&b, "%s{%s} %s\n  %s\n", f.GetName(), strings.Join(labels, ","), strings.ToLower(f.GetType().String()), f.GetHelp())
	}
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Error(diff)
	}
}
