package app

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"tidings.internal/pkg/config"
	"tidings.internal/pkg/natstest"
	"tidings.internal/pkg/run"
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

func TestAnOldVersionOfAnAPIIsTold(t *testing.T) {
	t.Parallel()
	for version, old := range map[string]bool{time.Now().AddDate(0, -13, 0).Format("200601"): true, time.Now().Format("200601"): false} {
		log := &buffer{}
		registry := prometheus.NewRegistry()
		_, err := New(t.Context(), Deps{
			Config: config.New("tidings.yaml", fmt.Appendf(nil, "channels:\n  - {id: li, network: linkedin, token: x, version: %q, author: \"urn:li:person:a\"}\n", version), nil),
			Bus:    natstest.Run(t).Bus(t, Name), Log: slog.New(slog.NewTextHandler(log, nil)), Metrics: registry, Checks: &run.Checks{},
		})
		if err != nil {
			t.Fatal(err)
		}
		if warned := strings.Contains(log.String(), "ends soon"); warned != old {
			t.Errorf("version %s: warned %v", version, warned)
		}
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		days := -1.0
		for _, f := range families {
			if f.GetName() == "tidings_linkedin_version_age_days" {
				days = f.GetMetric()[0].GetGauge().GetValue()
			}
		}
		if days < 0 || days > 365 != old {
			t.Errorf("version %s is %v days old", version, days)
		}
	}
}
