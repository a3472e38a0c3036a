package ops

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/config"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
)

// Read by one test only, after the flags are parsed.
var update = flag.Bool("update", false, "write the golden files anew")

// shown gathers a metric by the values of its labels.
func shown(t *testing.T, r *prometheus.Registry, name string) map[string]float64 {
	t.Helper()
	all, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range all {
		for _, m := range f.GetMetric() {
			var of []string
			for _, l := range m.GetLabel() {
				of = append(of, l.GetValue())
			}
			if f.GetName() == name {
				values[strings.Join(of, " ")] = m.GetGauge().GetValue()
			}
		}
	}
	return values
}

func TestFiguresFollowTheBroker(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, Role)
	o := On(b, config.New("", nil, nil), config.DefaultNATS())
	r := prometheus.NewRegistry()
	if err := o.Figures(r); err != nil {
		t.Fatal(err)
	}
	if got := shown(t, r, "tidings_backup_last_success_timestamp_seconds"); len(got) > 0 {
		t.Errorf("before any backup: %v", got)
	}
	bury := func(sequence uint64, reason string) {
		t.Helper()
		d := &bus.Delivery{Stream: event.StreamRaw, Sequence: sequence, Deliveries: 1, Message: event.Message{
			Subject: "article.raw.0a.blog", Body: []byte("{"), Header: event.Header{event.HeaderType: {event.TypeRaw}, event.HeaderID: {fmt.Sprint("x.", sequence)}},
		}}
		if err := b.As("enrich").Bury(t.Context(), d, reason, fault.Errorf(fault.Malformed, "no JSON")); err != nil {
			t.Fatal(err)
		}
	}
	bury(1, "malformed")
	bury(2, "malformed")
	bury(3, "bad_envelope")
	if diff := cmp.Diff(map[string]float64{"malformed enrich": 2, "bad_envelope enrich": 1}, shown(t, r, "tidings_dead_letters")); diff != "" {
		t.Error(diff)
	}
	list, err := o.Dead(t.Context(), "", "bad_envelope", bus.DeadLetter{}.Time)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	if err := o.Drop(t.Context(), list[0].Sequence); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]float64{"malformed enrich": 2}, shown(t, r, "tidings_dead_letters")); diff != "" {
		t.Errorf("after a drop: %s", diff)
	}
	m, err := o.Backup(t.Context(), filepath.Join(t.TempDir(), "b.tar"), func(Member) {})
	if err != nil {
		t.Fatal(err)
	}
	made := shown(t, r, "tidings_backup_last_success_timestamp_seconds")[""]
	if began := float64(m.Time.Unix()); made < began || made > began+600 {
		t.Errorf("the backup of %v was made at %v", m.Time, made)
	}
	if bytes, limit := shown(t, r, "tidings_stream_bytes"), shown(t, r, "tidings_stream_limit_bytes"); bytes["DEAD"] < 1 || limit["DEAD"] <= bytes["DEAD"] {
		t.Errorf("DEAD holds %v of %v bytes", bytes["DEAD"], limit["DEAD"])
	}
	goldenFigures(t, r)
}

// Names, labels and help are a contract with dashboards and alert rules.
func goldenFigures(t *testing.T, r *prometheus.Registry) {
	t.Helper()
	if problems, err := testutil.GatherAndLint(r); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}
	all, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range all {
		if !slices.Contains([]string{"tidings_dead_letters", "tidings_backup_last_success_timestamp_seconds"}, f.GetName()) {
			continue // of package run, which has them in a list of its own
		}
		labels := []string{}
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		fmt.Fprintf(&b, "%s{%s} %s\n  %s\n", f.GetName(), strings.Join(labels, ","), strings.ToLower(f.GetType().String()), f.GetHelp())
	}
	const golden = "testdata/metrics.golden"
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
