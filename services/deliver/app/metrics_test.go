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
	"tidings.internal/services/deliver/internal/ledger"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares a text with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
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
	m := newMetrics(&App{})
	r := prometheus.NewRegistry()
	if err := m.register(r); err != nil {
		t.Fatal(err)
	}
	if err := newMetrics(&App{}).register(r); err == nil {
		t.Error("registered twice without an error")
	}
	m.Delivered("hook", "webhook", ledger.Create, "sent", "")
	m.Took("webhook", time.Second)
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
