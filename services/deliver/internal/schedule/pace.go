package schedule

import "time"

// Limits are how often a channel posts. Zero means no limit.
type Limits struct {
	PerHour     int
	PerDay      int
	MinInterval time.Duration
	// Burst is how many posts may follow each other at once after a pause; at least 1.
	Burst int
	// Zone says when a day begins; UTC when nil.
	Zone *time.Location
}

// Any reports whether there is a limit at all.
func (l Limits) Any() bool { return l.PerHour > 0 || l.PerDay > 0 || l.MinInterval > 0 }

// Pace is what the limits must remember from post to post. The zero value is a channel that never posted.
type Pace struct {
	// Level is how many posts may go at once, as of At.
	Level float64   `json:"level"`
	At    time.Time `json:"at,omitzero"`
	// Day is the local date that Count belongs to.
	Day   string    `json:"day,omitempty"`
	Count int       `json:"count,omitempty"`
	Last  time.Time `json:"last,omitzero"`
}

// Settle corrects what a clock that was set back has left in the future, and reports whether it had to: time counts
// from now on, nothing is gained, and nothing waits for the old date to come.
func (p Pace) Settle(now time.Time) (Pace, bool) {
	if !p.At.After(now) && !p.Last.After(now) {
		return p, false
	}
	p.At, p.Last = now.UTC(), now.UTC()
	return p, true
}

// at returns the level at now: it grows with time up to the burst, so that no hour holds more than PerHour + Burst - 1
// posts.
func (p Pace) at(now time.Time, l Limits) float64 {
	burst := float64(max(l.Burst, 1))
	if p.At.IsZero() {
		return burst
	}
	gained := max(now.Sub(p.At), 0).Seconds() * float64(l.PerHour) / 3600
	return min(burst, p.Level+gained)
}

// Wait returns how long a post has to wait at now, zero when it may go.
func (p Pace) Wait(now time.Time, l Limits) time.Duration {
	var wait time.Duration
	if l.PerHour > 0 {
		if level := p.at(now, l); level < 1 {
			// Rounded up: a wake-up a nanosecond early would find the level just below 1 again.
			wait = time.Duration((1-level)*3600/float64(l.PerHour)*float64(time.Second)) + time.Millisecond
		}
	}
	if l.MinInterval > 0 && !p.Last.IsZero() {
		wait = max(wait, p.Last.Add(l.MinInterval).Sub(now))
	}
	if l.PerDay > 0 && p.Day == day(now, l.Zone) && p.Count >= l.PerDay {
		wait = max(wait, tomorrow(now, l.Zone).Sub(now))
	}
	return wait
}

// Take books one post.
func (p Pace) Take(now time.Time, l Limits) Pace {
	if l.PerHour > 0 {
		p.Level = p.at(now, l) - 1
	}
	p.At, p.Last = now.UTC(), now.UTC()
	if d := day(now, l.Zone); p.Day != d {
		p.Day, p.Count = d, 0
	}
	p.Count++
	return p
}

func zone(z *time.Location) *time.Location {
	if z == nil {
		return time.UTC
	}
	return z
}

func day(t time.Time, z *time.Location) string { return t.In(zone(z)).Format(time.DateOnly) }

// tomorrow is the first instant of the next local date. It steps hours instead of building a local midnight: in some
// zones a date begins at 01:00, and time.Date then gives an instant of the day before.
func tomorrow(now time.Time, z *time.Location) time.Time {
	today := day(now, z)
	t := now.Truncate(time.Minute)
	for day(t, z) == today {
		t = t.Add(time.Hour)
	}
	for day(t.Add(-time.Minute), z) != today {
		t = t.Add(-time.Minute)
	}
	return t
}
