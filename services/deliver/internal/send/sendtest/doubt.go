package sendtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tidings.internal/services/deliver/internal/ledger"
)

// Doubt kills the process at each point of deliveries to a network that cannot be asked what it has: whatever may have
// arrived is left to a person and is never sent a second time unasked.
func Doubt(t *testing.T, c Case) {
	for _, point := range Points() {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			c.doubt(t, point)
		})
	}
	t.Run("two holders at once", c.holders)
}

func (c Case) doubt(t *testing.T, point string) {
	r := NewRig(t, c)
	certain := point == BeforeSending || point == AfterOutcome
	for n := range changed {
		p := r.Start(point)
		if err := p.Take(r.Post(Story(n), 1, ledger.Create, fmt.Sprintf("text %02d create", n))); err != nil {
			t.Fatal(err)
		}
		if p.Work(time.Minute) {
			t.Fatalf("story %d: the process did not die", n)
		}
		p.Stop()
		r.Clock.Add(2 * time.Minute)
		p = r.Start("")
		p.Work(30 * time.Minute)
		p.Stop()
		want := ledger.Uncertain
		if certain {
			want = ledger.Sent
		}
		if row := r.Row(Story(n)); row.State != want {
			t.Errorf("story %d ends as %s (%s), want %s", n, row.State, row.Reason, want)
		}
	}
	seen := map[string]int{}
	for _, text := range r.Made() {
		seen[text]++
	}
	want := map[string]int{}
	for n := range changed {
		if point != AfterSending {
			want[fmt.Sprintf("text %02d create", n)] = 1
		}
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("posts (-want +got):\n%s", diff)
	}
}
