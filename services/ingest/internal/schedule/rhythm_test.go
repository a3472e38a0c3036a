package schedule

import (
	"net/http"
	"testing"
	"time"
)

// noon is a Monday in the middle of the day.
var noon = time.Date(2026, 3, 2, 12, 30, 0, 0, time.UTC)

// steady gives n times before noon, a gap apart, the newest some time ago.
func steady(n int, gap, ago time.Duration) []time.Time {
	list := make([]time.Time, n)
	for i := range list {
		list[i] = noon.Add(-ago - time.Duration(i)*gap)
	}
	return list
}

func TestBaseFollowsTheRhythmOfTheSource(t *testing.T) {
	t.Parallel()
	same := make([]time.Time, 10)
	for i := range same {
		same[i] = noon.Add(-time.Hour)
	}
	slowThenQuick := append(steady(20, 18*time.Minute, 0), steady(50, 24*time.Hour, 20*time.Hour)...)
	for name, c := range map[string]struct {
		times []time.Time
		since time.Time
		want  time.Duration
	}{
		"more often than it has news":      {steady(10, 200*time.Minute, 0), time.Time{}, 40 * time.Minute},
		"less often than it has news":      {steady(10, 6*time.Minute+7500*time.Millisecond, 0), time.Time{}, 7 * time.Minute},
		"no less than five minutes":        {steady(10, time.Minute, 0), time.Time{}, 5 * time.Minute},
		"no more than a day":               {steady(3, 200*24*time.Hour, 0), time.Time{}, 24 * time.Hour},
		"the median of unequal gaps":       {[]time.Time{noon, noon.Add(-50 * time.Minute), noon.Add(-122 * time.Minute), noon.Add(-100 * time.Hour)}, time.Time{}, 24 * time.Minute},
		"between the two middle gaps":      {[]time.Time{noon, noon.Add(-time.Hour), noon.Add(-256 * time.Minute)}, time.Time{}, 32 * time.Minute},
		"the latest twenty only":           {slowThenQuick, time.Time{}, 12 * time.Minute},
		"a pause is no silence":            {steady(10, 32*time.Minute, 128*time.Minute), time.Time{}, 16 * time.Minute},
		"a silence counts as a gap":        {steady(10, 32*time.Minute, 800*time.Minute), time.Time{}, 40 * time.Minute},
		"two times are too few":            {steady(2, time.Hour, 0), time.Time{}, 30 * time.Minute},
		"equal times count once":           {same, time.Time{}, 30 * time.Minute},
		"nothing known":                    {nil, time.Time{}, 30 * time.Minute},
		"just under a quiet week":          {steady(10, time.Hour, 7*24*time.Hour-time.Second), time.Time{}, 2*time.Hour + 21*time.Minute + 59*time.Second},
		"a quiet week":                     {steady(10, time.Hour, 7*24*time.Hour), time.Time{}, 3 * time.Hour},
		"two quiet weeks":                  {steady(10, time.Hour, 14*24*time.Hour), time.Time{}, 6 * time.Hour},
		"a quiet month":                    {steady(10, time.Hour, 30*24*time.Hour), time.Time{}, 24 * time.Hour},
		"silence does not shorten":         {steady(10, 20_000*time.Minute, 7*24*time.Hour), time.Time{}, 400 * time.Minute},
		"one that never had an item":       {nil, noon.Add(-31 * 24 * time.Hour), 24 * time.Hour},
		"one item, and a month of silence": {steady(1, 0, 40*24*time.Hour), time.Time{}, 24 * time.Hour},
	} {
		if got := Base(c.times, c.since, noon); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestFloorIsTheLongestHintAndAtMostADay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		hints Hints
		want  time.Duration
	}{
		{Hints{}, 0},
		{Hints{TTL: time.Hour}, time.Hour},
		{Hints{TTL: time.Hour, Fresh: 2 * time.Hour}, 2 * time.Hour},
		{Hints{TTL: 90 * 24 * time.Hour}, 24 * time.Hour},
		{Hints{Fresh: -time.Hour}, 0},
	} {
		if got := c.hints.Floor(); got != c.want {
			t.Errorf("%+v: %v, want %v", c.hints, got, c.want)
		}
	}
}

func TestSkippedHoursAndDaysShiftToTheNextAllowedHour(t *testing.T) {
	t.Parallel()
	every := make([]int, 24)
	for h := range every {
		every[h] = h
	}
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 3, day, hour, minute, 0, 0, time.UTC) }
	east := time.FixedZone("", 5*3600)
	for name, c := range map[string]struct {
		hints Hints
		at    time.Time
		want  time.Time
	}{
		"no hints":             {Hints{}, noon, noon},
		"an hour that is free": {Hints{SkipHours: []int{11, 13}}, noon, noon},
		"one hour":             {Hints{SkipHours: []int{12}}, noon, at(2, 13, 0)},
		"over midnight":        {Hints{SkipHours: []int{22, 23, 0, 1}}, at(2, 22, 10), at(3, 2, 0)},
		"a day":                {Hints{SkipDays: []time.Weekday{time.Monday}}, noon, at(3, 0, 0)},
		"a day and hours":      {Hints{SkipDays: []time.Weekday{time.Monday}, SkipHours: []int{0, 1}}, noon, at(3, 2, 0)},
		"in GMT":               {Hints{SkipHours: []int{12}}, noon.In(east), at(2, 13, 0)},
		"all hours is no hint": {Hints{SkipHours: every}, noon, noon},
	} {
		if got := c.hints.Allowed(c.at); !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestFreshnessOfAnAnswer(t *testing.T) {
	t.Parallel()
	date := noon.Format(http.TimeFormat)
	for name, c := range map[string]struct {
		header map[string]string
		want   time.Duration
	}{
		"nothing said":         {nil, 0},
		"max-age":              {map[string]string{"Cache-Control": "public, Max-Age=3600"}, time.Hour},
		"less its age":         {map[string]string{"Cache-Control": "max-age=3600", "Age": "600"}, 50 * time.Minute},
		"older than that":      {map[string]string{"Cache-Control": "max-age=60", "Age": "600"}, 0},
		"quoted":               {map[string]string{"Cache-Control": `max-age="60"`}, time.Minute},
		"garbage":              {map[string]string{"Cache-Control": "max-age=soon", "Age": "-4", "Expires": "0"}, 0},
		"negative":             {map[string]string{"Cache-Control": "max-age=-60"}, 0},
		"a year":               {map[string]string{"Cache-Control": "max-age=31536000"}, 24 * time.Hour},
		"an absurd number":     {map[string]string{"Cache-Control": "max-age=9000000000000000000"}, 24 * time.Hour},
		"expires":              {map[string]string{"Date": date, "Expires": noon.Add(2 * time.Hour).Format(http.TimeFormat)}, 2 * time.Hour},
		"expires without date": {map[string]string{"Expires": noon.Add(2 * time.Hour).Format(http.TimeFormat)}, 2 * time.Hour},
		"expired":              {map[string]string{"Date": date, "Expires": "Thu, 19 Nov 1981 08:52:00 GMT"}, 0},
		"the longer one":       {map[string]string{"Cache-Control": "max-age=60", "Date": date, "Expires": noon.Add(time.Hour).Format(http.TimeFormat)}, time.Hour},
		"not to be stored":     {map[string]string{"Cache-Control": "no-cache, max-age=3600", "Date": date, "Expires": noon.Add(time.Hour).Format(http.TimeFormat)}, 0},
	} {
		h := http.Header{}
		for k, v := range c.header {
			h.Set(k, v)
		}
		if got := Fresh(h, noon); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
