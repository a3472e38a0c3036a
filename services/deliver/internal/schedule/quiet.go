package schedule

import (
	"fmt"
	"time"
)

// Quiet is the time of day in which nothing is posted: from From up to but without To by the local clock, over midnight
// when From is later than To. The zero value is never quiet.
//
// It is a predicate on what the clock on the wall shows. So the nights of a change of time are an hour shorter or
// longer, and an end inside an hour that comes twice opens, closes and opens again.
type Quiet struct {
	From, To int // minutes after midnight
	Zone     *time.Location
}

// ParseQuiet reads the three words of a configuration; "" three times is the zero value. An empty zone is UTC.
func ParseQuiet(from, to, zoneName string) (Quiet, error) {
	if from == "" && to == "" {
		return Quiet{}, nil
	}
	var q Quiet
	var err error
	if q.From, err = minutes(from); err != nil {
		return Quiet{}, err
	}
	if q.To, err = minutes(to); err != nil {
		return Quiet{}, err
	}
	if q.From == q.To {
		return Quiet{}, fmt.Errorf("quiet hours begin and end at %s", from)
	}
	if q.Zone, err = time.LoadLocation(zoneName); err != nil {
		return Quiet{}, fmt.Errorf("%q is no time zone; use a name like Europe/Berlin", zoneName)
	}
	return q, nil
}

func minutes(text string) (int, error) {
	t, err := time.Parse("15:04", text)
	if err != nil {
		return 0, fmt.Errorf("%q is no time of day; write hours and minutes like 22:00", text)
	}
	return t.Hour()*60 + t.Minute(), nil
}

// Closed reports whether now lies in the quiet hours.
func (q Quiet) Closed(now time.Time) bool {
	if q.From == q.To {
		return false
	}
	t := now.In(zone(q.Zone))
	m := t.Hour()*60 + t.Minute()
	if q.From < q.To {
		return q.From <= m && m < q.To
	}
	return m >= q.From || m < q.To
}

// Wait returns how long the quiet hours still last, zero when they do not. It steps minutes, because building the local
// time of the end is ambiguous on a change of time: for 02:30 in Berlin time.Date gives the second 02:30 in October and
// 03:30 in March.
func (q Quiet) Wait(now time.Time) time.Duration {
	if !q.Closed(now) {
		return 0
	}
	t := now.Truncate(time.Minute)
	for range 3 * 24 * 60 {
		t = t.Add(time.Minute)
		if !q.Closed(t) {
			break
		}
	}
	return t.Sub(now)
}
