package app

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"tidings.internal/pkg/run/runtest"
)

var update = flag.Bool("update", false, "write the golden files anew")

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
	w := newWorld(t)
	w.configure("", fmt.Sprintf("id: rss, url: %q", w.origin.URL("/f.rss")))
	a, _ := w.start(nil)
	m := newMetrics(a)
	r := prometheus.NewRegistry()
	if err := m.register(r); err != nil {
		t.Fatal(err)
	}
	if err := newMetrics(a).register(r); err == nil {
		t.Error("registered twice without an error")
	}
	m.Fetched("ok", time.Second)
	m.Bytes(1, 2)
	m.Published("live", "new", 1)
	m.Skipped("empty", 1)
	m.late(time.Second)
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
