package outage

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// clock is a time that only the test moves.
type clock struct{ now time.Time }

func (c *clock) detector() *Detector {
	c.now = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	return New(func() time.Time { return c.now })
}

// lose reports n lost polls over so many hosts, and how many of them counted.
func lose(d *Detector, n, hosts int) (counted int) {
	for i := range n {
		if offline, _ := d.Lost(fmt.Sprint("s", i), fmt.Sprint("h", i%hosts), 0.5); !offline {
			counted++
		}
	}
	return counted
}

func reach(d *Detector, n, hosts int) {
	for i := range n {
		d.Reached(fmt.Sprint("s", i), fmt.Sprint("h", i%hosts))
	}
}

func TestWhenWeAreCutOff(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		polls func(d *Detector)
		want  bool
	}{
		"nothing yet":                     {func(*Detector) {}, false},
		"nine of nine":                    {func(d *Detector) { lose(d, 9, 9) }, false},
		"ten hosts at the start":          {func(d *Detector) { lose(d, 10, 10) }, true},
		"one dead host among many polls":  {func(d *Detector) { lose(d, 200, 1) }, false},
		"two hosts, all of the last ten":  {func(d *Detector) { reach(d, 40, 2); lose(d, 10, 2) }, true},
		"two hosts, one answers":          {func(d *Detector) { lose(d, 9, 2); reach(d, 1, 1); lose(d, 9, 2) }, false},
		"many hosts, four in five":        {func(d *Detector) { reach(d, 10, 10); lose(d, 40, 20) }, false},
		"many hosts, more than four of 5": {func(d *Detector) { reach(d, 9, 9); lose(d, 41, 20) }, true},
		"what is long past":               {func(d *Detector) { reach(d, 500, 20); lose(d, 41, 20) }, true},
	} {
		d := (&clock{}).detector()
		c.polls(d)
		if got := d.Offline(); got != c.want {
			t.Errorf("%s: offline %t", name, got)
		}
	}
}

func TestWhatCountedIsTakenBackAndNothingCountsAnyMore(t *testing.T) {
	t.Parallel()
	d := (&clock{}).detector()
	d.Lost("s0", "h0", 0.25)
	if counted := lose(d, 30, 20); counted != 8 { // the tenth shows it, and does not count itself
		t.Errorf("%d polls counted", counted)
	}
	want := map[string]Blame{"s0": {2, 0.75}}
	for i := 1; i < 8; i++ {
		want[fmt.Sprint("s", i)] = Blame{1, 0.5}
	}
	if diff := cmp.Diff(want, d.Blamed()); diff != "" {
		t.Error(diff)
	}
	d.Again("s1", Blame{1, 0.5})
	if diff := cmp.Diff(map[string]Blame{"s1": {1, 0.5}}, d.Blamed()); diff != "" || d.Blamed() != nil {
		t.Error(diff)
	}
}

func TestOnePollNowAndThenLooksWhetherTheNetworkIsBack(t *testing.T) {
	t.Parallel()
	probes := func(hosts int) (first, last time.Duration, n int) {
		c := &clock{}
		d := c.detector()
		lose(d, 50, hosts)
		begun, before := c.now, c.now
		for range 3 * 3600 {
			c.now = c.now.Add(time.Second)
			if d.May() {
				if n++; n == 1 {
					first = c.now.Sub(begun)
				}
				before, last = c.now, c.now.Sub(before)
			}
		}
		return first, last, n
	}
	if first, last, n := probes(20); first != 15*time.Second || last != 15*time.Second || n != 720 {
		t.Errorf("of many hosts: the first after %v, the last after %v more, %d in all", first, last, n)
	}
	// Few hosts may all be dead, and must not be asked every 15 s for ever.
	if first, last, n := probes(2); first != 15*time.Second || last != 5*time.Minute || n > 150 {
		t.Errorf("of few hosts: the first after %v, the last after %v more, %d in all", first, last, n)
	}
}

func TestAnyAnswerEndsAnOutage(t *testing.T) {
	t.Parallel()
	d := (&clock{}).detector()
	if d.Reached("s", "h") {
		t.Error("an outage ended that never was")
	}
	lose(d, 50, 20)
	if d.May() || !d.Reached("s", "h") || d.Offline() || !d.May() || d.Reached("s", "h") {
		t.Error("an answer did not end the outage, once")
	}
	if counted := lose(d, 8, 8); counted != 8 {
		t.Errorf("after it %d of 8 failures counted", counted)
	}
}

// A connection that breaks off proves nothing, and what it counted is taken back with the rest.
func TestConnectionsThatBreakOff(t *testing.T) {
	t.Parallel()
	d := (&clock{}).detector()
	for i := range 40 {
		if d.Unsure("broken", fmt.Sprint("h", i), 0.5) {
			t.Fatal("connections that break off are no outage")
		}
	}
	lose(d, 10, 10)
	if !d.Offline() || !d.Unsure("broken", "h", 0.5) {
		t.Error("ten lost polls of ten hosts are no outage beside them")
	}
	if got := d.Blamed()["broken"]; got != (Blame{40, 20}) {
		t.Errorf("taken back is %+v", got)
	}
}
