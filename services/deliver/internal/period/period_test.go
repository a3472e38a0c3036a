package period

import (
	"fmt"
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"

	"tidings.internal/pkg/event"
	"tidings.internal/pkg/fault"
)

func calendar(t interface{ Fatal(...any) }, w event.Wishes) Calendar {
	c, err := New(w)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func daily(hour int, zone string) event.Wishes {
	return event.Wishes{Period: event.Daily, Hour: hour, Zone: zone}
}

func weekly(weekday, hour int, zone string) event.Wishes {
	return event.Wishes{Period: event.Weekly, Weekday: weekday, Hour: hour, Zone: zone}
}

func instant(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// The clock of Berlin goes from 02:00 to 03:00 on 2027-03-28 and from 03:00 back to 02:00 on 2026-10-25; that of Santiago from 24:00
// to 01:00 on 2026-09-06 and from 24:00 back to 23:00 on 2027-04-03; that of Sydney from 02:00 to 03:00 on 2026-10-04 and from 03:00
// back on 2027-04-04. Nuuk jumps from 23:00 on a Saturday to midnight, and Apia left out the 30th of December 2011.
func TestPeriodIsDueAtTheFirstInstantOfItsHour(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		wishes event.Wishes
		key    string
		due    string // in UTC
	}{
		{daily(1, "Europe/Berlin"), "2027-03-28", "2027-03-28T00:00:00Z"},
		{daily(2, "Europe/Berlin"), "2027-03-28", "2027-03-28T01:00:00Z"}, // 03:00, as 02:00 does not exist
		{daily(3, "Europe/Berlin"), "2027-03-28", "2027-03-28T01:00:00Z"},
		{daily(7, "Europe/Berlin"), "2027-03-28", "2027-03-28T05:00:00Z"},
		{daily(7, "Europe/Berlin"), "2027-03-27", "2027-03-27T06:00:00Z"},
		{daily(1, "Europe/Berlin"), "2026-10-25", "2026-10-24T23:00:00Z"},
		{daily(2, "Europe/Berlin"), "2026-10-25", "2026-10-25T00:00:00Z"}, // the first of two
		{daily(3, "Europe/Berlin"), "2026-10-25", "2026-10-25T02:00:00Z"},
		{daily(7, "Europe/Berlin"), "2026-10-25", "2026-10-25T06:00:00Z"},
		{weekly(7, 2, "Europe/Berlin"), "2027-W12", "2027-03-28T01:00:00Z"},
		{weekly(7, 2, "Europe/Berlin"), "2026-W43", "2026-10-25T00:00:00Z"},
		{weekly(1, 0, "Europe/Berlin"), "2026-W53", "2026-12-27T23:00:00Z"}, // the week of the new year belongs to the old one
		{weekly(5, 0, "Europe/Berlin"), "2026-W53", "2026-12-31T23:00:00Z"},
		{daily(0, "America/Santiago"), "2026-09-06", "2026-09-06T04:00:00Z"}, // 01:00, as midnight does not exist
		{daily(1, "America/Santiago"), "2026-09-06", "2026-09-06T04:00:00Z"},
		{daily(23, "America/Santiago"), "2026-09-05", "2026-09-06T03:00:00Z"},
		{daily(23, "America/Santiago"), "2027-04-03", "2027-04-04T02:00:00Z"}, // the first of two
		{daily(0, "America/Santiago"), "2027-04-04", "2027-04-04T04:00:00Z"},
		{daily(2, "Australia/Sydney"), "2026-10-04", "2026-10-03T16:00:00Z"},
		{daily(2, "Australia/Sydney"), "2027-04-04", "2027-04-03T15:00:00Z"},
		{daily(23, "America/Nuuk"), "2026-03-28", "2026-03-29T01:00:00Z"}, // the next day begins in its place
		{daily(7, "Pacific/Apia"), "2011-12-30", "2011-12-30T10:00:00Z"},
		{daily(7, ""), "2026-11-29", "2026-11-29T07:00:00Z"},
	} {
		t.Run(fmt.Sprintf("%s %d %s", c.wishes.Zone, c.wishes.Hour, c.key), func(t *testing.T) {
			t.Parallel()
			cal, due := calendar(t, c.wishes), instant(t, c.due)
			got, ok := cal.Due(time.Time{}, "", due)
			if !ok || got.Key != c.key || !got.Due.Equal(due) {
				t.Errorf("at %s the period %v is due (%v), want %s", c.due, got, ok, c.key)
			}
			if before, _ := cal.Due(time.Time{}, "", due.Add(-time.Second)); before.Key >= c.key {
				t.Errorf("a second before %s the period %s is due already", c.due, before.Key)
			}
			if next := cal.Next("", due.Add(-time.Second)); next != got {
				t.Errorf("a second before, %v is next, want %v", next, got)
			}
		})
	}
}

// Whatever the clocks do, a reader gets one mail a day: minute by minute through a year, each local date is due once and in
// its order.
func TestEachDateIsDueOnce(t *testing.T) {
	t.Parallel()
	for _, w := range []event.Wishes{
		daily(2, "Europe/Berlin"), weekly(7, 2, "Europe/Berlin"), daily(0, "America/Santiago"), daily(2, "Australia/Sydney"), daily(23, "America/Nuuk"),
	} {
		t.Run(fmt.Sprint(w.Period, w.Zone), func(t *testing.T) {
			t.Parallel()
			walk(t, w)
		})
	}
}

// walk follows a reader through a year and counts the mails.
func walk(t *testing.T, w event.Wishes) {
	t.Helper()
	cal := calendar(t, w)
	start := cal.latest(time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC))
	last, day := start, cal.day(start.Due)
	for now := start.Due; now.Before(start.Due.AddDate(1, 0, 3)); now = now.Add(time.Minute) {
		p, ok := cal.Due(start.Due, last.Key, now)
		if !ok {
			continue
		}
		day = day.AddDate(0, 0, cal.step())
		wall := p.Due.In(cal.zone)
		switch {
		case p.Key != cal.of(day).Key || !p.Due.After(last.Due):
			t.Fatalf("%v follows on %v", p, last)
		case !p.Due.Equal(now):
			t.Fatalf("%v is seen at %v", p, now)
		case wall.Add(-time.Minute).Day() == wall.Day() && cal.day(p.Due) != day || wall.Hour() < w.Hour && wall.Hour() != 0:
			t.Fatalf("%s is due at the wrong time: %v", p.Key, wall)
		}
		last = p
	}
	if got := day.Sub(cal.day(start.Due)); got < 364*24*time.Hour {
		t.Errorf("the last mail came after %v", got)
	}
}

// Any instant of any calendar: what is due came before, what is next comes after, and nothing lies between.
func TestDueAndNextAreNeighbours(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		w := event.Wishes{
			Period:  rapid.SampledFrom([]string{event.Daily, event.Weekly}).Draw(r, "period"),
			Weekday: rapid.IntRange(1, 7).Draw(r, "weekday"), Hour: rapid.IntRange(0, 23).Draw(r, "hour"),
			Zone: rapid.SampledFrom([]string{"", "Europe/Berlin", "America/Santiago", "Australia/Sydney", "America/Nuuk", "Pacific/Apia", "America/St_Johns", "Asia/Kathmandu"}).Draw(r, "zone"),
		}
		cal := calendar(r, w)
		now := time.Unix(rapid.Int64Range(946684800, 2208988800).Draw(r, "now"), 0) // 2000 to 2040
		p, ok := cal.Due(time.Time{}, "", now)
		next := cal.Next("", now)
		if !ok || p.Due.After(now) || !next.Due.After(now) || next.Key <= p.Key {
			r.Fatalf("at %v %v is due and %v next", now, p, next)
		}
		if again, ok := cal.Due(time.Time{}, p.Key, next.Due.Add(-time.Second)); ok {
			r.Fatalf("%v opens after %v", again, p)
		}
		if got, ok := cal.Due(time.Time{}, p.Key, next.Due); !ok || got.Key < next.Key {
			r.Fatalf("%v does not open: %v", next, got)
		}
	})
}

func TestMissedPeriodsBecomeOneMail(t *testing.T) {
	t.Parallel()
	cal := calendar(t, daily(7, "Europe/Berlin"))
	now := instant(t, "2026-11-29T12:00:00Z")
	p, ok := cal.Due(time.Time{}, "2026-11-20", now)
	if !ok || p.Key != "2026-11-29" {
		t.Fatalf("after nine days without mail %v is due (%v)", p, ok)
	}
	if p, ok := cal.Due(time.Time{}, p.Key, now); ok {
		t.Errorf("%v is due besides", p)
	}
}

func TestPeriodNeverOpensAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		wishes      event.Wishes
		since, last string
		now         string
		want        string // "" for none
	}{
		{"the hour is moved later on the same day", daily(20, "Europe/Berlin"), "2026-11-29T11:00:00Z", "2026-11-29", "2026-11-29T20:00:00Z", ""},
		{"and comes the day after", daily(20, "Europe/Berlin"), "2026-11-29T11:00:00Z", "2026-11-29", "2026-11-30T19:00:00Z", "2026-11-30"},
		{"the reader moved to the west, where it is yesterday", daily(7, "America/Los_Angeles"), "2026-11-28T20:00:00Z", "2026-11-29", "2026-11-29T18:00:00Z", ""},
		{"the weekday is moved within the week", weekly(5, 7, ""), "2026-11-25T11:00:00Z", "2026-W48", "2026-11-28T18:00:00Z", ""},
		{"weekly instead of daily", weekly(1, 7, ""), "2026-11-25T11:00:00Z", "2026-11-25", "2026-11-29T18:00:00Z", ""},
		{"the first weekly one", weekly(1, 7, ""), "2026-11-25T11:00:00Z", "2026-11-25", "2026-11-30T07:00:00Z", "2026-W49"},
		{"daily instead of weekly", daily(7, ""), "2026-11-25T11:00:00Z", "2026-W48", "2026-11-26T07:00:00Z", "2026-11-26"},
		{"a reader of today missed nothing this morning", daily(7, ""), "2026-11-25T11:00:00Z", "", "2026-11-26T06:59:59Z", ""},
		{"at the very instant", daily(7, ""), "2026-11-25T07:00:00Z", "", "2026-11-25T07:00:00Z", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cal := calendar(t, c.wishes)
			since, now := instant(t, c.since), instant(t, c.now)
			p, ok := cal.Due(since, c.last, now)
			if ok != (c.want != "") || ok && p.Key != c.want {
				t.Errorf("%v is due (%v), want %q", p, ok, c.want)
			}
			next := cal.Next(c.last, now)
			if _, open := cal.Due(since, c.last, next.Due); !open {
				t.Errorf("%v is next, but will not be due", next)
			}
		})
	}
}

func TestImmediateHasNoCalendar(t *testing.T) {
	t.Parallel()
	cal := calendar(t, event.Wishes{Period: event.Immediate})
	now := instant(t, "2026-11-29T12:00:00Z")
	if p, ok := cal.Due(time.Time{}, "", now); ok || cal.Scheduled() || cal.Next("", now) != (Period{}) {
		t.Errorf("%v is due", p)
	}
	if Ordinal(42) == Ordinal(43) || Ordinal(42) != "n42" {
		t.Error("ordinals are no names")
	}
}

func TestWishesWithoutAMeaningAreRefused(t *testing.T) {
	t.Parallel()
	for _, w := range []event.Wishes{daily(7, "Europe/Nowhere"), daily(7, "Local"), daily(7, "../etc/passwd"), daily(24, ""), weekly(0, 7, ""), {}} {
		if _, err := New(w); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+v: %v, want invalid", w, err)
		}
	}
}

// The key of an immediate mail may be as long as that of a week or a date, once there were a million posts. It is no later
// one: a reader who goes over to such mails gets them.
func TestImmediateMailsEndNoPeriods(t *testing.T) {
	t.Parallel()
	now := instant(t, "2026-11-25T12:00:00Z")
	since := instant(t, "2026-11-01T12:00:00Z")
	for _, c := range []struct {
		wishes event.Wishes
		last   uint64
		due    string
		next   string
	}{
		{weekly(1, 7, "UTC"), 1_234_567, "2026-W48", "2026-W49"},
		{daily(7, "UTC"), 123_456_789, "2026-11-25", "2026-11-26"},
	} {
		last := Ordinal(c.last)
		if len(last) != len(c.due) {
			t.Fatalf("%s is no key of the length of %s", last, c.due)
		}
		calendar := calendar(t, c.wishes)
		if p, ok := calendar.Due(since, last, now); !ok || p.Key != c.due {
			t.Errorf("after %s: %s is due, %v", last, p.Key, ok)
		}
		if p := calendar.Next(last, now); p.Key != c.next {
			t.Errorf("after %s: %s is next", last, p.Key)
		}
	}
}
