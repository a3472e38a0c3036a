package schedule

import (
	"testing"
	"time"
)

func TestIntervalDoublesWithEachWholeUnitOfWeight(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		every  time.Duration
		weight float64
		want   time.Duration
	}{
		{15 * time.Minute, 0, 15 * time.Minute},
		{15 * time.Minute, 0.75, 15 * time.Minute},
		{15 * time.Minute, 1, 30 * time.Minute},
		{15 * time.Minute, 2.5, time.Hour},
		{15 * time.Minute, 6, 16 * time.Hour},
		{15 * time.Minute, 7, 24 * time.Hour},
		{15 * time.Minute, 29.9, 24 * time.Hour},
		{15 * time.Minute, 30, DormantInterval},
		{7 * 24 * time.Hour, 0, 7 * 24 * time.Hour}, // the operator's own wish is no failure
		{7 * 24 * time.Hour, 5, 7 * 24 * time.Hour},
		{100 * time.Millisecond, 3, 800 * time.Millisecond},
	} {
		if got := Interval(c.every, c.weight); got != c.want {
			t.Errorf("every %v, weight %v: %v, want %v", c.every, c.weight, got, c.want)
		}
	}
}

func TestSourceThatFailsForEverIsPolledForEver(t *testing.T) {
	t.Parallel()
	for w := 0.0; w < 10_000; w += 0.25 {
		if got := Interval(time.Minute, w); got <= 0 || got > DormantInterval {
			t.Fatalf("weight %v: %v", w, got)
		}
	}
}

func TestJitterStaysWithinATenthAndDependsOnSourceAndPoll(t *testing.T) {
	t.Parallel()
	seen := map[time.Duration]bool{}
	for poll := range uint64(100) {
		got := Jitter(time.Hour, "src", poll)
		if got < 54*time.Minute || got > 66*time.Minute {
			t.Fatalf("poll %d: %v", poll, got)
		}
		if again := Jitter(time.Hour, "src", poll); again != got {
			t.Fatalf("poll %d: %v and then %v", poll, got, again)
		}
		seen[got] = true
	}
	if len(seen) < 90 {
		t.Errorf("%d different waits in 100 polls", len(seen))
	}
}

func TestOverdueSourcesAreSpread(t *testing.T) {
	t.Parallel()
	if Spread(0, 1, 64) != 0 || Spread(0, 1000, 1) != 0 {
		t.Error("the most overdue source does not start at once")
	}
	if got := Spread(999, 1000, 1); got > time.Minute || got < 59*time.Second {
		t.Errorf("the last of 1,000 starts after %v", got)
	}
	if got := Spread(15, 16, 64); got > 62*time.Second || got < 55*time.Second {
		t.Errorf("the last of each of 64 shards with 16 starts after %v", got)
	}
	if got := Spread(99_999, 100_000, 1); got > maxSpread {
		t.Errorf("the last of 100,000 starts after %v", got)
	}
}

func TestSourcesAddedTogetherAreSetApart(t *testing.T) {
	t.Parallel()
	for _, of := range []int{1, 1000, 30_000} {
		var a Apart
		minutes := map[int]int{}
		for n := range of {
			at := a.Place(noon)
			if n == 0 && !at.Equal(noon) {
				t.Errorf("the first of %d waits %v", of, at.Sub(noon))
			}
			minutes[int(at.Sub(noon)/time.Minute)]++
		}
		for minute, n := range minutes {
			if minute > 9 || n > 2*max(1, of/len(minutes)) {
				t.Errorf("%d of %d start in minute %d, of %d minutes", n, of, minute, len(minutes))
			}
		}
		later := noon.Add(time.Hour)
		if at := a.Place(later); !at.Equal(later) {
			t.Errorf("one that is added an hour later waits %v", at.Sub(later))
		}
	}
}
