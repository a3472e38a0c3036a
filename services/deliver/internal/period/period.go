// Package period is the calendar of newsletters: which mail of a reader is due, what it is called, and since when.
//
// A daily mail is named by a local date, a weekly one by an ISO week; each is due once, at the first instant at which the
// reader's clock shows the hour or more. So where the clock jumps over the hour the mail comes right after the jump, and
// where it shows the hour twice, at the first time. Immediate mails have no calendar: each is named by the ordinal of its
// story ([Ordinal]).
//
// The package is arithmetic over instants that the caller brings. It knows no clock and no timer, and neither readers nor
// mails: what was sent is a name that the caller keeps.
package period

import (
	"strconv"
	"time"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

// Calendar is when the mails of a reader are due. [New] makes one; the zero value has no periods.
type Calendar struct {
	weekday int // 1 for Monday to 7 for Sunday; 0 for every day
	hour    int
	zone    *time.Location // nil without periods
}

// Period is one mail that is to come.
type Period struct {
	// Key names it: the local date as 2026-11-29, or the ISO week as 2026-W48. Keys of one form rise with time as texts do.
	Key string
	// Due is the instant from which on it is due, in UTC.
	Due time.Time
}

// New makes the calendar of what a reader wishes; of immediate mails the zero value. Wishes that are not valid, and a zone
// that this machine does not know, are [fault.Invalid].
func New(w event.Wishes) (Calendar, error) {
	if err := w.Check(); err != nil {
		return Calendar{}, err
	}
	if w.Period == event.Immediate {
		return Calendar{}, nil
	}
	// LoadLocation takes "Local" for the zone of this machine, which no reader can mean.
	zone, err := time.LoadLocation(w.Zone)
	if err != nil || w.Zone == "Local" {
		return Calendar{}, fault.Errorf(fault.Invalid, "zone is no name of a time zone, such as Europe/Berlin")
	}
	c := Calendar{hour: w.Hour, zone: zone}
	if w.Period == event.Weekly {
		c.weekday = w.Weekday
	}
	return c, nil
}

// Ordinal is the key of an immediate mail: it is named by the place of its story in the list, which no other story has.
func Ordinal(n uint64) string { return "n" + strconv.FormatUint(n, 10) }

// Scheduled reports whether the calendar has periods. That of immediate mails has none.
func (c Calendar) Scheduled() bool { return c.zone != nil }

// Due returns the period that is due at now, if there is one, for a reader who wishes so since an instant and whose last
// mail was that of a period (its key, empty for none).
//
// It is the latest whose instant has come, so periods that were missed become one mail. One that was due before the
// wishes is not missed, and one that was sent does not open again: neither when the hour is moved later, nor when the
// reader's clock goes back by a change of zone.
func (c Calendar) Due(since time.Time, last string, now time.Time) (Period, bool) {
	if !c.Scheduled() {
		return Period{}, false
	}
	p := c.latest(now)
	// Keys of another form are those of former wishes; since bounds those.
	return p, p.Due.After(since) && !over(p.Key, last)
}

// Next returns the first period whose instant comes after now and which is not last or earlier; without periods the zero value.
func (c Calendar) Next(last string, now time.Time) Period {
	if !c.Scheduled() {
		return Period{}
	}
	day := c.day(now).AddDate(0, 0, -2*c.step())
	for {
		p := c.of(day)
		if p.Due.After(now) && !over(p.Key, last) {
			return p
		}
		day = day.AddDate(0, 0, c.step())
	}
}

// over reports whether a period of a calendar is last, or one before it. Only keys of one form have an order. Those of dates
// and weeks differ in their length; that of an immediate mail may have the length of either, but begins with no digit.
func over(key, last string) bool {
	return len(last) == len(key) && last[0] <= '9' && key <= last
}

// latest returns the last period whose instant has come. The local date may be one day before the latest that the clock
// has shown, where it goes back over midnight, and the hour of today may be still to come.
func (c Calendar) latest(now time.Time) Period {
	day := c.day(now).AddDate(0, 0, c.step())
	for {
		if p := c.of(day); !p.Due.After(now) {
			return p
		}
		day = day.AddDate(0, 0, -c.step())
	}
}

// step is the number of days from one period to the next.
func (c Calendar) step() int {
	if c.weekday > 0 {
		return 7
	}
	return 1
}

// day returns the date of the period in which now lies by the local clock: today, or the weekday in the ISO week of today.
// Dates are midnights in UTC, which has every date and every hour once.
func (c Calendar) day(now time.Time) time.Time {
	y, m, d := now.In(c.zone).Date()
	day := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	if c.weekday > 0 {
		day = day.AddDate(0, 0, c.weekday-(int(day.Weekday())+6)%7-1)
	}
	return day
}

// of returns the period of a date.
func (c Calendar) of(day time.Time) Period {
	key := day.Format(time.DateOnly)
	if c.weekday > 0 {
		y, w := day.ISOWeek()
		key = strconv.Itoa(y) + "-W" + strconv.Itoa(w/10) + strconv.Itoa(w%10)
	}
	return Period{Key: key, Due: first(day.Add(time.Duration(c.hour)*time.Hour), c.zone)}
}

// farthest is more than the distance of any local time from UTC, which lies within -12 and +14 hours.
const farthest = 24 * time.Hour

// first returns the first instant at which the clock of a zone shows a time or a later one; wall is that time as if it
// were UTC. It walks the stretches of one offset, for time.Date takes any of two instants where the clock goes back, and
// one beside it where it jumps.
func first(wall time.Time, zone *time.Location) time.Time {
	start := wall.Add(-farthest)
	for {
		local := start.In(zone)
		_, offset := local.Zone()
		at := wall.Add(-time.Duration(offset) * time.Second)
		if at.Before(start) {
			at = start // the stretch begins with a jump over the time
		}
		_, end := local.ZoneBounds()
		if end.IsZero() || at.Before(end) {
			return at
		}
		start = end.UTC()
	}
}
