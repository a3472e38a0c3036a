package schedule

import (
	"testing"
	"time"
	_ "time/tzdata" // the tables below must not depend on the machine

	"pgregory.net/rapid"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// The nights of the changes of time in Berlin (2026-10-25, back at 03:00 to 02:00; 2027-03-28, forward at 02:00 to
// 03:00) and in Sydney, where summer begins in October.
func TestQuietNightsOverChangesOfTime(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, from, to, zone string
		begin                string
		lasts                time.Duration
	}{
		{"an ordinary night", "22:00", "07:00", "Europe/Berlin", "2026-11-23T22:00:00+01:00", 9 * time.Hour},
		{"the long night", "22:00", "07:00", "Europe/Berlin", "2026-10-24T22:00:00+02:00", 10 * time.Hour},
		{"the short night", "22:00", "07:00", "Europe/Berlin", "2027-03-27T22:00:00+01:00", 8 * time.Hour},
		{"the short night of the south", "22:00", "07:00", "Australia/Sydney", "2026-10-03T22:00:00+10:00", 8 * time.Hour},
		{"the long night of the south", "22:00", "07:00", "Australia/Sydney", "2027-04-03T22:00:00+11:00", 10 * time.Hour},
		{"an end inside the lost hour", "22:00", "02:30", "Europe/Berlin", "2027-03-27T22:00:00+01:00", 4 * time.Hour},
		{"an end inside the hour that comes twice opens at the first", "22:00", "02:30", "Europe/Berlin", "2026-10-24T22:00:00+02:00", 4*time.Hour + 30*time.Minute},
		{"and closes again", "22:00", "02:30", "Europe/Berlin", "2026-10-25T02:00:00+01:00", 30 * time.Minute},
		{"by day", "12:00", "13:00", "Europe/Berlin", "2026-11-23T12:20:30+01:00", 39*time.Minute + 30*time.Second},
		{"to midnight", "20:00", "00:00", "Europe/Berlin", "2026-11-23T20:00:00+01:00", 4 * time.Hour},
	} {
		q, err := ParseQuiet(c.from, c.to, c.zone)
		if err != nil {
			t.Fatal(err)
		}
		begin := at(t, c.begin)
		if got := q.Wait(begin); got != c.lasts {
			t.Errorf("%s: %v from %s, want %v", c.name, got, c.begin, c.lasts)
		}
		if open := begin.Add(c.lasts); q.Closed(open) || q.Wait(open) != 0 {
			t.Errorf("%s: still closed at %v", c.name, open)
		}
		if before := begin.Add(c.lasts - time.Second); !q.Closed(before) {
			t.Errorf("%s: open at %v", c.name, before)
		}
	}
}

func TestNoQuietHours(t *testing.T) {
	t.Parallel()
	q, err := ParseQuiet("", "", "")
	if err != nil || q.Closed(at(t, "2026-11-23T00:00:00Z")) || q.Wait(at(t, "2026-11-23T03:00:00Z")) != 0 {
		t.Errorf("no hours are quiet, %v", err)
	}
	for _, c := range [][3]string{{"25:00", "07:00", ""}, {"22:00", "7", ""}, {"22:00", "22:00", ""}, {"22:00", "07:00", "Europe/Bärlin"}, {"22:00", "", ""}} {
		if _, err := ParseQuiet(c[0], c[1], c[2]); err == nil {
			t.Errorf("%v is accepted", c)
		}
	}
}

func TestDayEndsAtLocalMidnight(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		zone, now string
		want      time.Duration
	}{
		{"Europe/Berlin", "2026-11-23T23:30:00+01:00", 30 * time.Minute},
		{"Europe/Berlin", "2026-10-25T00:00:00+02:00", 25 * time.Hour},
		{"Europe/Berlin", "2027-03-28T00:00:00+01:00", 23 * time.Hour},
		// Here the 6th of October 2024 began at 01:00.
		{"America/Asuncion", "2024-10-05T23:00:00-04:00", time.Hour},
	} {
		z, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		l := Limits{PerDay: 1, Zone: z}
		p := Pace{}.Take(at(t, c.now), l)
		if got := p.Wait(at(t, c.now), l); got != c.want {
			t.Errorf("%s in %s: %v, want %v", c.now, c.zone, got, c.want)
		}
		if next := at(t, c.now).Add(c.want); p.Wait(next, l) != 0 || p.Take(next, l).Count != 1 {
			t.Errorf("%s: the next day does not begin anew", c.zone)
		}
	}
}

// Posts are sent whenever the pace lets them; no window of an hour may hold more than PerHour + Burst - 1.
func TestNoHourHoldsMoreThanItsLimit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := Limits{PerHour: rapid.IntRange(1, 60).Draw(t, "per hour"), Burst: rapid.IntRange(1, 10).Draw(t, "burst")}
		now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
		var p Pace
		var times []time.Time
		for range 200 {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(20*time.Minute)).Draw(t, "pause")))
			now = now.Add(p.Wait(now, l))
			if again := p.Wait(now, l); again != 0 {
				t.Fatalf("waits %v more after its own wait", again)
			}
			p = p.Take(now, l)
			times = append(times, now)
		}
		for i := range times {
			n := 0
			for j := i; j < len(times) && times[j].Sub(times[i]) < time.Hour; j++ {
				n++
			}
			if n > l.PerHour+l.Burst-1 {
				t.Fatalf("%d posts within an hour, limit %d, burst %d", n, l.PerHour, l.Burst)
			}
		}
	})
}

func TestPaceUsesItsAllowance(t *testing.T) {
	t.Parallel()
	l := Limits{PerHour: 4, Burst: 1}
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	var p Pace
	n := 0
	for end := now.Add(24 * time.Hour); now.Before(end); n++ {
		p = p.Take(now, l)
		now = now.Add(p.Wait(now, l))
	}
	if n != 96 {
		t.Errorf("%d posts in a day at 4 an hour", n)
	}
	if (Limits{}).Any() || !(Limits{MinInterval: 1}).Any() || (Pace{}).Wait(now, Limits{}) != 0 {
		t.Error("no limits wait")
	}
}

func TestMinInterval(t *testing.T) {
	t.Parallel()
	l := Limits{MinInterval: 10 * time.Minute}
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	p := Pace{}.Take(now, l)
	if got := p.Wait(now.Add(4*time.Minute), l); got != 6*time.Minute {
		t.Errorf("waits %v, want 6m", got)
	}
}

func TestClockSetBackDelaysAndNeitherRepeatsNorBlocks(t *testing.T) {
	t.Parallel()
	l := Limits{PerHour: 1, MinInterval: 10 * time.Minute}
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	p := Pace{}.Take(now, l)
	back := now.Add(-365 * 24 * time.Hour)
	p, changed := p.Settle(back)
	if got := p.Wait(back, l); !changed || got <= 0 || got > time.Hour+time.Second {
		t.Errorf("waits %v after the clock was set back a year, settled %v", got, changed)
	}
	later := back.Add(time.Hour + time.Second)
	if p, changed = p.Settle(later); changed || p.Wait(later, l) != 0 {
		t.Errorf("still waits %v an hour later", p.Wait(later, l))
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]time.Duration{
		-1: 30 * time.Second, 0: 30 * time.Second, 1: 30 * time.Second, 2: time.Minute, 3: 2 * time.Minute, 5: 8 * time.Minute,
		6: 15 * time.Minute, 9: 15 * time.Minute, 1000: 15 * time.Minute,
	} {
		if got := Backoff(n, 0.5); got != want {
			t.Errorf("Backoff(%d) = %v, want %v", n, got, want)
		}
		if low, high := Backoff(n, 0), Backoff(n, 0.999); low < want*79/100 || high > want*121/100 || low >= high {
			t.Errorf("Backoff(%d) spreads from %v to %v", n, low, high)
		}
	}
}
