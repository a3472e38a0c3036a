package bus_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tidings.internal/pkg/bus"
	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
	"tidings.internal/pkg/natstest"
)

func topology(t *testing.T) event.Topology {
	t.Helper()
	top, err := event.NewTopology(event.DefaultSettings())
	if err != nil {
		t.Fatal(err)
	}
	return top
}

func TestAppliedTopologyNeedsNoChange(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "tidings") // it has applied the topology once
	plan, err := b.Plan(t.Context(), topology(t))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]bus.Change(nil), plan.Changes, cmpopts.IgnoreUnexported(bus.Change{})); diff != "" {
		t.Error(diff)
	}
}

func TestChangeThatCouldLoseDataNeedsYes(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "tidings")
	top := topology(t)
	for i := range top.Streams {
		if s := &top.Streams[i]; s.Name == event.StreamDead {
			s.Subjects = s.Subjects[:1]
		}
	}
	top.Number++
	plan, err := b.Plan(t.Context(), top)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Apply(t.Context(), plan, false); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "stream DEAD") {
		t.Errorf("apply without yes: %v, want a refusal that names stream DEAD", err)
	}
	before, err := b.StreamState(t.Context(), event.StreamDead)
	if err != nil {
		t.Fatal(err)
	}
	if before.Topology != event.TopologyNumber {
		t.Errorf("a refused apply left topology %d, want %d", before.Topology, event.TopologyNumber)
	}
	if err := b.Apply(t.Context(), plan, true); err != nil {
		t.Errorf("apply with yes: %v", err)
	}
	again, err := b.Plan(t.Context(), top)
	if err != nil || again.Pending() {
		t.Errorf("after the apply the plan is %+v, %v; want nothing", again.Changes, err)
	}
}

// What a store may lose by a shorter age is what is older than it.
func TestShorterAgeIsDestructiveOnlyForOldMessages(t *testing.T) {
	t.Parallel()
	b := natstest.Run(t).Bus(t, "tidings")
	if err := b.Append(t.Context(), []event.Message{raw(t, "aaaaaaaaaaaaaaaaaaaaaaaaaa", 1, "x")}); err != nil {
		t.Fatal(err)
	}
	top := topology(t)
	for i := range top.Streams {
		if s := &top.Streams[i]; s.Name == event.StreamRaw {
			s.MaxAge = 2 * time.Hour
		}
	}
	plan, err := b.Plan(t.Context(), top)
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Destructive()) != 0 || !plan.Pending() {
		t.Errorf("got %+v, want one harmless change", plan.Changes)
	}
}
